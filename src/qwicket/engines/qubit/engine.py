"""Which engine runs a circuit, and what its outcome says."""

from __future__ import annotations

from functools import cache
from time import perf_counter

from numpy.random import SeedSequence

from qwicket.engines.failures import CannotRun
from qwicket.engines.qubit import program as programs
from qwicket.engines.qubit.clifford import NotClifford, Stabilizers, stabilizers
from qwicket.engines.qubit.cost import MAX_QUBITS, suits_stabilizers
from qwicket.engines.qubit.noise import noise_of
from qwicket.engines.qubit.state_vectors import StateVectorEngine
from qwicket.engines.qubit.tasks import Engine, Task
from qwicket.model.circuits import QubitCircuit
from qwicket.model.jobs import RunOptions
from qwicket.model.outcomes import PROBABILITIES, Outcome


def run(circuit: QubitCircuit, options: RunOptions, part: int) -> Outcome:
    """Run one circuit on the engine that suits it; arguments as in the room's `run`."""
    started = perf_counter()
    program = programs.read(circuit)
    noise = noise_of(options.noise, program)
    seed = SeedSequence(options.seed, spawn_key=(part,))
    task = Task(program, noise, options.shots, seed, options.outputs)
    engine = choose(task)
    arrays, notes = engine.run(task)
    return Outcome(
        registers=circuit.registers,
        arrays=arrays,
        engine=engine.name,
        engine_version=engine.version,
        seed=options.seed,
        seconds=perf_counter() - started,
        notes=notes,
    )


def choose(task: Task) -> Engine:
    """Return the engine for a task.

    Stim for Clifford circuits that are wide, long, noisy or measure on their way; else Qulacs, or
    NumPy where Qulacs has no wheel.

    Raises:
        CannotRun: Only Stim runs circuits so wide, and it does not run this one.
    """
    program = task.program
    if not suits_stabilizers(
        program.n_qubits,
        len(program.ops),
        program.is_straight,
        task.noise is not None,
        PROBABILITIES in task.outputs,
    ):
        return _state_vectors()
    try:
        return _stabilizers(stabilizers(program, task.noise))
    except NotClifford as reason:
        why = f"only Clifford circuits can have so many, and {reason}"
    except ImportError:
        why = "only Stim, which is not installed, could run so many"
    if program.n_qubits > MAX_QUBITS:
        raise CannotRun("unsupported", f"{program.n_qubits} qubits are in use; {why}")
    return _state_vectors()


def _stabilizers(plan: Stabilizers) -> Engine:
    from qwicket.engines.qubit.stim_engine import StimEngine

    return StimEngine(plan)


@cache
def _state_vectors() -> StateVectorEngine:
    try:
        from qwicket.engines.qubit.qulacs_engine import QulacsSimulator
    except ImportError:
        from qwicket.engines.qubit.numpy_engine import NumpySimulator

        return StateVectorEngine(NumpySimulator())
    return StateVectorEngine(QulacsSimulator())
