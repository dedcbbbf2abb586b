"""The pages of an account's projects: members, shares, budgets, and use by day."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from starlette.responses import Response

from qwicket.dialects.native.admin.access import LEAD
from qwicket.dialects.routing import ANY_TOKEN, Late, Route
from qwicket.model.accounts import project_name
from qwicket.model.budgets import DAY_MS, from_stored_amount
from qwicket.model.errors import NotFound
from qwicket.pages import formats
from qwicket.pages.forms import FORM_BODY, frame, list_page
from qwicket.pages.rendering import HEADERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor, Project
    from qwicket.model.budgets import BudgetState
    from qwicket.pages.handlers import Handlers

_DAYS: Final = 30
"""Days that the page of a project plots."""
_PAGE_ROWS, _PAGE_MEMBERS, _PAGE_BUDGETS = 40, 100, 30
_FILE_DAYS: Final = 366
_MAX_TOTAL_DAYS: Final = 90
"""Days of a plot of a budget without a period."""
_PARAMETERS: Final = ("show", "from", "budgets_from", "budget")
_OF_LEAD: Final = ("from", "below_from", "used_from", "budgets_from", "invitations_from", "done")
_lead = partial(Late, "qwicket.pages.lead")
_UNITS: Final = ("seconds", "jobs", "shots", "cost")


class BudgetView(NamedTuple):
    """A budget as the pages show it: `percent` of it, in whole numbers, are used."""

    state: BudgetState
    percent: int


class BurnDown(NamedTuple):
    """What was left of a budget at the end of each day, up to now.

    Attributes:
        state: The budget.
        days: Days in UTC as texts, oldest first, each with what was left.
        n_days: Days of the whole period.
    """

    state: BudgetState
    days: Sequence[tuple[str, float]]
    n_days: int


def routes(handlers: Handlers) -> tuple[Route, ...]:
    """Return the routes of projects."""
    back = handlers.to_sign_in
    at, left = "/projects/{name}", "/projects/{name}/budgets/{budget}/left"
    return (
        Route("GET", "/projects", read_projects, ANY_TOKEN, parameters=("from",), on_error=back),
        Route("GET", at, read_project, ANY_TOKEN, parameters=_PARAMETERS, on_error=back),
        Route("GET", f"{at}/lead", _lead("read_lead"), LEAD, parameters=_OF_LEAD, on_error=back),
        Route("POST", f"{at}/lead", _lead("change_lead"), LEAD, FORM_BODY, parameters=_OF_LEAD),
        Route("GET", f"{at}/use.csv", read_use, ANY_TOKEN, on_error=back),
        Route("GET", f"{at}/use.json", read_use, ANY_TOKEN, on_error=back),
        Route("GET", f"{left}.csv", read_left, ANY_TOKEN, on_error=back),
        Route("GET", f"{left}.json", read_left, ANY_TOKEN, on_error=back),
    )


async def read_projects(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read the account's projects with what is left of their budgets."""
    gateway = pages.gateway
    budgets = await gateway.usage.budgets(actor)
    listed = list_page(request, await gateway.accounts.projects(actor), _PAGE_ROWS)
    return pages.renderer.page(
        "projects",
        title="Projects",
        projects=[
            (each, _views(state for state in budgets if state.budget.project == each.id))
            for each in listed.rows
        ],
        n_members=await gateway.accounts.member_counts(actor),
        listed=listed,
        **frame(actor, request),
    )


