"""Cost estimate of a job on cold atoms. Imported by the server: no NumPy."""

from __future__ import annotations

from typing import Final

from qwicket.circuits.options import RunOptions
from qwicket.circuits.summary import Summary
from qwicket.engines.estimates import Estimate

# Measured with one thread on x86-64; bytes as peaks of a worker over its start.
_BASE_BYTES: Final = 64 << 20
_SAMPLE_BYTES: Final = 48
"""One number of a shot: its share of the draw, itself, and its copies in the outcome."""
_SAMPLE_S: Final = 1.5e-7
_CIRCUIT_S: Final = 5e-4


def estimate(summary: Summary, options: RunOptions) -> Estimate:
    """Return the estimate of a whole job."""
    n_samples = summary.n_samples or options.shots * summary.n_circuits * summary.n_qubits
    n_bytes = _BASE_BYTES + summary.work_bytes + _SAMPLE_BYTES * n_samples
    seconds = summary.n_circuits * _CIRCUIT_S + summary.work_ns * 1e-9
    return Estimate(n_bytes, seconds + n_samples * _SAMPLE_S)
