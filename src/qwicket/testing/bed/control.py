"""Control interface, with which tests set faults and scenarios and read the journal.

It refuses requests without the secret of this test bed. Only `qwicket.testing` starts a test bed;
`qwicket serve` never imports this module.
"""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from qwicket.model.errors import QwicketError
from qwicket.testing.bed.world import World, WorldDevice
from qwicket.testing.values import BudgetUnit, Fault, Scenario

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Receive, Scope, Send

    from qwicket.testing.bed.app import Bed

PREFIX: Final = "/_testing/"
SECRET_HEADER: Final = "x-qwicket-testing"  # noqa: S105 - a name

S = TypeVar("S", Fault, Scenario)


class AccountBody(msgspec.Struct, forbid_unknown_fields=True):
    """Request for the credentials of an account, or to revoke its tokens.

    Attributes:
        name: Name of the account.
        life_s: Seconds until new credentials expire; null for never.
    """

    name: str
    life_s: Annotated[int, msgspec.Meta(ge=1)] | None = None


class AgentBody(msgspec.Struct, forbid_unknown_fields=True):
    """Request for a token of the account `name` with which an agent serves devices."""

    name: str
    devices: tuple[str, ...]


class JournalBody(msgspec.Struct, forbid_unknown_fields=True):
    """Request for the entries of the journal after the one with number `after`."""

    after: int = 0


class ClockBody(msgspec.Struct, forbid_unknown_fields=True):
    """Change of the clock; see `Clock.move`."""

    at: float | None = None
    by: Annotated[float, msgspec.Meta(ge=0)] | None = None
    rate: Annotated[float, msgspec.Meta(ge=0, le=10_000)] | None = None


class BudgetBody(msgspec.Struct, forbid_unknown_fields=True):
    """Limit of the total that the jobs of the account `name` may use; see `Cloud.budget`."""

    name: str
    maximum: float
    unit: BudgetUnit = "jobs"
    device: str | None = None


class StateBody(msgspec.Struct, forbid_unknown_fields=True):
    """Request to save the state into a file of this machine."""

    path: str


class Control:
    """ASGI application of the control interface.

    Args:
        bed: The test bed.
        secret: Secret that requests must have.
    """

    def __init__(self, bed: Bed, secret: str) -> None:
        self._bed = bed
        self._secret = secret.encode()
        self._commands: dict[str, Callable[[bytes], Awaitable[Any]]] = {
            "account": self._account,
            "agent": self._agent,
            "budget": self._budget,
            "clear": self._clear,
            "clock": self._clock,
            "device": self._device,
            "fault": self._fault,
            "journal": self._journal,
            "load": self._load,
            "reset": self._reset,
            "revoke": self._revoke,
            "save": self._save,
            "scenario": self._scenario,
        }

    def has_secret(self, scope: Scope) -> bool:
        """Return whether a request has the secret."""
        given = dict(scope["headers"]).get(SECRET_HEADER.encode(), b"")
        return hmac.compare_digest(given, self._secret)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._respond(scope, receive)
        await response(scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive) -> Response:
        if not self.has_secret(scope):
            return _refused(403, "The header X-Qwicket-Testing must be the test bed's secret.")
        command = self._commands.get(scope["path"].removeprefix(PREFIX))
        if command is None or scope["method"] != "POST":
            known = ", ".join(self._commands)
            return _refused(404, f"Send POST {PREFIX}COMMAND. Commands: {known}.")
        try:
            result = await command(await Request(scope, receive).body())
        except msgspec.DecodeError as error:  # also a `ValidationError`
            return _refused(400, f"{error}")
        except QwicketError as error:
            return _refused(error.status, error.detail)
        return Response(msgspec.json.encode(result), media_type="application/json")

    async def _budget(self, body: bytes) -> None:
        fields = msgspec.json.decode(body, type=BudgetBody)
        await self._bed.budget(fields.name, fields.maximum, fields.unit, fields.device)

    async def _reset(self, _body: bytes) -> None:
        await self._bed.reset()

    async def _clock(self, body: bytes) -> None:
        change = msgspec.json.decode(body, type=ClockBody)
        await self._bed.move_clock(at=change.at, by=change.by, rate=change.rate)

    async def _revoke(self, body: bytes) -> None:
        await self._bed.revoke(msgspec.json.decode(body, type=AccountBody).name)

    async def _save(self, body: bytes) -> None:
        await self._bed.save(Path(msgspec.json.decode(body, type=StateBody).path))

    async def _clear(self, _body: bytes) -> None:
        self._bed.faults.clear()
        self._bed.scenarios.clear()

    async def _fault(self, body: bytes) -> None:
        self._bed.add_fault(msgspec.json.decode(body, type=Fault))

    async def _device(self, body: bytes) -> None:
        await self._bed.set_device(msgspec.json.decode(body, type=WorldDevice))

    async def _load(self, body: bytes) -> None:
        await self._bed.load(msgspec.json.decode(body, type=World))

    async def _scenario(self, body: bytes) -> None:
        await self._bed.add_scenario(msgspec.json.decode(body, type=Scenario))

    async def _journal(self, body: bytes) -> Any:
        return self._bed.read(msgspec.json.decode(body, type=JournalBody).after)

    async def _agent(self, body: bytes) -> str:
        fields = msgspec.json.decode(body, type=AgentBody)
        return await self._bed.agent_token(fields.name, fields.devices)

    async def _account(self, body: bytes) -> Any:
        fields = msgspec.json.decode(body, type=AccountBody)
        return await self._bed.credentials(fields.name, life_s=fields.life_s)


def _refused(status: int, detail: str) -> Response:
    body = msgspec.json.encode({"detail": detail})
    return Response(body, status, media_type="application/json")