async def read_project(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read a project: budgets, what its jobs have used in the last days, and members."""
    project, members, budgets = await _project(pages, actor, request)
    query = request.query_params
    unit = query.get("show", "")
    unit = unit if unit in _UNITS else _UNITS[0]
    rows = await _use(pages, project, _DAYS)
    column = _UNITS.index(unit)
    shown = list_page(request, _views(budgets), _PAGE_BUDGETS, "budgets_from")
    over_days = [each.state for each in shown.rows if _has_burn_down(each.state, project)]
    chosen = [each for each in over_days if each.budget.id == query.get("budget")] or over_days
    return pages.renderer.page(
        "project",
        title=project.name,
        project=project,
        members=list_page(request, members, _PAGE_MEMBERS),
        n_members=len(members),
        own_bytes=(await pages.gateway.accounts.own_bytes(actor)).get(project.id, 0),
        leads=await pages.gateway.store.accounts.leads(actor.account, project.id),
        budgets=shown,
        burn_down=await _burn_down(pages, actor, project, chosen[0], _MAX_TOTAL_DAYS)
        if chosen
        else None,
        units=_UNITS,
        unit=unit,
        rows=rows,
        used=[(day, values[column]) for day, values in rows],
        **frame(actor, request),
    )


async def read_use(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read what the jobs of a project have used on each day of the last year, as CSV or JSON."""
    project, *_ = await _project(pages, actor, request)
    rows = [(day, *values) for day, values in await _use(pages, project, _FILE_DAYS)]
    return _file(
        request, f"{project.address}-use", ("day", *_UNITS), rows, {"project": project.name}
    )


async def read_left(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read what was left of a budget at the end of each day of its period, as CSV or JSON.

    Raises:
        NotFound: The project has no such budget.
    """
    project, _, budgets = await _project(pages, actor, request)
    for state in budgets:
        is_own = state.project == project.name
        if state.budget.id == request.path_params["budget"] and is_own:
            burn_down = await _burn_down(pages, actor, project, state, _FILE_DAYS)
            about = {
                "project": project.name,
                "unit": state.budget.unit,
                "period": state.budget.period,
                "device": state.budget.device or None,
                "maximum": state.maximum,
            }
            return _file(request, f"{project.address}-left", ("day", "left"), burn_down.days, about)
    raise NotFound("The project has no such budget.")


def _file(
    request: Request[None],
    name: str,
    columns: tuple[str, ...],
    rows: Sequence[tuple[Any, ...]],
    about: dict[str, Any],
) -> Response:
    if request.scope["path"].endswith(".json"):
        days = [dict(zip(columns, row, strict=True)) for row in rows]
        content, kind = msgspec.json.encode(about | {"days": days}), "json"
    else:
        lines = [("day (UTC)", *columns[1:]), *rows]
        content, kind = "".join(map(formats.csv_line, lines)).encode(), "csv"
    media_type = "application/json" if kind == "json" else "text/csv; charset=utf-8"
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}.{kind}"'}
    return Response(content, headers=headers, media_type=media_type)


async def _project(
    pages: Handlers, actor: Actor, request: Request[None]
) -> tuple[Project, list[str], list[BudgetState]]:
    """Return a project of the address, with the names of its members and its budgets."""
    gateway = pages.gateway
    project, members = await gateway.accounts.members(
        actor, project_name(request.path_params["name"])
    )
    budgets = await gateway.usage.budgets(actor)
    return project, members, [each for each in budgets if each.budget.project == project.id]


def _views(states: Iterable[BudgetState]) -> list[BudgetView]:
    """Return budgets, those of which the largest part is used first."""
    found = [
        BudgetView(each, int(100 * each.used / each.maximum) if each.maximum else 100)
        for each in states
    ]
    return sorted(found, key=lambda view: -view.percent)


async def _use(pages: Handlers, project: Project, n_days: int) -> list[tuple[str, list[float]]]:
    """Return days in UTC, oldest first, with what a project has used, in the order of `_UNITS`."""
    return [
        (formats.day(day), [from_stored_amount(each, getattr(use, each)) for each in _UNITS])
        for day, use in await pages.gateway.usage.daily(project, n_days)
    ]


def _has_burn_down(state: BudgetState, project: Project) -> bool:
    """Return whether a project's use by day shows a budget: not of one day, nor of one above."""
    return state.budget.period != "day" and state.project == project.name


async def _burn_down(
    pages: Handlers, actor: Actor, project: Project, state: BudgetState, max_days: int
) -> BurnDown:
    """Return what was left of a budget each day, from what is left now and the use of each day.

    Of a member's budget, only what the actor has used counts.
    Jobs that have not ended count today, when what they have reserved is taken from the budget.
    """
    budget, today = state.budget, pages.gateway.now_ms() // DAY_MS
    begins = (state.begins_at or budget.created_at) // DAY_MS
    n_past = max(1, min(today - begins + 1, max_days))
    left, days = state.left, []
    account = actor.account if budget.member else ""
    used_on = await pages.gateway.usage.daily(project, n_past, budget.device, account)
    for day, use in reversed(used_on):
        days.append((formats.day(day), left))
        used = from_stored_amount(budget.unit, getattr(use, budget.unit))
        left = min(state.maximum, left + used)
    n_days = n_past if state.ends_at is None else max(n_past, state.ends_at // DAY_MS - begins)
    return BurnDown(state, days[::-1], n_days)
