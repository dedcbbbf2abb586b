"""The handlers of IonQ's API, versions 0.3 and 0.4.

Each circuit of a job with several is a child job in IonQ's API, and a part in the gateway.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import structs

from qwicket.dialects.responses import json, json_in_thread
from qwicket.gateway import JobPart
from qwicket.gateway.response_budget import SMALL_RESPONSE_BYTES
from qwicket.gateway.views import is_quick
from qwicket.model.errors import NotFound
from qwicket.model.groups import UNUSED
from qwicket.model.jobs import JobQuery
from qwicket.model.limits import INT64_MAX
from qwicket.model.states import JobState
from qwicket.vendors.ionq.dialect import catalogue, jobs, results, sessions, wire
from qwicket.vendors.ionq.dialect.params import cursor, instant, integer
from qwicket.vendors.ionq.dialect.statuses import V03, V04, Version, has_status, states

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from starlette.responses import Response

    from qwicket.dialects.requests import Request
    from qwicket.gateway import Gateway, JobResults
    from qwicket.gateway.response_budget import ResponseMemory
    from qwicket.model.accounts import Actor
    from qwicket.model.devices import Device
    from qwicket.model.jobs import Job, Submission
    from qwicket.model.limits import Limits
    from qwicket.store.calibrations import CalibrationPage

_CANCEL_WAIT_S: Final = 5.0
_PAGE: Final = 25
"""Default number of jobs or sessions on a page; for lists by ids it is the limit `list_page`."""
_PAGE_BYTES: Final = 4 << 20
"""A page ends with the job that makes it larger than this, because metadata may be long."""
_ROWS_PER_TURN: Final = 20
"""Jobs of a page that are read before other requests get a turn."""


class Handlers:
    """Handlers of version 0.4, most of which version 0.3 has too."""

    _version: Version = V04

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    @property
    def limits(self) -> Limits:
        return self._gateway.limits

    async def sign_in(self, request: Request[Any]) -> Actor:
        return await self._gateway.auth.by_token(request.token("apikey"), request.client_address)

    # --- backends ---------------------------------------------------------------------------------

    async def list_backends(self, request: Request[None]) -> Response:
        """List the backends."""
        views = await self._gateway.devices.of(wire.DIALECT)
        return json(
            [catalogue.backend(view, _now(), await self._queue_s(view.device)) for view in views]
        )

    async def read_backend(self, request: Request[None]) -> Response:
        """Read a backend."""
        view = await self._gateway.devices.get(_backend(request), wire.DIALECT)
        return json(catalogue.backend(view, _now(), await self._queue_s(view.device)))

    async def list_characterizations(self, request: Request[None]) -> Response:
        """List the characterizations of a backend, newest first."""
        offset, limit = catalogue.bounds(request.query_params)
        device, found = await self._calibrated(_backend(request), request, offset, limit)
        return await json_in_thread(
            lambda: catalogue.characterizations(self._version, device, found, limit)
        )

    async def read_characterization(self, actor: Actor, request: Request[None]) -> Response:
        """Read a characterization."""
        backend, id_text = _backend(request), request.path_params["uuid"]
        view = await self._gateway.devices.get(backend, wire.DIALECT)
        found = await self._gateway.devices.calibration_by_id(backend, wire.DIALECT, id_text)
        return await json_in_thread(
            lambda: catalogue.characterization(self._version, view.device, found)
        )

    async def current_characterization(self, actor: Actor, request: Request[None]) -> Response:
        """Read the current characterization of a backend."""
        return await self._current(_backend(request))

    async def current_calibration(self, actor: Actor, request: Request[None]) -> Response:
        """Read the current calibration of the default QPU."""
        return await self._current(wire.DEFAULT_QPU)

    async def _current(self, backend: str) -> Response:
        view = await self._gateway.devices.get(backend, wire.DIALECT)
        found = await self._gateway.devices.calibration(backend, wire.DIALECT)
        return await json_in_thread(
            lambda: catalogue.characterization(self._version, view.device, found)
        )

    async def list_calibrations(self, actor: Actor, request: Request[None]) -> Response:
        """List the calibrations of the default QPU, newest first."""
        start = cursor(request.query_params) or 0
        device, found = await self._calibrated(wire.DEFAULT_QPU, request, start, catalogue.PAGE)
        return await json_in_thread(
            lambda: catalogue.calibrations(self._version, device, found, start)
        )

    async def _calibrated(
        self, backend: str, request: Request[Any], offset: int, limit: int
    ) -> tuple[Device, CalibrationPage]:
        """Return a device, and a page of its calibrations valid from `start` to `end`."""
        start = instant(request.query_params, "start", 0)
        end = instant(request.query_params, "end", INT64_MAX)
        view = await self._gateway.devices.get(backend, wire.DIALECT)
        found = await self._gateway.devices.calibrations(
            backend, wire.DIALECT, start, end, offset=offset, limit=limit
        )
        return view.device, found

    async def _queue_s(self, device: Device) -> float:
        return (await self._gateway.queue.forecast(device.name)).start_in_s or 0.0

    # --- jobs -------------------------------------------------------------------------------------

    async def submit_job(self, actor: Actor, request: Request[Submission]) -> Response:
        """Submit a job."""
        return await self._submit(actor, request, request.payload)

    async def clone_job(self, actor: Actor, request: Request[wire.CloneBody]) -> Response:
        """Submit a job again, with changes."""
        job = await self._gateway.jobs.get(actor, request.path_params["id"], dialect=wire.DIALECT)
        vendor_fields = wire.vendor_fields(await self._gateway.jobs.vendor_fields(job))
        program = await self._gateway.results.program(job, request.response_memory)
        await request.response_memory.close()  # the response itself is short
        submission = wire.clone(request.payload, job, vendor_fields, program, self.limits)
        return await self._submit(actor, request, submission)

    async def _submit(
        self, actor: Actor, request: Request[Any], submission: Submission
    ) -> Response:
        keyed = structs.replace(submission, idempotency_key=request.idempotency_key)
        return self._submitted(await self._gateway.jobs.submit(actor, keyed, clients_repeat=True))

    def _submitted(self, job: Job) -> Response:
        return json(jobs.short(self._version, job) | {"session_id": job.group}, 201)

    async def read_job(self, actor: Actor, request: Request[None]) -> Response:
        """Read a job."""
        part, vendor_fields = await self._part(actor, request)
        job = await self._gateway.first_polls.wait_if_ending_soon(
            actor, part.job, request.wait_until_disconnected
        )
        if job is not part.job:
            if part.number is None:
                part = JobPart.whole(job)
            else:
                part = await self._gateway.jobs.part_of(job, part.number)
        return json(await self._body(part, vendor_fields))

    async def _body(self, part: JobPart, vendor_fields: wire.VendorFields) -> dict[str, Any]:
        return jobs.v04_body(part, vendor_fields, await self._wait_ms(part.job))

    async def _wait_ms(self, job: Job) -> int | None:
        """Return the expected milliseconds until a queued job starts; None if unknown.

        If the job has no queue position yet, this is the forecast for a new job.
        """
        if job.state is not JobState.QUEUED:
            return None
        queue = self._gateway.queue
        expected = await queue.position(job) or await queue.forecast(job.device)
        return None if expected.start_in_s is None else round(1000 * expected.start_in_s)

    async def list_jobs(self, actor: Actor, request: Request[None]) -> Response:
        """List jobs, newest first."""
        query = request.query_params
        listed = [*query.getlist("ids"), *query.getlist("id")]
        if listed:
            ids = [one for each in listed for one in each.split(",")]
            return await self._numbered(request, len(ids), lambda n: self._named(actor, ids[n]))
        if "parent_job_id" in query:
            return await self._children(request, actor, query["parent_job_id"])
        # Lists have only the account's own jobs.
        if query.get("submitter_id", actor.account) != actor.account:
            return _page_response(request, (), None)
        session = query.get("session_id")
        if session is not None:
            session = (await self._gateway.job_groups.get(actor, session, dialect=wire.DIALECT)).id
        return await self._list(request, actor, session)

    async def list_session_jobs(self, actor: Actor, request: Request[None]) -> Response:
        """List the jobs of a session, newest first."""
        id_text = request.path_params["id"]
        session = await self._gateway.job_groups.get(actor, id_text, dialect=wire.DIALECT)
        return await self._list(request, actor, session.id)

    async def _list(self, request: Request[Any], actor: Actor, session: str | None) -> Response:
        query = request.query_params
        word = query.get("status")
        targets = [wire.device_name(word) for word in query.get("target", "").split(",") if word]
        job_query = JobQuery(
            dialect=wire.DIALECT,
            device=targets[0] if len(targets) == 1 else None,
            group=session,
            states=states(word),
            before=cursor(query),
            limit=self._page_limit(query, _PAGE),
        )
        found = await self._gateway.jobs.page(actor, job_query)
        page, last = _Page(request.response_memory), None
        for job in found:
            last = job
            if has_status(job, word) and (not targets or job.device in targets):
                try:
                    vendor_fields = wire.vendor_fields(await self._gateway.jobs.vendor_fields(job))
                except NotFound:  # the job was deleted meanwhile
                    continue
                page.add(await self._body(JobPart.whole(job), vendor_fields))
                if page.is_full:
                    break
                await page.pause()
        is_last = len(found) < job_query.limit and last is (found[-1] if found else None)
        following = None if is_last or last is None else str(last.seq)
        return _page_response(request, page.rows, following)

    def _page_limit(self, query: Mapping[str, str], default: int) -> int:
        maximum = self.limits.requests.list_page
        return integer(query, "limit", default=default, minimum=1, maximum=maximum)

    async def _children(self, request: Request[Any], actor: Actor, id_text: str) -> Response:
        part, vendor_fields = await self._find(actor, id_text)
        if part.number is not None or not vendor_fields.is_multi:
            return _page_response(request, (), None)

        async def child(number: int) -> dict[str, Any]:
            return await self._body(
                await self._gateway.jobs.part_of(part.job, number), vendor_fields
            )

        return await self._numbered(request, part.job.n_circuits, child)

    async def _named(self, actor: Actor, id_text: str) -> dict[str, Any] | None:
        """Return the body of a job, or None: lists leave out jobs that do not exist."""
        try:
            return await self._body(*await self._find(actor, id_text))
        except NotFound:
            return None

    async def _numbered(
        self,
        request: Request[Any],
        length: int,
        read_body: Callable[[int], Awaitable[dict[str, Any] | None]],
    ) -> Response:
        """Return a page of `length` jobs.

        `read_body` returns the body of the job with a number from 0; None leaves the job out.
        """
        query = request.query_params
        start = cursor(query) or 0
        end = min(length, start + self._page_limit(query, self.limits.requests.list_page))
        page, at = _Page(request.response_memory), start
        while at < end and not page.is_full:
            body = await read_body(at)
            at += 1
            if body is not None:
                page.add(body)
            await page.pause()
        return _page_response(request, page.rows, str(at) if at < length else None)

    async def cancel_job(self, actor: Actor, request: Request[None]) -> Response:
        """Cancel a job, and wait up to 5 s for its end: there is no status for cancelling."""
        job = await self._cancel(actor, request.path_params["id"])
        return json(jobs.short(self._version, job))

    async def delete_job(self, actor: Actor, request: Request[None]) -> Response:
        """Delete a job; one that has not ended is cancelled first."""
        job = await self._cancel(actor, request.path_params["id"])
        await self._gateway.jobs.delete(actor, job.id, dialect=wire.DIALECT)
        return json({"id": job.id, "status": "deleted"})

    async def _cancel(self, actor: Actor, id_text: str) -> Job:
        return await self._gateway.jobs.cancel(
            actor, id_text, dialect=wire.DIALECT, wait_s=_CANCEL_WAIT_S
        )

    async def cancel_jobs(self, actor: Actor, request: Request[list[str]]) -> Response:
        """Cancel several jobs, or none if one does not exist."""
        ids = request.payload
        await self._gateway.bulk.cancel(actor, ids, dialect=wire.DIALECT, wait_s=_CANCEL_WAIT_S)
        return json({"ids": ids, "status": "canceled"})

    async def delete_jobs(self, actor: Actor, request: Request[list[str]]) -> Response:
        """Delete several jobs, or none if one does not exist."""
        ids = request.payload
        await self._gateway.bulk.cancel(actor, ids, dialect=wire.DIALECT, wait_s=_CANCEL_WAIT_S)
        await self._gateway.bulk.delete(actor, ids, dialect=wire.DIALECT)
        return json({"ids": ids, "status": "deleted"})

    async def estimate_job(self, actor: Actor, request: Request[None]) -> Response:
        """Estimate the time and the cost of a job."""
        params = catalogue.estimate_parameters(request.query_params, self.limits.jobs.shots)
        name = wire.device_name(params["backend"])
        view = await self._gateway.devices.get(name, wire.DIALECT)
        run_s = self._gateway.queue.run_time(
            view, params["qubits"], (params["1q_gates"], params["2q_gates"]), params["shots"]
        )
        queue_s = await self._queue_s(view.device)
        price = view.device.spec.cost
        cost = price.of(1, params["shots"], run_s) if price is not None else None
        return json(catalogue.estimate(actor, params, run_s, queue_s, _now(), cost))

    async def read_cost(self, actor: Actor, request: Request[None]) -> Response:
        """Read the cost of a job."""
        part, vendor_fields = await self._part(actor, request)
        return json(jobs.cost(part.job, vendor_fields))

    # --- results ----------------------------------------------------------------------------------

    async def read_probabilities(self, actor: Actor, request: Request[None]) -> Response:
        """Read the probabilities of a job; those of several circuits are by child job."""
        part, vendor_fields = await self._part(actor, request)
        found = await self._results(request, part, vendor_fields)
        sharpen = results.is_sharpened(request.query_params, vendor_fields.is_debiased)
        if self._is_nested(part, vendor_fields):
            return await _rendered(found, lambda: results.nest_results(found, sharpen=sharpen))
        outcome, shots = results.single_outcome(found), part.job.shots
        return await _rendered(
            found, lambda: results.probabilities(outcome, shots, sharpen=sharpen)
        )

    def _is_nested(self, part: JobPart, vendor_fields: wire.VendorFields) -> bool:
        """Return whether the probabilities of a job are grouped by its child jobs."""
        return vendor_fields.is_multi and part.number is None

    async def read_histogram(self, actor: Actor, request: Request[None]) -> Response:
        """Read the counts of a job."""
        _, found = await self._single_result(actor, request)
        return await _rendered(found, lambda: results.histogram(results.single_outcome(found)))

    async def read_shots(self, actor: Actor, request: Request[None]) -> Response:
        """Read the outcome of each shot."""
        part, found = await self._single_result(actor, request)
        if not is_quick(part.job):  # a few counts may stand for a million shots
            await request.response_memory.begin()
        outcome, number = results.single_outcome(found), part.number or 0
        return await _rendered(found, lambda: results.shots(outcome, number))

    async def read_artifact(self, actor: Actor, request: Request[None]) -> Response:
        """Read a result in one of its formats."""
        part, vendor_fields = await self._part(actor, request)
        id_text = request.path_params["uuid"]
        ids = {jobs.artifact_id(jobs.id_of(part), form): form for form in jobs.ARTIFACTS}
        form = ids.get(id_text)
        is_nested = vendor_fields.is_multi and part.number is None
        if form is None or (form == jobs.AGGREGATE_V1) != is_nested:
            raise NotFound("The job has no such artifact.")
        if form == jobs.NATIVE_V1:
            return await self._compiled(part, vendor_fields)
        found = await self._results(request, part, vendor_fields)
        if not is_quick(part.job):
            await request.response_memory.begin()
        if is_nested:
            return await _rendered(found, lambda: results.nest_results(found, sharpen=False))
        is_named, number = vendor_fields.type == wire.QASM3, part.number or 0
        render = partial(results.artifact, form, found, number, is_named=is_named)
        return await _rendered(found, render)

    async def _compiled(self, part: JobPart, vendor_fields: wire.VendorFields) -> Response:
        """Return a circuit in native gates. It is compiled now, because few are ever read."""
        if not jobs.is_compiled(part, vendor_fields):
            raise NotFound("The job has no compiled circuit.")
        view = await self._gateway.devices.get(part.job.device, wire.DIALECT)
        entangler = jobs.entangler(view.device, vendor_fields)
        text = await self._gateway.compilation.native(part.job, part.number or 0, entangler)
        return json(msgspec.Raw(text))

    async def _single_result(
        self, actor: Actor, request: Request[Any]
    ) -> tuple[JobPart, JobResults]:
        """Return the result of one circuit.

        Raises:
            NotFound: The job has several circuits, each of which is a child job with a result.
        """
        part, vendor_fields = await self._part(actor, request)
        if vendor_fields.is_multi and part.number is None:
            raise NotFound("The job has several circuits: read the results of its child jobs.")
        return part, await self._results(request, part, vendor_fields)

    async def _results(
        self, request: Request[Any], part: JobPart, vendor_fields: wire.VendorFields
    ) -> JobResults:
        if vendor_fields.dry_run:
            raise NotFound("A dry run has no results.")
        return await self._gateway.results.of(part.job, request.response_memory, part.number)

    # --- sessions ---------------------------------------------------------------------------------

    async def open_session(self, actor: Actor, request: Request[sessions.OpenBody]) -> Response:
        """Open a session."""
        body = request.payload
        settings = body.settings or sessions.Settings()
        minutes = settings.duration_limit_min
        group = await self._gateway.job_groups.open(
            actor,
            wire.DIALECT,
            device=wire.device_name(body.backend),
            jobs_limit=settings.job_count_limit,
            life_s=None if minutes is None else 60 * minutes,
            body=sessions.encoded_settings(settings),
        )
        return json(sessions.session(group, UNUSED, _now()), 201)

    async def list_sessions(self, actor: Actor, request: Request[None]) -> Response:
        """List sessions, newest first."""
        query = request.query_params
        limit = self._page_limit(query, _PAGE)
        found = await self._gateway.job_groups.page(
            actor, wire.DIALECT, before=cursor(query), limit=limit
        )
        bodies = [
            sessions.session(group, await self._gateway.job_groups.use(actor, group), _now())
            for group in found
        ]
        following = {"next": str(found[-1].seq)} if len(found) == limit else {}
        return json({"organization_id": sessions.ORGANIZATION, "sessions": bodies, **following})

    async def read_session(self, actor: Actor, request: Request[None]) -> Response:
        """Read a session."""
        id_text = request.path_params["id"]
        group = await self._gateway.job_groups.get(actor, id_text, dialect=wire.DIALECT)
        use = await self._gateway.job_groups.use(actor, group)
        return json(sessions.session(group, use, _now()))

    async def end_session(self, actor: Actor, request: Request[None]) -> Response:
        """End a session."""
        id_text = request.path_params["id"]
        group = await self._gateway.job_groups.close(actor, id_text, dialect=wire.DIALECT)
        use = await self._gateway.job_groups.use(actor, group)
        return json(sessions.session(group, use, _now()))

    async def whoami(self, actor: Actor, request: Request[None]) -> Response:
        """Read the token and the project of the caller."""
        return json(
            {"key_id": actor.token, "key_name": actor.account_name, "project_id": actor.project}
        )

    # --- shared by several handlers ---------------------------------------------------------------

    async def _part(self, actor: Actor, request: Request[Any]) -> tuple[JobPart, wire.VendorFields]:
        """Return the job, or child job, that the path names, with its vendor fields."""
        return await self._find(actor, request.path_params["id"])

    async def _find(self, actor: Actor, id_text: str) -> tuple[JobPart, wire.VendorFields]:
        part, document = await self._gateway.jobs.part(actor, id_text, dialect=wire.DIALECT)
        vendor_fields = wire.vendor_fields(document)
        if part.number is not None and not vendor_fields.is_multi:
            raise NotFound("There is no such job.")
        return part, vendor_fields


class V03Handlers(Handlers):
    """Handlers of version 0.3, where they differ."""

    _version = V03

    def _submitted(self, job: Job) -> Response:
        # Clients of this version treat every status but 200 as an error.
        return json(jobs.short(self._version, job) | {"request": job.created_at // 1000})

    async def _body(self, part: JobPart, vendor_fields: wire.VendorFields) -> dict[str, Any]:
        return jobs.v03_body(part, vendor_fields)

    async def read_report(self, actor: Actor, request: Request[None]) -> Response:
        """Read the project's cost budget for all devices and what is left; 0 without one."""
        usage = self._gateway.usage
        found = usage.with_least_left(await usage.budgets(actor), actor.project, "cost")
        return json(catalogue.report(actor, found))

    def _is_nested(self, part: JobPart, vendor_fields: wire.VendorFields) -> bool:
        # Clients of this version expect the result of a single circuit without nesting.
        return super()._is_nested(part, vendor_fields) and part.job.n_circuits > 1


