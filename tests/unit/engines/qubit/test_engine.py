"""What an outcome says of its engine, and which engine is chosen."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import version

import pytest

from qwicket.circuits.noise import GateNoise, NoiseModel, ReadoutError
from qwicket.circuits.qubit import Branch, Gate, Jump, Measure, Op, QubitCircuit, Register, Reset
from qwicket.engines.failures import CannotRun
from qwicket.engines.qubit import engine
from qwicket.engines.qubit.cost import suits_qsim
from qwicket.engines.qubit.numpy_engine import NumpySimulator
from qwicket.engines.qubit.qulacs_engine import QulacsSimulator
from support import qubit_math
from support.qubit_math import ALL

BELL = qubit_math.measured(2, [Gate("h", (0,)), Gate("x", (1,), (), (0,))])
COUNTS = ("counts",)
DEPOLARIZING = NoiseModel(name="", source="", two_qubit=GateNoise(depolarizing=0.1))


def chosen(
    circuit: QubitCircuit, outputs: tuple[str, ...] = COUNTS, noise: NoiseModel | None = None
) -> str:
    return engine.choose(qubit_math.task(circuit, outputs=outputs, noise=noise)).name


def ghz(n_qubits: int) -> QubitCircuit:
    return qubit_math.measured(n_qubits, [Gate("h", (0,)), *qubit_math.chain(n_qubits)])


@pytest.fixture
def fresh_choice() -> Iterator[None]:
    engine._state_vectors.cache_clear()
    yield
    engine._state_vectors.cache_clear()


@pytest.mark.usefixtures("fresh_choice")
def test_qulacs_runs_where_it_is_installed() -> None:
    found = engine.choose(qubit_math.task(BELL))
    assert found.name == "qulacs"
    assert f"qulacs {version('qulacs')}" in found.version


@pytest.mark.usefixtures("fresh_choice")
def test_numpy_runs_where_qulacs_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "qwicket.engines.qubit.qulacs_engine", raising=False)
    monkeypatch.setitem(sys.modules, "qulacs", None)
    outcome = qubit_math.run(BELL)
    assert outcome.engine == "numpy"
    assert f"numpy {version('numpy')}" in outcome.engine_version
    assert outcome.probabilities() == pytest.approx({0: 0.5, 3: 0.5})


def test_outcome_says_how_it_was_made() -> None:
    outcome = qubit_math.run(BELL, 100, 7, ALL, part=3)
    runner = engine.choose(qubit_math.task(BELL))
    assert outcome.registers == (Register("c", 2),)
    assert (outcome.engine, outcome.engine_version) == (runner.name, runner.version)
    assert outcome.seed == 7
    assert 0 < outcome.seconds < 60
    assert outcome.notes == ()


def test_stim_says_its_name_and_version() -> None:
    outcome = qubit_math.run(ghz(40))
    assert outcome.engine == "stim"
    assert f"stim {version('stim')}" in outcome.engine_version


def test_both_state_vectors_draw_the_same_shots() -> None:
    """Below the wide sampler both draw from the same exact probabilities."""
    circuit = qubit_math.measured(3, qubit_math.scrambling(3))
    one, other = (
        qubit_math.run_on(simulator, circuit, 500, 7, ("memory",)).memory()
        for simulator in (QulacsSimulator(), NumpySimulator())
    )
    assert one == other


def test_idle_qubits_of_a_wide_circuit_read_zero() -> None:
    """60 qubits are more than any memory; two of them are touched."""
    circuit = qubit_math.measured(60, [Gate("x", (41,)), Gate("x", (59,), (), (41,))])
    outcome = qubit_math.run(circuit, 5)
    assert outcome.counts() == {1 << 41 | 1 << 59: 5}
    assert outcome.memory() == [1 << 41 | 1 << 59] * 5
    assert outcome.probabilities() == {1 << 41 | 1 << 59: 1.0}


def test_bits_never_written_are_zero() -> None:
    ops = (Gate("x", (0,)), Gate("x", (1,)), Measure(1, 2))
    circuit = QubitCircuit(2, ops, (Register("a", 1), Register("b", 3)))
    assert qubit_math.run(circuit, 4).counts() == {0b100: 4}


# --- the choice -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("circuit", "outputs", "noise", "name"),
    [
        (ghz(12), COUNTS, None, "qulacs"),
        (ghz(13), COUNTS, None, "stim"),
        (ghz(13), ALL, None, "qulacs"),
        (ghz(20), ALL, None, "qulacs"),
        (ghz(21), ALL, None, "stim"),
        (BELL, COUNTS, DEPOLARIZING, "stim"),
        (BELL, ALL, DEPOLARIZING, "stim"),
        (qubit_math.measured(13, [Gate("t", (q,)) for q in range(13)]), COUNTS, None, "qulacs"),
    ],
    ids=["12", "13", "13 exact", "20 exact", "21 exact", "noisy", "noisy exact", "t"],
)
def test_clifford_circuits_go_to_stim_when_it_is_the_better(
    circuit: QubitCircuit, outputs: tuple[str, ...], noise: NoiseModel | None, name: str
) -> None:
    assert chosen(circuit, outputs, noise) == name


def test_long_clifford_circuits_go_to_stim() -> None:
    assert chosen(qubit_math.measured(2, [Gate("h", (0,))] * 1_000)) == "qulacs"
    assert chosen(qubit_math.measured(2, [Gate("h", (0,))] * 1_001)) == "stim"


@pytest.mark.parametrize(
    ("ops", "name"),
    [
        ((Measure(0, 0), Gate("h", (0,))), "stim"),
        ((Reset(0), Gate("h", (0,))), "stim"),
        ((Measure(0, 0), Branch((0,), "==", "1", 1), Gate("x", (1,))), "stim"),
        ((Measure(0, 0), Branch((0,), "==", "1", 1), Gate("h", (1,))), "qulacs"),
        ((Measure(0, 0), Branch((0, 1), "==", "1", 1), Gate("x", (1,))), "qulacs"),
        ((Measure(0, 0), Jump(0), Gate("x", (1,))), "qulacs"),
        ((Measure(0, 0), Gate("t", (0,))), "qulacs"),
    ],
    ids=["measure", "reset", "feedback", "if h", "if two bits", "jump", "t"],
)
def test_what_stim_cannot_do_goes_to_state_vectors(ops: tuple[Op, ...], name: str) -> None:
    circuit = qubit_math.measured(2, [Gate("h", (0,)), *ops])
    assert chosen(circuit) == name
    assert chosen(circuit, ALL) == "qulacs"


@pytest.mark.parametrize(
    ("noise", "name"),
    [
        (NoiseModel(name="", source=""), "stim"),
        (NoiseModel(name="", source="", readout=ReadoutError(one_for_zero=0.1)), "qulacs"),
        (NoiseModel(name="", source="", readout_of={1: ReadoutError(one_for_zero=0.1)}), "stim"),
        (NoiseModel(name="", source="", one_qubit=GateNoise(phase_damping=0.1)), "qulacs"),
        (NoiseModel(name="", source="", gates={"h": GateNoise(phase_damping=0.1)}), "stim"),
        (NoiseModel(name="", source="", gates={"h": GateNoise(amplitude_damping=0.1)}), "qulacs"),
    ],
    ids=["none", "readout", "other readout", "gate in the branch", "other gate", "damping"],
)
def test_noise_that_a_condition_decides_on_goes_to_state_vectors(
    noise: NoiseModel, name: str
) -> None:
    ops = (Gate("h", (0,)), Measure(0, 0), Branch((0,), "==", "1", 1), Gate("x", (1,)))
    circuit = QubitCircuit(2, (*ops, Measure(1, 1)), (Register("c", 2),))
    assert chosen(circuit, noise=noise) == name


def test_noise_without_effect_is_no_noise() -> None:
    silent = NoiseModel(name="", source="", two_qubit=GateNoise(depolarizing=0.5))
    circuit = qubit_math.measured(3, qubit_math.scrambling(3))
    assert qubit_math.task(circuit, noise=silent).noise is None
    ideal, noisy = (qubit_math.run(circuit, noise=noise) for noise in (None, silent))
    assert noisy.arrays == ideal.arrays
    assert noisy.notes == ()


@pytest.mark.usefixtures("fresh_choice")
def test_without_stim_state_vectors_run_what_they_can(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stim_engine", "support"):
        monkeypatch.delitem(sys.modules, f"qwicket.engines.qubit.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "stim", None)
    assert qubit_math.run(ghz(14), outputs=COUNTS).engine == "qulacs"
    with pytest.raises(CannotRun, match="Stim, which is not installed"):
        qubit_math.run(ghz(60))


# --- the choice of a user -------------------------------------------------------------------------


def test_the_engine_that_was_named_runs() -> None:
    assert qubit_math.run(ghz(30), engine="clifford").engine == "stim"
    assert qubit_math.run(ghz(3), engine="clifford").engine == "stim"
    assert qubit_math.run(ghz(14), outputs=COUNTS, engine="statevector").engine == "qulacs"


def test_an_engine_that_cannot_run_a_circuit_says_why() -> None:
    with pytest.raises(CannotRun, match=r"the engine clifford was named; rz.* is not a Clifford"):
        qubit_math.run(qubit_math.measured(1, [Gate("rz", (0,), (0.3,))]), engine="clifford")


@pytest.mark.parametrize("name", ["qsim", "aer-mps", "abacus"])
def test_an_engine_that_is_not_here_cannot_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both packages have an environment of their own; the suite there runs them."""
    monkeypatch.setitem(sys.modules, "qiskit_aer", None)
    monkeypatch.setattr(engine, "qsim", lambda: None)
    with pytest.raises(CannotRun, match=f"the engine {name} is not installed"):
        qubit_math.run(BELL, engine=name)


