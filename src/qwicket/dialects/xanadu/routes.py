"""Which path of the root does what.

But for the one that gives passes, every known path needs one, whatever the method: a 200 on
`/healthz` without a pass would tell a client with a wrong key that all is well.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from qwicket.dialects.door import (
    Door,
    address,
    answer_to,
    invalid,
    json,
    json_beside,
    on,
    read,
    read_unsigned,
    settled,
    signed_in,
)
from qwicket.dialects.xanadu import catalogue, results, wire
from qwicket.model.accounts import Scope
from qwicket.model.errors import InvalidRequest, LimitExceeded, NotFound, Unauthenticated
from qwicket.model.jobs import JobQuery
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.types import ASGIApp, Receive, Send
    from starlette.types import Scope as AsgiScope

    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job

    SignIn = Callable[[Request], Awaitable[Actor]]

_SIGN_IN_PATH: Final = "/auth/realms/platform/protocol/openid-connect/token"
_ACTOR: Final = "qwicket.actor"
_PAGE: Final = 10
_SMALL_TEXT_BYTES: Final = 64 << 10
_INLINE_BYTES: Final = 4 << 10
"""Up to here a circuit's header is read on the loop."""


def door(gateway: Gateway, pass_s: float) -> Door:
    """Return the root door, whose passes live for `pass_s` seconds."""
    do = Routes(gateway, pass_s)
    known = [
        on("/healthz", GET=do.ping),
        on("/devices", GET=do.list_devices),
        on("/devices/{target}", GET=do.read_device),
        on("/devices/{target}/specifications", GET=do.read_specification),
        on("/devices/{target}/specification", GET=do.read_specification),
        on("/devices/{target}/certificate", GET=do.read_certificate),
        on("/jobs", GET=do.list_jobs, POST=do.submit_job),
        on("/jobs/{id}", GET=do.read_job, PATCH=do.cancel_job),
        on("/jobs/{id}/circuit", GET=do.read_circuit),
        on("/jobs/{id}/result", GET=do.read_result),
    ]
    routes = [Route(each.path, endpoint=_Guard(do.sign_in, each.endpoint)) for each in known]
    others = [f"/{name}/{{rest:path}}" for name in ("auth", "devices", "jobs")]
    routes += [Route(path, endpoint=_Guard(do.sign_in)) for path in others]
    public = on(_SIGN_IN_PATH, POST=do.give_pass)
    return Door([public, *routes], wire.problem, recast=wire.recast)


class _Guard:
    """Lets in who has a pass, whatever the method. Behind it may be nothing."""

    def __init__(self, sign_in: SignIn, inner: ASGIApp | None = None) -> None:
        self._sign_in = sign_in
        self._inner = inner

    @property
    def methods(self) -> Mapping[str, Any]:
        """Return the endpoints by their methods."""
        methods: Mapping[str, Any] = getattr(self._inner, "methods", {})
        return methods

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        scope[_ACTOR] = await self._sign_in(Request(scope))
        if self._inner is None:
            raise NotFound("There is nothing at this path.")
        await self._inner(scope, receive, send)


