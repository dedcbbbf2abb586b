"""The pages of devices: their state and queues, calibrations, and what programs they take."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.dialects.native import wire
from qwicket.dialects.routing import Route
from qwicket.model.accounts import Scope
from qwicket.pages import plots
from qwicket.pages.availability import DAYS, WIDTH, availability
from qwicket.pages.forms import frame, list_page

if TYPE_CHECKING:
    from starlette.responses import Response

    from qwicket.dialects.requests import Request
    from qwicket.gateway import DeviceView
    from qwicket.model.accounts import Actor
    from qwicket.pages.handlers import Handlers
    from qwicket.schema.devices import DeviceBody

_FIGURES: Final = {
    "gate": "error of gates on one qubit",
    "readout": "error of readout",
    "t1": "T1",
    "t2": "T2",
}
"""Figures that can shade the qubits of a map."""
_MAX_TABLE: Final = 60
"""Rows of the table of pairs."""
_PAGE_DEVICES: Final = 50


class Row(NamedTuple):
    """A device as the gateway has it, with its calibration, and as the API shows it."""

    view: DeviceView
    body: DeviceBody


def routes(handlers: Handlers) -> tuple[Route, ...]:
    """Return the routes of devices."""
    back, scope = handlers.to_sign_in, Scope.DEVICES_READ
    return (
        Route("GET", "/devices", read_devices, scope, parameters=("from",), on_error=back),
        Route("GET", "/devices/{name}", read_device, scope, parameters=("show",), on_error=back),
    )


async def read_devices(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read the devices with their queues."""
    offered = await pages.gateway.devices.offered(wire.DIALECT)
    listed = list_page(request, [each for each in offered if actor.sees(each.name)], _PAGE_DEVICES)
    views = await pages.gateway.devices.views(listed.rows)
    rows = [await _row(pages, actor, view) for view in views]
    return pages.renderer.page(
        "devices", title="Devices", devices=rows, listed=listed, **frame(actor, request)
    )


async def read_device(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read a device with its queue, reservations and calibration."""
    view = await pages.gateway.devices.get(request.path_params["name"], wire.DIALECT)
    figure = request.query_params.get("show", "gate")
    figure = figure if figure in _FIGURES else "gate"
    found = None
    if view.calibration is not None:
        # In a thread: placing 160 qubits takes 0.3 s.
        found = await asyncio.to_thread(
            plots.calibration_map, view.calibration, view.device.spec.qubits, figure
        )
    changes = await pages.gateway.devices.changes(view.device.name, wire.DIALECT)
    return pages.renderer.page(
        "device",
        title=view.device.name,
        device=await _row(pages, actor, view),
        map=found,
        availability=availability(changes),
        days=DAYS,
        width=WIDTH,
        figure=figure,
        choices=_FIGURES,
        max_table=_MAX_TABLE,
        **frame(actor, request),
    )


async def _row(pages: Handlers, actor: Actor, view: DeviceView) -> Row:
    queue = pages.gateway.queue
    forecast = await queue.forecast(view.device.name)
    windows = await queue.windows(actor, forecast)
    return Row(view, wire.device(view, forecast, windows, actor.project))
