"""Pages from which administrators download the ended jobs of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from qwicket.model.states import JobState
from qwicket.pages.admin import SECTIONS, at_most, call, cell, read_filters, respond
from qwicket.pages.forms import frame

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp

    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor
    from qwicket.pages.handlers import Handlers

_EXPORT_JOBS: Final = 200
"""Jobs of one file of an export, as in each request of `qwicket project export`."""


async def read_export(pages: Handlers, actor: Actor, request: Request[None]) -> Response:
    """Show the number and dates of the jobs in the next file of a project's export."""
    before, filters = read_filters(request)
    project = filters.get("project", "")
    jobs: list[dict[str, Any]] = []
    following = None
    if project:
        states = ",".join(state for state in JobState if state.is_final)
        query = {"project": project, "state": states, **_export_query(pages, before)}
        found = await call(pages, actor, request, "list_all_jobs", query=query)
        jobs, following = found["jobs"], found["next"]
    return pages.renderer.page(
        "admin-export",
        title="Export of a project",
        sections=SECTIONS,
        name="projects",
        project=project,
        is_first=not before,
        n_jobs=len(jobs),
        newest=cell(jobs[0]["created_at"]) if jobs else "",
        oldest=cell(jobs[-1]["created_at"]) if jobs else "",
        part=urlencode({"project": project} | ({"before": before} if before else {})),
        older=urlencode({"project": project, "before": following}) if following else "",
        **frame(actor, request),
    )


async def read_archives(pages: Handlers, actor: Actor, request: Request[None]) -> ASGIApp:
    """Read one file of a project's export: up to 200 ended jobs with their archives, as ZIP."""
    before, filters = read_filters(request)
    path = {"project": filters.get("project", "")}
    return await respond(
        pages, actor, request, "export_jobs", path=path, query=_export_query(pages, before)
    )


def _export_query(pages: Handlers, before: str) -> dict[str, str]:
    limit = at_most(pages, _EXPORT_JOBS)
    return {"limit": limit} | ({"before": before} if before else {})
