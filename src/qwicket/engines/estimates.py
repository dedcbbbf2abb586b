"""Estimates of jobs. The server imports this module, so it needs no NumPy."""

from __future__ import annotations

import msgspec


class Estimate(msgspec.Struct, frozen=True):
    """Estimated time and memory of a job.

    Attributes:
        bytes: Peak memory of its worker.
        seconds: Time on one core.
        state_qubits: Number of qubits of its state vector; 0 if no state vector is held, or if
            the limit on qubits is not what bounds it.
    """

    bytes: int
    seconds: float
    state_qubits: int = 0
