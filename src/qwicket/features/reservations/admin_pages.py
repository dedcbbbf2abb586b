"""Reservations and maintenance windows on administrators' pages."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from qwicket.features.reservations.service import ReservationAdmin
from qwicket.pages.admin_choices import device_choices, project_choices
from qwicket.pages.admin_parts import Act, Card, Part
from qwicket.pages.formats import clip
from qwicket.pages.forms import list_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response

    from qwicket.model.reservations import Window
    from qwicket.pages.admin_view import View

_DAYS: Final = 7
_LEFT, _WIDTH, _TOP, _STEP = 170.0, 1120.0, 24.0, 34.0
"""Lengths of the drawing, in units of the SVG: space for names, width, place of the first line, and
distance of the lines."""
_MAX_LINES: Final = 12
_MAX_BARS: Final = 60
_MAX_CHARS: Final = 22
_PAGE_ROWS: Final = 25
_SHOWN: Final = 10


class Bar(NamedTuple):
    """A window in the drawing; `kind` is the class of its colour."""

    kind: str
    x: float
    y: float
    width: float
    text: str


class Week(NamedTuple):
    """The drawing of the windows of a week.

    Attributes:
        height: Its height.
        days: Places and names of the days.
        lines: Places and names of the devices.
        bars: The windows.
        now: Place of the present time.
    """

    height: float
    days: list[tuple[float, str]]
    lines: list[tuple[float, str]]
    bars: list[Bar]
    now: float


async def read(view: View, _name: str) -> Response:
    """Read the windows that have not ended, and the forms that add some."""
    return view.render(
        "admin-windows",
        "Reservations and maintenance",
        "devices",
        listed=list_page(view.request, await _windows(view), _PAGE_ROWS),
        devices=await device_choices(view),
        projects=await project_choices(view),
        zone_name=str(view.zone),
    )


async def _windows(view: View) -> list[Window]:
    return await ReservationAdmin(view.gateway.store, view.gateway.now_ms).all()


async def _week_card(view: View, _name: str) -> dict[str, Any]:
    windows = await _windows(view)
    now = datetime.fromtimestamp(view.gateway.now_ms() / 1000, view.zone)
    return {"week": week(windows, now), "windows": windows[:_SHOWN], "n": len(windows)}


async def _device_card(view: View, name: str) -> dict[str, Any]:
    found = [each for each in await _windows(view) if name in each.reservation.devices]
    return {"windows": found[:_SHOWN], "n": len(found)}


def week(windows: Sequence[Window], now: datetime) -> Week | None:
    """Return the drawing of the days from today on; None if they have no windows."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    days = [midnight + timedelta(days=number) for number in range(_DAYS + 1)]
    begin, end = (each.timestamp() for each in (days[0], days[-1]))

    def place(at_s: float) -> float:
        part = (min(max(at_s, begin), end) - begin) / (end - begin)
        return round(_LEFT + part * (_WIDTH - _LEFT), 1)

    shown = [each for each in windows if each.reservation.from_at < 1000 * end][:_MAX_BARS]
    if not shown:
        return None
    names = list(dict.fromkeys(each.reservation.device for each in shown))[:_MAX_LINES]
    tops = {name: _TOP + _STEP * number + 6 for number, name in enumerate(names)}
    bars = []
    for each in shown:
        window = each.reservation
        if window.device in tops:
            x, right = place(window.from_at / 1000), place(window.until_at / 1000)
            kind = "mnt" if window.kind == "maintenance" else "res"
            text = clip(", ".join(each.projects) or window.reason, _MAX_CHARS)
            bars.append(Bar(kind, x, tops[window.device], max(right - x, 3.0), text))
    return Week(
        _TOP + _STEP * len(names) + 4,
        [(place(each.timestamp()), f"{each:%a} {each.day}") for each in days[:-1]],
        [(top, clip(name, _MAX_CHARS)) for name, top in tops.items()],
        bars,
        place(now.timestamp()),
    )


PART: Final = Part(
    pages={"windows": "qwicket.features.reservations.admin_pages:read"},
    cards={
        "devices": Card("admin-week.html", _week_card),
        "device": Card("admin-device-windows.html", _device_card),
    },
    acts={
        "create_reservation": Act(
            "create_reservation",
            fields={
                "device": "text",
                "projects": "list",
                "from": "time",
                "until": "time",
                "slots": "number",
                "exclusive": "yes",
                "drain_s": "number",
                "exam_waiting": "number",
                "withhold_results": "yes",
                "reason": "text",
            },
            done="The device is reserved.",
        ),
        "create_maintenance": Act(
            "create_maintenance",
            fields={
                "device": "text",
                "from": "time",
                "until": "time",
                "weeks": "number",
                "timezone": "text",
                "reason": "text",
            },
            done="The maintenance is planned.",
        ),
        "remove_window": Act(
            "remove_reservation",
            ("reservation",),
            question="Remove this window of {device}?",
            warning="The device takes jobs in this time as in any other. Results that an exam"
            " withholds are shown at once.",
            button="Remove the window",
            done="The window was removed.",
        ),
        "remove_series": Act(
            "remove_reservation",
            ("reservation",),
            query={"series": "true"},
            question="Remove all weeks of this window of {device}?",
            warning="The device takes jobs in these times as in any other.",
            button="Remove all weeks",
            done="The windows were removed.",
        ),
    },
    files={"windows": "list_reservations"},
    sentences={
        "create_reservation": "reserved {device} from {from} until {until}",
        "create_maintenance": "planned maintenance of {device} from {from} until {until}",
        "remove_reservation": "removed a window of {device}",
    },
    moved={"reservations": "windows"},
)
