"""Registration of the dialect of IBM Quantum Experience."""

from __future__ import annotations

from typing import Final

import msgspec

from qwicket.dialects.registration import Registration


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is wrong, with the number and the name of the error."""

    status: int
    message: str
    code: int
    name: str


class Error(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An error."""

    error: Refusal


TOKEN: Final = {"type": "apiKey", "in": "header", "name": "X-Access-Token"}

REGISTRATION: Final = Registration(
    name="ibm",
    mounts={"/ibm/api": "qwicket.vendors.ibm.dialect.routes:dialect"},
    supports_websocket=True,
    described_at=("/ibm/api/openapi.json",),
    root="/ibm",
    title="The IBM Quantum Experience API of 2020",
    lead=(
        "Clients of that API work against this server when their address is changed. They sign in"
        " at `/users/loginWithToken`; the `id` in its response goes into `X-Access-Token`, into the"
        " query as `access_token`, or into a JSON body. Paths are accepted in any case, with"
        " `/job` for `/jobs`, with `/backends` or `/backend` for `/devices`, with `/v/1` at their"
        " end, and below `/Network/{hub}/Groups/{group}/Projects/{project}`. `/jobs/{id}/status` is"
        " a websocket as well."
    ),
    security={"token": TOKEN, "query": {**TOKEN, "in": "query", "name": "access_token"}},
    error=Error,
)
