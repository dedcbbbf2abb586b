"""Registration of the IQM dialect."""

from __future__ import annotations

from typing import Final

import msgspec

from qwicket.dialects.registration import Registration


class Error(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An error. `source` names the part of the system that it comes from."""

    message: str
    error_code: str
    source: str


REGISTRATION: Final = Registration(
    name="iqm",
    mounts={"/iqm/api": "qwicket.vendors.iqm.dialect.routes:dialect"},
    # Clients take the end of the path of an address for the name of a quantum computer.
    aliases={"/api": "/iqm/api"},
    described_at=("/iqm/api/v1/openapi.json",),
    root="/iqm",
    title="IQM Server's API",
    lead=(
        "Clients of IQM Server work against this server when their address and token are changed."
        " The address must have no path. The token goes into `Authorization: Bearer …`."
    ),
    security={"token": {"type": "http", "scheme": "bearer"}},
    error=Error,
    ignores=(
        "/max_circuit_duration_over_t2",
        "/move_gate_validation",
        "/move_gate_frame_tracking",
        "/move_validation_mode",
        "/move_gate_frame_tracking_mode",
        "/active_reset_cycles",
        "/dd_strategy",
    ),
)
