"""Reservations and maintenance windows of devices for administrators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from qwicket.dialects.native.params import choice
from qwicket.dialects.native.wire import iso_time
from qwicket.dialects.responses import json
from qwicket.features.reservations.service import ReservationAdmin
from qwicket.schema import reservations as schema

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from qwicket.dialects.native.admin.access import Access
    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor
    from qwicket.model.reservations import Window


async def list_reservations(access: Access, actor: Actor, request: Request[None]) -> Response:
    """List the current and future reservations and maintenance windows."""
    return json(_list(await _reservations(access).all()))


async def create_reservation(
    access: Access, actor: Actor, request: Request[schema.NewReservationBody]
) -> Response:
    """Reserve a device, or some of its slots, for projects."""
    body = request.payload
    window = await _reservations(access).reserve(
        body.device,
        body.projects,
        None if body.begin is None else _ms(body.begin),
        _ms(body.until),
        slots=body.slots,
        is_exclusive=body.exclusive,
        drain_s=body.drain_s,
        waiting_limit=body.exam_waiting,
        withholds_results=body.withhold_results,
        reason=body.reason,
    )
    return json(_body(window), 201)


async def create_maintenance(
    access: Access, actor: Actor, request: Request[schema.NewMaintenanceBody]
) -> Response:
    """Create a maintenance window in which a device is off, once or weekly."""
    body = request.payload
    windows = await _reservations(access).add_maintenance(
        body.device,
        None if body.begin is None else _ms(body.begin),
        _ms(body.until),
        body.reason,
        weeks=body.weeks,
        timezone=body.timezone,
        drain_s=body.drain_s,
    )
    return json(_list(windows), 201)


async def remove_reservation(access: Access, actor: Actor, request: Request[None]) -> Response:
    """Remove a reservation or a maintenance window; with `?series=true` its whole series."""
    with_series = choice(request.query_params, "series", ("false", "true")) == "true"
    reservation = request.path_params["reservation"]
    await _reservations(access).remove(reservation, with_series=with_series)
    return Response(status_code=204)


def _reservations(access: Access) -> ReservationAdmin:
    return ReservationAdmin(access.admin.store, access.admin.now_ms)


def _ms(at: datetime) -> int:
    return round(1000 * at.timestamp())


def _list(windows: Iterable[Window]) -> schema.ReservationList:
    return schema.ReservationList(reservations=tuple(map(_body, windows)))


def _body(window: Window) -> schema.ReservationBody:
    reservation = window.reservation
    return schema.ReservationBody(
        id=reservation.id,
        kind=reservation.kind,
        device=reservation.device,
        devices=reservation.devices,
        projects=window.projects,
        begin=iso_time(reservation.from_at),
        until=iso_time(reservation.until_at),
        slots=reservation.slots,
        exclusive=reservation.is_exclusive,
        drain_s=reservation.drain_ms / 1000,
        exam_waiting=reservation.waiting_limit,
        withhold_results=reservation.withholds_results,
        reason=reservation.reason,
        series=reservation.series,
    )
