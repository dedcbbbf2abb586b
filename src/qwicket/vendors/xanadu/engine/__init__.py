"""Photonic engine: Gaussian states, measured exactly. This import imports no NumPy."""

from __future__ import annotations

from typing import Final

from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Outcome
from qwicket.circuits.photonic import Gate, Measure, PhotonicCircuit, unpack
from qwicket.circuits.summary import Summary
from qwicket.engines.estimates import Estimate
from qwicket.model.limits import PhotonicLimits

__all__ = ["estimate", "list_installed", "run", "unpack", "unsupported_reason", "warm_up"]

_BASE_BYTES: Final = 64 << 20
_AMPLITUDE_BYTES: Final = 64
"""Bytes of one amplitude: four copies are held."""
_VALUE_BYTES: Final = 64
"""One shot of one mode: means, outcomes, and copies while they are drawn."""
_GATE_S: Final = 60e-6
_VALUE_S: Final = 0.3e-6
_COUNT_S: Final = 150e-6
"""One shot of one counted mode, when there are few photons."""


def run(circuit: PhotonicCircuit, options: RunOptions, part: int) -> Outcome:
    """Run one circuit.

    Args:
        circuit: Circuit to run.
        options: Shots, seed and limits of the job.
        part: Index of the circuit in the job. Parts use different random numbers.

    Raises:
        CannotRun: The circuit exceeds a bound of the engine, which the message names.
    """
    from qwicket.vendors.xanadu.engine import engine

    return engine.run(circuit, options, part)


def estimate(summary: Summary, options: RunOptions) -> Estimate:
    """Return the estimate of a whole job, for few photons: a summary does not say how many."""
    values = options.shots * summary.n_qubits
    n_bytes = _BASE_BYTES + values * _VALUE_BYTES + summary.n_qubits**2 * 256
    seconds = (summary.n_ops_1q + summary.n_ops_2q) * _GATE_S + values * _VALUE_S
    bounds = options.photonic or PhotonicLimits()
    # On more modes only classical states are counted, without amplitudes.
    if 0 < summary.n_clbits <= bounds.counted_modes:
        n_bytes += bounds.amplitudes * _AMPLITUDE_BYTES
        seconds += options.shots * summary.n_clbits * _COUNT_S
    return Estimate(n_bytes, summary.n_circuits * seconds)


def list_installed() -> tuple[str, ...]:
    """Return the one engine's name."""
    return ("gaussian",)


def unsupported_reason(_summary: Summary, options: RunOptions) -> str | None:
    """Return why the engine cannot run a job, as a clause, or None."""
    return "its noise is part of the program, as loss" if options.noise is not None else None


def warm_up() -> None:
    """Import the engine, and count the photons of a squeezed pair of modes."""
    ops = (Gate("S2gate", (0, 1), (0.5, 0.0)), Measure("fock", (0, 1)))
    run(PhotonicCircuit(2, ops), RunOptions(shots=1, seed=0, outputs=()), 0)
