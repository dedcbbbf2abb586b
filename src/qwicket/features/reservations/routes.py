"""Routes of `/v1/admin` for reservations and maintenance windows."""

from __future__ import annotations

from functools import partial
from typing import Final

from qwicket.dialects.routing import Late, Route, json_body
from qwicket.model.accounts import Scope
from qwicket.schema import reservations as schema

_late = partial(Late, "qwicket.features.reservations.handlers")

ADMIN_ROUTES: Final = (
    Route(
        "GET",
        "/reservations",
        _late("list_reservations"),
        Scope.ADMIN,
        responses=(schema.ReservationList,),
        is_of_all_devices=True,
    ),
    Route(
        "POST",
        "/reservations",
        _late("create_reservation"),
        Scope.ADMIN,
        json_body(schema.NewReservationBody),
        responses=(schema.ReservationBody,),
        status=201,
        is_of_all_devices=True,
    ),
    Route(
        "POST",
        "/maintenance",
        _late("create_maintenance"),
        Scope.ADMIN,
        json_body(schema.NewMaintenanceBody),
        responses=(schema.ReservationList,),
        status=201,
        is_of_all_devices=True,
    ),
    Route(
        "DELETE",
        "/reservations/{reservation}",
        _late("remove_reservation"),
        Scope.ADMIN,
        parameters=("series",),
        status=204,
        is_of_all_devices=True,
    ),
)
