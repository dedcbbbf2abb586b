"""Registration of the classic channel of Qiskit Runtime."""

from __future__ import annotations

from typing import Final

from qwicket.dialects.ibm.names import RUNTIME_PREFIX
from qwicket.dialects.ibm.registration import TOKEN, Error
from qwicket.dialects.registration import Registration

REGISTRATION: Final = Registration(
    name="runtime",
    mounts={RUNTIME_PREFIX: "qwicket.dialects.ibm.runtime.routes:dialect"},
    described_at=(f"{RUNTIME_PREFIX}/openapi.json",),
    shows={"qubit": ("qiskit.primitives",)},
    title="The classic channel of IBM's Runtime API",
    lead=(
        'qiskit-ibm-runtime up to 0.40 works against this server with `channel="ibm_quantum"`. It'
        " signs in at `/ibm/api`; the access token goes into `X-Access-Token`."
    ),
    security={"token": TOKEN},
    error=Error,
)
