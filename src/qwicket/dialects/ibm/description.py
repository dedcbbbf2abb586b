"""What IBM's two dialects say of themselves to people and to programs."""

from __future__ import annotations

from typing import Final

import msgspec

from qwicket.dialects.descriptions import About


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is wrong."""

    status: int
    message: str
    code: int
    name: str


class Error(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A refusal or failure."""

    error: Refusal


_TOKEN: Final = {"type": "apiKey", "in": "header", "name": "X-Access-Token"}

ABOUT: Final = About(
    name="ibm",
    prefixes=("/ibm/api",),
    families=("qubit",),
    title="The IBM Quantum Experience API of 2020",
    lead=(
        "Clients of that API work against this server when their address is changed. They sign in"
        " at `/users/loginWithToken`; the `id` in its answer goes into `X-Access-Token`, into the"
        " query as `access_token`, or into a JSON body. Paths are taken in any case, `/jobs` and"
        " `/devices` in the singular too, `/backends` for `/devices`, `/v/1` at their end, and"
        " below `/Network/{hub}/Groups/{group}/Projects/{project}`. `/jobs/{id}/status` is a"
        " websocket as well."
    ),
    security={"token": _TOKEN, "query": {**_TOKEN, "in": "query", "name": "access_token"}},
    error=Error,
)

RUNTIME: Final = About(
    name="runtime",
    prefixes=("/ibm/runtime/classic",),
    families=("qubit",),
    title="The classic channel of IBM's Runtime API",
    lead=(
        'qiskit-ibm-runtime up to 0.40 works against this server with `channel="ibm_quantum"`. It'
        " signs in at `/ibm/api`; the access token goes into `X-Access-Token`."
    ),
    security={"token": _TOKEN},
    error=Error,
)
