"""Qubit engines: state vectors, stabilizers, matrix product states.

Importing this package imports no simulator.
"""

from __future__ import annotations

from qwicket.circuits.noise import GateNoise, NoiseModel
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Outcome
from qwicket.circuits.qubit import Gate, Measure, QubitCircuit, Register, unpack
from qwicket.engines.qubit.cost import estimate
from qwicket.engines.qubit.names import list_installed, unsupported_reason

__all__ = ["estimate", "list_installed", "run", "unpack", "unsupported_reason", "warm_up"]


def run(circuit: QubitCircuit, options: RunOptions, part: int) -> Outcome:
    """Run one circuit on the engine that the options name, or else on a suitable one.

    Args:
        circuit: Circuit to run.
        options: Shots, seed, outputs, noise and engine of the job.
        part: Index of the circuit in the job. Parts use different random numbers.

    Raises:
        CannotRun: No engine here runs this circuit.
        MemoryError: The state does not fit into memory.
    """
    from qwicket.engines.qubit import engine

    return engine.run(circuit, options, part)


def warm_up() -> None:
    """Import the light engines and run a pair of qubits on each."""
    from qwicket.engines.qubit import engine

    noisy = NoiseModel(name="", source="", two_qubit=GateNoise(depolarizing=0.5))
    for first, noise in (("h", None), ("h", noisy), ("t", noisy)):
        ops = (Gate(first, (0,)), Gate("x", (1,), (), (0,)), Measure(0, 0), Measure(1, 1))
        pair = QubitCircuit(2, ops, (Register("c", 2),))
        run(pair, RunOptions(shots=100, seed=0, outputs=("counts",), noise=noise), 0)
    engine.qsim()