class Routes:
    """The endpoints: HTTP in, gateway call, HTTP out.

    Args:
        gateway: Does the work.
        pass_s: Seconds for which a pass is good.
    """

    def __init__(self, gateway: Gateway, pass_s: float) -> None:
        self._gateway = gateway
        self._pass_s = pass_s

    # --- passes -----------------------------------------------------------------------------------

    async def give_pass(self, request: Request) -> Response:
        """Trade a token for a pass."""
        asked = await read_unsigned(request, partial(wire.grant, limits=self._gateway.limits))
        if not asked.type or not asked.token:
            return _refused("invalid_request", "grant_type and refresh_token are needed.")
        if asked.type != "refresh_token":
            return _refused("unsupported_grant_type", "The grant_type is refresh_token.")
        try:
            actor = await self._gateway.sign_in(asked.token, address(request))
        except Unauthenticated:
            return _refused("invalid_grant", "Invalid refresh token")
        text = await self._gateway.issue_pass(actor, wire.DOOR, self._pass_s)
        answer = json(wire.access(text, asked.token, self._pass_s))
        answer.headers["Cache-Control"] = "no-store"
        return answer

    async def sign_in(self, request: Request) -> Actor:
        """Return who holds the request's pass. A token is none."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        held = text.strip() if scheme.lower() == "bearer" else None
        actor = await self._gateway.sign_in_with_pass(held, wire.DOOR, address(request))
        return signed_in(request, actor)

    async def ping(self, request: Request) -> Response:
        return json({"status": "ok"})

    # --- devices ----------------------------------------------------------------------------------

    async def list_devices(self, request: Request) -> Response:
        _actor(request, Scope.DEVICES_READ)
        shown = [catalogue.overview(view) for view in await self._gateway.devices.of(wire.DOOR)]
        wanted = request.query_params.get("status")
        return json({"data": [each for each in shown if wanted in (None, each["status"])]})

    async def read_device(self, request: Request) -> Response:
        _actor(request, Scope.DEVICES_READ)
        view = await self._gateway.devices.get(request.path_params["target"], wire.DOOR)
        return json(catalogue.overview(view))

    async def read_specification(self, request: Request) -> Response:
        _actor(request, Scope.DEVICES_READ)
        view = await self._gateway.devices.get(request.path_params["target"], wire.DOOR)
        return json(catalogue.specification(view))

    async def read_certificate(self, request: Request) -> Response:
        _actor(request, Scope.DEVICES_READ)
        view = await self._gateway.devices.get(request.path_params["target"], wire.DOOR)
        return json(catalogue.certificate(view.device))

    # --- jobs -------------------------------------------------------------------------------------

    async def submit_job(self, request: Request) -> Response:
        """Check a program and store it. The answer always says `open`: more is known when asked."""
        actor = _actor(request, Scope.JOBS_WRITE)
        limits = self._gateway.limits
        body = await request.body()
        parse = partial(wire.submission, body, limits)
        submission = parse() if len(body) <= _INLINE_BYTES else await asyncio.to_thread(parse)
        try:
            job = await self._gateway.submit(actor, submission, is_once=True)
        except (InvalidRequest, LimitExceeded, NotFound) as error:
            raise wire.in_circuit(error) from None
        return json(wire.job(job, wire.kept(submission.wire), wire.OPEN), 201)

    async def list_jobs(self, request: Request) -> Response:
        """Answer with the account's own jobs, newest first; ids that are none are left out."""
        actor = _actor(request, Scope.JOBS_READ)
        query, most = request.query_params, self._gateway.limits.list_page
        size, states = _size(query.get("size"), most), wire.states(query.get("status"))
        if "id" not in query:
            asked = JobQuery(door=wire.DOOR, states=states, limit=size)
            found = await self._gateway.jobs(actor, asked)
        else:
            named = await self._named(actor, query.getlist("id"))
            found = [job for job in named if not states or job.state in states][:size]
        bodies = []
        for job in found:
            with suppress(NotFound):  # it may have been deleted meanwhile
                bodies.append(await self._body(job))
        return json({"data": bodies})

    async def _named(self, actor: Actor, ids: list[str]) -> list[Job]:
        most = self._gateway.limits.list_page
        if len(ids) > most:
            raise LimitExceeded(f"id is given over {most} times (limit list_page).", field="id")
        found: dict[str, Job] = {}
        for id_text in ids:
            try:
                job = await self._gateway.job(actor, id_text, door=wire.DOOR)
            except NotFound:
                continue
            if job.account == actor.account:
                found[job.id] = job
        return sorted(found.values(), key=lambda job: -job.seq)

    async def read_job(self, request: Request) -> Response:
        actor, id_text = _actor(request, Scope.JOBS_READ), request.path_params["id"]
        job, document = await self._gateway.kept_job(actor, id_text, door=wire.DOOR)
        job = await settled(request, self._gateway, job)
        return json(wire.job(job, wire.kept(document)))

    async def cancel_job(self, request: Request) -> Response:
        """Ask a job to end; one that has ended stays as it is."""
        actor = _actor(request, Scope.JOBS_WRITE)
        await read(request, wire.check_cancel)
        await self._gateway.cancel(actor, request.path_params["id"], door=wire.DOOR)
        return Response(status_code=204)

    async def read_circuit(self, request: Request) -> Response:
        """Answer with the text as it was sent."""
        program = await self._gateway.program(await self._job(request), answer_to(request))
        is_small = len(program.source) <= _SMALL_TEXT_BYTES
        return await json_beside(lambda: {"circuit": program.source.decode()}, is_small=is_small)

    async def read_result(self, request: Request) -> Response:
        """Answer with an archive of NumPy's, or with a bare array where that is asked for."""
        job = await self._job(request)
        if job.state is not JobState.COMPLETED:
            reason = f": {job.error_text}" if job.error_text else ""
            raise NotFound(f"The job is {job.state} and has no result{reason}")
        found = await self._gateway.results_of(job, answer_to(request))
        is_bare = results.NPY_TYPE in request.headers.get("accept", "")
        body = await asyncio.to_thread(results.npy if is_bare else results.npz, found)
        media_type = results.NPY_TYPE if is_bare else "application/octet-stream"
        return Response(body, media_type=media_type)

    async def _job(self, request: Request) -> Job:
        actor = _actor(request, Scope.JOBS_READ)
        return await self._gateway.job(actor, request.path_params["id"], door=wire.DOOR)

    async def _body(self, job: Job) -> dict[str, Any]:
        return wire.job(job, wire.kept(await self._gateway.wire(job)))


def _actor(request: Request, scope: Scope) -> Actor:
    """Return who signed in, if they may do this."""
    actor: Actor = request.scope[_ACTOR]
    actor.require(scope)
    return actor


def _refused(code: str, description: str) -> Response:
    return json(wire.refused_grant(code, description), 400)


def _size(text: str | None, most: int) -> int:
    if text is None:
        return min(_PAGE, most)
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or not 1 <= int(text) <= most:
        raise invalid(f"size must be 1 to {most} (limit list_page)", text, "size")
    return int(text)
