"""Administrators' pages of projects: the list, and one with its members and use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from qwicket.model.accounts import project_name
from qwicket.model.budgets import UNITS, budget_state, from_stored_amount
from qwicket.pages.admin import at_most, cards
from qwicket.pages.admin_choices import choices, member_choices
from qwicket.pages.admin_parts import MAX_CHOICES
from qwicket.pages.forms import list_page
from qwicket.registrations import hook

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response

    from qwicket.model.budgets import BudgetState
    from qwicket.pages.admin_view import View
    from qwicket.store.accounts import ListedProjects

WHICH: Final = {
    "shared": "Shared projects",
    "personal": "Personal projects",
    "all": "All projects",
}
"""Choices of the list of projects."""
_PAGE_PROJECTS: Final = 40
_PAGE_MEMBERS: Final = 35
_DAYS: Final = 30
"""Days whose jobs the list counts, and whose use the page of a project draws."""


async def read(view: View, name: str) -> Response:
    """Read the list of projects, or one project."""
    return await (_read_project(view, project_name(name)) if name else _read_projects(view))


async def _read_projects(view: View) -> Response:
    admin, part = view.gateway.admin, view.query("q")
    which = view.query("which") or ("all" if part else "shared")
    which = which if which in WHICH else "shared"
    limit = at_most(view.pages, _PAGE_PROJECTS)
    found = await admin.find_projects(
        after=view.query("after"), part=part, which=cast("ListedProjects", which), limit=limit
    )
    ids = [each.project.id for each in found]
    older = view.address(after=found[-1].project.name) if len(found) == limit else ""
    return view.render(
        "admin-projects",
        "Administration",
        "projects",
        projects=found,
        jobs=await admin.jobs_run(ids, _DAYS),
        budgets=await _first_to_end(view, ids),
        which=which,
        choices=WHICH,
        adds=view.query("show") == "add" or view.error is not None,
        first=view.address(after=None) if view.query("after") else "",
        older=older,
        **await cards(view, "projects"),
    )


async def _first_to_end(view: View, projects: Sequence[str]) -> dict[str, BudgetState]:
    """Return of each project, given by id, the budget of which the smallest part is left."""
    budgets_of = hook("project_budgets")
    found: dict[str, BudgetState] = {}
    if budgets_of is None:
        return found
    now = view.gateway.now_ms()
    for budget, name in await budgets_of(view.gateway.store, projects):
        state = budget_state(budget, name, now)
        if budget.project not in found or _part(state) < _part(found[budget.project]):
            found[budget.project] = state
    return found


def _part(state: BudgetState) -> float:
    """Return the part of a budget that is left."""
    return state.left / state.maximum if state.maximum else 0.0


async def _read_project(view: View, name: str) -> Response:
    admin = view.gateway.admin
    project, members = await admin.project(name), await admin.members(name)
    names = {each.name for each in members}
    unit = view.query("show")
    unit = unit if unit in UNITS else UNITS[0]
    used = await admin.usage.daily(project, _DAYS)
    others = [
        each.account.name
        for each in await admin.people(after="", part="", which="", limit=MAX_CHOICES + 1)
    ]
    return view.render(
        "admin-project",
        project.name,
        "projects",
        project=project,
        members=list_page(view.request, members, _PAGE_MEMBERS),
        n_members=len(members),
        below=list_page(
            view.request, await admin.projects_below(project), _PAGE_MEMBERS, "below_from"
        ),
        people=choices([each for each in others if each not in names], len(others)),
        member_names=member_choices(sorted(names)),
        units=UNITS,
        unit=unit,
        days=[(day, from_stored_amount(unit, getattr(use, unit))) for day, use in used],
        **await cards(view, "project", project.name),
    )
