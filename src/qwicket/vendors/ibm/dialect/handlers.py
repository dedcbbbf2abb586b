"""The handlers of the IBM Quantum Experience API."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec
from starlette.responses import Response
from starlette.websockets import WebSocket

from qwicket.circuits.outcomes import Outcome
from qwicket.dialects.responses import json, json_in_thread
from qwicket.dialects.streaming import raw, raw_list
from qwicket.dialects.times import format_time
from qwicket.dialects.validation import SMALL_BODY_BYTES
from qwicket.gateway.response_budget import SMALL_RESPONSE_BYTES
from qwicket.model.accounts import Scope
from qwicket.model.errors import (
    Forbidden,
    InvalidRequest,
    NoResult,
    NotFinished,
    NotFound,
    QwicketError,
    Unauthenticated,
)
from qwicket.model.states import JobState
from qwicket.scheduling import QueuePosition
from qwicket.vendors.ibm import qobj
from qwicket.vendors.ibm.dialect import (
    catalogue,
    filters,
    jobs,
    projects,
    results,
    search,
    statuses,
    wire,
)
from qwicket.vendors.ibm.dialect.jobs import JobRow, Position
from qwicket.vendors.ibm.dialect.names import DIALECT, DIRECT, RUNTIME_PREFIX
from qwicket.vendors.ibm.dialect.paths import canonical
from qwicket.vendors.ibm.dialect.sockets import Sockets
from qwicket.vendors.ibm.limits import IBMLimits

if TYPE_CHECKING:
    from starlette.types import Receive, Send
    from starlette.types import Scope as ASGIScope

    from qwicket.dialects.requests import Request
    from qwicket.gateway import Gateway, JobResults
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job, Submission
    from qwicket.model.limits import Limits
    from qwicket.vendors.ibm.dialect.paths import Instance, Spelling

_CANCEL_WAIT_S: Final = 5.0
_SIGNED_URL_S: Final = 3600.0
_OLD_CLIENT: Final = ("ibmqprovider", "qiskit-ibmq-provider")
_UPLOAD: Final = "upload"
_PROGRAM: Final = "program"
_RESULT: Final = "result"
_QASM_BYTES: Final = 1 << 20
"""Larger programs are not written as OpenQASM, which would take seconds."""
_LIST_BYTES: Final = 4 << 20
"""Size of the programs and counts in one list. Once it is reached, jobs are listed without them."""
_ROW_BYTES: Final = 200
"""Size of a circuit's row in a list, without program and counts."""


