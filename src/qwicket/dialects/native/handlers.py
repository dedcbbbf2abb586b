"""The handlers of `/v1` for people and programs."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET, structs
from starlette.responses import Response

from qwicket import schema
from qwicket.circuits.outcomes import Outcome
from qwicket.dialects.native import account_wire, arrays, params, wire
from qwicket.dialects.native.openapi import OPENQASM_TYPE
from qwicket.dialects.native.pilots import PilotHandlers
from qwicket.dialects.native.streams import Streams
from qwicket.dialects.responses import json, json_in_thread, with_etag
from qwicket.model.errors import NoResult, QwicketError
from qwicket.schema.jobs import SLURM_ACCOUNT, SLURM_JOB

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from qwicket.dialects.native.lab_devices import NeedsOfDialects
    from qwicket.dialects.requests import Request
    from qwicket.gateway import Gateway, WaitResult
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job, Progress, Submission
    from qwicket.scheduling import QueuePosition

_FEW_JOBS: Final = 100
_TAG_CHARS: Final = 64 << 10
"""Bounds of a list that is rendered on the event loop: jobs, and characters of their tags."""
_FEW_EVENTS: Final = 100
"""Events of a job that are rendered on the event loop at most."""
_WITH_RESULT_BYTES: Final = 1_000_000
"""Largest size of a submission's response with a result; a larger one has only the job."""


