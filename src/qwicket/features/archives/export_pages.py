"""Pages from which administrators download the ended jobs of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from qwicket.model.states import JobState
from qwicket.pages.admin import at_most, call, respond
from qwicket.pages.admin_view import View

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
    view = View(pages, actor, request)
    before, project = view.query("before"), view.query("project")
    jobs: list[dict[str, Any]] = []
    following = None
    if project:
        states = ",".join(state for state in JobState if state.is_final)
        query = {"project": project, "state": states, **_export_query(pages, before)}
        found = await call(pages, actor, request, "list_all_jobs", query=query)
        jobs, following = found["jobs"], found["next"]
    return view.render(
        "admin-export",
        "Export of a project",
        "projects",
        project=project,
        is_first=not before,
        n_jobs=len(jobs),
        newest=_time(jobs[0]["created_at"]) if jobs else "",
        oldest=_time(jobs[-1]["created_at"]) if jobs else "",
        part=urlencode({"project": project} | ({"before": before} if before else {})),
        older=urlencode({"project": project, "before": following}) if following else "",
    )


async def read_archives(pages: Handlers, actor: Actor, request: Request[None]) -> ASGIApp:
    """Read one file of a project's export: up to 200 ended jobs with their archives, as ZIP."""
    view = View(pages, actor, request)
    path, query = {"project": view.query("project")}, _export_query(pages, view.query("before"))
    return await respond(pages, actor, request, "export_jobs", path=path, query=query)


def _export_query(pages: Handlers, before: str) -> dict[str, str]:
    limit = str(at_most(pages, _EXPORT_JOBS))
    return {"limit": limit} | ({"before": before} if before else {})


def _time(text: str) -> str:
    """Return a time of the API to the second."""
    return f"{text[:10]} {text[11:19]}"
