"""What a qubit engine is, and which one runs a circuit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from time import perf_counter
from typing import Protocol

from numpy.random import SeedSequence, default_rng

from qwicket.engines.qubit import sampling, terminal
from qwicket.engines.qubit.cost import MAX_QUBITS
from qwicket.model.circuits import Gate, QubitCircuit
from qwicket.model.outcomes import Outcome

Seed = tuple[int, int]
"""A job's seed and the place of the circuit in the job."""


class Engine(Protocol):
    """A pure function from a circuit to its outcome."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str:
        """Rises with us and with the library beneath: equal seeds repeat within one version."""

    def run(
        self, circuit: QubitCircuit, shots: int, seed: Seed, outputs: Collection[str]
    ) -> Outcome:
        """Run one circuit.

        Args:
            circuit: What to run.
            shots: Number of shots.
            seed: Equal seeds give equal numbers.
            outputs: Which of `counts`, `memory` and `probabilities` are wanted.

        Raises:
            CannotRun: Not this circuit.
            MemoryError: The state does not fit.
        """


class Simulator(Protocol):
    """Evolves state vectors. It may trust operands: they exist, and differ within a gate."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def evolve(self, n_qubits: int, circuit: Sequence[Gate]) -> sampling.State:
        """Return the state that gates make of |0…0⟩."""


class StateVectorEngine:
    """Runs circuits on a simulator of state vectors.

    One plan so far: measure at the end, so evolve once and draw all shots. Splitting shots at
    measurements in between will be a second plan here.

    Args:
        simulator: What evolves the state.
    """

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    @property
    def name(self) -> str:
        return self._simulator.name

    @property
    def version(self) -> str:
        return self._simulator.version

    def run(
        self, circuit: QubitCircuit, shots: int, seed: Seed, outputs: Collection[str]
    ) -> Outcome:
        started = perf_counter()
        plan = terminal.plan(circuit)
        if plan.n_qubits > MAX_QUBITS:
            raise MemoryError
        state = self._simulator.evolve(plan.n_qubits, plan.gates)
        rng = default_rng(SeedSequence(seed[0], spawn_key=(seed[1],)))
        arrays, notes = sampling.arrays(state, plan.reads, shots, rng, outputs)
        return Outcome(
            registers=circuit.registers,
            arrays=arrays,
            engine=self.name,
            engine_version=self.version,
            seed=seed[0],
            seconds=perf_counter() - started,
            notes=notes,
        )


def choose() -> Engine:
    """Return the engine for a circuit: Qulacs, or NumPy where Qulacs has no wheel."""
    return _state_vectors()


@cache
def _state_vectors() -> StateVectorEngine:
    try:
        from qwicket.engines.qubit.qulacs_engine import QulacsSimulator
    except ImportError:
        from qwicket.engines.qubit.numpy_engine import NumpySimulator

        return StateVectorEngine(NumpySimulator())
    return StateVectorEngine(QulacsSimulator())
