"""The pages of devices: where to run, and whether a device is good now."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket import snippets
from qwicket.dialects.native import wire
from qwicket.dialects.responses import json
from qwicket.dialects.routing import Route
from qwicket.model.accounts import Scope
from qwicket.model.jobs import JobQuery
from qwicket.model.states import JobState
from qwicket.pages import calibrations, plots, windows
from qwicket.pages.availability import DAYS, WIDTH, availability
from qwicket.pages.calibrations import csv_file
from qwicket.pages.forms import frame, list_page
from qwicket.pages.queue_places import blocks
from qwicket.pages.rendering import HEADERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

    from qwicket.dialects.requests import Request
    from qwicket.gateway import DeviceView
    from qwicket.model.accounts import Actor
    from qwicket.model.devices import Device
    from qwicket.model.jobs import Job
    from qwicket.model.reservations import Window
    from qwicket.pages.handlers import Handlers
    from qwicket.scheduling import Forecast, QueuePosition
    from qwicket.schema.devices import DeviceBody

_SHADES: Final = {
    "readout": "Readout error",
    "gate": "Gate error",
    "t1": "T1",
    "t2": "T2",
}
"""Figures that can shade the qubits of a map."""
_FAMILIES: Final = {"qubit": "Qubits", "atoms": "Atoms", "photonic": "Photons"}
_KINDS: Final = {"machine": "Machine", "twin": "Twin", "simulator": "Simulator"}
_MAX_TABLE: Final = 60
"""Rows of the table of pairs."""
MAX_CARDS: Final = 60
"""More devices are listed by family."""
_PAGE_ROWS, _FEW_ROWS = 50, 20
"""Rows of the list of a family, and of one of several."""
_MAX_OWN: Final = 50
"""Waiting jobs of the person that are read."""
_HOUR_MS: Final = 3_600_000


class Row(NamedTuple):
    """A device as pages show it.

    Attributes:
        view: The device as the gateway has it.
        body: The same as the API shows it.
        forecast: Its queue.
        windows: Its reservations and maintenance windows, as the person sees them.
        state: Its state: that of the API, or `maintenance`.
        kind: Key of `_KINDS`.
        is_open: Whether a job that the person submits now can run.
    """

    view: DeviceView
    body: DeviceBody
    forecast: Forecast
    windows: list[Window]
    state: str
    kind: str
    is_open: bool

    @property
    def unit(self) -> str:
        """What its size counts."""
        spec = self.view.device.spec
        if spec.atoms is not None:
            return "spins" if spec.atoms.kind == "spin" else "sites"
        return "modes" if self.view.device.family == "photonic" else "qubits"

    @property
    def size(self) -> str:
        """Its size with the unit."""
        unit = self.unit[:-1] if self.body.qubits == 1 else self.unit
        return f"{self.body.qubits:,} {unit}"


class Family(NamedTuple):
    """The devices of a family: all, those that are shown, and, of these, those out of use."""

    key: str
    name: str
    n_all: int
    rows: list[Row]
    out_of_use: list[Row]


class OwnJob(NamedTuple):
    """A waiting job of the person, with its position."""

    job: Job
    position: QueuePosition


def routes(handlers: Handlers) -> tuple[Route, ...]:
    """Return the routes of devices."""
    back, scope = handlers.to_sign_in, Scope.DEVICES_READ
    search = ("q", "kind", "family", "from")
    return (
        Route("GET", "/devices", read_devices, scope, parameters=search, on_error=back),
        Route("GET", "/devices/{name}", read_device, scope, parameters=("shade",), on_error=back),
        Route("GET", "/devices/{name}/hours.csv", read_hours_csv, scope, on_error=back),
        Route("GET", "/devices/{name}/hours.json", read_hours_json, scope, on_error=back),
        *calibrations.routes(handlers),
    )


# --- all devices ----------------------------------------------------------------------------------


async def read_devices(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read the devices that match a search: as cards, or as lists if they are many."""
    offered = await pages.gateway.devices.offered(wire.DIALECT)
    seen = [each for each in offered if actor.sees(each.name)]
    query = request.query_params
    fields = {name: query.get(name, "") for name in ("q", "kind", "family")}
    found = sorted(
        (each for each in seen if _matches(each, fields)),
        key=lambda each: [*_KINDS].index(_kind(each)),
    )
    by_family = {
        key: [each for each in found if each.family == key]
        for key in _FAMILIES
        if any(each.family == key for each in found)
    }
    is_list = len(found) > MAX_CARDS
    listed = None
    shown = by_family
    if is_list and len(by_family) == 1:
        listed = list_page(request, found, _PAGE_ROWS)
        shown = {key: [*listed.rows] for key in by_family}
    elif is_list:
        shown = {key: each[:_FEW_ROWS] for key, each in by_family.items()}
    rows = await _rows(pages, actor, [each for family in shown.values() for each in family])
    return pages.renderer.page(
        "devices",
        title="Devices",
        n_seen=len(seen),
        families=[_family(key, len(by_family[key]), rows, folds=not is_list) for key in by_family],
        is_list=is_list,
        listed=listed,
        fields=fields,
        kinds=_KINDS,
        **frame(actor, request),
    )


def _kind(device: Device) -> str:
    """Return whether a device is a machine, the twin of one, or another simulator."""
    if not device.is_simulated:
        return "machine"
    photonic = device.spec.photonic
    is_like_machine = device.spec.native_gates or (photonic is not None and photonic.layout)
    return "twin" if is_like_machine else "simulator"


