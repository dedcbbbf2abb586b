"""Handlers that both channels of the Runtime API have."""

from __future__ import annotations

import asyncio
import functools
import time
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from msgspec import structs
from starlette.responses import Response

from qwicket.dialects.responses import json, json_in_thread
from qwicket.dialects.streaming import raw, raw_list
from qwicket.dialects.validation import SMALL_BODY_BYTES, quoted
from qwicket.gateway.views import is_quick
from qwicket.model.errors import Conflict, InvalidRequest, NotFound, QwicketError
from qwicket.model.jobs import JobQuery
from qwicket.model.states import JobState
from qwicket.vendors.ibm.dialect import catalogue, projects
from qwicket.vendors.ibm.dialect import wire as ibm
from qwicket.vendors.ibm.dialect.names import RUNTIME
from qwicket.vendors.ibm.dialect.runtime import jobs, mocks, results, wire
from qwicket.vendors.ibm.limits import IBMLimits

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from qwicket.dialects.requests import Request
    from qwicket.gateway import DeviceView, Gateway
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job
    from qwicket.model.limits import Limits
    from qwicket.vendors.ibm.dialect.runtime.lost_answers import LostResponses

_CANCEL_WAIT_S: Final = 5.0
_CONTROL_FLOW: Final = ("if_else", "for_loop", "switch_case")


class Month(NamedTuple):
    """The current month in UTC, from its beginning until now, in Unix milliseconds."""

    began: int
    now: int

    @classmethod
    def current(cls) -> Month:
        now = datetime.now(UTC)
        began = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return cls(round(1000 * began.timestamp()), round(1000 * now.timestamp()))


