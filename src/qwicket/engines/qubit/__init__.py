"""Qubit engines: state vectors, stabilizers, matrix products. This import imports no simulator."""

from __future__ import annotations

from qwicket.circuits.noise import GateNoise, NoiseModel
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Outcome
from qwicket.circuits.qubit import Gate, Measure, QubitCircuit, Register, unpack
from qwicket.engines.qubit.cost import estimate
from qwicket.engines.qubit.names import installed, unsupported_reason

__all__ = ["estimate", "installed", "run", "unpack", "unsupported_reason", "warm_up"]


def run(circuit: QubitCircuit, options: RunOptions, part: int) -> Outcome:
    """Run one circuit on the engine that was named, or else the one that suits it.

    Args:
        circuit: Circuit to run.
        options: Shots, seed, outputs, noise and engine of the job.
        part: Its place in the job; no two parts draw the same numbers.

    Raises:
        CannotRun: No engine here runs this circuit.
        MemoryError: The state does not fit into memory.
    """
    from qwicket.engines.qubit import engine

    return engine.run(circuit, options, part)


def warm_up() -> None:
    """Import what running needs and run a pair of qubits on each engine but the heavy ones."""
    from qwicket.engines.qubit import engine

    noisy = NoiseModel(name="", source="", two_qubit=GateNoise(depolarizing=0.5))
    for first, noise in (("h", None), ("h", noisy), ("t", noisy)):
        ops = (Gate(first, (0,)), Gate("x", (1,), (), (0,)), Measure(0, 0), Measure(1, 1))
        pair = QubitCircuit(2, ops, (Register("c", 2),))
        run(pair, RunOptions(shots=100, seed=0, outputs=("counts",), noise=noise), 0)
    engine.qsim()
