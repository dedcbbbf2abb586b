"""Which path of the classic Runtime API does what."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import structs
from starlette.responses import Response

from qwicket.dialects.door import (
    Door,
    address,
    answer_to,
    decode,
    json,
    json_beside,
    on,
    read,
    settled,
    signed_in,
)
from qwicket.dialects.ibm import catalogue, projects, words
from qwicket.dialects.ibm import wire as ibm
from qwicket.dialects.ibm.runtime import jobs, results, wire
from qwicket.dialects.ibm.words import GROUP, HUB, RUNTIME
from qwicket.dialects.pieces import raw, raw_list
from qwicket.model.accounts import Scope
from qwicket.model.errors import (
    Conflict,
    InvalidRequest,
    NotFound,
    QwicketError,
)
from qwicket.model.jobs import JobQuery
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from starlette.requests import Request

    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job

_CANCEL_WAIT_S: Final = 5.0
_IF_ELSE: Final = "if_else"


def runtime_door(gateway: Gateway) -> Door:
    """Return the door. Its clients sign in at the other door of IBM's, whose passes it takes."""
    do = Routes(gateway)
    return Door(
        [
            on("/backends", GET=do.list_devices),
            on("/backends/{device}/configuration", GET=do.read_configuration),
            on("/backends/{device}/properties", GET=do.read_properties),
            on("/backends/{device}/defaults", GET=do.read_defaults),
            on("/backends/{device}/status", GET=do.read_status),
            on("/jobs", POST=do.submit_job, GET=do.list_jobs),
            on("/jobs/{id}", GET=do.read_job, DELETE=do.delete_job),
            on("/jobs/{id}/results", GET=do.read_results),
            on("/jobs/{id}/cancel", POST=do.cancel_job),
            on("/jobs/{id}/logs", GET=do.read_logs),
            on("/jobs/{id}/metrics", GET=do.read_metrics),
            on("/jobs/{id}/tags", PUT=do.change_tags),
            on("/sessions", POST=do.open_session),
            on("/sessions/{id}", GET=do.read_session, PATCH=do.change_session),
            on("/sessions/{id}/close", DELETE=do.end_session),
            on("/usage", GET=do.read_usage),
        ],
        wire.problem,
        recast=ibm.recast,
        challenge="X-Access-Token",
    )


