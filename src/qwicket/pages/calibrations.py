"""The calibrations of a device over time: plots of the last days, a list of all, CSV and JSON."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from starlette.responses import Response

from qwicket.dialects.native import wire
from qwicket.dialects.responses import json
from qwicket.dialects.routing import Route
from qwicket.model.accounts import Scope
from qwicket.model.errors import NotFound
from qwicket.pages import formats
from qwicket.pages.forms import frame, list_page
from qwicket.pages.rendering import HEADERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qwicket.circuits.calibrations import Medians
    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor
    from qwicket.model.devices import Device
    from qwicket.pages.handlers import Handlers
    from qwicket.store.calibrations import CalibrationTime

DAYS: Final = 30
_DAY_MS: Final = 86_400_000
_WIDTH, _HEIGHT, _MARGIN = 300, 36, 4
"""Of a plot, and above and below its line, in units of the SVG image."""
_PAGE_ROWS: Final = 25
_MAX_SOURCE_BYTES: Final = 200
_MAX_KNOWN: Final = 1_000
FIGURES: Final = {
    "readout_error": "Readout error",
    "pair_error": "Two-qubit error",
    "gate_error": "One-qubit error",
    "t1_s": "T1",
    "t2_s": "T2",
}
"""Labels of `Medians`, in their order."""


class Entry(NamedTuple):
    """A calibration as the pages show it; `valid_from` is in Unix milliseconds."""

    id: str
    valid_from: int
    source: str
    medians: Medians


class Trend(NamedTuple):
    """One figure over the last days: the line of its plot, its range, and its last value."""

    name: str
    label: str
    points: tuple[tuple[float, float], ...]
    low: float
    high: float
    last: float


def routes(handlers: Handlers) -> tuple[Route, ...]:
    """Return the routes of calibrations."""
    back, scope = handlers.to_sign_in, Scope.DEVICES_READ
    at = "/devices/{name}/calibrations"
    return (
        Route("GET", at, read_calibrations, scope, parameters=("from",), on_error=back),
        Route("GET", f"{at}.csv", read_csv, scope, on_error=back),
        Route("GET", f"{at}.json", read_json, scope, on_error=back),
    )


async def read_calibrations(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read all stored calibrations of a device, with the medians of their figures."""
    device = (await pages.gateway.devices.get(request.path_params["name"], wire.DIALECT)).device
    times = await pages.gateway.devices.calibration_times(device.name, wire.DIALECT)
    listed = list_page(request, times, _PAGE_ROWS)
    return pages.renderer.page(
        "calibrations",
        title="Calibrations",
        device=device,
        n_all=len(times),
        listed=listed,
        entries=await _entries(pages, device, listed.rows),
        figures=FIGURES,
        days=DAYS,
        **frame(actor, request),
    )


async def read_csv(pages: Handlers, _actor: Actor, request: Request[None]) -> Response:
    """Read what the plots of a device show, as CSV."""
    entries = await _of_request(pages, request)
    names = ("id", "valid_from (UTC)", "source", *FIGURES)
    rows = [
        (each.id, wire.iso_time(each.valid_from), each.source, *each.medians) for each in entries
    ]
    return csv_file(f"{request.path_params['name']}-calibrations", [names, *rows])


async def read_json(pages: Handlers, _actor: Actor, request: Request[None]) -> Response:
    """Read what the plots of a device show, as JSON."""
    found = [
        {
            "id": each.id,
            "valid_from": wire.iso_time(each.valid_from),
            "source": each.source,
            **dict(zip(FIGURES, each.medians, strict=True)),
        }
        for each in await _of_request(pages, request)
    ]
    return json({"device": request.path_params["name"], "calibrations": found}, 200, **HEADERS)


async def _of_request(pages: Handlers, request: Request[None]) -> list[Entry]:
    view = await pages.gateway.devices.get(request.path_params["name"], wire.DIALECT)
    return await recent(pages, view.device)


async def recent(pages: Handlers, device: Device) -> list[Entry]:
    """Return the calibrations in force in the last days, oldest first: the last one of each day."""
    times = await pages.gateway.devices.calibration_times(device.name, wire.DIALECT)
    days: dict[int, CalibrationTime] = {}
    for each in in_force(times, pages.gateway.now_ms() - DAYS * _DAY_MS):
        days.setdefault(each.valid_from // _DAY_MS, each)
    return (await _entries(pages, device, [*days.values()]))[::-1]


def in_force(times: Iterable[CalibrationTime], since: int) -> list[CalibrationTime]:
    """Return those of some calibrations, the last added first, that were in force since a time."""
    found: list[CalibrationTime] = []
    for each in times:
        # One that was added later, and was valid before, replaced it.
        if not found or each.valid_from < found[-1].valid_from:
            found.append(each)
        if each.valid_from <= since:
            break
    return found


_known: Final[dict[str, Entry]] = {}
"""By id: a stored calibration never changes."""


async def _entries(
    pages: Handlers, device: Device, times: Iterable[CalibrationTime]
) -> list[Entry]:
    """Return calibrations with their medians, without those that were deleted meanwhile."""
    found = []
    for each in times:
        with contextlib.suppress(NotFound):
            found.append(_known.get(each.id) or await _entry(pages, device, each.id))
    return found


async def _entry(pages: Handlers, device: Device, calibration: str) -> Entry:
    stored = await pages.gateway.devices.calibration_by_id(device.name, wire.DIALECT, calibration)
    # In a thread: sorting the figures of 5,000 qubits takes 8 ms.
    medians = await asyncio.to_thread(stored.body.medians, device.spec.qubits)
    source = formats.beginning(stored.body.source, _MAX_SOURCE_BYTES)
    if len(_known) >= _MAX_KNOWN:
        _known.clear()
    _known[calibration] = entry = Entry(calibration, stored.valid_from, source, medians)
    return entry


def trends(entries: Sequence[Entry], now: int) -> list[Trend]:
    """Return the plots of calibrations, oldest first, over the last days."""
    since = now - DAYS * _DAY_MS
    scale = _WIDTH / (now - since)
    xs = [max(0.0, round((each.valid_from - since) * scale, 1)) for each in entries]
    columns = zip(*(each.medians for each in entries), strict=True)
    return [_trend(name, xs, values) for name, values in zip(FIGURES, columns, strict=True)]


def _trend(name: str, xs: Sequence[float], values: Sequence[float]) -> Trend:
    low, high = min(values), max(values)
    if high > low:
        scale = (_HEIGHT - 2 * _MARGIN) / (high - low)
        ys = [round(_HEIGHT - _MARGIN - scale * (each - low), 1) for each in values]
    else:
        ys = [_HEIGHT / 2] * len(values)
    # The last one is in force until now.
    points = (*zip(xs, ys, strict=True), (float(_WIDTH), ys[-1]))
    return Trend(name, FIGURES[name], points, low, high, values[-1])


def csv_file(name: str, rows: Iterable[Sequence[Any]]) -> Response:
    """Return a response with a CSV file to download."""
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}.csv"'}
    text = "".join(map(formats.csv_line, rows))
    return Response(text, headers=headers, media_type="text/csv; charset=utf-8")
