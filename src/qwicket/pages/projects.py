"""The pages of an account's projects: members, shares, budgets, and use by day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from qwicket.dialects.routing import ANY_TOKEN, Route
from qwicket.model.budgets import from_stored_amount
from qwicket.pages import formats, plots
from qwicket.pages.forms import frame, list_page
from qwicket.pages.rendering import HEADERS

if TYPE_CHECKING:
    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor, Project
    from qwicket.pages.handlers import Handlers

_DAYS: Final = 30
"""Days that the page of a project plots."""
_PAGE_ROWS, _PAGE_MEMBERS = 50, 200
_CSV_DAYS: Final = 366
_STEP: Final = 28
"""Distance of the bars in units of the SVG."""
_PARAMETERS: Final = ("show", "from", "budgets_from")
_UNITS: Final = ("seconds", "jobs", "shots", "cost")


def routes(handlers: Handlers) -> tuple[Route, ...]:
    """Return the routes of projects."""
    back = handlers.to_sign_in
    return (
        Route("GET", "/projects", read_projects, ANY_TOKEN, parameters=("from",), on_error=back),
        Route(
            "GET",
            "/projects/{name}",
            read_project,
            ANY_TOKEN,
            parameters=_PARAMETERS,
            on_error=back,
        ),
        Route("GET", "/projects/{name}/use.csv", read_use, ANY_TOKEN, on_error=back),
    )


async def read_projects(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read the account's projects with what is left of their budgets."""
    gateway = pages.gateway
    budgets = await gateway.usage.budgets(actor)
    listed = list_page(request, await gateway.accounts.projects(actor), _PAGE_ROWS)
    return pages.renderer.page(
        "projects",
        title="My projects",
        projects=[
            (each, [state for state in budgets if state.budget.project == each.id])
            for each in listed.rows
        ],
        listed=listed,
        **frame(actor, request),
    )


async def read_project(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read a project: members, budgets, and what its jobs have used in the last days."""
    gateway = pages.gateway
    project, members = await gateway.accounts.members(actor, request.path_params["name"])
    unit = request.query_params.get("show", _UNITS[0])
    unit = unit if unit in _UNITS else _UNITS[0]
    rows = await _use(pages, project, _DAYS)
    column = _UNITS.index(unit)
    budgets = await gateway.usage.budgets(actor)
    budgets = [each for each in budgets if each.budget.project == project.id]
    return pages.renderer.page(
        "project",
        title=project.name,
        project=project,
        members=list_page(request, members, _PAGE_MEMBERS),
        budgets=list_page(request, budgets, _PAGE_ROWS, "budgets_from"),
        units=_UNITS,
        unit=unit,
        rows=rows,
        plot=plots.histogram(
            [(day, row[column]) for day, row in rows], None, is_log=False, step=_STEP
        ),
        **frame(actor, request),
    )


async def read_use(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Read what the jobs of a project have used on each day of the last year, as CSV."""
    project, _ = await pages.gateway.accounts.members(actor, request.path_params["name"])
    lines = [formats.csv_line(("day (UTC)", *_UNITS))]
    for day, values in await _use(pages, project, _CSV_DAYS):
        lines.append(formats.csv_line((day, *values)))
    name = f'attachment; filename="{project.name}-use.csv"'
    headers = {**HEADERS, "Content-Disposition": name}
    return Response("".join(lines), headers=headers, media_type="text/csv; charset=utf-8")


async def _use(pages: Handlers, project: Project, n_days: int) -> list[tuple[str, list[float]]]:
    """Return days in UTC, oldest first, with what a project has used, in the order of `_UNITS`."""
    return [
        (formats.day(day), [from_stored_amount(each, getattr(use, each)) for each in _UNITS])
        for day, use in await pages.gateway.usage.daily(project, n_days)
    ]
