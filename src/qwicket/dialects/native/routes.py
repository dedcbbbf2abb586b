"""Which path of `/v1` does what."""

from __future__ import annotations

import asyncio
import hashlib
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.responses import Response

from qwicket.dialects.door import (
    PUBLIC_URL,
    Door,
    address,
    answer_to,
    bearer,
    decode,
    idempotency_key,
    json,
    json_beside,
    on,
    read,
    signed_in,
)
from qwicket.dialects.native import account_wire, agents, arrays, params, wire
from qwicket.dialects.native.openapi import OPENQASM_TYPE, description
from qwicket.dialects.native.streams import Streams
from qwicket.model.accounts import Scope

if TYPE_CHECKING:
    from starlette.requests import Request

    from qwicket.gateway import Awaited, Gateway
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job

_FEW_JOBS: Final = 100
_TAG_CHARS: Final = 64 << 10


def door(gateway: Gateway, public_url: str = "") -> Door:
    """Return the native door.

    Args:
        gateway: What is behind it.
        public_url: The server's address, where it has one beside those of its sockets.
    """
    do, streams = Routes(gateway), Streams(gateway)
    return Door(
        [
            on("/openapi.json", GET=do.describe),
            on("/account", GET=do.read_account),
            on("/projects", GET=do.list_projects),
            on("/tokens", GET=do.list_tokens, POST=do.make_token),
            on("/tokens/{id}", DELETE=do.revoke_token),
            on("/devices", GET=do.list_devices),
            on("/devices/{name}", GET=do.read_device),
            on("/devices/{name}/calibration", GET=do.read_calibration),
            on("/jobs", GET=do.list_jobs, POST=do.submit_job),
            on("/jobs/{id}", GET=do.read_job, DELETE=do.delete_job),
            on("/jobs/{id}/cancel", POST=do.cancel_job),
            on("/jobs/{id}/events", GET=do.list_events),
            on("/jobs/{id}/stream", GET=streams.of_job),
            on("/events", GET=streams.of_account),
            on("/jobs/{id}/result", GET=do.read_result),
            on("/jobs/{id}/parts/{part}", GET=do.read_part),
            on("/jobs/{id}/parts/{part}/compiled", GET=do.read_compiled),
            on("/groups", GET=do.list_groups, POST=do.open_group),
            on("/groups/{id}", GET=do.read_group),
            on("/groups/{id}/close", POST=do.close_group),
            on("/groups/{id}/cancel", POST=do.cancel_group),
            *agents.routes(gateway),
        ],
        partial(wire.problem, public_url=public_url),
        error_type=wire.PROBLEM_TYPE,
    )


