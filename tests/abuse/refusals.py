"""How each dialect refuses a submission that a budget or a token forbids."""

from __future__ import annotations

from typing import Final

from abuse.dialects import (
    ibm_json,
    ionq_json,
    platform_json,
    problem_json,
    qbraid_json,
    qlued_json,
    xanadu_json,
)
from support import ibm, runtime

SHAPES: Final = {
    "/v1": problem_json,
    "/ionq/v0.4": ionq_json,
    "/ionq/v0.3": ionq_json,
    "/qbraid/api/v1": qbraid_json,
    "/qbraid/api": qbraid_json,
    ibm.DIALECT: ibm_json,
    runtime.DIALECT: ibm_json,
    runtime.PLATFORM: platform_json,
    "/qlued": qlued_json,
    "": xanadu_json,
}
STATUSES: Final = {prefix: 406 if prefix == "/qlued" else 403 for prefix in SHAPES}
"""No client repeats a submission on these: qlued's clients know 406 as a refused job, and the
others take a 403 for final (docs of the dialects)."""
