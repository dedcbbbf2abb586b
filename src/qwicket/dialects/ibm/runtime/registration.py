"""Registration of the classic channel of Qiskit Runtime."""

from __future__ import annotations

from typing import Final

from qwicket.dialects.ibm.names import RUNTIME_PREFIX
from qwicket.dialects.ibm.registration import TOKEN, Error
from qwicket.dialects.ibm.runtime import wire
from qwicket.dialects.ibm.runtime.routes import dialect
from qwicket.dialects.registration import Registration

REGISTRATION: Final = Registration(
    name="runtime",
    mounts={RUNTIME_PREFIX: dialect},
    described_at=(f"{RUNTIME_PREFIX}/openapi.json",),
    shows={"qubit": (wire.FORMAT,)},
    title="The classic channel of IBM's Runtime API",
    lead=(
        'qiskit-ibm-runtime up to 0.40 works against this server with `channel="ibm_quantum"`. It'
        " signs in at `/ibm/api`; the access token goes into `X-Access-Token`."
    ),
    security={"token": TOKEN},
    error=Error,
)
