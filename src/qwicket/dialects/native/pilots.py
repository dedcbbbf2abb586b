"""Handlers of `/v1` for pilots, which run jobs elsewhere, and scalers, which start workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qwicket import schema
from qwicket.dialects.native import pilot_wire as wire
from qwicket.dialects.native.lab_devices import LabDeviceHandlers
from qwicket.dialects.native.params import seconds
from qwicket.dialects.responses import json, json_in_thread
from qwicket.model.accounts import Scope
from qwicket.model.errors import Forbidden, Unauthenticated

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor

_INLINE_BYTES: Final = 64 << 10
"""Size of programs up to which a response is encoded on the event loop."""


class PilotHandlers(LabDeviceHandlers):
    """Handlers for pilots and scalers."""

    async def pull_tasks(self, actor: Actor, request: Request[schema.pilots.PullBody]) -> ASGIApp:
        """Claim jobs, and read directives; with `?wait=` wait up to so many seconds for some."""
        body = request.payload
        stopping = {each.id for each in body.held if each.is_stopping}
        pulled = await self.gateway.pilots.pull(
            actor,
            request.path_params["name"],
            wire.offer(body.offer),
            wire.leases(body.held),
            stopping,
            wire.progress(body.held),
            body.settled,
            seconds(request.query_params, "wait", self.limits.requests.wait_s),
            lambda: self._is_pilot_gone(request),
        )
        pull_s = self.gateway.pilots.pull_s
        return await json_in_thread(
            lambda: wire.pull_response(pulled, pull_s, self.limits),
            is_small=wire.program_bytes(pulled.tasks) <= _INLINE_BYTES,
        )

    async def report_results(
        self, actor: Actor, request: Request[schema.pilots.PilotReportBody]
    ) -> ASGIApp:
        """Report results of jobs, release other jobs, and claim new ones."""
        body = request.payload
        reports = await self.gateway.pilots.report(
            actor,
            request.path_params["name"],
            wire.offer(body.offer),
            wire.results(body, self.limits),
            wire.releases(body),
        )
        return await json_in_thread(
            lambda: wire.report_response(reports),
            is_small=wire.program_bytes(reports.tasks) <= _INLINE_BYTES,
        )

    async def leave_pilots(self, actor: Actor, request: Request[None]) -> ASGIApp:
        """Stop serving as a pilot; its jobs are queued again."""
        await self.gateway.pilots.leave(actor, request.path_params["name"])
        return await json_in_thread(dict, is_small=True)

    async def read_demand(
        self, actor: Actor, request: Request[schema.pilots.ScalerBody]
    ) -> ASGIApp:
        """Read how much work waits, and whether this scaler should start workers for it."""
        body = request.payload
        found = await self.gateway.scalers.demand(
            actor,
            request.path_params["name"],
            body.group,
            body.memory_bytes,
            above_bytes=body.above_bytes,
            projects=body.projects,
            except_projects=body.except_projects,
        )
        return json(schema.pilots.DemandBody(**found._asdict()))

    async def leave_scalers(self, actor: Actor, request: Request[None]) -> ASGIApp:
        """Stop being a scaler."""
        await self.gateway.scalers.leave(actor, request.path_params["name"])
        return json({})

    async def _is_pilot_gone(self, request: Request[Any]) -> bool:
        """Return whether the client has disconnected or its token was revoked: it gets no job."""
        try:
            (await self.sign_in(request)).require(Scope.COMPUTE_SERVE, Scope.DEVICES_SERVE)
        except (Forbidden, Unauthenticated):
            return True
        return await request.is_disconnected()
