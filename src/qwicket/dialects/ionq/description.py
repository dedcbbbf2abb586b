"""Description of the IonQ dialect for people and programs."""

from __future__ import annotations

from typing import Final

import msgspec

from qwicket.dialects.descriptions import About


class Error(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A refusal or failure."""

    status_code: int
    error: str
    message: str


ABOUT: Final = About(
    name="ionq",
    prefixes=("/ionq/v0.4", "/ionq/v0.3"),
    families=("qubit",),
    title="IonQ's API, versions 0.3 and 0.4",
    lead=(
        "Clients of IonQ work against this server when their address is changed. A token goes into"
        " `Authorization: apiKey …`. Every path below `/ionq/v0.4` and `/ionq/v0.3` is there below"
        " `/v0.4` and `/v0.3` as well."
    ),
    security={"token": {"type": "apiKey", "in": "header", "name": "Authorization"}},
    error=Error,
)
