"""Registration of the IonQ dialect."""

from __future__ import annotations

from typing import Final

import msgspec

from qwicket.dialects.registration import Registration


class Error(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """An error."""

    status_code: int
    error: str
    message: str


REGISTRATION: Final = Registration(
    name="ionq",
    ignores=frozenset({"/lang"}),
    shows_plain_jobs=True,
    mounts={
        "/ionq/v0.4": "qwicket.vendors.ionq.dialect.routes:v04",
        "/ionq/v0.3": "qwicket.vendors.ionq.dialect.routes:v03",
        "/ionq": "qwicket.vendors.ionq.dialect.routes:unknown_version",
    },
    aliases={"/v0.4": "/ionq/v0.4", "/v0.3": "/ionq/v0.3"},
    described_at=("/ionq/v0.4/openapi.json", "/ionq/v0.3/openapi.json"),
    root="/ionq",
    title="IonQ's API, versions 0.3 and 0.4",
    lead=(
        "Clients of IonQ work against this server when their address is changed. A token goes into"
        " `Authorization: apiKey …`. Every path below `/ionq/v0.4` and `/ionq/v0.3` also exists"
        " below `/v0.4` and `/v0.3`."
    ),
    security={"token": {"type": "apiKey", "in": "header", "name": "Authorization"}},
    error=Error,
)
