"""Registration of the qlued dialect."""

from __future__ import annotations

from typing import Final

from qwicket.dialects.registration import Registration
from qwicket.vendors.qlued.dialect.description import StatusMsgDict

REGISTRATION: Final = Registration(
    name="qlued",
    mounts={"/qlued": "qwicket.vendors.qlued.dialect.routes:dialect"},
    described_at=(
        "/qlued/api/v2/openapi.json",
        "/qlued/api/v3/openapi.json",
        "/qlued/api/v2/docs",
    ),
    root="/qlued",
    ignores=frozenset({"/username"}),
    title="qlued's API, versions 2 and 3",
    lead=(
        "Clients of qlued work against this server when their address is changed. In version 2 a"
        " token goes into the query or the body, in version 3 into `Authorization: Bearer …`. If a"
        ' field is missing, the response is 422 with `{"detail": [{"type", "loc", "msg"}]}`.'
    ),
    security={
        "token": {"type": "http", "scheme": "bearer"},
        "query": {"type": "apiKey", "in": "query", "name": "token"},
    },
    error=StatusMsgDict,
    tag=lambda _: "Backend",
)