def _matches(device: Device, fields: dict[str, str]) -> bool:
    text = f"{device.name}\n{device.spec.description}".casefold()
    return (
        fields["q"].strip().casefold() in text
        and fields["kind"] in ("", _kind(device))
        and fields["family"] in ("", device.family)
    )


def _family(key: str, n_all: int, rows: Iterable[Row], *, folds: bool) -> Family:
    found = [each for each in rows if each.view.device.family == key]
    used = [each for each in found if not folds or each.state != "off"]
    out_of_use = [each for each in found if folds and each.state == "off"]
    return Family(key, _FAMILIES[key], n_all, used, out_of_use)


async def _rows(pages: Handlers, actor: Actor, devices: Iterable[Device]) -> list[Row]:
    views = await pages.gateway.devices.views(devices)
    return [await _row(pages, actor, view) for view in views]


async def _row(pages: Handlers, actor: Actor, view: DeviceView) -> Row:
    queue = pages.gateway.queue
    forecast = await queue.forecast(view.device.name)
    found = await queue.windows(actor, forecast)
    body = wire.device(view, forecast, found, actor.project)
    active = [each for each in found if each.reservation.is_active(pages.gateway.now_ms())]
    is_closed = any(each.reservation.kind == "maintenance" for each in active)
    is_refused = any(
        each.reservation.waiting_limit is not None and not each.reservation.permits(actor.project)
        for each in active
    )
    return Row(
        view,
        body,
        forecast,
        found,
        "maintenance" if is_closed and body.status == "off" else body.status,
        _kind(view.device),
        is_open=view.is_online and not is_refused and actor.sees(view.device.name),
    )


# --- one device -----------------------------------------------------------------------------------


async def read_device(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read a device with its queue, windows, calibrations, and what it takes."""
    gateway, name = pages.gateway, request.path_params["name"]
    view = await gateway.devices.get(name, wire.DIALECT)
    shade = request.query_params.get("shade", "")
    shade = shade if shade in _SHADES else next(iter(_SHADES))
    found, recent = None, list[calibrations.Entry]()
    if view.calibration is not None:
        # In a thread: placing 160 qubits takes 0.3 s.
        found = await asyncio.to_thread(
            plots.calibration_map, view.calibration, view.device.spec.qubits, shade
        )
        recent = await calibrations.recent(pages, view.device)
    row = await _row(pages, actor, view)
    own = await _own_jobs(pages, actor, row.forecast, name)
    positions = [each.position.ahead + 1 for each in own]
    values = frame(actor, request)
    shown = windows.rows(row.windows)
    return pages.renderer.page(
        "device",
        title=name,
        device=row,
        family=_FAMILIES[view.device.family],
        kinds=_KINDS,
        own=own,
        blocks=blocks(row.forecast.n_waiting, min(positions, default=1)),
        own_positions=positions,
        max_own=_MAX_OWN,
        map=found,
        shade=shade,
        shades=_SHADES,
        medians=recent[-1].medians if recent else None,
        trends=calibrations.trends(recent, gateway.now_ms()) if recent else (),
        max_table=_MAX_TABLE,
        hours=await gateway.queue.completed_by_hour(name),
        windows=shown,
        n_windows=len(row.windows),
        week=windows.week(shown, gateway.now_ms(), values["zone"]),
        availability=availability(await gateway.devices.changes(name, wire.DIALECT)),
        days=DAYS,
        width=WIDTH,
        clients=_clients(pages, view.device),
        **values,
    )


async def read_hours_csv(pages: Handlers, _actor: Actor, request: Request[None]) -> Response:
    """Read how many jobs of a device completed in each hour of the last day, as CSV."""
    rows = [(wire.iso_time(hour), number) for hour, number in await _hours(pages, request)]
    names = ("hour (UTC)", "completed jobs")
    return csv_file(f"{request.path_params['name']}-hours", [names, *rows])


async def read_hours_json(pages: Handlers, _actor: Actor, request: Request[None]) -> Response:
    """Read the same as JSON."""
    hours = [
        {"from": wire.iso_time(hour), "completed_jobs": number}
        for hour, number in await _hours(pages, request)
    ]
    return json({"device": request.path_params["name"], "hours": hours}, 200, **HEADERS)


async def _hours(pages: Handlers, request: Request[None]) -> list[tuple[int, int]]:
    view = await pages.gateway.devices.get(request.path_params["name"], wire.DIALECT)
    return [*(await pages.gateway.queue.completed_by_hour(view.device.name)).items()]


async def _own_jobs(pages: Handlers, actor: Actor, forecast: Forecast, device: str) -> list[OwnJob]:
    """Return the person's waiting jobs on a device in the order of their starts."""
    query = JobQuery(device=device, states=(JobState.QUEUED,), limit=_MAX_OWN)
    found = [
        OwnJob(job, position)
        for job in await pages.gateway.jobs.page(actor, query)
        if (position := forecast.position_with_interval(job.id)) is not None
    ]
    return sorted(found, key=lambda each: each.position.ahead)


def _clients(pages: Handlers, device: Device) -> dict[str, str]:
    """Return the vendors' packages, and ours, that see a device, each with its newest program."""
    found: dict[str, str] = {}
    for name, each in snippets.SNIPPETS.items():
        is_shown = each.dialect in device.dialects and pages.offers(each.dialect)
        if is_shown and each.runs_in == "python":
            found.setdefault(each.client.partition(" ")[0], name)
    return found
