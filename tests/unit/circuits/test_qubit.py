from __future__ import annotations

from qwicket.circuits.analysis import summarise
from qwicket.circuits.qubit import (
    Branch,
    Gate,
    Jump,
    Measure,
    QubitCircuit,
    Register,
    Reset,
    pack,
    unpack,
)

CIRCUIT = QubitCircuit(
    3,
    (
        Gate("h", (0,)),
        Gate("x", (1,), (), (0,)),
        Gate("rxx", (0, 2), (0.5,)),
        Gate("pauliexp", (0, 1), (0.25, -1.0), (), ("XX", "ZI")),
        Measure(0, 0),
        Branch((0,), "==", "1", 2),
        Gate("gphase", (), (0.5,)),
        Jump(1),
        Reset(2),
    ),
    (Register("c", 2), Register("d", 1)),
)


def test_circuits_survive_packing() -> None:
    assert unpack(pack((CIRCUIT, CIRCUIT))) == (CIRCUIT, CIRCUIT)


def test_a_summary_counts_gates_by_how_many_qubits_they_join() -> None:
    summary = summarise((CIRCUIT, QubitCircuit(1, (Gate("x", (0,)),), ())))
    assert (summary.n_circuits, summary.n_qubits) == (2, 3)
    assert (summary.n_ops_1q, summary.n_ops_2q) == (3, 3)


def test_classical_bits_are_those_of_the_registers() -> None:
    assert CIRCUIT.n_clbits == 3
