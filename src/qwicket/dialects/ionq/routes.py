"""Which path of IonQ's API does what."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from qwicket.dialects.door import Door, address, json, on, read
from qwicket.dialects.ionq import wire
from qwicket.model.accounts import Scope
from qwicket.model.errors import Conflict, NotFound

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from qwicket.gateway import Gateway
from qwicket.model.accounts import Actor

_CANCEL_WAIT_S: Final = 5.0


def v04(gateway: Gateway) -> Door:
    """Return the door of version 0.4."""
    do = Routes(gateway)
    return Door(
        [
            on("/backends", GET=do.list_backends),
            on("/backends/{backend}", GET=do.read_backend),
            on("/backends/{backend}/characterizations", GET=do.list_characterizations),
            on("/backends/{backend}/characterizations/{uuid}", GET=do.read_characterization),
            on("/jobs", POST=do.submit_job),
            on("/jobs/{id}", GET=do.read_job),
            on("/jobs/{id}/status/cancel", PUT=do.cancel_job),
            on("/jobs/{id}/results/probabilities", GET=do.read_probabilities),
        ],
        wire.problem,
        challenge="apiKey",
    )


def unknown_version() -> Door:
    """Return the door of versions that are not spoken here: it errs in IonQ's shape."""
    return Door([], wire.problem)


class Routes:
    """The endpoints: HTTP in, gateway call, HTTP out."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def list_backends(self, request: Request) -> Response:
        """Answer without a key: clients ask before they have one."""
        now = wire.time(time.time_ns() // 1_000_000)
        return json([wire.backend(view, now) for view in await self._gateway.devices(wire.DOOR)])

    async def read_backend(self, request: Request) -> Response:
        view = await self._gateway.device(request.path_params["backend"], wire.DOOR)
        return json(wire.backend(view, wire.time(time.time_ns() // 1_000_000)))

    async def list_characterizations(self, request: Request) -> Response:
        """Answer without a key, as for backends; the newest first."""
        limit = wire.page_limit(request.query_params.get("limit"))
        backend = request.path_params["backend"]
        view = await self._gateway.device(backend, wire.DOOR)
        found = await self._gateway.calibrations(backend, wire.DOOR, limit)
        return json(wire.characterizations(view.device, found))

    async def read_characterization(self, request: Request) -> Response:
        actor = await self._sign_in(request)
        actor.require(Scope.DEVICES_READ)
        backend, id_text = request.path_params["backend"], request.path_params["uuid"]
        view = await self._gateway.device(backend, wire.DOOR)
        found = await self._gateway.calibration_by_id(backend, wire.DOOR, id_text)
        return json(wire.characterization(view.device, found))

    async def submit_job(self, request: Request) -> Response:
        actor = await self._sign_in(request)
        actor.require(Scope.JOBS_WRITE)  # before a body is taken in
        limits = self._gateway.limits
        submission = await read(request, lambda body: wire.submission(body, limits))
        job = await self._gateway.submit(actor, submission)
        return json(wire.submitted(job), 201)

    async def read_job(self, request: Request) -> Response:
        actor = await self._sign_in(request)
        job = await self._gateway.job(actor, request.path_params["id"], door=wire.DOOR)
        return json(wire.job(job, await self._gateway.wire(job)))

    async def cancel_job(self, request: Request) -> Response:
        """Cancel, and wait a little for a running job to end: there is no word for in between."""
        actor = await self._sign_in(request)
        job = await self._gateway.cancel(
            actor, request.path_params["id"], door=wire.DOOR, wait_s=_CANCEL_WAIT_S
        )
        return json(wire.short(job))

    async def read_probabilities(self, request: Request) -> Response:
        actor = await self._sign_in(request)
        try:
            results = await self._gateway.results(actor, request.path_params["id"], door=wire.DOOR)
        except Conflict as error:
            # Clients repeat a 409 without end; a result that is not there is a 404 here.
            raise NotFound(error.detail) from None
        if results.is_small:
            return json(wire.result(*results))
        return await asyncio.to_thread(lambda: json(wire.result(*results)))

    async def _sign_in(self, request: Request) -> Actor:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        token = secret.strip() if scheme.lower() == "apikey" else None
        return await self._gateway.sign_in(token, address(request))