class Handlers(PilotHandlers):
    """Handlers for users; those for pilots and labs are inherited."""

    def __init__(self, gateway: Gateway, needs_of_dialects: NeedsOfDialects) -> None:
        super().__init__(gateway, needs_of_dialects)
        self._streams = Streams(gateway)

    async def read_sign_in(self, request: Request[None]) -> Response:
        """Read how people and command-line tools can sign in."""
        flow = None
        if self.gateway.sign_in.provider is not None:
            service = await self.gateway.load_single_sign_on()
            flow = await service.device_flow(request.client_address)
        return json(
            schema.accounts.SignInBody(
                are_passwords_on=self.gateway.sign_in.are_passwords_on,
                device_flow=None if flow is None else account_wire.device_flow(flow),
            )
        )

    async def sign_in_with_id_token(self, request: Request[account_wire.SignInRequest]) -> Response:
        """Exchange an ID token of the identity provider's device flow for a token."""
        body = request.payload
        service = await self.gateway.load_single_sign_on()
        actor = await service.by_id_token(body.id_token, body.access_token, request.client_address)
        created = await self.gateway.sessions.create_token(
            actor, scopes=body.scopes, project=body.project, life_s=body.life_s
        )
        projects = await self.gateway.accounts.projects(actor)
        response = json(account_wire.new_token(created, projects), 201)
        response.headers["Cache-Control"] = "no-store"
        return response

    async def read_account(self, actor: Actor, request: Request[None]) -> Response:
        """Read the account and the token of the caller."""
        account = await self.gateway.accounts.of(actor)
        token = await self.gateway.tokens.current(actor)
        projects = await self.gateway.accounts.projects(actor)
        change = await self.gateway.jobs.last_change(actor)
        budgets = await self.gateway.usage.each_budget(actor)
        return json(account_wire.account(account, token, projects, change, budgets))

    async def change_account(
        self, actor: Actor, request: Request[schema.accounts.OwnAccountChangeBody]
    ) -> Response:
        """Change what the person prefers at the pages."""
        before = (await self.gateway.accounts.of(actor)).preferences
        given = structs.asdict(request.payload).items()
        after = structs.replace(before, **{name: v for name, v in given if v is not UNSET})
        await self.gateway.sessions.set_preferences(actor, after)
        return json(schema.accounts.PreferencesBody(**structs.asdict(after)))

    async def change_password(
        self, actor: Actor, request: Request[schema.accounts.PasswordChangeBody]
    ) -> Response:
        """Change the password of the account; end its sessions at the pages."""
        body, address = request.payload, request.client_address
        await self.gateway.sessions.change_password(actor, body.old, body.new, address)
        return Response(status_code=204)

    async def list_sessions(self, actor: Actor, request: Request[None]) -> Response:
        """List the account's sessions at the pages."""
        return json(account_wire.session_list(await self.gateway.sessions.all(actor)))

    async def end_session(self, actor: Actor, request: Request[None]) -> Response:
        """End a session at the pages."""
        await self.gateway.sessions.end_one(actor, request.path_params["session"])
        return Response(status_code=204)

    async def list_projects(self, actor: Actor, request: Request[None]) -> Response:
        """List the account's projects."""
        accounts = self.gateway.accounts
        projects, own_bytes = await accounts.projects(actor), await accounts.own_bytes(actor)
        return json(account_wire.project_list(projects, own_bytes))

    async def list_tokens(self, actor: Actor, request: Request[None]) -> Response:
        """List the account's valid tokens."""
        tokens = await self.gateway.tokens.valid_tokens(actor)
        return json(account_wire.token_list(tokens, await self.gateway.accounts.projects(actor)))

    async def make_token(
        self, actor: Actor, request: Request[account_wire.TokenRequest]
    ) -> Response:
        """Create a token within the rights of the caller's token."""
        body = request.payload
        created = await self.gateway.tokens.create(
            actor,
            body.scopes,
            devices=body.devices,
            project=body.project,
            life_s=body.life_s,
            name=body.name,
            bounds=body.stored_bounds,
        )
        projects = await self.gateway.accounts.projects(actor)
        response = json(account_wire.new_token(created, projects), 201)
        response.headers["Cache-Control"] = "no-store"
        return response

    async def revoke_token(self, actor: Actor, request: Request[None]) -> Response:
        """Revoke a token, and all tokens created with it."""
        await self.gateway.tokens.revoke(actor, request.path_params["id"])
        return Response(status_code=204)

    async def list_devices(self, actor: Actor, request: Request[None]) -> Response:
        """List the devices."""
        views = await self.gateway.devices.of(wire.DIALECT)
        return json(schema.devices.DeviceList(devices=tuple(wire.device(view) for view in views)))

    async def read_device(self, actor: Actor, request: Request[None]) -> Response:
        """Read a device and its queue."""
        view = await self.gateway.devices.get(request.path_params["name"], wire.DIALECT)
        queue = self.gateway.queue
        forecast = await queue.forecast(view.device.name)
        windows = await queue.windows(actor, forecast)
        return json(wire.device(view, forecast, windows, actor.project))

    async def read_calibration(self, actor: Actor, request: Request[None]) -> Response:
        """Read the current calibration of a device, or that at the time `?at=`."""
        at = params.instant(request.query_params, "at")
        name = request.path_params["name"]
        return json(
            wire.calibration(await self.gateway.devices.calibration(name, wire.DIALECT, at))
        )

    async def submit_job(self, actor: Actor, request: Request[Submission]) -> Response:
        """Submit a job; with `?wait=` respond when it has ended, or after so many seconds."""
        wait_s, is_preferred = params.wait_s(request, self.limits.requests.wait_s)
        with_result = params.is_included(request.query_params, "result")
        submission = structs.replace(
            request.payload,
            idempotency_key=request.idempotency_key,
            slurm_job=params.slurm_name(request.headers, SLURM_JOB),
            slurm_account=params.slurm_name(request.headers, SLURM_ACCOUNT),
        )
        job = await self.gateway.jobs.submit(actor, submission)
        response, server_url = None, request.server_url
        if wait_s or with_result:
            # The job is stored, so an error of waiting or reading must not become the response.
            with suppress(QwicketError):
                response = await self._awaited(actor, request, job, wait_s, with_result=with_result)
        response = response or json(wire.job(job, server_url))
        response.status_code = 201
        response.headers["Location"] = f"{server_url}/v1/jobs/{job.id}"
        if is_preferred:
            response.headers["Preference-Applied"] = f"wait={wait_s:g}"
        return response

    async def _awaited(
        self, actor: Actor, request: Request[Any], job: Job, wait_s: float, *, with_result: bool
    ) -> Response:
        """Return a submitted job when it has ended, or after `wait_s` seconds.

        With `with_result` the response has the result too, unless it is too large.
        """
        job, results_so_far = await self.gateway.jobs.wait(actor, job.id, wait_s)
        await self.sign_in(request)  # the token may have been revoked meanwhile
        if with_result:
            results = await self.gateway.results.at_once(
                job, request.response_memory, results_so_far
            )
            if results is not None:
                whole = await json_in_thread(
                    lambda: wire.submission_body(*results, request.server_url),
                    is_small=results.is_small,
                )
                if int(whole.headers["content-length"]) <= _WITH_RESULT_BYTES:
                    return whole
        return json(wire.job(job, request.server_url, *await self._position_and_progress(job)))

    async def list_jobs(self, actor: Actor, request: Request[None]) -> Response:
        """List jobs, newest first."""
        query = params.query(request.query_params, self.limits)
        jobs = await self.gateway.jobs.page(actor, query)
        return await json_in_thread(
            lambda: wire.job_list(jobs, query.limit, request.server_url), is_small=_is_short(jobs)
        )

    async def read_job(self, actor: Actor, request: Request[None]) -> Response:
        """Read a job; with `?wait=` respond when it has ended, or after so many seconds."""
        job, _ = await self._wait(actor, request)
        position, progress = await self._position_and_progress(job)
        response = json(wire.job(job, request.server_url, position, progress))
        return with_etag(request, response, wire.poll_after_s(job, position))

    async def _position_and_progress(
        self, job: Job
    ) -> tuple[QueuePosition | None, Progress | None]:
        """Return a job's position in the queue and its progress, if any."""
        queue = self.gateway.queue
        return await queue.position(job), await queue.progress(job)

    async def delete_job(self, actor: Actor, request: Request[None]) -> Response:
        """Delete a job that has ended."""
        await self.gateway.jobs.delete(actor, request.path_params["id"])
        return Response(status_code=204)

    async def stream_job(self, actor: Actor, request: Request[None]) -> ASGIApp:
        """Stream the changes of a job until it has ended."""
        return await self._streams.of_job(actor, request, self.sign_in)

    async def stream_account(self, actor: Actor, request: Request[None]) -> ASGIApp:
        """Stream the changes of all jobs of the account."""
        return self._streams.of_account(actor, request, self.sign_in)

    async def list_events(self, actor: Actor, request: Request[None]) -> Response:
        """List what happened to a job."""
        events = await self.gateway.jobs.events(actor, request.path_params["id"])
        return await json_in_thread(
            lambda: wire.events(events), is_small=len(events) <= _FEW_EVENTS
        )

    async def cancel_job(self, actor: Actor, request: Request[None]) -> Response:
        """Cancel a job."""
        job = await self.gateway.jobs.cancel(actor, request.path_params["id"])
        return json(wire.job(job, request.server_url))

    async def change_job(
        self, actor: Actor, request: Request[schema.jobs.ChangeJobBody]
    ) -> Response:
        """Hold or release a waiting job, or change its priority."""
        body = request.payload
        job = await self.gateway.jobs.change(
            actor, request.path_params["id"], is_held=body.held, priority=body.priority
        )
        return json(wire.job(job, request.server_url, *await self._position_and_progress(job)))

    async def read_result(self, actor: Actor, request: Request[None]) -> Response:
        """Read the result of a job."""
        job, results_so_far = await self._wait(actor, request)
        results = await self.gateway.results.of(job, request.response_memory, known=results_so_far)
        return await json_in_thread(lambda: wire.result(*results), is_small=results.is_small)

    async def read_part(self, actor: Actor, request: Request[None]) -> Response:
        """Read the result of one circuit as JSON, or its arrays as an npz file of NumPy."""
        is_archive = arrays.are_requested(request.list_header("Accept"), request.query_params)
        job, results_so_far = await self._wait(actor, request)
        number = wire.part_number(request.path_params["part"], job)
        results = await self.gateway.results.of(
            job, request.response_memory, number, known=results_so_far
        )
        (part,) = results.parts
        if params.is_mitigated(request.query_params):
            if not isinstance(part, Outcome):
                raise NoResult(part.message)
            mitigated = await self.gateway.compilation.mitigated(job, number, part)
            return await json_in_thread(
                lambda: wire.part(job, number, part, mitigated), is_small=results.is_small
            )
        if is_archive:
            archive = await asyncio.to_thread(arrays.npz, part)
            return Response(archive, media_type=arrays.NPZ_TYPE, headers={"Vary": "Accept"})
        return await json_in_thread(
            lambda: wire.part(job, number, part), is_small=results.is_small, Vary="Accept"
        )

    async def read_compiled(self, actor: Actor, request: Request[None]) -> Response:
        """Read one circuit as the lab's device receives it, in OpenQASM 3."""
        job = await self.gateway.jobs.get(actor, request.path_params["id"])
        number = wire.part_number(request.path_params["part"], job)
        text = await self.gateway.compilation.openqasm(job, number, request.response_memory)
        return Response(text, media_type=OPENQASM_TYPE)

    async def estimate_job(self, actor: Actor, request: Request[Submission]) -> Response:
        """Estimate run time, start and cost of a job, and whether budgets have room for it."""
        from qwicket.dialects.native import estimates  # late: few clients ask

        found = await self.gateway.estimates.of(actor, request.payload)
        return json(estimates.estimate(found, actor.project))

    async def _wait(self, actor: Actor, request: Request[Any]) -> WaitResult:
        """Return the job in the path when it has ended, or after the seconds of `?wait=`."""
        wait_s = params.seconds(request.query_params, "wait", self.limits.requests.wait_s)
        awaited = await self.gateway.jobs.wait(actor, request.path_params["id"], wait_s)
        if wait_s:
            await self.sign_in(request)  # the token may have been revoked meanwhile
        return awaited

    async def open_group(
        self, actor: Actor, request: Request[schema.groups.OpenGroupBody]
    ) -> Response:
        """Open a group."""
        body = request.payload
        group = await self.gateway.job_groups.open(
            actor,
            wire.DIALECT,
            device=body.device,
            name=body.name,
            jobs_limit=body.jobs_limit,
            life_s=body.life_s,
        )
        where = f"{request.server_url}/v1/groups/{group.id}"
        return json(wire.group(group), 201, Location=where)

    async def list_groups(self, actor: Actor, request: Request[None]) -> Response:
        """List groups, newest first."""
        before, limit = params.page(request.query_params, self.limits.requests.list_page)
        groups = await self.gateway.job_groups.page(actor, wire.DIALECT, before=before, limit=limit)
        return json(wire.group_list(groups, limit))

    async def read_group(self, actor: Actor, request: Request[None]) -> Response:
        """Read a group."""
        group = await self.gateway.job_groups.get(actor, request.path_params["id"])
        return json(wire.group(group, await self.gateway.job_groups.use(actor, group)))

    async def close_group(self, actor: Actor, request: Request[None]) -> Response:
        """Close a group: it takes no more jobs, and its jobs still run."""
        return json(
            wire.group(await self.gateway.job_groups.close(actor, request.path_params["id"]))
        )

    async def cancel_group(self, actor: Actor, request: Request[None]) -> Response:
        """Cancel the jobs of a group that have not ended."""
        cancelled = await self.gateway.job_groups.cancel_all(actor, request.path_params["id"])
        return json(schema.groups.CancelledBody(cancelled=tuple(cancelled)))


def _is_short(jobs: list[Job]) -> bool:
    """Return whether a list of jobs is so short that rendering takes about a millisecond."""
    return len(jobs) <= _FEW_JOBS and sum(len(tag) for job in jobs for tag in job.tags) < _TAG_CHARS
