"""Handlers of `/v1` for shares of jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import structs
from starlette.responses import Response

from qwicket import schema
from qwicket.dialects.native import wire
from qwicket.dialects.responses import json, json_in_thread
from qwicket.features.shares.service import JobShares
from qwicket.model.errors import InvalidRequest, NoResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.dialects.native.handlers import Handlers
    from qwicket.dialects.requests import Request
    from qwicket.features.shares.model import JobShare
    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job

_PRIVATE: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
"""Headers that keep a shared job, and its secret URL, out of caches, referrers and indexes."""


async def share_job(
    native: Handlers, actor: Actor, request: Request[schema.jobs.NewShareBody]
) -> Response:
    """Share a job with an account, or create a link to it that expires."""
    shares = native.gateway.feature(JobShares)
    body, job = request.payload, request.path_params["id"]
    if (body.account is None) == (body.life_s is None):
        raise InvalidRequest("Give either account or life_s.", field="account")
    url = None
    if body.account is not None:
        share = await shares.share_with(actor, job, body.account)
    else:
        share, secret = await shares.share_by_link(actor, job, body.life_s or 0)
        url = f"{request.server_url}/v1/shared/{secret}"
    created = schema.jobs.CreatedShareBody(**structs.asdict(_share(share)), url=url)
    return json(created, 201, **{"Cache-Control": "no-store"})


async def list_shares(native: Handlers, actor: Actor, _request: Request[None]) -> Response:
    """List the shares of the account's jobs."""
    return _list(await native.gateway.feature(JobShares).of(actor))


async def list_shares_of(native: Handlers, actor: Actor, request: Request[None]) -> Response:
    """List the shares of a job."""
    return _list(await native.gateway.feature(JobShares).of(actor, request.path_params["id"]))


async def remove_share(native: Handlers, actor: Actor, request: Request[None]) -> Response:
    """End a share of a job."""
    await native.gateway.feature(JobShares).remove(actor, request.path_params["share"])
    return Response(status_code=204)


async def read_shared(native: Handlers, request: Request[None]) -> Response:
    """Read a shared job and its result with the secret of a link."""
    shares = native.gateway.feature(JobShares)
    job, owner = await shares.by_secret(request.path_params["secret"], request.client_address)
    request.response_memory.actor = owner  # a large result counts against the owner
    response = await _job_response(native.gateway, job, request)
    response.headers.update(_PRIVATE)
    return response


def _list(shares: Sequence[JobShare]) -> Response:
    return json(schema.jobs.ShareList(shares=tuple(map(_share, shares))))


async def _job_response(gateway: Gateway, job: Job, request: Request[None]) -> Response:
    body = wire.job(wire.without_choice(job), request.server_url)
    if not job.state.is_final:
        return json(schema.results.SharedBody(job=body))
    try:
        results = await gateway.results.of(job, request.response_memory)
    except NoResult:
        return json(schema.results.SharedBody(job=body))
    return await json_in_thread(
        lambda: schema.results.SharedBody(job=body, result=wire.result(*results)),
        is_small=results.is_small,
    )


def _share(share: JobShare) -> schema.jobs.ShareBody:
    return schema.jobs.ShareBody(
        id=share.id,
        job=share.job,
        device=share.device,
        account=share.account_name,
        created_at=wire.iso_time(share.created_at),
        expires_at=wire.iso_time(share.expires_at),
    )
