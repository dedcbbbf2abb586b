"""Handlers of `/v1/admin` for budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from qwicket.dialects.native import account_wire
from qwicket.dialects.responses import json
from qwicket.features.budgets.service import Budgets
from qwicket.model.accounts import Scope
from qwicket.schema import budgets as schema

if TYPE_CHECKING:
    from qwicket.dialects.native.admin.access import Access
    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor


async def list_budgets(access: Access, actor: Actor, request: Request[None]) -> Response:
    """List the budgets of all projects or of one, and what is left of them.

    A lead gives the project.
    """
    project = await access.admin.led_project(actor, request.query_params.get("project"))
    budgets = await _budgets(access).all(project)
    return json(schema.BudgetList(budgets=tuple(map(account_wire.budget, budgets))))


async def set_budget(
    access: Access, actor: Actor, request: Request[schema.NewBudgetBody]
) -> Response:
    """Set how much the jobs of a project, or of its members, may use in a period.

    A lead sets budgets of members, within those of the project.
    """
    body = request.payload
    await access.admin.led_project(actor, body.project)
    budget = await _budgets(access).put(
        body.project,
        body.unit,
        body.period,
        body.maximum,
        device=body.device,
        member=body.member or "",
        by_lead=Scope.ADMIN not in actor.scopes,
    )
    return json(account_wire.budget(budget))


async def delete_budget(access: Access, actor: Actor, request: Request[None]) -> Response:
    """Remove a budget; it no longer limits jobs.

    A lead gives the project, and removes budgets of members.
    """
    project = await access.admin.led_project(actor, request.query_params.get("project"))
    await _budgets(access).remove(
        request.path_params["budget"], project, by_lead=Scope.ADMIN not in actor.scopes
    )
    return Response(status_code=204)


def _budgets(access: Access) -> Budgets:
    return Budgets(access.admin.store, access.admin.now_ms)
