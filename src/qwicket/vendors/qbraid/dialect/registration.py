"""Registration of the qBraid dialect."""

from __future__ import annotations

from typing import Final

import msgspec

from qwicket.dialects.registration import Registration


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is wrong, and in which field."""

    message: str
    code: str
    field: str = ""


class Error(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An error."""

    success: bool
    message: str
    error: Refusal


REGISTRATION: Final = Registration(
    name="qbraid",
    mounts={
        "/qbraid/api/v1": "qwicket.vendors.qbraid.dialect.v1.routes:dialect",
        "/qbraid/api": "qwicket.vendors.qbraid.dialect.v0.routes:dialect",
        "/qbraid": "qwicket.vendors.qbraid.dialect.handlers:unknown_path",
    },
    described_at=("/qbraid/api/v1/openapi.json", "/qbraid/api/openapi.json"),
    root="/qbraid",
    device_name="qwicket.vendors.qbraid.dialect.ids:name_for",
    shows_plain_jobs=True,
    title="qBraid's API, three generations",
    lead=(
        "Clients of qBraid work against this server when their address is changed. A token goes"
        " into `api-key` or `X-API-Key`. `/qbraid/api` has the registry of jobs for qbraid 0.3"
        " to 0.5 and the API of qbraid 0.7 to 0.10; `/qbraid/api/v1` is the API of qbraid from 0.11"
        " on."
    ),
    security={"token": {"type": "apiKey", "in": "header", "name": "api-key"}},
    error=Error,
)
