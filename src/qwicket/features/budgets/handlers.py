"""Handlers of `/v1/admin` for budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from qwicket.dialects.native import account_wire
from qwicket.dialects.responses import json
from qwicket.features.budgets.service import Budgets
from qwicket.schema import budgets as schema

if TYPE_CHECKING:
    from qwicket.dialects.native.admin.access import Access
    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor


async def list_budgets(access: Access, actor: Actor, request: Request[None]) -> Response:
    """List all budgets and what is left of them."""
    budgets = await _budgets(access).all()
    return json(schema.BudgetList(budgets=tuple(map(account_wire.budget, budgets))))


async def set_budget(
    access: Access, actor: Actor, request: Request[schema.NewBudgetBody]
) -> Response:
    """Set how much the jobs of a project may use in a period."""
    body = request.payload
    budget = await _budgets(access).put(
        body.project,
        body.unit,
        body.period,
        body.maximum,
        device=body.device,
        member=body.member or "",
    )
    return json(account_wire.budget(budget))


async def delete_budget(access: Access, actor: Actor, request: Request[None]) -> Response:
    """Remove a budget; it no longer limits jobs."""
    await _budgets(access).remove(request.path_params["budget"])
    return Response(status_code=204)


def _budgets(access: Access) -> Budgets:
    return Budgets(access.admin.store, access.admin.now_ms)
