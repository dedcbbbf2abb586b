"""Budgets on administrators' pages: on the page of a project, and those that are nearly used up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qwicket.features.budgets.service import Budgets
from qwicket.features.budgets.store import project_budgets
from qwicket.model.accounts import project_address
from qwicket.model.budgets import EACH, budget_state
from qwicket.pages.admin_choices import choices, device_choices, member_choices
from qwicket.pages.admin_parts import Act, Card, Concern, Part
from qwicket.pages.forms import list_page

if TYPE_CHECKING:
    from qwicket.model.budgets import BudgetState
    from qwicket.pages.admin_view import View

UNITS: Final = {"jobs": "jobs", "shots": "shots", "seconds": "seconds", "cost": "credits"}
PERIODS: Final = {
    "month": "each month",
    "week": "each week",
    "day": "each day",
    "total": "in all",
}
_LOW: Final = 0.1
"""Part of a budget that needs attention when it is left."""
_MAX_CONCERNS: Final = 10
_PAGE_ROWS: Final = 20


async def _card(view: View, name: str) -> dict[str, Any]:
    gateway = view.gateway
    project = await gateway.admin.project(name)
    now = gateway.now_ms()
    budgets = await project_budgets(gateway.store, [project.id])
    members = [each.name for each in await gateway.admin.members(name)]
    states = [budget_state(*each, now) for each in budgets]
    return {
        "project": name,
        "listed": list_page(view.request, states, _PAGE_ROWS, "budgets_from"),
        "units": UNITS,
        "periods": PERIODS,
        "devices": await device_choices(view),
        "members": member_choices(members, EACH),
        "by_lead": False,
    }


async def _card_of_lead(view: View, name: str) -> dict[str, Any]:
    """Return the card for a lead, who sets budgets of members, on devices that people see."""
    names = [each.name for each in await view.gateway.devices.offered("native")]
    return await _card(view, name) | {"devices": choices(names, len(names)), "by_lead": True}


async def _concerns(view: View) -> list[Concern]:
    """Return the budgets of which little is left, those with the least first."""
    low = [
        each
        for each in await view.gateway.feature(Budgets).all()
        if each.maximum and each.left <= _LOW * each.maximum
    ]
    low.sort(key=lambda each: each.left / each.maximum)
    return [_concern(each) for each in low[:_MAX_CONCERNS]]


def _concern(state: BudgetState) -> Concern:
    used, unit = 1 - state.left / state.maximum, UNITS[state.budget.unit]
    return Concern(
        "warnish",
        f"{state.project} has used {used:.0%} of its {unit}".replace("%", " %"),
        f"/admin/projects/{project_address(state.project)}",
        f"{state.left:,.6g} of {state.maximum:,.6g} are left {PERIODS[state.budget.period]}.",
        "Change budget",
    )


PART: Final = Part(
    cards={
        "project": Card("admin-budgets.html", _card),
        "lead": Card("admin-budgets.html", _card_of_lead),
    },
    acts={
        "set_budget": Act(
            "set_budget",
            fields={
                "project": "text",
                "device": "text",
                "member": "text",
                "unit": "text",
                "period": "text",
                "maximum": "number",
            },
            done="The budget was set.",
        ),
        "delete_budget": Act(
            "delete_budget",
            ("budget",),
            query={"project": "{project}"},
            question="Remove this budget?",
            warning="It no longer limits the project's jobs. What was used of it is forgotten.",
            button="Remove the budget",
            done="The budget was removed.",
        ),
    },
    files={"budgets": "list_budgets"},
    sentences={
        "set_budget": {
            "unit=cost,period=total": "set a budget of {project}: {maximum} credits in all",
            "period=total": "set a budget of {project}: {maximum} {unit} in all",
            "unit=cost": "set a budget of {project}: {maximum} credits each {period}",
            "": "set a budget of {project}: {maximum} {unit} each {period}",
        },
        "delete_budget": "removed a budget of {project}",
    },
    moved={"budgets": "projects"},
    concerns=_concerns,
)
