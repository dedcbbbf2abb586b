"""Xanadu Cloud's JSON."""

from __future__ import annotations

from typing import Final

import msgspec

from qwicket.model.errors import QwicketError

_CODES: Final = {
    400: "invalid-request",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    429: "rate-limited",
}


def problem(error: QwicketError) -> bytes:
    """Return the body of a refusal or failure. `detail` is always a text for this client."""
    return msgspec.json.encode(
        {
            "status": error.status,
            "status_code": error.status,
            "code": _CODES.get(error.status, error.code.replace("_", "-")),
            "detail": error.detail,
            "meta": {},
        }
    )
