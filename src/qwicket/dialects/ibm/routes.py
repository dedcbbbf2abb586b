"""Which path of IBM's API does what."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import WebSocketRoute

from qwicket.dialects.door import (
    PUBLIC_URL,
    Door,
    address,
    answer_to,
    decode,
    json,
    json_beside,
    on,
    read,
    read_unsigned,
    settled,
    signed_in,
    stream,
)
from qwicket.dialects.ibm import catalogue, filters, jobs, projects, results, search, wire, words
from qwicket.dialects.ibm.jobs import Position, Shown
from qwicket.dialects.ibm.paths import canonical
from qwicket.dialects.ibm.sockets import Sockets
from qwicket.dialects.ibm.words import DIRECT, DOOR, RUNTIME_PREFIX
from qwicket.dialects.pieces import raw, raw_list
from qwicket.gateway.answers import SMALL_ANSWER_BYTES
from qwicket.model.accounts import LONG_PASS_S, Scope
from qwicket.model.errors import (
    Forbidden,
    InvalidRequest,
    NoResult,
    NotFinished,
    NotFound,
    QwicketError,
    Unauthenticated,
)
from qwicket.model.outcomes import Outcome
from qwicket.model.states import JobState
from qwicket.programs import qobj
from qwicket.scheduling import Place as QueuePlace

if TYPE_CHECKING:
    from starlette.types import Receive, Send
    from starlette.types import Scope as ASGIScope
    from starlette.websockets import WebSocket

    from qwicket.gateway import Gateway, Results
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job, Submission

_SPELLING: Final = "qwicket.ibm.spelling"
_CANCEL_WAIT_S: Final = 5.0
_TICKET_S: Final = 3600.0
_OLD_CLIENT: Final = ("ibmqprovider", "qiskit-ibmq-provider")
_UPLOAD: Final = "upload"
_PROGRAM: Final = "program"
_RESULT: Final = "result"
_QASM_BYTES: Final = 1 << 20
"""Larger programs are not written as OpenQASM: nobody reads that, and it takes seconds."""
_LIST_BYTES: Final = 4 << 20
"""Programs, as sent or as shown, and counts in one list; what comes after is listed without."""


def door(gateway: Gateway, *, pass_s: float = LONG_PASS_S) -> Door:
    """Return the door.

    Args:
        gateway: Does the work.
        pass_s: Life of an access token: clients sign in once and never again.
    """
    do = Routes(gateway, pass_s)
    return _AnySpelling(
        [
            on("/version", GET=do.version),
            on("/users/login", POST=do.sign_in_with_password),
            on("/users/loginwithtoken", POST=do.sign_in_with_token),
            on("/users/me", GET=do.read_account),
            on("/network", GET=do.read_network),
            on("/network/bookings/v2", GET=do.list_bookings),
            on("/network/devices/{device}/bookings/v2", GET=do.list_bookings),
            on("/devices", GET=do.list_devices),
            on("/devices/{device}/properties", GET=do.read_properties),
            on("/devices/{device}/defaults", GET=do.read_defaults),
            on("/devices/{device}/queue/status", GET=do.read_queue),
            on("/devices/{device}/jobslimit", GET=do.read_jobs_limit),
            WebSocketRoute("/jobs/{id}/status", do.watch_job),
            on("/jobs", POST=do.submit_job, GET=do.list_jobs),
            on("/jobs/status", GET=do.list_statuses),
            on("/jobs/{id}", GET=do.read_job, PUT=do.change_job, DELETE=do.delete_job),
            on("/jobs/{id}/status", GET=do.read_status),
            on("/jobs/{id}/properties", GET=do.read_job_properties),
            on("/jobs/{id}/cancel", POST=do.cancel_job),
            on("/jobs/{id}/jobuploadurl", GET=do.upload_url),
            on("/jobs/{id}/jobdownloadurl", GET=do.program_url),
            on("/jobs/{id}/resultdownloadurl", GET=do.result_url),
            on("/jobs/{id}/jobdatauploaded", POST=do.submit_uploaded),
            on("/jobs/{id}/resultdownloaded", POST=do.acknowledge),
            on("/storage/{id}/upload/{ticket}", PUT=do.upload),
            on("/storage/{id}/program/{ticket}", GET=do.download_program),
            on("/storage/{id}/result/{ticket}", GET=do.download_result),
        ],
        wire.problem,
        recast=wire.recast,
        challenge="X-Access-Token",
    )


class _AnySpelling(Door):
    """The door, whichever way a path is spelt; it is one that speaks websockets too."""

    speaks_websocket = True

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        root = scope.get("root_path", "")
        path, spelling = canonical(scope["path"].removeprefix(root))
        await super().__call__({**scope, "path": root + path, _SPELLING: spelling}, receive, send)


class Routes:
    """The endpoints: HTTP in, gateway call, HTTP out.

    Args:
        gateway: Does the work.
        pass_s: Life of an access token.
    """

    def __init__(self, gateway: Gateway, pass_s: float) -> None:
        self._gateway = gateway
        self._pass_s = pass_s
        self._sockets = Sockets(gateway)
        self._devices: set[str] = set()

    # --- accounts ---------------------------------------------------------------------------------

    async def version(self, request: Request) -> Response:
        return json({"api-auth": "1.0", "api-core": "1.0", "qwicket": "1.0"})

    async def sign_in_with_token(self, request: Request) -> Response:
        body = await read_unsigned(request, lambda text: decode(text, wire.token_decoder))
        return await self._signed_in(await self._gateway.sign_in(body.api_token, address(request)))

    async def sign_in_with_password(self, request: Request) -> Response:
        body = await read_unsigned(request, lambda text: decode(text, wire.password_decoder))
        actor = await self._gateway.sign_in_with_password(
            body.email, body.password, address(request)
        )
        return await self._signed_in(actor)

    async def _signed_in(self, actor: Actor) -> Response:
        account = await self._gateway.account(actor)
        return json(
            {
                "id": await self._gateway.issue_pass(actor, DOOR, self._pass_s),
                "ttl": round(self._pass_s),
                "created": words.time(account.created_at),
                "userId": account.id,
            }
        )

    async def read_account(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.DEVICES_READ)
        root = _root(request)
        urls: dict[str, Any] = {"http": root, "ws": root.replace("http", "ws", 1)}
        urls["services"] = {"runtime": request.scope[PUBLIC_URL] + RUNTIME_PREFIX}
        return json(catalogue.account(await self._gateway.account(actor), urls))

    async def read_network(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.DEVICES_READ)
        views = await self._gateway.devices.of(DOOR)
        own = await self._gateway.projects(actor)
        return json(catalogue.network(own, actor.project, views))

    # --- devices ----------------------------------------------------------------------------------

    async def list_devices(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.DEVICES_READ)
        await self._project(request, actor)
        views = await self._gateway.devices.of(DOOR)
        return json([catalogue.configuration(view) for view in views])

    async def read_properties(self, request: Request) -> Response:
        await self._sign_in(request, Scope.DEVICES_READ)
        view = await self._gateway.devices.get(request.path_params["device"], DOOR)
        before = filters.before(request.query_params.get("filter"))
        try:
            found = await self._gateway.devices.calibration(view.device.name, DOOR, before)
        except NotFound:
            return json({})
        return json(catalogue.properties(view, found))

    async def read_defaults(self, request: Request) -> Response:
        """Look up the token alone: clients ask for this many times for each circuit."""
        await self._sign_in(request, Scope.DEVICES_READ)
        name = request.path_params["device"]
        if name not in self._devices:
            self._devices.add((await self._gateway.devices.get(name, DOOR)).device.name)
        return json({})

    async def read_queue(self, request: Request) -> Response:
        """Answer without a token as well: of all devices alike, the printed document has none."""
        if await _token(request) is not None:
            await self._sign_in(request, Scope.DEVICES_READ)
        view = await self._gateway.devices.get(request.path_params["device"], DOOR)
        outlook = await self._gateway.outlook(view.device.name)
        return json(catalogue.queue(view, len(outlook.places)))

    async def read_jobs_limit(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.DEVICES_READ)
        project = await self._project(request, actor)
        view = await self._gateway.devices.get(request.path_params["device"], DOOR)
        running = await self._gateway.unfinished(actor, project or actor.project, view.device.name)
        return json({"maximumJobs": self._gateway.limits.ibm_jobs, "runningJobs": running})

    async def list_bookings(self, request: Request) -> Response:
        """Answer that there are none: no device is ever reserved."""
        await self._sign_in(request, Scope.DEVICES_READ)
        if "device" in request.path_params:
            await self._gateway.devices.get(request.path_params["device"], DOOR)
        return json([])

    # --- jobs -------------------------------------------------------------------------------------

    async def submit_job(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_WRITE)
        actor = await projects.acting(self._gateway, actor, request.scope[_SPELLING].place)
        body = await read(request, wire.read_job)
        limits, headers = self._gateway.limits, request.headers
        if not body.has_program and not body.allow_object_storage:
            raise InvalidRequest("qObject is missing.", field="qObject")
        word = wire.direct if body.has_program else wire.draft
        submission = await asyncio.to_thread(word, body, headers, limits)
        names = await projects.names(self._gateway, actor)
        job = await self._store(actor, submission, has_program=body.has_program)
        # Of what follows nothing may fail: clients would submit the job again.
        row = Shown(job, wire.kept(submission.wire), names.get(job.project, job.project))
        position = await self._last(job)
        shown = jobs.body(row, position, root=_root(request), is_for_old=_is_old(request))
        shown["qasms"] = jobs.entries(job)
        if body.has_program:
            shown["qObject"] = {}
        else:
            shown["objectStorageInfo"]["uploadUrl"] = await self._ticket_url(
                request, actor, job, _UPLOAD
            )
        return json(shown)

    async def _store(self, actor: Actor, submission: Submission, *, has_program: bool) -> Job:
        limit = self._gateway.limits.ibm_jobs
        most = None if limit < 0 else limit
        if has_program:
            return await self._gateway.submit(
                actor, submission, is_once=True, unfinished_limit=most
            )
        return await self._gateway.uploads.draft(actor, submission, unfinished_limit=most)

    async def read_job(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_READ)
        found = await self._settled(request, await self._named(request, actor))
        job = found.job
        shown = await self._long(request, found)
        shown["qasms"] = jobs.entries(job)
        is_direct = found.kept.kind == DIRECT
        if not is_direct and not _is_small(shown):
            return json(shown)
        source, outcomes = await self._whole(request, job)

        def worded() -> dict[str, Any]:
            shown["qasms"] = _qasms(job, source, outcomes)
            if is_direct:
                shown["qObject"] = raw(source)
            if is_direct and outcomes is not None:
                shown["qObjectResult"] = results.result(outcomes, source)
            return shown

        return await json_beside(worded)

    async def _whole(self, request: Request, job: Job) -> tuple[bytes, Results | None]:
        """Return a job's program, and what it gave if it gave anything."""
        program = await self._gateway.program(job, answer_to(request))
        return program.source, await self._results(request, job)

    async def _results(self, request: Request, job: Job) -> Results | None:
        try:
            return await self._gateway.results_of(job, answer_to(request))
        except (NotFinished, NoResult):
            return None

    async def _found(self, request: Request, actor: Actor) -> tuple[filters.Filter, list[Shown]]:
        """Return what a list is asked for, and the jobs that are in it."""
        asked = filters.parse(request.query_params.get("filter"), self._gateway.limits)
        project = await self._project(request, actor)
        return asked, await search.found(self._gateway, actor, asked, project)

    async def list_jobs(self, request: Request) -> Response:
        """List jobs with their programs and counts, until they become too many bytes."""
        actor = await self._sign_in(request, Scope.JOBS_READ)
        asked, found = await self._found(request, actor)
        bodies, left = [], _LIST_BYTES
        async for each in search.in_turns(found):
            body = await self._long(request, each)
            body["qasms"] = jobs.entries(each.job)
            is_shown = each.kept.kind == DIRECT or _is_small(body)
            if is_shown and left > 0:
                try:
                    source, outcomes = await self._whole(request, each.job)
                except NotFound:  # it was deleted meanwhile
                    continue
                rows = await asyncio.to_thread(_qasms, each.job, source, outcomes)
                body["qasms"] = rows
                shown = sum(len(row.get("qasm", "")) + len(row.get("result", b"")) for row in rows)
                left -= max(shown, len(source))
            left -= 200 * each.job.n_circuits
            if left <= 0:
                del body["qasms"]
            bodies.append(asked.select(body))
            if _LIST_BYTES - left > SMALL_ANSWER_BYTES:
                await answer_to(request).begin()
        return await json_beside(lambda: raw_list(bodies))

    async def list_statuses(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_READ)
        asked, found = await self._found(request, actor)
        bodies = [
            asked.select(await self._long(request, each, has_summary=False))
            async for each in search.in_turns(found)
        ]
        return await json_beside(lambda: raw_list(bodies))

    async def read_status(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_READ)
        shown = await self._settled(request, await self._named(request, actor))
        text = await self._status_text(shown, is_for_old=_is_old(request))
        return Response(text, media_type="application/json")

    async def watch_job(self, socket: WebSocket) -> None:
        client = socket.scope.get("client")
        where = str(client[0]) if client else ""
        is_for_old = not socket.scope[_SPELLING].has_version

        async def worded(actor: Actor, job: Job) -> bytes:
            return await self._status_text(await self._shown(actor, job), is_for_old=is_for_old)

        await self._sockets.serve(socket, socket.path_params["id"], where, worded)

    async def read_job_properties(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_READ)
        job = await self._job(request, actor)
        if job.calibration is None:
            return json({})
        view = await self._gateway.devices.get(job.device, DOOR)
        found = await self._gateway.devices.calibration_by_id(job.device, DOOR, job.calibration)
        return json(catalogue.properties(view, found))

    async def cancel_job(self, request: Request) -> Response:
        """Cancel, and wait a little for a running job to end: there is no word for in between."""
        actor = await self._sign_in(request, Scope.JOBS_WRITE)
        job = await self._job(request, actor)
        if not job.state.is_final:
            job = await self._gateway.cancel(actor, job.id, door=DOOR, wait_s=_CANCEL_WAIT_S)
            if job.state is JobState.CANCELLED or not job.state.is_final:
                return json({"cancelled": True})
        message = f"The job is {words.status(job)}: it cannot be cancelled any more."
        error = {"status": 409, "message": message, "code": wire.number("conflict")}
        return json({"cancelled": False, "error": {**error, "name": "CONFLICT"}})

    async def change_job(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_WRITE)
        job = await self._job(request, actor)
        body = await read(request, lambda text: decode(text, wire.change_decoder))
        if (body.name is None) == (body.tags is None):
            raise InvalidRequest("Either name or tags must be given.", field="name")
        job = await self._gateway.rename(actor, job.id, door=DOOR, name=body.name, tags=body.tags)
        return json({"name": job.name} if body.tags is None else {"tags": job.tags})

    async def delete_job(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_WRITE)
        job = await self._job(request, actor)
        await self._gateway.delete(actor, job.id, door=DOOR)
        return Response(status_code=204)

    # --- object storage ---------------------------------------------------------------------------

    async def upload_url(self, request: Request) -> Response:
        return await self._url(request, Scope.JOBS_WRITE, _UPLOAD)

    async def program_url(self, request: Request) -> Response:
        return await self._url(request, Scope.JOBS_READ, _PROGRAM)

    async def result_url(self, request: Request) -> Response:
        return await self._url(request, Scope.JOBS_READ, _RESULT)

    async def _url(self, request: Request, scope: Scope, purpose: str) -> Response:
        actor = await self._sign_in(request, scope)
        job = await self._job(request, actor)
        if purpose == _RESULT and not await self._gateway.has_results(job):
            raise NotFound("The job has no result, or none yet.")
        if purpose == _PROGRAM and not (await self._gateway.sizes(job)).program:
            raise NotFound("The job has no program.")
        return json({"url": await self._ticket_url(request, actor, job, purpose)})

    async def _ticket_url(self, request: Request, actor: Actor, job: Job, purpose: str) -> str:
        ticket = await self._gateway.issue_ticket(actor, DOOR, purpose, job.id, _TICKET_S)
        return f"{_root(request)}/storage/{job.id}/{purpose}/{quote(ticket)}"

    async def _ticket(self, request: Request, purpose: str) -> tuple[Actor, Job]:
        """Return who holds the ticket in the path, and the job that it is for."""
        text, id_text = request.path_params["ticket"], request.path_params["id"]
        try:
            ticket = await self._gateway.take_ticket(text, DOOR, purpose, address(request))
        except Unauthenticated as error:
            raise Forbidden(
                f"This address is not good any more, or never was: {error.detail}"
            ) from None
        if ticket.job != id_text:
            raise Forbidden("This address is for another job.")
        signed_in(request, ticket.actor)
        return ticket.actor, await self._gateway.job(ticket.actor, ticket.job, door=DOOR)

    async def upload(self, request: Request) -> Response:
        actor, job = await self._ticket(request, _UPLOAD)
        await self._gateway.uploads.take(actor, job, stream(request, "upload_bytes"))
        return Response(b"")

    async def download_program(self, request: Request) -> Response:
        _, job = await self._ticket(request, _PROGRAM)
        program = await self._gateway.program(job, answer_to(request))
        return Response(program.source, media_type="application/json")

    async def download_result(self, request: Request) -> Response:
        _, job = await self._ticket(request, _RESULT)
        found = await self._gateway.results_of(job, answer_to(request))
        program = await self._gateway.program(job, answer_to(request))
        return await json_beside(lambda: results.result(found, program.source))

    async def submit_uploaded(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_WRITE)
        job = await self._job(request, actor)
        known = wire.known(job, await self._gateway.wire(job))
        job = await self._gateway.uploads.submit(
            actor, job, lambda source: wire.submission(source, known)
        )
        return json({"job": await self._long(request, await self._shown(actor, job))})

    async def acknowledge(self, request: Request) -> Response:
        """Take note that a result was read; it stays readable."""
        actor = await self._sign_in(request, Scope.JOBS_READ)
        await self._job(request, actor)
        return json({})

    # --- what several need ------------------------------------------------------------------------

    async def _sign_in(self, request: Request, scope: Scope) -> Actor:
        actor = await self._gateway.sign_in_with_pass(await _token(request), DOOR, address(request))
        actor.require(scope)
        return signed_in(request, actor)

    async def _project(self, request: Request, actor: Actor) -> str | None:
        """Return the id of the project below which the path stands, if it does."""
        return await projects.find(self._gateway, actor, request.scope[_SPELLING].place)

    async def _job(self, request: Request, actor: Actor) -> Job:
        try:
            job = await self._gateway.job(actor, request.path_params["id"], door=DOOR)
        except NotFound as error:
            raise wire.JobNotFound(error.detail) from None
        await self._check_project(request, actor, job)
        return job

    async def _named(self, request: Request, actor: Actor) -> Shown:
        """Return the job that the path names, with what was kept of it."""
        id_text = request.path_params["id"]
        try:
            job, document = await self._gateway.kept_job(actor, id_text, door=DOOR)
        except NotFound as error:
            raise wire.JobNotFound(error.detail) from None
        await self._check_project(request, actor, job)
        return await self._with_name(actor, job, document)

    async def _settled(self, request: Request, shown: Shown) -> Shown:
        return shown._replace(job=await settled(request, self._gateway, shown.job))

    async def _check_project(self, request: Request, actor: Actor, job: Job) -> None:
        if await self._project(request, actor) not in (None, job.project):
            raise wire.JobNotFound("There is no such job.")

    async def _shown(self, actor: Actor, job: Job) -> Shown:
        return await self._with_name(actor, job, await self._gateway.wire(job))

    async def _with_name(self, actor: Actor, job: Job, document: bytes) -> Shown:
        names = await projects.names(self._gateway, actor)
        return Shown(job, wire.kept(document), names.get(job.project, job.project))

    async def _position(self, job: Job) -> Position | None:
        """Return where a waiting job stands; one just come stands behind all others."""
        if words.status(job) != words.QUEUED:
            return None
        place = await self._gateway.place(job)
        if place is None:
            outlook = await self._gateway.outlook(job.device)
            place = QueuePlace(len(outlook.places), outlook.start_in_s)
        return Position(place, time.time_ns() // 1_000_000)

    async def _last(self, job: Job) -> Position | None:
        """Return where a job just stored stands; nothing where nobody can tell now."""
        try:
            return await self._position(job)
        except QwicketError:
            return None

    async def _long(
        self, request: Request, shown: Shown, *, has_summary: bool = True
    ) -> dict[str, Any]:
        job = shown.job
        sizes = await self._gateway.sizes(job) if has_summary and job.state.is_final else None
        position = await self._position(job)
        return jobs.body(shown, position, sizes, _root(request), is_for_old=_is_old(request))

    async def _status_text(self, shown: Shown, *, is_for_old: bool) -> bytes:
        position = await self._position(shown.job)
        return msgspec.json.encode(jobs.status(shown, position, is_for_old=is_for_old))


def _is_small(shown: dict[str, Any]) -> bool:
    """Return whether the rows of an uploaded job, which has ended, show program and counts."""
    size: dict[str, int] = shown.get("summaryData", {}).get("size", {})
    return 0 < size.get("input", 0) <= _QASM_BYTES and size["output"] <= _LIST_BYTES


def _qasms(job: Job, source: bytes, found: Results | None) -> list[dict[str, Any]]:
    """Return a row for each circuit, with its program and its counts."""
    rows = jobs.entries(job)
    said = qobj.to_openqasm2(source) if len(source) <= _QASM_BYTES else []
    for row, text in zip(rows, said, strict=False):
        if text is not None:
            row["qasm"] = text
    for row, part in zip(rows, found.parts if found else (), strict=False):
        if isinstance(part, Outcome):
            row |= {"status": "DONE", "result": {"counts": results.counts(part)}}
        else:
            row["status"] = "ERROR"
    return rows


async def _token(request: Request) -> str | None:
    """Return the access token: of the header, the query, or the body, whatever the method."""
    text = request.headers.get("x-access-token") or request.query_params.get("access_token")
    return text or await read_unsigned(request, wire.token_of)


def _is_old(request: Request) -> bool:
    """Return whether the client is one up to 0.4, as its header says."""
    name, _, rest = request.headers.get(wire.CLIENT, "").partition("/")
    return name.startswith(_OLD_CLIENT) and rest.startswith(("0.3.", "0.4."))


def _root(request: Request) -> str:
    """Return the address of this door."""
    root: str = request.scope[PUBLIC_URL] + request.scope["root_path"]
    return root
