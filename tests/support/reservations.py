"""Reservations for tests that speak to a store directly."""

from __future__ import annotations

from typing import Any

from qwicket.features.reservations.store import ReservationStore
from qwicket.model.ids import new_id
from qwicket.model.reservations import Reservation
from qwicket.store import Store
from support.stores import NOW

HOUR = 3_600_000
BEGIN, END = NOW + HOUR, NOW + 2 * HOUR


def window(**changes: Any) -> Reservation:
    """Return a reservation of the simulator from `BEGIN` until `END`, or another one."""
    values: dict[str, Any] = {
        "id": new_id(NOW),
        "kind": "reservation",
        "device": "simulator",
        "agent_device": None,
        "from_at": BEGIN,
        "until_at": END,
        "drain_ms": 10_000,
        "slots": None,
        "is_exclusive": False,
        "waiting_limit": None,
        "reason": "",
        "series": None,
        "created_at": NOW,
        **changes,
    }
    return Reservation(**{"devices": (values["device"],), **values})


async def reserve(store: Store, *projects: str, **changes: Any) -> Reservation:
    """Store such a reservation for projects."""
    (made,) = await store.feature(ReservationStore).add([window(**changes)], projects)
    return made
