"""Estimates of jobs. The server imports this module, so it needs no NumPy."""

from __future__ import annotations

import msgspec


class Estimate(msgspec.Struct, frozen=True):
    """Estimated time and memory of a job.

    Attributes:
        bytes: Peak memory of its worker.
        seconds: Time on one core.
        state_qubits: Number of qubits of its state vector, to which the limit `qubits` applies; 0
            if the engine holds no state vector of qubits.
    """

    bytes: int
    seconds: float
    state_qubits: int = 0
