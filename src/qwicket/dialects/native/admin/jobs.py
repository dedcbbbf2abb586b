"""Jobs of all accounts for administrators, and of a project for its leads."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET, structs

from qwicket.dialects.native import params
from qwicket.dialects.native.admin import wire
from qwicket.dialects.responses import json, json_in_thread
from qwicket.model.errors import InvalidRequest
from qwicket.model.jobs import JobQuery
from qwicket.model.limits import INT64_MAX
from qwicket.schema import admin as schema

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.responses import Response
    from starlette.types import ASGIApp

    from qwicket.dialects.native.admin.access import Access
    from qwicket.dialects.requests import Request
    from qwicket.gateway.job_admin import JobWithNames
    from qwicket.model.accounts import Actor
    from qwicket.schema.jobs import ChangeJobBody

_ASYNC_S: Final = 2
"""Time in seconds after which a client that does not wait for the end gets a response."""
_MAX_ASYNC_S: Final = 30
_SECONDS: Final = re.compile("[0-9]{1,9}", re.ASCII)
_FEW_JOBS: Final = 100
"""A longer list is rendered in a thread."""


async def list_all_jobs(access: Access, actor: Actor, request: Request[None]) -> ASGIApp:
    """List jobs of all accounts, newest first; with `after`, oldest first.

    Those of a project come with those of the projects below it; a lead gives the project.
    """
    given = request.query_params
    query = params.query(given, access.limits, also=("after", "account", "project"))
    await access.admin.led_project(actor, given.get("project"))
    after = params.integer(given, "after", minimum=0, maximum=INT64_MAX)
    if after is not None:
        query = structs.replace(query, after=after, oldest_first=True)
    jobs = await access.admin.jobs(
        actor, query, account=given.get("account"), project=given.get("project")
    )
    return await json_in_thread(
        lambda: wire.job_list(jobs, query.limit, request.server_url),
        is_small=len(jobs) <= _FEW_JOBS,
    )


async def read_any_job(access: Access, actor: Actor, request: Request[None]) -> ASGIApp:
    """Read a job of any account, with its position and why it waits."""
    found = await access.admin.job(actor, request.path_params["id"])
    position = await access.position(found.job)
    return json(wire.job_with_names(found, request.server_url, position))


async def cancel_any_job(access: Access, actor: Actor, request: Request[None]) -> ASGIApp:
    """Cancel a job of any account."""
    return _job(request, await access.admin.cancel_job(actor, request.path_params["id"]))


async def change_any_job(access: Access, actor: Actor, request: Request[ChangeJobBody]) -> ASGIApp:
    """Hold or release a waiting job, or change its priority."""
    body = request.payload
    found = await access.admin.change_job(
        actor, request.path_params["id"], is_held=body.held, priority=body.priority
    )
    return _job(request, found)


async def requeue_job(access: Access, actor: Actor, request: Request[None]) -> ASGIApp:
    """Take a running job from its runner and queue it again."""
    return _job(request, await access.admin.requeue_job(actor, request.path_params["id"]))


async def abandon_job(access: Access, actor: Actor, request: Request[None]) -> ASGIApp:
    """End a job at another cloud as failed."""
    return _job(request, await access.admin.abandon_job(actor, request.path_params["id"]))


async def resolve_job(
    access: Access, actor: Actor, request: Request[schema.ResolveJobBody]
) -> ASGIApp:
    """State whether another cloud has a job; if not, it is sent again."""
    sent_as = request.payload.sent_as
    return _job(request, await access.admin.resolve_job(actor, request.path_params["id"], sent_as))


async def change_jobs(
    access: Access, actor: Actor, request: Request[schema.ChangeJobsBody]
) -> ASGIApp:
    """Do one action on all jobs that match, or on those that are named, or only count them.

    With `Prefer: respond-async` it stops after some seconds: with 202 comes where to go on. A lead
    gives the project, and cancels, holds, releases or reorders jobs of it and of those below.
    """
    body = request.payload
    await access.admin.led_project(actor, body.project)
    if (body.action == "priority") is (body.priority is None):
        raise InvalidRequest(
            "priority is required with the action `priority`, and only then.", field="priority"
        )
    query = JobQuery(
        device=body.device,
        dialect=body.dialect,
        group=body.group,
        name=body.name,
        states=params.states(",".join(body.states) or None),
        tags=body.tags,
        created_from=_unix_ms(body.created_from, 0),
        created_to=_unix_ms(body.created_to, INT64_MAX),
    )
    is_filtered = query != JobQuery() or body.account is not None or body.project is not None
    ids = None if body.ids is UNSET else body.ids
    if ids and (is_filtered or body.before is not None):
        raise InvalidRequest("ids cannot be combined with other filters.", field="ids")
    limit_s = _async_limit_s(request.headers.get("prefer", ""))
    until = None if limit_s is None else time.monotonic() + limit_s
    found = await access.admin.change_jobs(
        actor,
        body.action,
        structs.replace(query, before=body.before),
        ids=ids,
        account=body.account,
        project=body.project,
        priority=body.priority or 0,
        is_dry_run=body.dry_run,
        is_late=lambda: until is not None and time.monotonic() > until,
        stored_limit=access.limits.quotas.stored,
    )
    answer = schema.ChangedJobsBody(number=found.number, ids=tuple(found.ids), next=found.next)
    return json(answer, 200 if found.next is None else 202)


def _async_limit_s(prefer: str) -> int | None:
    """Return the seconds after which a client wants a response; None if it waits for the end.

    The header is that of RFC 7240: `respond-async`, with `wait=SECONDS` if it says how long.
    """
    wanted = prefer.lower().replace(" ", "").split(",")
    if "respond-async" not in wanted:
        return None
    waits = [each.removeprefix("wait=") for each in wanted if each.startswith("wait=")]
    return min(int(waits[0]), _MAX_ASYNC_S) if waits and _SECONDS.fullmatch(waits[0]) else _ASYNC_S


def _job(request: Request[Any], found: JobWithNames) -> Response:
    return json(wire.job_with_names(found, request.server_url))


def _unix_ms(at: datetime | None, default: int) -> int:
    return default if at is None else int(at.timestamp() * 1000)
