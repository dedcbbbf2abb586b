"""What an outcome says of its engine, and which engine is chosen."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import version

import pytest

import qubit_lab
from qwicket.engines.qubit import engine
from qwicket.engines.qubit.engine import StateVectorEngine
from qwicket.engines.qubit.numpy_engine import NumpySimulator
from qwicket.model.circuits import Gate, Measure, QubitCircuit, Register

BELL = qubit_lab.measured(2, [Gate("h", (0,)), Gate("x", (1,), (), (0,))])
ALL = ("counts", "memory", "probabilities")


@pytest.fixture
def fresh_choice() -> Iterator[None]:
    engine._state_vectors.cache_clear()
    yield
    engine._state_vectors.cache_clear()


@pytest.mark.usefixtures("fresh_choice")
def test_qulacs_runs_where_it_is_installed() -> None:
    chosen = engine.choose()
    assert chosen.name == "qulacs"
    assert f"qulacs {version('qulacs')}" in chosen.version


@pytest.mark.usefixtures("fresh_choice")
def test_numpy_runs_where_qulacs_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "qwicket.engines.qubit.qulacs_engine", raising=False)
    monkeypatch.setitem(sys.modules, "qulacs", None)
    chosen = engine.choose()
    assert chosen.name == "numpy"
    assert f"numpy {version('numpy')}" in chosen.version
    assert chosen.run(BELL, 10, (1, 0), ("probabilities",)).probabilities() == pytest.approx(
        {0: 0.5, 3: 0.5}
    )


def test_outcome_says_how_it_was_made() -> None:
    runner = engine.choose()
    outcome = runner.run(BELL, 100, (7, 3), ALL)
    assert outcome.registers == (Register("c", 2),)
    assert (outcome.engine, outcome.engine_version) == (runner.name, runner.version)
    assert outcome.seed == 7
    assert 0 < outcome.seconds < 60
    assert outcome.notes == ()


def test_both_engines_draw_the_same_shots() -> None:
    """Below the wide sampler both draw from the same exact probabilities."""
    gates = qubit_lab.scrambling(3)
    circuit = qubit_lab.measured(3, gates)
    one, other = (
        runner.run(circuit, 500, (7, 0), ("memory",)).memory()
        for runner in (engine.choose(), StateVectorEngine(NumpySimulator()))
    )
    assert one == other


def test_idle_qubits_of_a_wide_circuit_read_zero() -> None:
    """60 qubits are more than any memory; two of them are touched."""
    circuit = qubit_lab.measured(60, [Gate("x", (41,)), Gate("x", (59,), (), (41,))])
    outcome = engine.choose().run(circuit, 5, (0, 0), ALL)
    assert outcome.counts() == {1 << 41 | 1 << 59: 5}
    assert outcome.memory() == [1 << 41 | 1 << 59] * 5
    assert outcome.probabilities() == {1 << 41 | 1 << 59: 1.0}


def test_bits_never_written_are_zero() -> None:
    ops = (Gate("x", (0,)), Gate("x", (1,)), Measure(1, 2))
    circuit = QubitCircuit(2, ops, (Register("a", 1), Register("b", 3)))
    assert engine.choose().run(circuit, 4, (0, 0), ("counts",)).counts() == {0b100: 4}


def test_circuit_too_wide_for_any_memory_is_a_memory_error() -> None:
    wide = qubit_lab.measured(100, [Gate("h", (qubit,)) for qubit in range(100)])
    with pytest.raises(MemoryError):
        engine.choose().run(wide, 1, (0, 0), ("counts",))
