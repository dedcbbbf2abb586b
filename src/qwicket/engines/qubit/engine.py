"""Chooses the engine for a circuit, runs it, and builds the outcome."""

from __future__ import annotations

import logging
from functools import cache
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING

from msgspec import structs
from numpy.random import SeedSequence

from qwicket.circuits.analysis import MAX_JOINT_QUBITS
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import MEMORY, NOTHING_MEASURED, PROBABILITIES, Outcome
from qwicket.circuits.qubit import Measure, QubitCircuit
from qwicket.engines.failures import CannotRun
from qwicket.engines.qubit import density_engine, names, symmetry
from qwicket.engines.qubit import program as programs
from qwicket.engines.qubit.clifford import NotClifford, Stabilizers, stabilizers
from qwicket.engines.qubit.cost import MAX_QUBITS, suits_qsim, suits_stabilizers
from qwicket.engines.qubit.noise import noise_of
from qwicket.engines.qubit.state_vectors import StateVectorEngine
from qwicket.engines.qubit.tasks import Engine, EngineResult, Task, UnreliableResult

if TYPE_CHECKING:
    from qwicket.engines.qubit.qsim_engine import QsimEngine

_log = logging.getLogger(__name__)


def run(circuit: QubitCircuit, options: RunOptions, part: int) -> Outcome:
    """Run one circuit on the named or a suitable engine; arguments as for `engines.qubit.run`."""
    started = perf_counter()
    options = structs.replace(options, shots=circuit.shots or options.shots)
    ran = None
    engine: Engine | None
    if circuit.readouts is not None:
        engine, found = _read_out(circuit, options, part)
    elif circuit.estimation is not None:
        engine, found = _estimated(circuit, options, part)
    else:
        engine, found = ran = _run(circuit, options, (part,))
    return Outcome(
        registers=circuit.registers if ran else (),
        arrays=found.arrays,
        engine="none" if engine is None else engine.name,
        engine_version="1" if engine is None else engine.version,
        seed=options.seed,
        seconds=perf_counter() - started,
        notes=(*found.notes, *_notes(circuit)) if ran else found.notes,
    )


def _notes(circuit: QubitCircuit) -> tuple[str, ...]:
    """Return the notes of a circuit."""
    is_measured = any(type(op) is Measure for op in reversed(circuit.ops))
    return () if is_measured else (NOTHING_MEASURED,)


def _estimated(
    circuit: QubitCircuit, options: RunOptions, part: int
) -> tuple[Engine | None, EngineResult]:
    """Estimate expectation values; no engine is needed where all of them are constants."""
    from qwicket.engines.qubit import estimates, mitigated_estimates

    assert circuit.estimation is not None
    engine: Engine | None = None

    def run_once(measured: QubitCircuit, outputs: tuple[str, ...], number: int) -> EngineResult:
        nonlocal engine
        own = structs.replace(options, outputs=outputs, shots=measured.shots or options.shots)
        engine, found = _run(measured, own, (part, number))
        return found

    if circuit.estimation.mitigation is None:
        found = estimates.run(circuit, options.shots, run_once)
    else:
        rng = Random(f"{options.seed} {part}")  # noqa: S311 - repeatable, not secret
        found = mitigated_estimates.run(circuit, options.shots, run_once, rng)
    return engine, found


def _read_out(circuit: QubitCircuit, options: RunOptions, part: int) -> tuple[Engine, EngineResult]:
    """Read quantities of the final state; without shots no measurement is drawn."""
    from qwicket.engines.qubit import readouts

    engine: Engine | None = None

    def run_once(measured: QubitCircuit) -> EngineResult:
        nonlocal engine
        shot_options = structs.replace(options, outputs=(MEMORY,), shots=measured.shots)
        engine, found = _run(measured, shot_options, (part,))
        return found

    seed = SeedSequence(options.seed, spawn_key=(part,))
    found = readouts.run(circuit, seed, run_once, _state_vectors().final_amplitudes)
    return engine or _state_vectors(), found