@pytest.mark.parametrize(
    ("n_qubits", "n_gates", "shots", "suits"),
    [
        (9, 1_000, 1, False),
        (10, 150, 1_000, True),
        (10, 150, 10_000, False),
        (14, 210, 10_000, True),
        (14, 210, 100_000, False),
        (16, 240, 100_000, True),
        (20, 300, 1_000_000, True),
    ],
)
def test_qsim_suits_shots_of_wide_states_unless_they_are_many(
    n_qubits: int, n_gates: int, shots: int, suits: bool
) -> None:
    """As measured: each shot costs qsim 0.13 µs, and Qulacs nothing."""
    assert suits_qsim(n_qubits, n_gates, shots) is suits


# --- too wide -------------------------------------------------------------------------------------


def test_circuit_too_wide_for_any_memory_is_a_memory_error() -> None:
    wide = qubit_math.measured(48, [Gate("t", (0,)), *qubit_math.chain(48)])
    with pytest.raises(MemoryError):
        qubit_math.run(wide)


def test_wide_circuit_that_is_not_clifford_is_refused_with_the_reason() -> None:
    gates = [*qubit_math.chain(49), Gate("rz", (7,), (0.25,))]
    wide = qubit_math.measured(49, gates)
    with pytest.raises(CannotRun) as caught:
        qubit_math.run(wide)
    assert caught.value.code == "unsupported"
    assert caught.value.message == (
        "49 qubits are in use; only Clifford circuits can have so many, and rz(0.25) is not a"
        " Clifford gate"
    )


def test_matrix_is_no_clifford_gate_even_if_it_could_be() -> None:
    ops = [Gate("h", (qubit,)) for qubit in range(13)]
    swap = qubit_math.dense(qubit_math.unitary("swap", ()), (3, 7))
    assert qubit_math.run(qubit_math.measured(13, ops), outputs=("counts",)).engine == "stim"
    found = qubit_math.run(qubit_math.measured(13, [*ops, swap]), outputs=("counts",))
    assert found.engine == "qulacs"
