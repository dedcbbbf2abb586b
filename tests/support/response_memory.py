"""Memory for responses, for tests that need it."""

from __future__ import annotations

from qwicket.gateway.response_budget import ResponseBudget, ResponseMemory
from qwicket.model.accounts import Actor
from qwicket.model.limits import ResponseLimits


def response_memory(account: str = "", budget: ResponseBudget | None = None) -> ResponseMemory:
    """Return the memory for a response to an account, or to none; by default of a new budget."""
    made = ResponseMemory(budget or ResponseBudget(ResponseLimits()))
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
