"""Handlers of `/v1` and `/v1/admin` for archives of jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.dialects.native.params import page
from qwicket.features.archives import zip_files
from qwicket.features.archives.service import Archives
from qwicket.model.accounts import project_address
from qwicket.model.jobs import JobQuery
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from qwicket.dialects.native.admin.access import Access
    from qwicket.dialects.native.handlers import Handlers
    from qwicket.dialects.requests import Request
    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor

_FINAL: Final = tuple(state for state in JobState if state.is_final)


async def read_archive(native: Handlers, actor: Actor, request: Request[None]) -> ASGIApp:
    """Read an ended job with its program, options, calibration and result in one ZIP file."""
    return await archive_response(native.gateway, actor, request)


async def archive_response(gateway: Gateway, actor: Actor, request: Request[None]) -> ASGIApp:
    """Return the archive of the job in a request's path."""
    archives, memory = gateway.feature(Archives), request.response_memory
    job = await gateway.jobs.get(actor, request.path_params["id"])
    contents = await archives.contents(job, memory)
    return await zip_files.response(archives, contents, memory, is_head=request.method == "HEAD")


async def export_jobs(access: Access, actor: Actor, request: Request[None]) -> ASGIApp:
    """Read a page of a project's ended jobs with their archives, newest first, in one ZIP file."""
    before, limit = page(request.query_params, access.limits.requests.list_page)
    query = JobQuery(states=_FINAL, before=before, limit=limit)
    project = request.path_params["project"]
    file = project_address(project)
    found = await access.admin.export_page(actor, query, project)
    return await zip_files.page(
        Archives(access.admin.store),
        found,
        limit,
        request.response_memory,
        name=f"{file}.zip" if before is None else f"{file}-before-{before}.zip",
        is_head=request.method == "HEAD",
    )
