"""The handlers of `/v1` on which labs announce their devices."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from qwicket.dialects.native import lab_wire as wire
from qwicket.dialects.responses import json
from qwicket.model.errors import Gone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.responses import Response

    from qwicket.circuits.calibrations import Calibration
    from qwicket.dialects.requests import Request
    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor
    from qwicket.model.devices import DialectNeeds, Family
    from qwicket.model.limits import Limits

    NeedsOfDialects = Callable[[Family], Mapping[str, DialectNeeds]]


class LabDeviceHandlers:
    """Handlers for labs' devices.

    Args:
        gateway: Does the work.
        needs_of_dialects: Returns what each dialect needs of the devices of a family.
    """

    def __init__(self, gateway: Gateway, needs_of_dialects: NeedsOfDialects) -> None:
        self.gateway = gateway
        self._needs_of_dialects = needs_of_dialects

    @cached_property
    def limits(self) -> Limits:
        return self.gateway.limits

    async def sign_in(self, request: Request[Any]) -> Actor:
        return await self.gateway.auth.by_token(request.token("bearer"), request.client_address)

    async def announce_device(self, actor: Actor, request: Request[wire.AnnounceBody]) -> Response:
        """Announce a device."""
        body, name = request.payload, request.path_params["name"]
        device = await self.gateway.lab_devices.announce(
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
        await self.gateway.lab_devices.calibrate(actor, request.path_params["name"], body)
        return json(wire.CalibratedBody(valid_from=body.valid_from))

    async def answer_old_agent(self, _actor: Actor, _request: Request[None]) -> Response:
        """Refuse the request of an agent older than this server."""
        raise Gone(
            "This agent is older than the server, whose agents pull as its workers do. Install the"
            " server's version where the agent runs, and start `qwicket agent` again."
        )
