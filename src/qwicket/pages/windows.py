"""Reservations and maintenance windows of a device, and what they mean for one person."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import tzinfo

    from qwicket.model.reservations import Window

WIDTH: Final = 700.0
"""Width of the drawing of a week, in units of the SVG image."""
MAX_ROWS: Final = 10
_DAYS: Final = 7
_LEAST_WIDTH: Final = 3.0
_CHAR: Final = 7.0
"""About the width of a character of a label, which is drawn only where it has room."""
_MAX_LABEL_CHARS: Final = 18
_MAX_NAMES: Final = 3


class Row(NamedTuple):
    """A window. Times are in Unix milliseconds; `effect` is what it means for the person."""

    kind: str
    name: str
    reason: str
    begin: int
    until: int
    effect: str


class Bar(NamedTuple):
    """A window in the drawing; `label` is empty where it has no room."""

    kind: str
    x: float
    width: float
    label: str


class Week(NamedTuple):
    """The drawing of a week: where each day begins, where it is now, and the windows."""

    days: list[tuple[float, str]]
    now: float
    bars: list[Bar]


def rows(windows: Sequence[Window]) -> list[Row]:
    """Return the first windows of a device, by their begin."""
    found = [
        Row(
            each.reservation.kind,
            _name(each),
            each.reservation.reason,
            each.reservation.from_at,
            each.reservation.until_at,
            _effect(each),
        )
        for each in windows
    ]
    return sorted(found, key=lambda each: each.begin)[:MAX_ROWS]


def _name(window: Window) -> str:
    if window.reservation.kind == "maintenance":
        return "Maintenance"
    what = "Exam" if window.reservation.waiting_limit is not None else "Reserved"
    return f"{what} for {_names(window) or 'others'}"


def _names(window: Window) -> str:
    """Return the names of the person's own projects among those of a window; may be empty."""
    names, n_more = window.projects[:_MAX_NAMES], len(window.projects) - _MAX_NAMES
    return ", ".join((*names, f"{n_more:,} more") if n_more > 0 else names)


def _effect(window: Window) -> str:
    reservation, names = window.reservation, _names(window)
    if reservation.kind == "maintenance":
        return "The device is off: jobs wait."
    if reservation.waiting_limit is not None:
        if not names:
            return "You cannot submit jobs."
        later = " Results are shown after its end." if reservation.withholds_results else ""
        return (
            f"Only jobs of {names} can be submitted, at most {reservation.waiting_limit:,} of"
            f" yours waiting at a time.{later}"
        )
    if reservation.slots is None:
        return f"Your jobs of {names} run; others wait." if names else "Your jobs wait."
    number = f"{reservation.slots:,} {'slot is' if reservation.slots == 1 else 'slots are'}"
    if names:
        return f"{number} for jobs of {names}; others use the rest."
    return f"{number} reserved; your jobs use the rest."


def week(shown: Sequence[Row], now: int, zone: tzinfo) -> Week:
    """Return the drawing of windows in the seven days that begin today in a time zone."""
    today = datetime.fromtimestamp(now / 1000, zone).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    midnights = [today + timedelta(days=number) for number in range(_DAYS + 1)]
    begin, end = (midnights[at].timestamp() * 1000 for at in (0, -1))

    def x(at_ms: float) -> float:
        return round(WIDTH * min(1.0, max(0.0, (at_ms - begin) / (end - begin))), 1)

    days = [(x(each.timestamp() * 1000), f"{each:%a} {each.day}") for each in midnights[:-1]]
    return Week(days, x(now), _bars([each for each in shown if each.begin < end], x))


def _bars(shown: Sequence[Row], x: Callable[[float], float]) -> list[Bar]:
    bars: list[Bar] = []
    room_until = WIDTH
    for each in reversed(shown):
        begin = min(x(each.begin), WIDTH - _LEAST_WIDTH)
        width = max(_LEAST_WIDTH, round(x(each.until) - begin, 1))
        text = each.reason if each.kind == "maintenance" else each.name.partition(" for ")[2]
        has_room = len(text) <= _MAX_LABEL_CHARS
        has_room = has_room and begin + width + _CHAR * (len(text) + 2) <= room_until
        bars.append(Bar(each.kind, begin, width, text if has_room else ""))
        room_until = begin
    return bars[::-1]
