"""Which path of IonQ's API does what, in both of its versions."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import structs

from qwicket.dialects.door import (
    Door,
    address,
    answer_to,
    decode,
    idempotency_key,
    json,
    json_beside,
    on,
    read,
    settled,
    signed_in,
)
from qwicket.dialects.ionq import catalogue, jobs, results, sessions, wire
from qwicket.dialects.ionq.words import (
    V03,
    V04,
    Version,
    cursor,
    has_status,
    instant,
    number,
    states,
)
from qwicket.gateway import JobPart
from qwicket.gateway.answers import SMALL_ANSWER_BYTES
from qwicket.gateway.views import is_quick
from qwicket.model.accounts import Scope
from qwicket.model.errors import NotFound
from qwicket.model.jobs import JobQuery
from qwicket.model.limits import INT64_MAX
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from qwicket.gateway import Gateway, Results
    from qwicket.gateway.answers import Answer
    from qwicket.model.accounts import Actor
    from qwicket.model.calibrations import Calibrated
    from qwicket.model.devices import Device
    from qwicket.model.jobs import Job, Submission

_CANCEL_WAIT_S: Final = 5.0
_PAGE: Final = 25
_PAGE_BYTES: Final = 4 << 20
"""A page of jobs ends with the one that makes it larger: their metadata may be long."""
_ROWS_AT_ONCE: Final = 20


def v03(gateway: Gateway) -> Door:
    """Return the door of version 0.3."""
    return _door(Routes(gateway, V03))


def v04(gateway: Gateway) -> Door:
    """Return the door of version 0.4."""
    return _door(Routes(gateway, V04))


def unknown_version() -> Door:
    """Return the door of versions that are not spoken here: it errs in IonQ's shape."""
    return Door([], wire.problem)


def _door(do: Routes) -> Door:
    return Door(
        [
            on("/backends", GET=do.list_backends),
            on("/backends/{backend}", GET=do.read_backend),
            on("/backends/{backend}/characterizations", GET=do.list_characterizations),
            on("/backends/{backend}/characterizations/{uuid}", GET=do.read_characterization),
            on("/characterizations/backends/{backend}/current", GET=do.current_characterization),
            on("/calibrations", GET=do.list_calibrations),
            on("/calibrations/current", GET=do.current_calibration),
            on("/jobs", POST=do.submit_job, GET=do.list_jobs, DELETE=do.delete_jobs),
            on("/jobs/estimate", GET=do.estimate_job),
            on("/jobs/status/cancel", PUT=do.cancel_jobs),
            on("/jobs/{id}", GET=do.read_job, DELETE=do.delete_job),
            on("/jobs/{id}/status/cancel", PUT=do.cancel_job),
            on("/jobs/{id}/clone", POST=do.clone_job),
            on("/jobs/{id}/cost", GET=do.read_cost),
            on("/jobs/{id}/results", GET=do.read_probabilities),
            on("/jobs/{id}/results/probabilities", GET=do.read_probabilities),
            on("/jobs/{id}/results/probabilities/aggregated", GET=do.read_probabilities),
            on("/jobs/{id}/results/histogram", GET=do.read_histogram),
            on("/jobs/{id}/results/shots", GET=do.read_shots),
            on("/jobs/{id}/artifacts/{uuid}", GET=do.read_artifact),
            on("/sessions", POST=do.open_session, GET=do.list_sessions),
            on("/sessions/{id}", GET=do.read_session),
            on("/sessions/{id}/end", POST=do.end_session),
            on("/sessions/{id}/jobs", GET=do.list_session_jobs),
            on("/whoami", GET=do.whoami),
        ],
        wire.problem,
        recast=wire.recast,
        challenge="apiKey",
    )