class _Page:
    """The encoded jobs of one page: there may be many, with long metadata."""

    def __init__(self, memory: ResponseMemory) -> None:
        self.rows: list[msgspec.Raw] = []
        self._memory = memory
        self._size = self._n_looked_at = 0

    def add(self, body: dict[str, Any]) -> None:
        row = msgspec.json.encode(body)
        self.rows.append(msgspec.Raw(row))
        self._size += len(row)

    @property
    def is_full(self) -> bool:
        return self._size > _PAGE_BYTES

    async def pause(self) -> None:
        """Let other requests run after some jobs: SQLite is read on the event loop.

        A page that is no longer small waits for response memory.
        """
        if self._size > SMALL_RESPONSE_BYTES:
            await self._memory.begin()
        self._n_looked_at += 1
        if self._n_looked_at % _ROWS_PER_TURN == 0:
            await asyncio.sleep(0)


def _backend(request: Request[Any]) -> str:
    return wire.device_name(request.path_params["backend"])


def _page_response(
    request: Request[Any], rows: Sequence[msgspec.Raw], following: str | None
) -> Response:
    """Return a page of jobs.

    On the last page cirq-ionq needs `next` to be absent, because it would request the page `null`;
    other clients need the key.
    """
    body: dict[str, Any] = {"jobs": rows, "next": following}
    if following is None and request.headers.get("user-agent", "").startswith("cirq/"):
        del body["next"]
    return json(body)


async def _rendered(job_results: JobResults, render: Callable[[], Any]) -> Response:
    """Return a rendered result; a large one is rendered in a thread."""
    return await json_in_thread(render, is_small=job_results.is_small)


def _now() -> int:
    return time.time_ns() // 1_000_000