class Handlers:
    """The handlers of `/ibm/api`.

    Args:
        gateway: Does the work.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._sockets = Sockets(gateway)
        self._known_devices: set[str] = set()

    @property
    def limits(self) -> Limits:
        return self._gateway.limits

    async def sign_in(self, request: Request[Any]) -> Actor:
        return await self._gateway.access_tokens.actor(
            await _token(request), DIALECT, request.client_address
        )

    # --- accounts ---------------------------------------------------------------------------------

    async def version(self, request: Request[None]) -> Response:
        """Read the versions of the API."""
        return json({"api-auth": "1.0", "api-core": "1.0", "qwicket": "1.0"})

    async def sign_in_with_token(self, request: Request[wire.TokenBody]) -> Response:
        """Exchange a token for an access token."""
        actor = await self._gateway.auth.by_token(request.payload.api_token, request.client_address)
        return await self._signed_in(actor)

    async def sign_in_with_password(self, request: Request[wire.PasswordBody]) -> Response:
        """Exchange an e-mail address and a password for an access token."""
        body = request.payload
        actor = await self._gateway.auth.by_password(
            body.email, body.password, request.client_address
        )
        return await self._signed_in(actor)

    async def _signed_in(self, actor: Actor) -> Response:
        account = await self._gateway.accounts.of(actor)
        return json(
            {
                "id": await self._gateway.access_tokens.issue(
                    actor, DIALECT, self.limits.of(IBMLimits).long_access_token_s
                ),
                "ttl": round(self.limits.of(IBMLimits).long_access_token_s),
                "created": format_time(account.created_at),
                "userId": account.id,
            }
        )

    async def read_account(self, actor: Actor, request: Request[None]) -> Response:
        """Read the account, and the URLs of the services."""
        root = request.dialect_url
        urls: dict[str, Any] = {"http": root, "ws": root.replace("http", "ws", 1)}
        urls["services"] = {"runtime": request.server_url + RUNTIME_PREFIX}
        return json(catalogue.account(await self._gateway.accounts.of(actor), urls))

    async def read_network(self, actor: Actor, request: Request[None]) -> Response:
        """Read the hub, group and projects of the account, with their devices."""
        views = await self._gateway.devices.of(DIALECT)
        own = await self._gateway.accounts.projects(actor)
        return json(catalogue.network(own, actor.project, views))

    # --- devices ----------------------------------------------------------------------------------

    async def list_devices(self, actor: Actor, request: Request[None]) -> Response:
        """List the configurations of all devices."""
        await self._project(actor, request)
        views = await self._gateway.devices.of(DIALECT)
        return await json_in_thread(lambda: [catalogue.configuration(view) for view in views])

    async def read_properties(self, actor: Actor, request: Request[None]) -> Response:
        """Read the properties of a device: its calibration."""
        view = await self._gateway.devices.get(request.path_params["device"], DIALECT)
        before = filters.parse_before(request.query_params.get("filter"))
        try:
            found = await self._gateway.devices.calibration(view.device.name, DIALECT, before)
        except NotFound:
            return json({})
        return await catalogue.properties_response(view, found, request.response_memory)

    async def read_defaults(self, actor: Actor, request: Request[None]) -> Response:
        """Read the defaults of a device: always an empty object."""
        name = request.path_params["device"]
        if name not in self._known_devices:  # clients ask twice for each transpilation
            self._known_devices.add((await self._gateway.devices.get(name, DIALECT)).device.name)
        return json({})

    async def read_queue(self, request: Request[None]) -> Response:
        """Read whether a device is online, and the length of its queue."""
        if await _token(request) is not None:
            actor = await self.sign_in(request)
            actor.require(Scope.DEVICES_READ)
            request.response_memory.actor = actor
        view = await self._gateway.devices.get(request.path_params["device"], DIALECT)
        forecast = await self._gateway.queue.forecast(view.device.name)
        return json(catalogue.queue(view, forecast.n_waiting))

    async def read_jobs_limit(self, actor: Actor, request: Request[None]) -> Response:
        """Read how many unfinished jobs the project may have on a device, and how many it has."""
        project = await self._project(actor, request)
        view = await self._gateway.devices.get(request.path_params["device"], DIALECT)
        running = await self._gateway.jobs.unfinished(
            actor, project or actor.project, view.device.name
        )
        return json(
            {"maximumJobs": self.limits.of(IBMLimits).unfinished_jobs, "runningJobs": running}
        )

    async def list_bookings(self, actor: Actor, request: Request[None]) -> Response:
        """List reservations of devices: always an empty list."""
        if "device" in request.path_params:
            await self._gateway.devices.get(request.path_params["device"], DIALECT)
        return json([])

    # --- jobs -------------------------------------------------------------------------------------

    async def submit_job(self, actor: Actor, request: Request[wire.JobBody]) -> Response:
        """Submit a job, or create one whose program is uploaded afterwards."""
        actor = await projects.for_project(self._gateway, actor, _instance(request))
        body = request.payload
        limits, headers = self.limits, request.headers
        if not body.has_program and not body.allow_object_storage:
            raise InvalidRequest("qObject is missing.", field="qObject")
        make_submission = wire.direct if body.has_program else wire.draft
        submission = await asyncio.to_thread(make_submission, body, headers, limits)
        names = await projects.names(self._gateway, actor)
        job = await self._store(actor, submission, has_program=body.has_program)
        # Nothing below may fail: clients would submit the job again.
        row = JobRow(
            job, wire.vendor_fields(submission.vendor_fields), names.get(job.project, job.project)
        )
        position = await self._position_of_new(job)
        document = jobs.body(row, position, root=request.dialect_url, is_for_old=_is_old(request))
        document["qasms"] = jobs.entries(job)
        if body.has_program:
            document["qObject"] = {}
        else:
            url = await self._signed_url(actor, request, job, _UPLOAD)
            document["objectStorageInfo"]["uploadUrl"] = url
        return json(document)

    async def _store(self, actor: Actor, submission: Submission, *, has_program: bool) -> Job:
        limit = self.limits.of(IBMLimits).unfinished_jobs
        maximum = None if limit < 0 else limit
        if has_program:
            return await self._gateway.jobs.submit(
                actor, submission, clients_repeat=True, unfinished_limit=maximum
            )
        return await self._gateway.uploads.draft(actor, submission, unfinished_limit=maximum)

    async def read_job(self, actor: Actor, request: Request[None]) -> Response:
        """Read a job with its program and results."""
        found = await self._settled(actor, request)
        job = found.job
        body = await self._long_body(request, found)
        body["qasms"] = jobs.entries(job)
        is_direct = found.vendor_fields.kind == DIRECT
        if not is_direct and not _is_small(body):
            return json(body)
        source, outcomes = await self._whole(request, job)

        def render() -> dict[str, Any]:
            body["qasms"] = _qasms(job, source, outcomes)
            if is_direct:
                body["qObject"] = raw(source)
            if is_direct and outcomes is not None:
                body["qObjectResult"] = results.result(outcomes, source)
            return body

        return await json_in_thread(render)

    async def _whole(self, request: Request[None], job: Job) -> tuple[bytes, JobResults | None]:
        """Return a job's program, and its results if it has any."""
        program = await self._gateway.results.program(job, request.response_memory)
        return program.source, await self._results(request, job)

    async def _results(self, request: Request[None], job: Job) -> JobResults | None:
        try:
            return await self._gateway.results.of(job, request.response_memory)
        except (NotFinished, NoResult):
            return None

    async def _found(
        self, actor: Actor, request: Request[Any]
    ) -> tuple[filters.Filter, list[JobRow]]:
        """Return the filter of a list, and the jobs that it selects."""
        job_filter = filters.parse(request.query_params.get("filter"), self.limits)
        project = await self._project(actor, request)
        return job_filter, await search.find_jobs(self._gateway, actor, job_filter, project)

    async def list_jobs(self, actor: Actor, request: Request[None]) -> Response:
        """List jobs, by default newest first, with programs and counts up to 4 MiB in all."""
        job_filter, found = await self._found(actor, request)
        bodies, left = [], _LIST_BYTES
        async for each in search.yielding_to_loop(found):
            body = await self._long_body(request, each)
            body["qasms"] = jobs.entries(each.job)
            is_shown = each.vendor_fields.kind == DIRECT or _is_small(body)
            if is_shown and left > 0:
                try:
                    source, outcomes = await self._whole(request, each.job)
                except NotFound:  # it was deleted meanwhile
                    continue
                rows = await asyncio.to_thread(_qasms, each.job, source, outcomes)
                body["qasms"] = rows
                size = sum(len(row.get("qasm", "")) + len(row.get("result", b"")) for row in rows)
                left -= max(size, len(source))
            left -= _ROW_BYTES * each.job.n_circuits
            if left <= 0:
                del body["qasms"]
            bodies.append(job_filter.select(body))
            if _LIST_BYTES - left > SMALL_RESPONSE_BYTES:
                await request.response_memory.begin()
        return await json_in_thread(lambda: raw_list(bodies))

    async def list_statuses(self, actor: Actor, request: Request[None]) -> Response:
        """List the statuses of jobs, by default newest first."""
        job_filter, found = await self._found(actor, request)
        bodies = [
            job_filter.select(await self._long_body(request, each, has_summary=False))
            async for each in search.yielding_to_loop(found)
        ]
        return await json_in_thread(lambda: raw_list(bodies))

    async def read_status(self, actor: Actor, request: Request[None]) -> Response:
        """Read the status of a job."""
        row = await self._settled(actor, request)
        text = await self._status_text(row, is_for_old=_is_old(request))
        return Response(text, media_type="application/json")

    async def watch_job(
        self, id_text: str, spelling: Spelling, scope: ASGIScope, receive: Receive, send: Send
    ) -> None:
        """Serve a websocket that sends each change of a job's status.

        Args:
            id_text: The job's id.
            spelling: Spelling of the path.
            scope: ASGI scope of the connection.
            receive: Returns the client's next message.
            send: Sends a message to the client.
        """
        client = scope.get("client")
        where = str(client[0]) if client else ""
        is_for_old = not spelling.has_version  # clients up to 0.4 send no version

        async def render(actor: Actor, job: Job) -> bytes:
            return await self._status_text(await self._row(actor, job), is_for_old=is_for_old)

        await self._sockets.serve(WebSocket(scope, receive, send), id_text, where, render)

    async def read_job_properties(self, actor: Actor, request: Request[None]) -> Response:
        """Read the properties of a job's device when it ran."""
        job = await self._job(actor, request)
        if job.calibration is None:
            return json({})
        view = await self._gateway.devices.get(job.device, DIALECT)
        found = await self._gateway.devices.calibration_by_id(job.device, DIALECT, job.calibration)
        return await catalogue.properties_response(view, found, request.response_memory)

    async def cancel_job(self, actor: Actor, request: Request[None]) -> Response:
        """Cancel a job, and wait up to 5 s for its end: there is no status for cancelling."""
        job = await self._job(actor, request)
        if not job.state.is_final:
            job = await self._gateway.jobs.cancel(
                actor, job.id, dialect=DIALECT, wait_s=_CANCEL_WAIT_S
            )
            if job.state is JobState.CANCELLED or not job.state.is_final:
                return json({"cancelled": True})
        message = f"The job is {statuses.status(job)}: it cannot be cancelled any more."
        error = {"status": 409, "message": message, "code": wire.number("conflict")}
        return json({"cancelled": False, "error": {**error, "name": "CONFLICT"}})

    async def change_job(self, actor: Actor, request: Request[wire.ChangeBody]) -> Response:
        """Change the name or the tags of a job."""
        job = await self._job(actor, request)
        body = request.payload
        if (body.name is None) == (body.tags is None):
            raise InvalidRequest("Either name or tags must be given.", field="name")
        job = await self._gateway.jobs.set_name_and_tags(
            actor, job.id, dialect=DIALECT, name=body.name, tags=body.tags
        )
        return json({"name": job.name} if body.tags is None else {"tags": job.tags})

    async def delete_job(self, actor: Actor, request: Request[None]) -> Response:
        """Delete a job that has ended."""
        job = await self._job(actor, request)
        await self._gateway.jobs.delete(actor, job.id, dialect=DIALECT)
        return Response(status_code=204)

    # --- object storage ---------------------------------------------------------------------------

    async def upload_url(self, actor: Actor, request: Request[None]) -> Response:
        """Read the signed URL for the upload of a job's program."""
        return await self._url(actor, request, _UPLOAD)

    async def program_url(self, actor: Actor, request: Request[None]) -> Response:
        """Read the signed URL of a job's program."""
        return await self._url(actor, request, _PROGRAM)

    async def result_url(self, actor: Actor, request: Request[None]) -> Response:
        """Read the signed URL of a job's results."""
        return await self._url(actor, request, _RESULT)

    async def _url(self, actor: Actor, request: Request[None], purpose: str) -> Response:
        job = await self._job(actor, request)
        if purpose == _RESULT and not await self._gateway.results.exist(job):
            raise NotFound("The job has no result, or no result yet.")
        if purpose == _PROGRAM and not (await self._gateway.results.sizes(job)).program:
            raise NotFound("The job has no program.")
        return json({"url": await self._signed_url(actor, request, job, purpose)})

    async def _signed_url(self, actor: Actor, request: Request[Any], job: Job, purpose: str) -> str:
        signature = await self._gateway.access_tokens.sign_url(
            actor, DIALECT, purpose, job.id, _SIGNED_URL_S
        )
        return f"{request.dialect_url}/storage/{job.id}/{purpose}/{quote(signature)}"

    async def _verify_signed_url(self, request: Request[None], purpose: str) -> tuple[Actor, Job]:
        """Return the holder of the signed URL of a request, and its job."""
        signature, id_text = request.path_params["signature"], request.path_params["id"]
        try:
            signed = await self._gateway.access_tokens.verify_url(
                signature, DIALECT, purpose, request.client_address
            )
        except Unauthenticated as error:
            raise Forbidden(f"The signed URL is invalid or has expired: {error.detail}") from None
        if signed.job != id_text:
            raise Forbidden("The signed URL is for another job.")
        request.response_memory.actor = signed.actor
        return signed.actor, await self._gateway.jobs.get(signed.actor, signed.job, dialect=DIALECT)

    async def upload(self, request: Request[None]) -> Response:
        """Upload the program of a job."""
        actor, job = await self._verify_signed_url(request, _UPLOAD)
        await self._gateway.uploads.receive(actor, job, request.content.chunks("upload_bytes"))
        return Response(b"")

    async def download_program(self, request: Request[None]) -> Response:
        """Download the program of a job."""
        _, job = await self._verify_signed_url(request, _PROGRAM)
        program = await self._gateway.results.program(job, request.response_memory)
        return Response(program.source, media_type="application/json")

    async def download_result(self, request: Request[None]) -> Response:
        """Download the results of a job."""
        _, job = await self._verify_signed_url(request, _RESULT)
        found = await self._gateway.results.of(job, request.response_memory)
        program = await self._gateway.results.program(job, request.response_memory)
        return await json_in_thread(lambda: results.result(found, program.source))

    async def submit_uploaded(self, actor: Actor, request: Request[None]) -> Response:
        """Submit a job whose program has been uploaded."""
        job = await self._job(actor, request)
        draft = wire.from_draft(job, await self._gateway.jobs.vendor_fields(job))
        job = await self._gateway.uploads.submit(
            actor, job, lambda source: wire.submission(source, draft)
        )
        return json({"job": await self._long_body(request, await self._row(actor, job))})

    async def acknowledge(self, actor: Actor, request: Request[None]) -> Response:
        """Acknowledge the download of a job's results, which stay readable."""
        await self._job(actor, request)
        return json({})

    # --- shared -----------------------------------------------------------------------------------

    async def _project(self, actor: Actor, request: Request[Any]) -> str | None:
        """Return the id of the project in the path, if any."""
        return await projects.find(self._gateway, actor, _instance(request))

    async def _job(self, actor: Actor, request: Request[Any]) -> Job:
        try:
            job = await self._gateway.jobs.get(actor, request.path_params["id"], dialect=DIALECT)
        except NotFound as error:
            raise wire.JobNotFound(error.detail) from None
        await self._check_project(actor, request, job)
        return job

    async def _named(self, actor: Actor, request: Request[Any]) -> JobRow:
        """Return the job of the path with its vendor fields."""
        id_text = request.path_params["id"]
        try:
            job, document = await self._gateway.jobs.get_with_vendor_fields(
                actor, id_text, dialect=DIALECT
            )
        except NotFound as error:
            raise wire.JobNotFound(error.detail) from None
        await self._check_project(actor, request, job)
        return await self._with_name(actor, job, document)

    async def _settled(self, actor: Actor, request: Request[None]) -> JobRow:
        """Return the job of the path. The first read of a new job may wait a moment for its end."""
        row = await self._named(actor, request)
        job = await self._gateway.first_polls.wait_if_ending_soon(
            actor, row.job, request.wait_until_disconnected
        )
        return row._replace(job=job)

    async def _check_project(self, actor: Actor, request: Request[Any], job: Job) -> None:
        if await self._project(actor, request) not in (None, job.project):
            raise wire.JobNotFound("There is no such job.")

    async def _row(self, actor: Actor, job: Job) -> JobRow:
        return await self._with_name(actor, job, await self._gateway.jobs.vendor_fields(job))

    async def _with_name(self, actor: Actor, job: Job, document: bytes) -> JobRow:
        names = await projects.names(self._gateway, actor)
        return JobRow(job, wire.vendor_fields(document), names.get(job.project, job.project))

    async def _position(self, job: Job) -> Position | None:
        """Return the queue position; None if the job does not wait, last if none is known yet."""
        if statuses.status(job) != statuses.QUEUED:
            return None
        in_queue = await self._gateway.queue.position(job)
        if in_queue is None:
            forecast = await self._gateway.queue.forecast(job.device)
            in_queue = QueuePosition(forecast.n_waiting, forecast.start_in_s)
        return Position(in_queue, time.time_ns() // 1_000_000)

    async def _position_of_new(self, job: Job) -> Position | None:
        """Return the queue position of a job just stored; None if it cannot be read now."""
        try:
            return await self._position(job)
        except QwicketError:
            return None

    async def _long_body(
        self, request: Request[Any], row: JobRow, *, has_summary: bool = True
    ) -> dict[str, Any]:
        job = row.job
        sizes = (
            await self._gateway.results.sizes(job) if has_summary and job.state.is_final else None
        )
        position = await self._position(job)
        return jobs.body(row, position, sizes, request.dialect_url, is_for_old=_is_old(request))

    async def _status_text(self, row: JobRow, *, is_for_old: bool) -> bytes:
        position = await self._position(row.job)
        return msgspec.json.encode(jobs.status(row, position, is_for_old=is_for_old))


def _is_small(body: dict[str, Any]) -> bool:
    """Return whether an uploaded job shows its program and counts: it has ended, both are small.

    The body of a job that has not ended has no sizes.
    """
    size: dict[str, int] = body.get("summaryData", {}).get("size", {})
    return 0 < size.get("input", 0) <= _QASM_BYTES and size["output"] <= _LIST_BYTES


def _qasms(job: Job, source: bytes, job_results: JobResults | None) -> list[dict[str, Any]]:
    """Return a row for each circuit, with its program and counts where it has them."""
    rows = jobs.entries(job)
    texts = qobj.to_openqasm2(source) if len(source) <= _QASM_BYTES else []
    for row, text in zip(rows, texts, strict=False):
        if text is not None:
            row["qasm"] = text
    for row, part in zip(rows, job_results.parts if job_results else (), strict=False):
        if isinstance(part, Outcome):
            row |= {"status": "DONE", "result": {"counts": results.counts(part)}}
        else:
            row["status"] = "ERROR"
    return rows


async def _token(request: Request[Any]) -> str | None:
    """Return the access token: from the header, the query, or the body of any method."""
    text = request.headers.get("x-access-token") or request.query_params.get("access_token")
    if text:
        return text
    body = await request.content.read_before_sign_in()
    if len(body) <= SMALL_BODY_BYTES:
        return wire.token_of(body)
    return await asyncio.to_thread(wire.token_of, body)


def _is_old(request: Request[Any]) -> bool:
    """Return whether the client is version 0.3 or 0.4 of the provider, by its header."""
    name, _, rest = request.headers.get(wire.CLIENT, "").partition("/")
    return name.startswith(_OLD_CLIENT) and rest.startswith(("0.3.", "0.4."))


def _instance(request: Request[Any]) -> Instance | None:
    """Return the hub, group and project in the path, if any."""
    path = request.scope["path"].removeprefix(request.scope["root_path"])
    return canonical(path)[1].instance
