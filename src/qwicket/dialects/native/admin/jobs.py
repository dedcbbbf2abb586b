"""Jobs of all accounts for administrators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.dialects.native import params
from qwicket.dialects.native.admin import wire
from qwicket.dialects.responses import json, json_in_thread
from qwicket.model.jobs import JobQuery
from qwicket.schema import admin as schema

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from qwicket.dialects.native.admin.access import Access
    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor

_FEW: Final = 100
_SHOWN_IDS: Final = 1_000


async def list_all_jobs(access: Access, actor: Actor, request: Request[None]) -> ASGIApp:
    """List jobs of all accounts, newest first."""
    given = request.query_params
    query = params.query(given, access.limits, also=("account", "project"))
    jobs = await access.admin.jobs(
        query, account=given.get("account"), project=given.get("project")
    )
    return await json_in_thread(
        lambda: wire.job_list(jobs, query.limit), is_small=len(jobs) <= _FEW
    )


async def read_any_job(access: Access, actor: Actor, request: Request[None]) -> ASGIApp:
    """Read a job of any account."""
    return json(wire.any_job(await access.admin.job(request.path_params["id"])))


async def cancel_any_job(access: Access, actor: Actor, request: Request[None]) -> ASGIApp:
    """Cancel a job of any account."""
    return json(wire.any_job(await access.admin.cancel_job(request.path_params["id"])))


async def cancel_jobs(
    access: Access, actor: Actor, request: Request[schema.CancelJobsBody]
) -> ASGIApp:
    """Cancel all unfinished jobs that fit; or only count them."""
    body = request.payload
    query = JobQuery(
        device=body.device,
        dialect=body.dialect,
        name=body.name,
        states=params.states(",".join(body.states) or None),
        tags=body.tags,
    )
    ids = await access.admin.cancel_jobs(
        query, account=body.account, project=body.project, is_dry_run=body.dry_run
    )
    return json(schema.CancelledJobsBody(number=len(ids), ids=tuple(ids[:_SHOWN_IDS])))
