"""The handlers of Xanadu Cloud's API."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

from qwicket.dialects.bodies import invalid
from qwicket.dialects.responses import json, json_in_thread
from qwicket.model.errors import InvalidRequest, LimitExceeded, NotFound, Unauthenticated
from qwicket.model.jobs import JobQuery
from qwicket.model.states import JobState
from qwicket.vendors.xanadu.dialect import catalogue, results, wire

if TYPE_CHECKING:
    from qwicket.dialects.requests import Request
    from qwicket.gateway import DeviceView, Gateway
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job, Submission
    from qwicket.model.limits import Limits

_DEFAULT_PAGE_LENGTH: Final = 10
_SMALL_TEXT_BYTES: Final = 64 << 10


class Handlers:
    """Handlers of Xanadu Cloud's API.

    Args:
        gateway: Does the work.
        access_token_s: Life of an access token in seconds.
    """

    def __init__(self, gateway: Gateway, access_token_s: float) -> None:
        self._gateway = gateway
        self._access_token_s = access_token_s

    @property
    def limits(self) -> Limits:
        return self._gateway.limits

    async def sign_in(self, request: Request[Any]) -> Actor:
        """Return the holder of the request's access token. A token in its place is refused."""
        held = request.token("bearer")
        return await self._gateway.access_tokens.actor(held, wire.DIALECT, request.client_address)

    async def issue_access_token(self, request: Request[wire.Grant]) -> Response:
        """Exchange a token for an access token."""
        body = request.payload
        if not body.type or not body.token:
            return _refused("invalid_request", "grant_type and refresh_token are required.")
        if body.type != "refresh_token":
            return _refused("unsupported_grant_type", "The grant_type must be refresh_token.")
        try:
            actor = await self._gateway.auth.by_token(body.token, request.client_address)
        except Unauthenticated:
            return _refused("invalid_grant", "Invalid refresh token")
        text = await self._gateway.access_tokens.issue(actor, wire.DIALECT, self._access_token_s)
        response = json(wire.granted(text, body.token, self._access_token_s))
        response.headers["Cache-Control"] = "no-store"
        return response

    async def ping(self, actor: Actor, request: Request[None]) -> Response:
        """Check an access token."""
        return json({"status": "ok"})

    # --- devices ----------------------------------------------------------------------------------

    async def list_devices(self, actor: Actor, request: Request[None]) -> Response:
        """List the devices."""
        bodies = [catalogue.overview(view) for view in await self._gateway.devices.of(wire.DIALECT)]
        wanted = request.query_params.get("status")
        return json({"data": [each for each in bodies if wanted in (None, each["status"])]})

    async def read_device(self, actor: Actor, request: Request[None]) -> Response:
        """Read a device."""
        return json(catalogue.overview(await self._device(request)))

    async def read_specification(self, actor: Actor, request: Request[None]) -> Response:
        """Read the specification of a device."""
        return json(catalogue.specification(await self._device(request)))

    async def read_certificate(self, actor: Actor, request: Request[None]) -> Response:
        """Read the certificate of a device."""
        return json(catalogue.certificate((await self._device(request)).device))

    async def _device(self, request: Request[Any]) -> DeviceView:
        return await self._gateway.devices.get(request.path_params["target"], wire.DIALECT)

    # --- jobs -------------------------------------------------------------------------------------

    async def submit_job(self, actor: Actor, request: Request[Submission]) -> Response:
        """Submit a job; the response always has the status `open`."""
        submission = request.payload
        try:
            job = await self._gateway.jobs.submit(actor, submission, clients_repeat=True)
        except (InvalidRequest, LimitExceeded, NotFound) as error:
            raise wire.with_dialect_field(error) from None
        return json(wire.job(job, wire.vendor_fields(submission.vendor_fields), wire.OPEN), 201)

    async def list_jobs(self, actor: Actor, request: Request[None]) -> Response:
        """List the account's own jobs, newest first; unknown ids are ignored."""
        query, maximum = request.query_params, self.limits.requests.list_page
        size, states = _size(query.get("size"), maximum), wire.states(query.get("status"))
        if "id" not in query:
            job_query = JobQuery(dialect=wire.DIALECT, states=states, limit=size)
            found = await self._gateway.jobs.page(actor, job_query)
        else:
            named = await self._named(actor, query.getlist("id"))
            found = [job for job in named if not states or job.state in states][:size]
        bodies = []
        for job in found:
            with suppress(NotFound):  # it may have been deleted meanwhile
                bodies.append(await self._body(job))
        return json({"data": bodies})

    async def _named(self, actor: Actor, ids: list[str]) -> list[Job]:
        maximum = self.limits.requests.list_page
        if len(ids) > maximum:
            raise LimitExceeded(f"id is given over {maximum} times (limit list_page).", field="id")
        found: dict[str, Job] = {}
        for id_text in ids:
            try:
                job = await self._gateway.jobs.get(actor, id_text, dialect=wire.DIALECT)
            except NotFound:
                continue
            if job.account == actor.account:
                found[job.id] = job
        return sorted(found.values(), key=lambda job: -job.seq)

    async def read_job(self, actor: Actor, request: Request[None]) -> Response:
        """Read a job."""
        id_text = request.path_params["id"]
        job, document = await self._gateway.jobs.get_with_vendor_fields(
            actor, id_text, dialect=wire.DIALECT
        )
        job = await self._gateway.first_polls.wait_if_ending_soon(
            actor, job, request.wait_until_disconnected
        )
        return json(wire.job(job, wire.vendor_fields(document)))

    async def cancel_job(self, actor: Actor, request: Request[None]) -> Response:
        """Cancel a job; a job that has ended is not changed."""
        await self._gateway.jobs.cancel(actor, request.path_params["id"], dialect=wire.DIALECT)
        return Response(status_code=204)

    async def read_circuit(self, actor: Actor, request: Request[None]) -> Response:
        """Read the circuit of a job, as it was submitted."""
        program = await self._gateway.results.program(
            await self._job(actor, request), request.response_memory
        )
        is_small = len(program.source) <= _SMALL_TEXT_BYTES
        return await json_in_thread(lambda: {"circuit": program.source.decode()}, is_small=is_small)

    async def read_result(self, actor: Actor, request: Request[None]) -> Response:
        """Read the result of a job: an npz file, or an npy file if `Accept` asks for it."""
        job = await self._job(actor, request)
        if job.state is not JobState.COMPLETED:
            reason = f": {job.error_text}" if job.error_text else ""
            raise NotFound(f"The job is {job.state} and has no result{reason}")
        found = await self._gateway.results.of(job, request.response_memory)
        is_bare = results.NPY_TYPE in request.headers.get("accept", "")
        body = await asyncio.to_thread(results.npy if is_bare else results.npz, found)
        media_type = results.NPY_TYPE if is_bare else "application/octet-stream"
        return Response(body, media_type=media_type)

    async def _job(self, actor: Actor, request: Request[Any]) -> Job:
        return await self._gateway.jobs.get(actor, request.path_params["id"], dialect=wire.DIALECT)

    async def _body(self, job: Job) -> dict[str, Any]:
        return wire.job(job, wire.vendor_fields(await self._gateway.jobs.vendor_fields(job)))


def _refused(code: str, description: str) -> Response:
    return json(wire.refused_grant(code, description), 400)


def _size(text: str | None, maximum: int) -> int:
    if text is None:
        return min(_DEFAULT_PAGE_LENGTH, maximum)
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or not 1 <= int(text) <= maximum:
        raise invalid(f"size must be 1 to {maximum} (limit list_page)", text, "size")
    return int(text)
