"""Handlers of qlued's API: versions 2 and 3 differ in where the token is."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.responses import Response

from qwicket.dialects.responses import json, json_in_thread
from qwicket.dialects.validation import quoted
from qwicket.gateway.ttl_cache import TTLCache
from qwicket.model.accounts import Scope
from qwicket.model.errors import Forbidden, NotFound, QwicketError, Unauthenticated
from qwicket.model.states import JobState
from qwicket.model.suggestions import did_you_mean
from qwicket.vendors.qlued.dialect import catalogue, results, wire

if TYPE_CHECKING:
    from qwicket.dialects.requests import Request
    from qwicket.gateway import DeviceView, Gateway
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job
    from qwicket.model.limits import Limits

_RESULT_WAIT_S: Final = 2.0
"""How long a read of a result waits: published programs read once, right after submission."""
_SMALL_BYTES: Final = 16 << 10
"""Longest text of a job that is read on the event loop."""


class Handlers:
    """Handlers of version 3, whose token is in a header; those of version 2 inherit from them."""

    _version = "v3"

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._listed = TTLCache(self._list_once)
        self._listing: dict[str, asyncio.Task[bytes]] = {}

    @property
    def limits(self) -> Limits:
        return self._gateway.limits

    async def sign_in(self, request: Request[Any]) -> Actor:
        return await self._gateway.auth.by_token(self._token(request), request.client_address)

    def _token(self, request: Request[Any]) -> str | None:
        return request.token("bearer")

    # --- devices ----------------------------------------------------------------------------------

    async def list_backends(self, request: Request[None]) -> Response:
        """List the devices."""
        listed = await self._listed.get(self._base_url(request))
        return Response(listed, media_type="application/json")

    async def _list_once(self, base_url: str) -> bytes:
        """Return the list of devices, made once for concurrent requests."""
        if base_url not in self._listing:
            task = self._listing[base_url] = asyncio.create_task(self._list(base_url))
            task.add_done_callback(lambda _: self._listing.pop(base_url))
        return await asyncio.shield(self._listing[base_url])

    async def _list(self, base_url: str) -> bytes:
        bodies = []
        for view in await self._gateway.devices.of(wire.DIALECT):
            if catalogue.is_listed(view.device):
                bodies.append(msgspec.json.encode(catalogue.config(view, base_url)))
                await asyncio.sleep(0)  # a lab's device may have hundreds of gates
        return b"[" + b",".join(bodies) + b"]"

    async def get_config(self, request: Request[None]) -> Response:
        """Read the configuration of a device."""
        return json(catalogue.config(await self._device(request), self._base_url(request)))

    async def get_backend_status(self, request: Request[None]) -> Response:
        """Read whether a device is online, and how many jobs wait."""
        view = await self._device(request)
        forecast = await self._gateway.queue.forecast(view.device.name)
        return json(catalogue.status(view, forecast.n_waiting))

    # --- jobs -----------------------------------------------------------------------------------

    async def post_job(self, actor: Actor, request: Request[wire.Posted]) -> Response:
        """Submit a job; a refused program is stored as a failed job."""
        posted, limits = request.payload, self.limits
        device = (await self._device(request)).device
        if len(posted.job) <= _SMALL_BYTES:
            submission = wire.submission(device, posted.job, limits)
        else:
            submission = await asyncio.to_thread(wire.submission, device, posted.job, limits)
        job = await self._gateway.jobs.submit(
            actor, submission, keep_refused=True, clients_repeat=True
        )
        return json(wire.submission_response(job))

    async def get_job_status(self, actor: Actor, request: Request[None]) -> Response:
        """Read the status of a job."""
        id_text = wire.job_id(request.query_params)
        _, job = await self._job(actor, request, id_text, wait_s=0.0)
        job = await self._gateway.first_polls.wait_if_ending_soon(
            actor, job, request.wait_until_disconnected
        )
        return _status(job)

    async def get_job_result(self, actor: Actor, request: Request[None]) -> Response:
        """Read the result of a job, or its status if it fails or does not end within 2 s."""
        is_old, id_text = _is_old(request), wire.job_id(request.query_params)
        view, job = await self._job(actor, request, id_text, _RESULT_WAIT_S)
        if job.state is not JobState.COMPLETED:
            return _status(job, is_old)
        found = await self._gateway.results.of(job, request.response_memory)
        source = (await self._gateway.results.program(job, request.response_memory)).source

        def render() -> dict[str, Any]:
            return _render(results.result(found, source, view.device), is_old)

        return await json_in_thread(render, is_small=found.is_small and len(source) <= _SMALL_BYTES)

    # --- what several need ------------------------------------------------------------------------

    async def _device(self, request: Request[Any]) -> DeviceView:
        text = request.path_params["backend_name"]
        name = catalogue.parse_name(text)
        for device in name.device_names if name else ():
            with suppress(NotFound):
                view = await self._gateway.devices.get(device, wire.DIALECT)
                if name and name.fits(view.device):
                    return view
        shown = [
            name
            for device in await self._gateway.devices.offered(wire.DIALECT)
            for name in catalogue.names(device)
        ]
        detail = (
            f"There is no device {quoted(text)}. A name has one or three parts joined by `_`."
            f"{did_you_mean(text, shown)}"
        )
        raise NotFound(f"{wire.UNKNOWN_DEVICE} {detail}", field="device")

    async def _job(
        self, actor: Actor, request: Request[Any], id_text: str, wait_s: float
    ) -> tuple[DeviceView, Job]:
        """Return the device in the path, and its job.

        Raises:
            UnknownJob: The actor has no such job on that device.
        """
        view = await self._device(request)
        try:
            job, _ = await self._gateway.jobs.wait(actor, id_text, wait_s, dialect=wire.DIALECT)
        except NotFound:
            raise wire.UnknownJob(id_text) from None
        if wait_s:  # the token may have been revoked meanwhile
            (await self.sign_in(request)).require(Scope.JOBS_READ)
        if job.device != view.device.name:
            raise wire.UnknownJob(id_text)
        return view, job

    def _base_url(self, request: Request[Any]) -> str:
        return f"{request.dialect_url}/api/{self._version}"


class V2Handlers(Handlers):
    """Version 2: the token is in the body or in the query."""

    _version = "v2"

    def _token(self, request: Request[Any]) -> str | None:
        if request.method == "POST":
            posted: wire.Posted = request.payload
            return posted.token
        return wire.token(request.query_params)


def old_refusal(error: QwicketError, request: Request[Any]) -> Response | None:
    """Return an error that ends the polling of old clients; None for other errors or clients."""
    if _is_old(request) and isinstance(
        error, Forbidden | NotFound | Unauthenticated | wire.UnknownJob
    ):
        return json(_render(wire.refusal(error), is_old=True), error.status)
    return None


def _is_old(request: Request[Any]) -> bool:
    """Return whether the client is qiskit-cold-atom, which sends a `username`."""
    return "username" in request.query_params


def _status(job: Job, is_old: bool = False) -> Response:
    """Return a response with the status of a job: 406 if it failed or was cancelled."""
    body = wire.job_status(job)
    return json(_render(body, is_old), 406 if body["status"] == "ERROR" else 200)


def _render(body: dict[str, Any], is_old: bool) -> dict[str, Any]:
    return wire.with_old_statuses(body) if is_old else body