class Routes:
    """The endpoints: HTTP in, gateway call, HTTP out.

    Args:
        gateway: Does the work.
        version: In whose words.
    """

    def __init__(self, gateway: Gateway, version: Version) -> None:
        self._gateway = gateway
        self._version = version

    # --- backends ---------------------------------------------------------------------------------

    async def list_backends(self, request: Request) -> Response:
        """Answer without a key: clients ask before they have one."""
        views = await self._gateway.devices.of(wire.DOOR)
        return json(
            [catalogue.backend(view, _now(), await self._queue_s(view.device)) for view in views]
        )

    async def read_backend(self, request: Request) -> Response:
        view = await self._gateway.devices.get(_backend(request), wire.DOOR)
        return json(catalogue.backend(view, _now(), await self._queue_s(view.device)))

    async def list_characterizations(self, request: Request) -> Response:
        """Answer without a key, as for backends; the newest first."""
        page, limit = catalogue.page(request.query_params)
        device, found = await self._calibrated(_backend(request), request)
        return json(catalogue.characterizations(self._version, device, found, page, limit))

    async def read_characterization(self, request: Request) -> Response:
        await self._sign_in(request, Scope.DEVICES_READ)
        backend, id_text = _backend(request), request.path_params["uuid"]
        view = await self._gateway.devices.get(backend, wire.DOOR)
        found = await self._gateway.devices.calibration_by_id(backend, wire.DOOR, id_text)
        return json(catalogue.characterization(self._version, view.device, found))

    async def current_characterization(self, request: Request) -> Response:
        await self._sign_in(request, Scope.DEVICES_READ)
        return await self._current(_backend(request))

    async def current_calibration(self, request: Request) -> Response:
        await self._sign_in(request, Scope.DEVICES_READ)
        return await self._current(wire.DEFAULT_QPU)

    async def _current(self, backend: str) -> Response:
        view = await self._gateway.devices.get(backend, wire.DOOR)
        found = await self._gateway.devices.calibration(backend, wire.DOOR)
        return json(catalogue.characterization(self._version, view.device, found))

    async def list_calibrations(self, request: Request) -> Response:
        await self._sign_in(request, Scope.DEVICES_READ)
        start = cursor(request.query_params) or 0
        device, found = await self._calibrated(wire.DEFAULT_QPU, request)
        return json(catalogue.calibrations(self._version, device, found, start))

    async def _calibrated(self, backend: str, request: Request) -> tuple[Device, list[Calibrated]]:
        """Return a device and its calibrations between `start` and `end`."""
        start = instant(request.query_params, "start", 0)
        end = instant(request.query_params, "end", INT64_MAX)
        view = await self._gateway.devices.get(backend, wire.DOOR)
        most = self._gateway.limits.list_page
        found = await self._gateway.devices.calibrations(backend, wire.DOOR, most)
        return view.device, [each for each in found if start <= each.valid_from <= end]

    async def _queue_s(self, device: Device) -> float:
        return (await self._gateway.outlook(device.name)).start_in_s or 0.0

    # --- jobs -------------------------------------------------------------------------------------

    async def submit_job(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_WRITE)  # before a body is taken in
        limits = self._gateway.limits
        parse = wire.read_old if self._version is V03 else wire.read_new
        submission = await read(request, lambda text: parse(text, limits))
        return await self._submit(request, actor, submission)

    async def clone_job(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_WRITE)
        job = await self._gateway.job(actor, request.path_params["id"], door=wire.DOOR)
        body = await read(request, lambda text: decode(text, wire.clone_decoder))
        kept = wire.kept(await self._gateway.wire(job))
        program = await self._gateway.program(job, answer_to(request))
        await answer_to(request).close()  # the answer itself is short
        submission = wire.clone(body, job, kept, program, self._gateway.limits)
        return await self._submit(request, actor, submission)

    async def _submit(self, request: Request, actor: Actor, submission: Submission) -> Response:
        keyed = structs.replace(submission, idempotency_key=idempotency_key(request))
        job = await self._gateway.submit(actor, keyed, is_once=True)
        status = 200 if self._version is V03 else 201  # clients of 0.3 take 201 for an error
        return json(jobs.submitted(self._version, job), status)

    async def read_job(self, request: Request) -> Response:
        part, kept = await self._part(request)
        job = await settled(request, self._gateway, part.job)
        if job is not part.job:
            if part.number is None:
                part = JobPart.whole(job)
            else:
                part = await self._gateway.part_of(job, part.number)
        return json(await self._body(part, kept))

    async def _body(self, part: JobPart, kept: wire.Kept) -> dict[str, Any]:
        return jobs.body(self._version, part, kept, await self._wait_ms(part.job))

    async def _wait_ms(self, job: Job) -> int | None:
        """Return when a waiting job is expected to start; of one just come, as if it came now."""
        if job.state is not JobState.QUEUED:
            return None
        place = await self._gateway.place(job) or await self._gateway.outlook(job.device)
        return None if place.start_in_s is None else round(1000 * place.start_in_s)

    async def list_jobs(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_READ)
        query = request.query_params
        if "ids" in query:
            ids = [one for each in query.getlist("ids") for one in each.split(",")]
            return await self._numbered(request, len(ids), lambda n: self._named(actor, ids[n]))
        if "parent_job_id" in query:
            return await self._children(request, actor, query["parent_job_id"])
        if query.get("submitter_id", actor.account) != actor.account:
            return _answer_page(request, (), None)
        session = query.get("session_id")
        if session is not None:
            session = (await self._gateway.groups.get(actor, session, door=wire.DOOR)).id
        return await self._list(request, actor, session)

    async def list_session_jobs(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_READ)
        id_text = request.path_params["id"]
        session = await self._gateway.groups.get(actor, id_text, door=wire.DOOR)
        return await self._list(request, actor, session.id)

    async def _list(self, request: Request, actor: Actor, session: str | None) -> Response:
        query = request.query_params
        word = query.get("status")
        targets = [wire.device_name(word) for word in query.get("target", "").split(",") if word]
        asked = JobQuery(
            door=wire.DOOR,
            device=targets[0] if len(targets) == 1 else None,
            group=session,
            states=states(word),
            before=cursor(query),
            limit=number(query, "limit", _PAGE, 1, self._gateway.limits.list_page),
        )
        found = await self._gateway.jobs(actor, asked)
        page, last = _Page(answer_to(request)), None
        for job in found:
            last = job
            if has_status(job, word) and (not targets or job.device in targets):
                try:
                    kept = wire.kept(await self._gateway.wire(job))
                except NotFound:  # it was deleted meanwhile
                    continue
                page.add(await self._body(JobPart.whole(job), kept))
                if page.is_full:
                    break
                await page.pause()
        is_last = len(found) < asked.limit and last is (found[-1] if found else None)
        following = None if is_last or last is None else str(last.seq)
        return _answer_page(request, page.rows, following)

    async def _children(self, request: Request, actor: Actor, id_text: str) -> Response:
        part, kept = await self._find(actor, id_text)
        if part.number is not None or not kept.is_multi:
            return _answer_page(request, (), None)

        async def child(number: int) -> dict[str, Any]:
            return await self._body(await self._gateway.part_of(part.job, number), kept)

        return await self._numbered(request, part.job.n_circuits, child)

    async def _named(self, actor: Actor, id_text: str) -> dict[str, Any] | None:
        """Return the body of a job; what is not there is left out of lists."""
        try:
            return await self._body(*await self._find(actor, id_text))
        except NotFound:
            return None

    async def _numbered(
        self,
        request: Request,
        length: int,
        read_body: Callable[[int], Awaitable[dict[str, Any] | None]],
    ) -> Response:
        """Answer with a page of bodies that are found by their number."""
        query, most = request.query_params, self._gateway.limits.list_page
        start = cursor(query) or 0
        end = min(length, start + number(query, "limit", most, 1, most))
        page, at = _Page(answer_to(request)), start
        while at < end and not page.is_full:
            body = await read_body(at)
            at += 1
            if body is not None:
                page.add(body)
            await page.pause()
        return _answer_page(request, page.rows, str(at) if at < length else None)

    async def cancel_job(self, request: Request) -> Response:
        """Cancel, and wait a little for a running job to end: there is no word for in between."""
        actor = await self._sign_in(request, Scope.JOBS_WRITE)
        job = await self._cancel(actor, request.path_params["id"])
        return json(jobs.short(self._version, job))

    async def delete_job(self, request: Request) -> Response:
        """Delete a job; one that has not ended is cancelled first."""
        actor = await self._sign_in(request, Scope.JOBS_WRITE)
        job = await self._delete(actor, request.path_params["id"])
        return json({"id": job.id, "status": "deleted"})

    async def cancel_jobs(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_WRITE)
        ids = await self._ids(request)
        await self._cancel_all(actor, ids)
        return json({"ids": ids, "status": "canceled"})

    async def delete_jobs(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_WRITE)
        ids = await self._ids(request)
        await self._cancel_all(actor, ids)
        await self._gateway.bulk.delete(actor, ids, door=wire.DOOR)
        return json({"ids": ids, "status": "deleted"})

    async def _cancel_all(self, actor: Actor, ids: list[str]) -> None:
        """Cancel all of them, or none if one is not there."""
        await self._gateway.bulk.cancel(actor, ids, door=wire.DOOR, wait_s=_CANCEL_WAIT_S)

    async def _ids(self, request: Request) -> list[str]:
        """Return the ids of a bulk operation, each once."""
        body = await read(request, lambda text: decode(text, wire.ids_decoder))
        most = self._gateway.limits.list_page
        wire.check_ids(body, most)
        return list(dict.fromkeys(body.ids))

    async def _cancel(self, actor: Actor, id_text: str) -> Job:
        return await self._gateway.cancel(actor, id_text, door=wire.DOOR, wait_s=_CANCEL_WAIT_S)

    async def _delete(self, actor: Actor, id_text: str) -> Job:
        job = await self._cancel(actor, id_text)
        await self._gateway.delete(actor, job.id, door=wire.DOOR)
        return job

    async def estimate_job(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_READ)
        asked = catalogue.asked(request.query_params, self._gateway.limits.shots)
        name = wire.device_name(asked["backend"])
        view = await self._gateway.devices.get(name, wire.DOOR)
        run_s = self._gateway.run_time(
            view, asked["qubits"], (asked["1q_gates"], asked["2q_gates"]), asked["shots"]
        )
        queue_s = await self._queue_s(view.device)
        return json(catalogue.estimate(actor, asked, run_s, queue_s, _now()))

    async def read_cost(self, request: Request) -> Response:
        part, kept = await self._part(request)
        return json(jobs.cost(part.job, kept))

    # --- results ----------------------------------------------------------------------------------

    async def read_probabilities(self, request: Request) -> Response:
        """Answer with one circuit's, or with those of several by the ids of their jobs."""
        part, kept = await self._part(request)
        found = await self._results(request, part, kept)
        sharpen = results.is_sharpened(request.query_params, kept.is_debiased)
        is_nested = kept.is_multi and part.number is None
        if is_nested and not (self._version is V03 and part.job.n_circuits == 1):
            return await _answer(found, lambda: results.nested(found, sharpen=sharpen))
        outcome, shots = results.only(found), part.job.shots
        return await _answer(found, lambda: results.probabilities(outcome, shots, sharpen=sharpen))

    async def read_histogram(self, request: Request) -> Response:
        _, found = await self._one(request)
        return await _answer(found, lambda: results.histogram(results.only(found)))

    async def read_shots(self, request: Request) -> Response:
        part, found = await self._one(request)
        if not is_quick(part.job):  # few counts may be of many shots
            await answer_to(request).begin()
        outcome, number = results.only(found), part.number or 0
        return await _answer(found, lambda: results.shots(outcome, number))

    async def read_artifact(self, request: Request) -> Response:
        part, kept = await self._part(request)
        id_text = request.path_params["uuid"]
        ids = {jobs.artifact_id(jobs.id_of(part), form): form for form in jobs.ARTIFACTS}
        form = ids.get(id_text)
        is_nested = kept.is_multi and part.number is None
        if form is None or (form == jobs.AGGREGATE_V1) != is_nested:
            raise NotFound("The job has no such artifact.")
        if form == jobs.NATIVE_V1:
            return await self._compiled(part, kept)
        found = await self._results(request, part, kept)
        if not is_quick(part.job):
            await answer_to(request).begin()
        if is_nested:
            return await _answer(found, lambda: results.nested(found, sharpen=False))
        is_named, number = kept.type == wire.QASM3, part.number or 0
        worded = partial(results.artifact, form, found, number, is_named=is_named)
        return await _answer(found, worded)

    async def _compiled(self, part: JobPart, kept: wire.Kept) -> Response:
        """Answer with a circuit in native gates, compiled now: most are never asked for."""
        if not jobs.is_compiled(part, kept):
            raise NotFound("The job has no compiled circuit.")
        view = await self._gateway.devices.get(part.job.device, wire.DOOR)
        entangler = jobs.entangler(view.device, kept)
        text = await self._gateway.compilation.native(part.job, part.number or 0, entangler)
        return json(msgspec.Raw(text))

    async def _one(self, request: Request) -> tuple[JobPart, Results]:
        """Return what one circuit gave.

        Raises:
            NotFound: The job is of several: each of their own jobs has this.
        """
        part, kept = await self._part(request)
        if kept.is_multi and part.number is None:
            raise NotFound("The job is of several circuits: read this of its child jobs.")
        return part, await self._results(request, part, kept)

    async def _results(self, request: Request, part: JobPart, kept: wire.Kept) -> Results:
        if kept.is_dry:
            raise NotFound("A dry run has no results.")
        return await self._gateway.results_of(part.job, answer_to(request), part.number)

    # --- sessions ---------------------------------------------------------------------------------

    async def open_session(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_WRITE)
        body = await read(request, lambda text: decode(text, sessions.open_decoder))
        settings = body.settings or sessions.Settings()
        minutes = settings.duration_limit_min
        group = await self._gateway.groups.open(
            actor,
            wire.DOOR,
            device=wire.device_name(body.backend),
            jobs_limit=settings.job_count_limit,
            life_s=None if minutes is None else 60 * minutes,
            body=sessions.kept(settings),
        )
        return json(sessions.session(group, sessions.UNUSED, _now()), 201)

    async def list_sessions(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_READ)
        query = request.query_params
        found = await self._gateway.groups.page(
            actor,
            wire.DOOR,
            before=cursor(query),
            limit=number(query, "limit", _PAGE, 1, self._gateway.limits.list_page),
        )
        shown = [
            sessions.session(group, await self._gateway.groups.use(actor, group), _now())
            for group in found
        ]
        return json({"organization_id": sessions.ORGANIZATION, "sessions": shown})

    async def read_session(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_READ)
        id_text = request.path_params["id"]
        group = await self._gateway.groups.get(actor, id_text, door=wire.DOOR)
        use = await self._gateway.groups.use(actor, group)
        return json(sessions.session(group, use, _now()))

    async def end_session(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_WRITE)
        id_text = request.path_params["id"]
        group = await self._gateway.groups.close(actor, id_text, door=wire.DOOR)
        use = await self._gateway.groups.use(actor, group)
        return json(sessions.session(group, use, _now()))

    async def whoami(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_READ)
        return json(
            {"key_id": actor.token, "key_name": actor.account_name, "project_id": actor.project}
        )

    # --- what several need ------------------------------------------------------------------------

    async def _sign_in(self, request: Request, scope: Scope) -> Actor:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        token = secret.strip() if scheme.lower() == "apikey" else None
        actor = await self._gateway.sign_in(token, address(request))
        actor.require(scope)
        return signed_in(request, actor)

    async def _part(self, request: Request) -> tuple[JobPart, wire.Kept]:
        """Return the job that the path names, or one circuit's, with what was kept of it."""
        actor = await self._sign_in(request, Scope.JOBS_READ)
        return await self._find(actor, request.path_params["id"])

    async def _find(self, actor: Actor, id_text: str) -> tuple[JobPart, wire.Kept]:
        part, document = await self._gateway.kept_part(actor, id_text, door=wire.DOOR)
        kept = wire.kept(document)
        if part.number is not None and not kept.is_multi:
            raise NotFound("There is no such job.")
        return part, kept


