"""What the qBraid dialect says of itself to people and to programs."""

from __future__ import annotations

from typing import Final

import msgspec

from qwicket.dialects.descriptions import About


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


ABOUT: Final = About(
    name="qbraid",
    prefixes=("/qbraid/api/v1", "/qbraid/api"),
    families=("qubit", "atoms"),
    title="qBraid's API, three generations",
    lead=(
        "Clients of qBraid work against this server when their address is changed. A token goes"
        " into `api-key` or `X-API-Key`. `/qbraid/api` is the registry of `qbraid.api` and the"
        " native API of qbraid up to 0.10; `/qbraid/api/v1` is that of qbraid from 0.11 on."
    ),
    security={"token": {"type": "apiKey", "in": "header", "name": "api-key"}},
    error=Error,
)
