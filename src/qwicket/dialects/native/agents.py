"""The handlers of `/v1` for labs' agents, which announce devices, claim jobs, report results."""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING, Any

from qwicket.dialects.native import agent_wire as wire
from qwicket.dialects.native.params import seconds
from qwicket.dialects.responses import json
from qwicket.model.accounts import Scope
from qwicket.model.errors import Forbidden, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.responses import Response

    from qwicket import schema
    from qwicket.circuits.calibrations import Calibration
    from qwicket.dialects.requests import Request
    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor
    from qwicket.model.devices import DialectNeeds, Family
    from qwicket.model.limits import Limits

    NeedsOfDialects = Callable[[Family], Mapping[str, DialectNeeds]]


class AgentHandlers:
    """Handlers for agents.

    Args:
        gateway: Does the work.
        needs_of_dialects: Returns what each dialect needs of the devices of a family.
    """

    def __init__(self, gateway: Gateway, needs_of_dialects: NeedsOfDialects) -> None:
        self._gateway = gateway
        self._needs_of_dialects = needs_of_dialects

    @cached_property
    def limits(self) -> Limits:
        return self._gateway.limits

    async def sign_in(self, request: Request[Any]) -> Actor:
        return await self._gateway.auth.by_token(request.token("bearer"), request.client_address)

    async def announce_device(self, actor: Actor, request: Request[wire.AnnounceBody]) -> Response:
        """Announce a device."""
        body, name = request.payload, request.path_params["name"]
        device = await self._gateway.agents.announce(
            actor,
            name,
            body.family,
            body.dialects,
            body.spec,
            needs_of_dialects=self._needs_of_dialects(body.family),
        )
        return json(wire.device(device))

    async def put_calibration(self, actor: Actor, request: Request[Calibration]) -> Response:
        """Report a calibration of a device."""
        body = request.payload
        await self._gateway.agents.calibrate(actor, request.path_params["name"], body)
        return json(wire.CalibratedBody(valid_from=body.valid_from))

    async def claim_job(self, actor: Actor, request: Request[schema.agents.ClaimBody]) -> Response:
        """Claim a job to run; with `?wait=` wait up to so many seconds for one."""
        body = request.payload
        wait_s = seconds(request.query_params, "wait", self.limits.requests.wait_s)
        name = request.path_params["name"]
        held = wire.leases(body.held)
        found = await self._gateway.agents.claim(
            actor, name, body.agent, held, wait_s, lambda: self._is_gone(request)
        )
        if found is None:
            await self._sign_in_again(request)  # the token may have been revoked meanwhile
        renew_s, limits = self._gateway.agents.renew_s, self.limits
        return await asyncio.to_thread(lambda: json(wire.claimed_body(found, renew_s, limits)))

    async def _sign_in_again(self, request: Request[Any]) -> None:
        (await self.sign_in(request)).require(Scope.DEVICES_SERVE)

    async def _is_gone(self, request: Request[Any]) -> bool:
        """Return whether the client has disconnected or its token was revoked: it gets no job."""
        try:
            await self._sign_in_again(request)
        except (Forbidden, Unauthenticated):
            return True
        return await request.is_disconnected()

    async def renew_lease(
        self, actor: Actor, request: Request[schema.agents.RenewBody]
    ) -> Response:
        """Renew leases, and report progress."""
        body = request.payload
        held, progress = wire.leases(body.held), wire.progress(body.held)
        id_text = request.path_params["id"]
        directives = await self._gateway.agents.renew(actor, body.agent, id_text, held, progress)
        return json(wire.directives(directives, self._gateway.agents.renew_s))

    async def finish_job(
        self, actor: Actor, request: Request[schema.agents.FinishBody]
    ) -> Response:
        """Report the results of a job."""
        body = request.payload
        job = await self._gateway.agents.finish(
            actor,
            body.agent,
            request.path_params["id"],
            body.fence,
            body.nonce,
            wire.result(body, self.limits),
            body.seconds,
        )
        return json(wire.job_state(job))

    async def release_job(
        self, actor: Actor, request: Request[schema.agents.ReleaseBody]
    ) -> Response:
        """Release a job without results, so that it can run again.

        It is cancelled if that was requested, and fails if this counts as its third attempt.
        """
        body = request.payload
        job = await self._gateway.agents.release(
            actor,
            body.agent,
            request.path_params["id"],
            body.fence,
            body.nonce,
            body.reason,
            counts_as_attempt=body.counts_as_attempt,
        )
        return json(wire.job_state(job))

    async def leave_device(self, actor: Actor, request: Request[None]) -> Response:
        """Stop serving a device."""
        agent = wire.agent_name(request.path_params["agent"])
        await self._gateway.agents.leave(actor, request.path_params["name"], agent)
        return json({})
