"""Export of a project's ended jobs with their archives, page by page, for administrators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.dialects.native.params import page
from qwicket.model.jobs import JobQuery
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from qwicket.dialects.native.admin.access import Access
    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor

_FINAL: Final = tuple(state for state in JobState if state.is_final)


async def export_jobs(access: Access, actor: Actor, request: Request[None]) -> ASGIApp:
    """Read a page of a project's ended jobs with their archives, newest first, in one ZIP file."""
    from qwicket.dialects.native import archives  # late: few requests need it

    before, limit = page(request.query_params, access.limits.requests.list_page)
    query = JobQuery(states=_FINAL, before=before, limit=limit)
    project = request.path_params["project"]
    found = await access.admin.export_page(actor, query, project)
    return await archives.page(
        access.admin.archives,
        found,
        limit,
        request.response_memory,
        name=f"{project}.zip" if before is None else f"{project}-before-{before}.zip",
        is_head=request.method == "HEAD",
    )
