"""What a qubit job costs, by measured rules. Imported by the server: no NumPy, no simulator."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from qwicket.model.circuits import Summary
from qwicket.model.outcomes import MEMORY, PROBABILITIES

SAMPLER_QUBITS: Final = 20
"""Above this many qubits counts are drawn by the simulator, which spares copies of the state."""

MAX_OUTCOMES: Final = 1 << 20
"""Distinct outcomes kept for one circuit; the default of `Limits.outcomes`."""

# Measured with one thread on x86-64 with AVX-512: bytes as peaks of a worker over its start.
_BASE_BYTES: Final = 64 << 20
_SAMPLED_BYTES: Final = 24
_VECTOR_BYTES: Final = 48
_ROW_BYTES: Final = 72
"""One distinct outcome: index, count, probability, what merges and packs them."""
_SHOT_BYTES: Final = 64
"""One shot kept in order: a Python integer at first, then two indices and a key."""

_AMPLITUDES_PER_S: Final = 7e8
_CIRCUIT_S: Final = 60e-6
_GATE_S: Final = 1e-6
_SAMPLED_S: Final = 8e-9
_VECTOR_S: Final = 40e-9
_ROW_S: Final = 600e-9
_SHOT_S: Final = 500e-9

MAX_QUBITS: Final = 48
"""Wider states are counted as this wide: no machine has either, and numbers stay in range."""


def estimate(summary: Summary, shots: int, outputs: Collection[str]) -> tuple[int, float]:
    """Return peak bytes and seconds of one core for a whole job.

    Circuits run one after the other: bytes are those of the widest, seconds add up.
    """
    n_qubits = min(summary.n_qubits, MAX_QUBITS)
    size = 1 << n_qubits
    exact = PROBABILITIES in outputs
    whole = exact or n_qubits <= SAMPLER_QUBITS
    rows = min(size, MAX_OUTCOMES if exact else shots)
    drawn = shots if MEMORY in outputs or size > 4 * shots else 0
    n_bytes = _BASE_BYTES + size * (_VECTOR_BYTES if whole else _SAMPLED_BYTES)
    n_bytes += rows * _ROW_BYTES + drawn * _SHOT_BYTES
    n_gates = summary.n_ops_1q + summary.n_ops_2q
    per_gate = _GATE_S + size / _AMPLITUDES_PER_S
    per_circuit = _CIRCUIT_S + size * (_VECTOR_S if whole else _SAMPLED_S)
    per_circuit += rows * _ROW_S + drawn * _SHOT_S
    return n_bytes, n_gates * per_gate + summary.n_circuits * per_circuit
