"""Reservations for tests that need one."""

from __future__ import annotations

from qwicket.gateway.response_budget import Reservation, ResponseBudget
from qwicket.model.accounts import Actor
from qwicket.model.limits import ResponseLimits


def answer(account: str = "", room: ResponseBudget | None = None) -> Reservation:
    """Return a reservation for the response to an account or to none; by default memory is free."""
    made = Reservation(room or ResponseBudget(ResponseLimits()))
    if account:
        made.actor = Actor(
            account=account,
            account_name=account,
            role="member",
            project=account,
            token="",
            scopes=frozenset(),
            devices=frozenset(),
        )
    return made
