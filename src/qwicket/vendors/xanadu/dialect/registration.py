"""Registration of the Xanadu Cloud dialect."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from qwicket.dialects.registration import Registration


class Error(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An error. `meta` has the messages about an invalid field, by its name.

    `status` has the same number as `status_code`, for Strawberry Fields up to 0.18.
    """

    status: int
    status_code: int
    code: str
    detail: str
    meta: dict[str, Any]


REGISTRATION: Final = Registration(
    name="xanadu",
    mounts={"": "qwicket.vendors.xanadu.dialect.routes:dialect"},
    title="Xanadu Cloud's API",
    lead=(
        "Clients of Xanadu Cloud work against this server when host, port and TLS are changed. They"
        " exchange the user's token for an access token, which goes into `Authorization: Bearer …`."
        " Results are NumPy files."
    ),
    security={"token": {"type": "http", "scheme": "bearer"}},
    error=Error,
)
