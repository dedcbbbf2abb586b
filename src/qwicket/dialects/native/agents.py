"""The paths of `/v1` for labs' agents: announce a device, pull its jobs, bring results."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from qwicket.dialects.door import address, bearer, json, on, read, signed_in
from qwicket.dialects.native import agent_wire as wire
from qwicket.dialects.native.params import seconds
from qwicket.model.accounts import Scope
from qwicket.model.errors import Forbidden, Unauthenticated

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor


def routes(gateway: Gateway) -> list[Route]:
    """Return what agents may ask for."""
    do = _Routes(gateway)
    return [
        on("/agent/devices/{name}", PUT=do.announce),
        on("/agent/devices/{name}/calibration", PUT=do.calibrate),
        on("/agent/devices/{name}/agents/{agent}", DELETE=do.leave),
        on("/devices/{name}/leases", POST=do.claim),
        on("/leases/{id}/renew", POST=do.renew),
        on("/leases/{id}/finish", POST=do.finish),
        on("/leases/{id}/release", POST=do.release),
    ]


class _Routes:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def announce(self, request: Request) -> Response:
        actor = await self._sign_in(request)
        body = await read(request, lambda text: wire.announcement(text, self._gateway.limits))
        name = request.path_params["name"]
        device = await self._gateway.agents.announce(
            actor, name, body.family, body.doors, body.spec
        )
        return json(wire.device(device))

    async def calibrate(self, request: Request) -> Response:
        actor = await self._sign_in(request)
        body = await read(request, lambda text: wire.calibration(text, self._gateway.limits))
        await self._gateway.agents.calibrate(actor, request.path_params["name"], body)
        return json({"valid_from": body.valid_from})

    async def claim(self, request: Request) -> Response:
        """Answer with a job, or with `?wait=` when none came in so many seconds."""
        actor = await self._sign_in(request)
        body = await read(request, lambda text: wire.claim(text, self._gateway.limits))
        wait_s = seconds(request.query_params, "wait", self._gateway.limits.wait_s)
        name = request.path_params["name"]
        held = wire.leases(body.held)
        found = await self._gateway.agents.claim(
            actor, name, body.agent, held, wait_s, lambda: self._is_gone(request)
        )
        if found is None:
            await self._sign_in(request)  # the token may have been revoked meanwhile
        renew_s, limits = self._gateway.agents.renew_s, self._gateway.limits
        return await asyncio.to_thread(lambda: json(wire.pulled(found, renew_s, limits)))

    async def _is_gone(self, request: Request) -> bool:
        """Whether nobody may have the answer any more: a revoked token gets no job."""
        try:
            await self._sign_in(request)
        except (Forbidden, Unauthenticated):
            return True
        return await request.is_disconnected()

    async def renew(self, request: Request) -> Response:
        actor = await self._sign_in(request)
        body = await read(request, lambda text: wire.renewal(text, self._gateway.limits))
        held, progress = wire.leases(body.held), wire.progress(body.held)
        id_text = request.path_params["id"]
        orders = await self._gateway.agents.renew(actor, body.agent, id_text, held, progress)
        return json(wire.orders(orders, self._gateway.agents.renew_s))

    async def finish(self, request: Request) -> Response:
        actor = await self._sign_in(request)
        limits = self._gateway.limits
        body = await read(request, lambda text: wire.finish(text, limits), "outcome_bytes")
        job = await self._gateway.agents.finish(
            actor,
            body.agent,
            request.path_params["id"],
            body.fence,
            body.nonce,
            wire.result(body),
            body.seconds,
        )
        return json({"id": job.id, "state": job.state})

    async def release(self, request: Request) -> Response:
        actor = await self._sign_in(request)
        body = await read(request, wire.release)
        job = await self._gateway.agents.release(
            actor,
            body.agent,
            request.path_params["id"],
            body.fence,
            body.nonce,
            body.reason,
            blamed=body.blamed,
        )
        return json({"id": job.id, "state": job.state})

    async def leave(self, request: Request) -> Response:
        actor = await self._sign_in(request)
        agent = wire.agent(request.path_params["agent"])
        await self._gateway.agents.leave(actor, request.path_params["name"], agent)
        return json({})

    async def _sign_in(self, request: Request) -> Actor:
        """Sign in whoever may serve something, before a body is taken in."""
        actor = await self._gateway.sign_in(bearer(request), address(request))
        actor.require(Scope.DEVICES_SERVE)
        return signed_in(request, actor)