def _run(
    circuit: QubitCircuit, options: RunOptions, spawn_key: tuple[int, ...]
) -> tuple[Engine, EngineResult]:
    """Run one circuit; different spawn keys give different random numbers."""
    program = programs.read(circuit)
    noise = noise_of(options.noise, program)
    task = Task(
        program,
        noise,
        options.shots,
        SeedSequence(options.seed, spawn_key=spawn_key),
        options.outputs,
        options.engine,
        options.max_outcomes,
    )
    engine = choose(task)
    if noise is not None and options.noise is not None and options.variants > 1:
        return engine, EngineResult(
            *symmetry.run(choose, task, circuit.n_qubits, options.noise, options)
        )
    return _run_reliably(engine, task)


def _run_reliably(engine: Engine, task: Task) -> tuple[Engine, EngineResult]:
    """Run a task on an engine, or on state vectors if its result cannot be trusted."""
    try:
        return engine, engine.run(task)
    except UnreliableResult as reason:
        _log.warning("%s failed: %s", engine.name, reason)
        if task.engine:
            raise CannotRun("unsupported", f"{engine.name} failed on this circuit") from reason
        engine = _state_vectors()
        return engine, engine.run(task)


def choose(task: Task) -> Engine:
    """Return the engine for a task.

    This is the one that the task names. Otherwise: Stim for Clifford circuits that are wide, long,
    noisy or have mid-circuit measurements (details: `suits_stabilizers`); density matrices for
    noise on few qubits; qsim, if installed, for shots of wide states; Qulacs for all others, or
    NumPy where Qulacs is missing. Of more than `MAX_JOINT_QUBITS`, groups that nothing connects
    are simulated apart.

    Raises:
        CannotRun: Only Stim runs circuits of this width, but not this one; or the named engine is
            not installed, or does not run the circuit.
    """
    if task.engine:
        return _named(task)
    program = task.program
    if not suits_stabilizers(
        program.n_qubits,
        len(program.ops),
        program.is_straight,
        task.noise is not None,
        PROBABILITIES in task.outputs,
    ):
        return _vectors_for(task, "")
    try:
        return _stabilizers(stabilizers(program, task.noise))
    except NotClifford as reason:
        why = f"only Clifford circuits can have so many, and {reason}"
    except ImportError:
        why = "only Stim, which is not installed, could run so many"
    return _vectors_for(task, why)


def _named(task: Task) -> Engine:
    found: Engine | None = None
    try:
        match task.engine:
            case names.STATE_VECTOR:
                found = _state_vectors()
            case names.CLIFFORD:
                found = _stabilizers(stabilizers(task.program, task.noise))
            case names.QSIM:
                found = qsim()
            case names.MPS:
                found = _product_states()
    except NotClifford as reason:
        raise CannotRun("unsupported", f"the engine {task.engine} was named; {reason}") from reason
    except ImportError:
        pass
    if found is None:
        text = f"the engine {task.engine} is not installed on this machine, or failed its test"
        raise CannotRun("unsupported", text)
    is_joint = task.engine in (names.CLIFFORD, names.MPS)
    return found if is_joint else _separated(task) or found


def _separated(task: Task) -> Engine | None:
    """Return an engine for groups of qubits that nothing connects; None if there is one group."""
    if task.program.n_qubits <= MAX_JOINT_QUBITS:  # without an import
        return None
    from qwicket.engines.qubit.components import ComponentsEngine, separate

    parts = [(choose(part), part) for part in separate(task)]
    return ComponentsEngine(parts, _run_reliably) if parts else None


def _vectors_for(task: Task, why: str) -> Engine:
    """Return the engine for a task that stabilizers do not run, for the reason `why`."""
    if apart := _separated(task):
        return apart
    program = task.program
    if program.n_qubits > MAX_QUBITS:
        raise CannotRun("unsupported", f"{program.n_qubits} qubits are in use; {why}")
    if density_engine.suits(task):
        return density_engine.DensityEngine()
    is_drawn = task.noise is None and program.is_straight and PROBABILITIES not in task.outputs
    if is_drawn and suits_qsim(program.n_qubits, len(program.ops), task.shots):
        fast = qsim()
        if fast is not None and fast.takes(program):
            return fast
    return _state_vectors()


@cache
def qsim() -> QsimEngine | None:
    """Return qsim's engine; None if it is not installed or failed its test."""
    from qwicket.engines.qubit.qsim_engine import load

    return load()


def _product_states() -> Engine:
    from qwicket.engines.qubit.mps_engine import ProductStateEngine

    return ProductStateEngine()


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