class _Page:
    """Jobs of one page, which are many or have long metadata; others run in between."""

    def __init__(self, answer: Answer) -> None:
        self.rows: list[msgspec.Raw] = []
        self._answer = answer
        self._size = self._n_looked_at = 0

    def add(self, body: dict[str, Any]) -> None:
        row = msgspec.json.encode(body)
        self.rows.append(msgspec.Raw(row))
        self._size += len(row)

    @property
    def is_full(self) -> bool:
        return self._size > _PAGE_BYTES

    async def pause(self) -> None:
        """Let others run now and then: each job takes a look-up or two."""
        if self._size > SMALL_ANSWER_BYTES:
            await self._answer.begin()
        self._n_looked_at += 1
        if self._n_looked_at % _ROWS_AT_ONCE == 0:
            await asyncio.sleep(0)


def _backend(request: Request) -> str:
    return wire.device_name(request.path_params["backend"])


def _answer_page(request: Request, rows: Sequence[msgspec.Raw], following: str | None) -> Response:
    """Answer a list. cirq-ionq takes a `next` of null for a page; others insist on the key."""
    body: dict[str, Any] = {"jobs": rows, "next": following}
    if following is None and request.headers.get("user-agent", "").startswith("cirq/"):
        del body["next"]
    return json(body)


async def _answer(found: Results, worded: Callable[[], Any]) -> Response:
    """Answer with what words a result; what takes long is worded beside the loop."""
    return await json_beside(worded, is_small=found.is_small)


def _now() -> int:
    return time.time_ns() // 1_000_000