class Routes:
    """The endpoints: HTTP in, gateway call, HTTP out.

    Args:
        gateway: Does the work.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._devices: set[str] = set()

    # --- devices ----------------------------------------------------------------------------------

    async def list_devices(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.DEVICES_READ)
        place = wire.place(request.query_params.get("provider"), "provider")
        await projects.find(self._gateway, actor, place)
        views = await self._gateway.devices.of(RUNTIME)
        return json({"devices": [view.device.name for view in views]})

    async def read_configuration(self, request: Request) -> Response:
        await self._sign_in(request, Scope.DEVICES_READ)
        view = await self._gateway.devices.get(request.path_params["device"], RUNTIME)
        shown = catalogue.configuration(view)
        known = [*shown["supported_instructions"], _IF_ELSE]
        return json({**shown, "supported_instructions": known})

    async def read_properties(self, request: Request) -> Response:
        await self._sign_in(request, Scope.DEVICES_READ)
        view = await self._gateway.devices.get(request.path_params["device"], RUNTIME)
        before = wire.before(request.query_params.get("updated_before"))
        try:
            found = await self._gateway.devices.calibration(view.device.name, RUNTIME, before)
        except NotFound:
            return json({})
        return json(catalogue.properties(view, found))

    async def read_defaults(self, request: Request) -> Response:
        """Look up the token alone: clients ask for this many times for each circuit."""
        await self._sign_in(request, Scope.DEVICES_READ)
        name = request.path_params["device"]
        if name not in self._devices:
            self._devices.add((await self._gateway.devices.get(name, RUNTIME)).device.name)
        return json({})

    async def read_status(self, request: Request) -> Response:
        await self._sign_in(request, Scope.DEVICES_READ)
        view = await self._gateway.devices.get(request.path_params["device"], RUNTIME)
        outlook = await self._gateway.outlook(view.device.name)
        shown = catalogue.queue(view, len(outlook.places))
        return json({**shown, "length_queue": shown.pop("lengthQueue")})

    # --- jobs -------------------------------------------------------------------------------------

    async def submit_job(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_WRITE)
        body = await read(request, wire.read_run)
        actor = await projects.acting(self._gateway, actor, body.place)
        try:
            job = await self._submitted(request, actor, body)
        except QwicketError as error:
            raise wire.of_a_submission(error) from None
        return json({"id": job.id, "backend": job.device})

    async def _submitted(self, request: Request, actor: Actor, body: wire.RunBody) -> Job:
        if body.session_id is not None:
            await self._session(actor, body.session_id)
        submission = await asyncio.to_thread(wire.submission, body, request.headers)
        most = self._gateway.limits.ibm_jobs
        return await self._gateway.submit(
            actor, submission, is_once=True, unfinished_limit=None if most < 0 else most
        )

    async def list_jobs(self, request: Request) -> Response:
        """List jobs without their parameters, which may be many megabytes each."""
        actor = await self._sign_in(request, Scope.JOBS_READ)
        asked = wire.asked(request.query_params, self._gateway.limits)
        project = await projects.find(self._gateway, actor, asked.place)
        query = structs.replace(asked.query, project=project)
        count = sum((await self._gateway.tally(actor, query)).values())
        found = await self._gateway.jobs(actor, query) if query.limit else []
        names = await projects.names(self._gateway, actor)
        shown = [await self._body(job, names) for job in found]
        page = {"count": count, "limit": query.limit, "offset": asked.offset}
        return await json_beside(lambda: {"jobs": raw_list(shown), **page})

    async def read_job(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_READ)
        job = await settled(request, self._gateway, await self._job(request, actor))
        shown = await self._body(job, await projects.names(self._gateway, actor))
        if request.query_params.get("exclude_params", "").lower() != "true":
            program = await self._gateway.program(job, answer_to(request))
            return await json_beside(lambda: _with_params(shown, program.source))
        return json(shown)

    async def read_results(self, request: Request) -> Response:
        """Answer with what a job gave; of one that failed, with the reason as text."""
        actor = await self._sign_in(request, Scope.JOBS_READ)
        job = await self._job(request, actor)
        if job.state is JobState.FAILED:
            return Response(jobs.reason(job), media_type="text/plain")
        found = await self._gateway.results_of(job, answer_to(request))
        program = await self._gateway.program(job, answer_to(request))
        limits = self._gateway.limits
        return await json_beside(lambda: results.result(found, program.source, limits))

    async def cancel_job(self, request: Request) -> Response:
        """Cancel, and wait a little for a running job to end: there is no word for in between."""
        actor = await self._sign_in(request, Scope.JOBS_WRITE)
        job = await self._job(request, actor)
        if not job.state.is_final:
            job = await self._gateway.cancel(actor, job.id, door=RUNTIME, wait_s=_CANCEL_WAIT_S)
            if job.state is JobState.CANCELLED or not job.state.is_final:
                return Response(status_code=204)
        raise Conflict(f"The job is {jobs.status(job)}: it cannot be cancelled any more.")

    async def delete_job(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_WRITE)
        job = await self._job(request, actor)
        await self._gateway.delete(actor, job.id, door=RUNTIME)
        return Response(status_code=204)

    async def read_logs(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_READ)
        job = await self._job(request, actor)
        events = await self._gateway.events(actor, job.id, door=RUNTIME)
        return Response(jobs.logs(job, events), media_type="text/plain")

    async def read_metrics(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_READ)
        job = await self._job(request, actor)
        return json(jobs.metrics(job, await self._gateway.place(job)))

    async def change_tags(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_WRITE)
        job = await self._job(request, actor)
        body = await read(request, lambda text: decode(text, wire.tags_decoder))
        await self._gateway.rename(actor, job.id, door=RUNTIME, tags=body.tags)
        return Response(status_code=204)

    # --- sessions ---------------------------------------------------------------------------------

    async def open_session(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_WRITE)
        body = await read(request, lambda text: decode(text, wire.session_decoder))
        place = wire.place(body.instance, "instance")
        actor = await projects.acting(self._gateway, actor, place)
        life_s = body.max_ttl or body.max_session_ttl
        group = await self._gateway.groups.open(
            actor,
            RUNTIME,
            device=body.backend,
            life_s=life_s,
            body=msgspec.json.encode(wire.KeptSession(body.mode)),
        )
        return json(await self._shown_session(actor, group.id))

    async def read_session(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_READ)
        return json(await self._shown_session(actor, request.path_params["id"]))

    async def change_session(self, request: Request) -> Response:
        actor = await self._sign_in(request, Scope.JOBS_WRITE)
        body = await read(request, lambda text: decode(text, wire.session_change_decoder))
        if body.accepting_jobs:
            raise InvalidRequest("accepting_jobs: a session is never opened again.")
        await self._gateway.groups.close(actor, request.path_params["id"], door=RUNTIME)
        return Response(status_code=204)

    async def end_session(self, request: Request) -> Response:
        """Take no more jobs, and cancel those that have not ended."""
        actor = await self._sign_in(request, Scope.JOBS_WRITE)
        group = await self._gateway.groups.close(actor, request.path_params["id"], door=RUNTIME)
        await self._gateway.groups.cancel_all(actor, group.id, door=RUNTIME)
        return Response(status_code=204)

    async def _session(self, actor: Actor, id_text: str) -> None:
        """Refuse a session that is not the actor's to use here."""
        try:
            await self._gateway.groups.get(actor, id_text, door=RUNTIME)
        except NotFound:
            raise NotFound("There is no such session.", field="group") from None

    async def _shown_session(self, actor: Actor, id_text: str) -> dict[str, Any]:
        group = await self._gateway.groups.get(actor, id_text, door=RUNTIME)
        use = await self._gateway.groups.use(actor, group)
        return jobs.session(group, use, time.time_ns() // 1_000_000)

    # --- the account ------------------------------------------------------------------------------

    async def read_usage(self, request: Request) -> Response:
        """Answer with what each project ran this month, and how many of its jobs wait."""
        actor = await self._sign_in(request, Scope.JOBS_READ)
        now = datetime.now(UTC)
        month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        since = round(1000 * month.timestamp())
        rows = []
        for project in await self._gateway.projects(actor):
            query = JobQuery(door=RUNTIME, project=project.id, created_from=since)
            pending = JobQuery(door=RUNTIME, project=project.id, states=wire.PENDING)
            rows.append(
                {
                    "instance": f"{HUB}/{GROUP}/{project.name}",
                    "usage": await self._gateway.run_ms(actor, query) / 1000,
                    "pendingJobs": sum((await self._gateway.tally(actor, pending)).values()),
                    "maxPendingJobs": self._gateway.limits.waiting_jobs,
                }
            )
        period = {"start": words.time(since), "end": words.time(round(1000 * now.timestamp()))}
        return json({"period": period, "byInstance": rows})

    # --- what several need ------------------------------------------------------------------------

    async def _sign_in(self, request: Request, scope: Scope) -> Actor:
        actor = await self._gateway.sign_in_with_pass(_token(request), words.DOOR, address(request))
        actor.require(scope)
        return signed_in(request, actor)

    async def _job(self, request: Request, actor: Actor) -> Job:
        try:
            return await self._gateway.job(actor, request.path_params["id"], door=RUNTIME)
        except NotFound as error:
            raise ibm.JobNotFound(error.detail) from None

    async def _body(self, job: Job, names: dict[str, str]) -> dict[str, Any]:
        kept = wire.kept_decoder.decode(await self._gateway.wire(job))
        await asyncio.sleep(0)  # a list has many of them, and each takes a look-up
        return jobs.body(job, kept, names.get(job.project, job.project))


def _with_params(shown: dict[str, Any], source: bytes) -> dict[str, Any]:
    params = msgspec.json.decode(source, type=dict[str, msgspec.Raw])["params"]
    return {**shown, "params": raw(bytes(params))}


def _token(request: Request) -> str | None:
    return request.headers.get("x-access-token")