class Routes:
    """The endpoints: HTTP in, gateway call, HTTP out."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._description: bytes | None = None

    async def describe(self, request: Request) -> Response:
        """Answer anyone: it tells nothing of this server."""
        if self._description is None:
            document = await asyncio.to_thread(description)
            self._description = msgspec.json.encode(document)
        return Response(self._description, media_type="application/json")

    async def read_account(self, request: Request) -> Response:
        actor = await self._sign_in(request)
        account = await self._gateway.account(actor)
        token = await self._gateway.tokens.own(actor)
        projects = await self._gateway.projects(actor)
        change = await self._gateway.last_change(actor)
        return json(account_wire.account(account, token, projects, change))

    async def list_projects(self, request: Request) -> Response:
        actor = await self._sign_in(request)
        return json(account_wire.project_list(await self._gateway.projects(actor)))

    async def list_tokens(self, request: Request) -> Response:
        actor = await self._sign_in(request)
        tokens = await self._gateway.tokens.live(actor)
        return json(account_wire.token_list(tokens, await self._gateway.projects(actor)))

    async def make_token(self, request: Request) -> Response:
        actor = await self._sign_in(request)
        actor.require(Scope.TOKENS_WRITE)  # before a body is taken in
        body = await read(request, lambda text: account_wire.token_wish(text, self._gateway.limits))
        made = await self._gateway.tokens.make(
            actor, body.scopes, devices=body.devices, project=body.project, life_s=body.life_s
        )
        projects = await self._gateway.projects(actor)
        answer = json(account_wire.new_token(made, projects), 201)
        answer.headers["Cache-Control"] = "no-store"
        return answer

    async def revoke_token(self, request: Request) -> Response:
        actor = await self._sign_in(request)
        await self._gateway.tokens.revoke(actor, request.path_params["id"])
        return Response(status_code=204)

    async def list_devices(self, request: Request) -> Response:
        actor = await self._sign_in(request)
        actor.require(Scope.DEVICES_READ)
        views = await self._gateway.devices.of(wire.DOOR)
        return json({"devices": [wire.device(view) for view in views]})

    async def read_device(self, request: Request) -> Response:
        actor = await self._sign_in(request)
        actor.require(Scope.DEVICES_READ)
        view = await self._gateway.devices.get(request.path_params["name"], wire.DOOR)
        return json(wire.device(view, await self._gateway.outlook(view.device.name)))

    async def read_calibration(self, request: Request) -> Response:
        """Answer with what is in force now, or was at `?at=`."""
        actor = await self._sign_in(request)
        actor.require(Scope.DEVICES_READ)
        at = params.instant(request.query_params, "at")
        name = request.path_params["name"]
        return json(wire.calibration(await self._gateway.devices.calibration(name, wire.DOOR, at)))

    async def submit_job(self, request: Request) -> Response:
        actor = await self._sign_in(request)
        actor.require(Scope.JOBS_WRITE)  # before a body is taken in
        key = idempotency_key(request)
        limits = self._gateway.limits
        submission = await read(request, lambda body: wire.submission(body, key, limits))
        job = await self._gateway.submit(actor, submission)
        return json(wire.job(job), 201, Location=f"{request.scope[PUBLIC_URL]}/v1/jobs/{job.id}")

    async def list_jobs(self, request: Request) -> Response:
        actor = await self._sign_in(request)
        query = params.query(request.query_params, self._gateway.limits)
        jobs = await self._gateway.jobs(actor, query)
        return await json_beside(lambda: wire.job_list(jobs, query.limit), is_small=_is_short(jobs))

    async def read_job(self, request: Request) -> Response:
        """Answer at once, or with `?wait=` when the job has ended or the seconds have passed."""
        job, _ = await self._awaited(request)
        place, progress = await self._gateway.place(job), await self._gateway.progress(job)
        return _tagged(request, json(wire.job(job, place, progress)), wire.pause(job, place))

    async def delete_job(self, request: Request) -> Response:
        actor = await self._sign_in(request)
        await self._gateway.delete(actor, request.path_params["id"])
        return Response(status_code=204)

    async def list_events(self, request: Request) -> Response:
        actor = await self._sign_in(request)
        return json(wire.events(await self._gateway.events(actor, request.path_params["id"])))

    async def cancel_job(self, request: Request) -> Response:
        actor = await self._sign_in(request)
        return json(wire.job(await self._gateway.cancel(actor, request.path_params["id"])))

    async def read_result(self, request: Request) -> Response:
        job, told = await self._awaited(request)
        results = await self._gateway.results_of(job, answer_to(request), told=told)
        return await json_beside(lambda: wire.result(*results), is_small=results.is_small)

    async def read_part(self, request: Request) -> Response:
        """Answer with what one circuit gave: as JSON, or with its arrays as an archive of NumPy."""
        is_archive = arrays.are_wanted(request.headers.get("accept", ""), request.query_params)
        job, told = await self._awaited(request)
        number = wire.part_number(request.path_params["part"], job)
        results = await self._gateway.results_of(job, answer_to(request), number, told=told)
        (part,) = results.parts
        if is_archive:
            archive = await asyncio.to_thread(arrays.npz, part)
            return Response(archive, media_type=arrays.NPZ_TYPE, headers={"Vary": "Accept"})
        return await json_beside(
            lambda: wire.part(job, number, part), is_small=results.is_small, Vary="Accept"
        )

    async def read_compiled(self, request: Request) -> Response:
        """Answer with a circuit in the gates of its lab's device, as OpenQASM 3."""
        actor = await self._sign_in(request)
        job = await self._gateway.job(actor, request.path_params["id"])
        number = wire.part_number(request.path_params["part"], job)
        text = await self._gateway.compilation.openqasm(job, number, answer_to(request))
        return Response(text, media_type=OPENQASM_TYPE)

    async def _awaited(self, request: Request) -> Awaited:
        """Return the job of a path when it has ended, or the seconds of `?wait=` have passed."""
        actor = await self._sign_in(request)
        wait_s = params.seconds(request.query_params, "wait", self._gateway.limits.wait_s)
        awaited = await self._gateway.wait(actor, request.path_params["id"], wait_s)
        if wait_s:
            await self._sign_in(request)  # the token may have been revoked meanwhile
        return awaited

    async def open_group(self, request: Request) -> Response:
        actor = await self._sign_in(request)
        actor.require(Scope.JOBS_WRITE)
        body = await read(request, lambda text: decode(text, wire.group_decoder))
        group = await self._gateway.groups.open(
            actor,
            wire.DOOR,
            device=body.device,
            name=body.name,
            jobs_limit=body.jobs_limit,
            life_s=body.life_s,
        )
        where = f"{request.scope[PUBLIC_URL]}/v1/groups/{group.id}"
        return json(wire.group(group), 201, Location=where)

    async def list_groups(self, request: Request) -> Response:
        actor = await self._sign_in(request)
        before, limit = params.page(request.query_params, self._gateway.limits.list_page)
        groups = await self._gateway.groups.page(actor, wire.DOOR, before=before, limit=limit)
        return json(wire.group_list(groups, limit))

    async def read_group(self, request: Request) -> Response:
        actor = await self._sign_in(request)
        group = await self._gateway.groups.get(actor, request.path_params["id"])
        return json(wire.group(group, await self._gateway.groups.use(actor, group)))

    async def close_group(self, request: Request) -> Response:
        actor = await self._sign_in(request)
        return json(wire.group(await self._gateway.groups.close(actor, request.path_params["id"])))

    async def cancel_group(self, request: Request) -> Response:
        """Cancel what has not ended of the group."""
        actor = await self._sign_in(request)
        cancelled = await self._gateway.groups.cancel_all(actor, request.path_params["id"])
        return json({"cancelled": cancelled})

    async def _sign_in(self, request: Request) -> Actor:
        return signed_in(request, await self._gateway.sign_in(bearer(request), address(request)))


def _is_short(jobs: list[Job]) -> bool:
    """Say whether a list of jobs is worded in about a millisecond: it may have many long tags."""
    return len(jobs) <= _FEW_JOBS and sum(len(tag) for job in jobs for tag in job.tags) < _TAG_CHARS


def _tagged(request: Request, answer: Response, pause_s: int | None) -> Response:
    """Return an answer with its tag, or 304 to whom has it; with when to ask again, if ever."""
    tag = f'"{hashlib.sha256(answer.body).hexdigest()[:24]}"'
    headers = {"ETag": tag} | ({"Retry-After": str(pause_s)} if pause_s else {})
    known = {each.strip().removeprefix("W/") for each in _if_none_match(request).split(",")}
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    answer.headers.update(headers)
    return answer


def _if_none_match(request: Request) -> str:
    return ",".join(request.headers.getlist("if-none-match"))
