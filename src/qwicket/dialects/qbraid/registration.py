"""Registration of the qBraid dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from qwicket.dialects.qbraid import v0, v1, wire
from qwicket.dialects.qbraid.handlers import CommonHandlers
from qwicket.dialects.qbraid.limits import QBraidLimits
from qwicket.dialects.registration import Registration
from qwicket.dialects.routing import Dialect

if TYPE_CHECKING:
    from qwicket.dialects.registration import DialectSettings
    from qwicket.gateway import Gateway


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is wrong, and in which field."""

    message: str
    code: str
    field: str = ""


class Error(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A refusal or failure."""

    success: bool
    message: str
    error: Refusal


def unknown_path(gateway: Gateway, _: DialectSettings) -> Dialect:
    """Return the dialect of paths below `/qbraid` that are in no generation."""
    return Dialect(CommonHandlers(gateway), (), wire.problem)


REGISTRATION: Final = Registration(
    name="qbraid",
    mounts={
        "/qbraid/api/v1": v1.dialect,
        "/qbraid/api": v0.dialect,
        "/qbraid": unknown_path,
    },
    described_at=("/qbraid/api/v1/openapi.json", "/qbraid/api/openapi.json"),
    shows={"qubit": ("openqasm2", "openqasm3", "ionq.circuit.v1"), "atoms": ("ahs",)},
    title="qBraid's API, three generations",
    lead=(
        "Clients of qBraid work against this server when their address is changed. A token goes"
        " into `api-key` or `X-API-Key`. `/qbraid/api` is the registry of `qbraid.api` and the"
        " native API of qbraid up to 0.10; `/qbraid/api/v1` is that of qbraid from 0.11 on."
    ),
    security={"token": {"type": "apiKey", "in": "header", "name": "api-key"}},
    error=Error,
    limits=QBraidLimits,
)