class RuntimeHandlers:
    """Handlers of jobs, sessions and devices. Each channel adds sign-in and what differs."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._known_devices: set[str] = set()

    @property
    def limits(self) -> Limits:
        return self._gateway.limits

    # --- what a channel decides -------------------------------------------------------------------

    async def _listed_project(self, actor: Actor, request: Request[None]) -> str | None:
        """Return the id of the project whose jobs a list shows; None for all projects."""
        raise NotImplementedError

    async def _for_project(self, actor: Actor, instance: str | None) -> Actor:
        """Return the actor that opens a session in an instance."""
        raise NotImplementedError

    async def _project_names(self, actor: Actor) -> dict[str, str] | None:
        """Return the names of projects by their ids; None if jobs do not show their projects."""
        raise NotImplementedError

    # --- devices ----------------------------------------------------------------------------------

    async def read_configuration(self, actor: Actor, request: Request[None]) -> Response:
        """Read the configuration of a device."""
        name = request.path_params["device"]
        view = await self._view(name)
        return await json_in_thread(lambda: {**_configuration(view), "backend_name": name})

    async def read_properties(self, actor: Actor, request: Request[None]) -> Response:
        """Read the properties of a device: its calibration."""
        view = await self._view(request.path_params["device"])
        before = wire.parse_before(request.query_params.get("updated_before"))
        try:
            found = await self._gateway.devices.calibration(view.device.name, RUNTIME, before)
        except NotFound:
            return json({})
        return await catalogue.properties_response(view, found, request.response_memory)

    async def read_defaults(self, actor: Actor, request: Request[None]) -> Response:
        """Read the defaults of a device: always an empty object."""
        name = request.path_params["device"]
        if name not in self._known_devices:  # clients ask up to 19 times for each transpilation
            await self._view(name)
            self._known_devices.add(name)
        return json({})

    async def read_status(self, actor: Actor, request: Request[None]) -> Response:
        """Read whether a device is online, and the length of its queue."""
        view = await self._view(request.path_params["device"])
        forecast = await self._gateway.queue.forecast(view.device.name)
        body = catalogue.queue(view, forecast.n_waiting)
        body["length_queue"] = body.pop("lengthQueue")
        return json(body)

    async def _view(self, backend: str) -> DeviceView:
        """Return the device of a backend, which may be a mock.

        Raises:
            NotFound: There is no such backend.
        """
        return await self._gateway.devices.get(await self._device_name(backend), RUNTIME)

    async def _device_name(self, backend: str) -> str:
        """Return the name of the device of a backend; the same unless it is a mock."""
        if not backend.startswith(mocks.CLASS):
            return backend
        return mocks.names(await self._gateway.devices.offered(RUNTIME)).get(backend, backend)

    # --- jobs -------------------------------------------------------------------------------------

    async def submit_job(self, actor: Actor, request: Request[wire.RunBody]) -> ASGIApp:
        """Submit a job. After a lost response, the same content within a minute is the same job."""
        actor = await projects.for_project(self._gateway, actor, request.payload.instance)
        try:
            return await self._submit(actor, request)
        except QwicketError as error:
            raise wire.of_a_submission(error) from None

    async def _submit(self, actor: Actor, request: Request[wire.RunBody]) -> ASGIApp:
        body = request.payload
        if body.session_id is not None:
            await self._check_session(actor, body.session_id)
        device = await self._device_name(body.backend)
        level = await self._default_level(device) if body.program_id == wire.ESTIMATOR else 0
        make = partial(wire.submission, body, request.headers, device, level)
        is_small = len(memoryview(body.params)) <= SMALL_BODY_BYTES
        submission = make() if is_small else await asyncio.to_thread(make)
        maximum = self.limits.of(IBMLimits).unfinished_jobs
        submit = partial(
            self._gateway.jobs.submit_or_find,
            actor,
            submission,
            clients_repeat=True,
            unfinished_limit=None if maximum < 0 else maximum,
        )
        return await self._lost_responses.submit(
            actor, submission, submit, partial(_created, body.backend)
        )

    async def _default_level(self, device: str) -> int:
        """Return the resilience level of estimators that name none: IBM's, if there is noise."""
        offered = await self._gateway.devices.offered(RUNTIME)
        return int(any(each.name == device and not each.spec.exact for each in offered))

    @functools.cached_property
    def _lost_responses(self) -> LostResponses:
        from qwicket.vendors.ibm.dialect.runtime.lost_answers import (
            LostResponses,  # late: few need it
        )

        return LostResponses(self._gateway)

    async def list_jobs(self, actor: Actor, request: Request[None]) -> Response:
        """List jobs, by default newest first, without their parameters, which may be large."""
        query = wire.list_query(request.query_params, self.limits)
        query = structs.replace(query, project=await self._listed_project(actor, request))
        if query.device is not None:
            query = structs.replace(query, device=await self._device_name(query.device))
        count = sum((await self._gateway.jobs.tally(actor, query)).values())
        found = await self._gateway.jobs.page(actor, query) if query.limit else []
        names = await self._project_names(actor)
        bodies = []
        for job in found:
            with suppress(NotFound):  # deleted meanwhile
                bodies.append(await self._body(job, names))
        page = {"count": count, "limit": query.limit, "offset": query.offset}
        return await json_in_thread(lambda: {"jobs": raw_list(bodies), **page})

    async def read_job(self, actor: Actor, request: Request[None]) -> Response:
        """Read a job, with its parameters unless `exclude_params` is true."""
        job = await self._job(actor, request)
        job = await self._gateway.first_polls.wait_if_ending_soon(
            actor, job, request.wait_until_disconnected
        )
        body = await self._body(job, await self._project_names(actor))
        if request.query_params.get("exclude_params", "").lower() != "true":
            program = await self._gateway.results.program(job, request.response_memory)
            return await json_in_thread(lambda: _with_params(body, program.source))
        return json(body)

    async def read_results(self, actor: Actor, request: Request[None]) -> ASGIApp:
        """Read the results of a job; for a failed job, why it failed, as text."""
        job = await self._job(actor, request)
        if jobs.has_reason(job):
            return Response(jobs.reason(job), media_type="text/plain")
        fields = await self._vendor_fields(job)
        if large := (await self._large_result(job, fields, request)):
            return large
        found = await self._gateway.results.of(job, request.response_memory)
        program = await self._gateway.results.program(job, request.response_memory)
        limits = self.limits
        response = await json_in_thread(
            lambda: results.result(found, program.source, limits, fields)
        )
        # qrmi decodes the body as a JSON string if its type is JSON; other clients ignore the type.
        response.headers["content-type"] = "text/plain; charset=utf-8"
        return response

    async def _large_result(
        self, job: Job, fields: wire.VendorFields, request: Request[None]
    ) -> ASGIApp | None:
        """Return a streamed response if the result has shots and is large, else None."""
        is_sampled = job.state is JobState.COMPLETED and fields.program != wire.ESTIMATOR
        if not is_sampled or is_quick(job):
            return None
        from qwicket.vendors.ibm.dialect.runtime import large_results  # late: few results are large

        if fields.mock:  # whose stored result is empty
            size = large_results.mock_bytes(job)
        else:
            size = (await self._gateway.results.sizes(job)).results
        if size < large_results.STREAMED_BYTES:
            return None
        await request.response_memory.begin()
        program = await self._gateway.results.program(job, request.response_memory)
        plan = await asyncio.to_thread(
            large_results.plan, job, program.source, self.limits, fields, size
        )
        accepted = request.headers.get("accept-encoding", "")
        return large_results.LargeResult(
            self._gateway, plan, accepts_gzip="gzip" in accepted.lower()
        )

    async def cancel_job(self, actor: Actor, request: Request[None]) -> Response:
        """Cancel a job, and wait up to 5 s for its end: there is no status for cancelling."""
        job = await self._job(actor, request)
        if not job.state.is_final:
            job = await self._gateway.jobs.cancel(
                actor, job.id, dialect=RUNTIME, wait_s=_CANCEL_WAIT_S
            )
            if job.state is JobState.CANCELLED or not job.state.is_final:
                return Response(status_code=204)
        raise Conflict(f"The job is {jobs.status(job)}: it cannot be cancelled any more.")

    async def delete_job(self, actor: Actor, request: Request[None]) -> Response:
        """Delete a job that has ended."""
        job = await self._job(actor, request)
        await self._gateway.jobs.delete(actor, job.id, dialect=RUNTIME)
        return Response(status_code=204)

    async def read_logs(self, actor: Actor, request: Request[None]) -> Response:
        """Read what happened to a job: one line of text for each event."""
        job = await self._job(actor, request)
        events = await self._gateway.jobs.events(actor, job.id, dialect=RUNTIME)
        text = await asyncio.to_thread(jobs.logs, job, events)
        return Response(text, media_type="text/plain")

    async def read_metrics(self, actor: Actor, request: Request[None]) -> Response:
        """Read the times of a job and its position in the queue."""
        job = await self._job(actor, request)
        fields = await self._vendor_fields(job)
        return json(jobs.metrics(job, await self._gateway.queue.position(job), fields))

    async def change_tags(self, actor: Actor, request: Request[wire.TagsBody]) -> Response:
        """Change the tags of a job."""
        job = await self._job(actor, request)
        await self._gateway.jobs.set_name_and_tags(
            actor, job.id, dialect=RUNTIME, tags=request.payload.tags
        )
        return Response(status_code=204)

    # --- sessions ---------------------------------------------------------------------------------

    async def open_session(self, actor: Actor, request: Request[wire.SessionBody]) -> Response:
        """Open a session."""
        body = request.payload
        actor = await self._for_project(actor, body.instance)
        life_s = body.max_ttl or body.max_session_ttl
        group = await self._gateway.job_groups.open(
            actor,
            RUNTIME,
            device=body.backend and await self._device_name(body.backend),
            life_s=life_s,
            body=msgspec.json.encode(wire.SessionFields(body.mode)),
        )
        return json(await self._shown_session(actor, group.id))

    async def read_session(self, actor: Actor, request: Request[None]) -> Response:
        """Read a session."""
        return json(await self._shown_session(actor, request.path_params["id"]))

    async def change_session(self, actor: Actor, request: Request[wire.SessionChange]) -> Response:
        """Close a session: it takes no more jobs, and its jobs still run."""
        if request.payload.accepting_jobs:
            raise InvalidRequest("accepting_jobs: a closed session cannot be opened again.")
        await self._gateway.job_groups.close(actor, request.path_params["id"], dialect=RUNTIME)
        return Response(status_code=204)

    async def end_session(self, actor: Actor, request: Request[None]) -> Response:
        """Close a session, and cancel its jobs that have not ended."""
        group = await self._gateway.job_groups.close(
            actor, request.path_params["id"], dialect=RUNTIME
        )
        await self._gateway.job_groups.cancel_all(actor, group.id, dialect=RUNTIME)
        return Response(status_code=204)

    async def _check_session(self, actor: Actor, id_text: str) -> None:
        """Check that a session exists and that the actor may use it.

        Raises:
            NotFound: The session does not exist, or is not visible to the actor.
        """
        try:
            await self._gateway.job_groups.get(actor, id_text, dialect=RUNTIME)
        except NotFound:
            raise NotFound(f"There is no session {quoted(id_text)}.", field="group") from None

    async def _shown_session(self, actor: Actor, id_text: str) -> dict[str, Any]:
        group = await self._gateway.job_groups.get(actor, id_text, dialect=RUNTIME)
        use = await self._gateway.job_groups.use(actor, group)
        return jobs.session(group, use, time.time_ns() // 1_000_000)

    # --- what several need ------------------------------------------------------------------------

    async def _used_s(self, actor: Actor, project: str, since_ms: int) -> float:
        """Return the run time of the account's jobs submitted to a project since a time."""
        query = JobQuery(dialect=RUNTIME, project=project, created_from=since_ms)
        return await self._gateway.jobs.run_ms(actor, query) / 1000

    async def _job(self, actor: Actor, request: Request[Any]) -> Job:
        try:
            job = await self._gateway.jobs.get(actor, request.path_params["id"], dialect=RUNTIME)
        except NotFound as error:
            raise ibm.JobNotFound(error.detail) from None
        if job.account == actor.account:
            await self._lost_responses.note_named(job)
        return job

    async def _vendor_fields(self, job: Job) -> wire.VendorFields:
        return wire.vendor_fields_decoder.decode(await self._gateway.jobs.vendor_fields(job))

    async def _body(self, job: Job, names: dict[str, str] | None) -> dict[str, Any]:
        body = jobs.body(job, await self._vendor_fields(job))
        await asyncio.sleep(0)  # a list has many jobs, and each needs a read of the database
        return body if names is None else {**body, **jobs.instance(job, names)}


def _configuration(view: DeviceView) -> dict[str, Any]:
    body = catalogue.configuration(view)
    if view.calibration is None:
        body = catalogue.with_fractional_gates(body)
    known = [*body["supported_instructions"], *_CONTROL_FLOW]
    features = ["dynamic_circuits"]
    return {**body, "supported_instructions": known, "supported_features": features}


def _created(backend: str, job: Job) -> Response:
    return json({"id": job.id, "backend": backend})


def _with_params(body: dict[str, Any], source: bytes) -> dict[str, Any]:
    params = msgspec.json.decode(source, type=dict[str, msgspec.Raw])["params"]
    return {**body, "params": raw(bytes(params))}
