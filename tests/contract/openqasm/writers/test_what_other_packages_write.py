"""What Cirq, pytket and PennyLane write as OpenQASM is read as the matrix that they compute."""

from __future__ import annotations

import cirq
import numpy as np
import pennylane as qml
import pytest
from pytket import Circuit
from pytket.qasm import circuit_to_qasm_str

from qwicket.circuits.qubit import QubitCircuit
from qwicket.model.limits import Limits
from qwicket.programs.openqasm import read_openqasm2, read_openqasm3
from unit.programs.openqasm.execution import distribution, unitary

LIMITS = Limits()
REVERSED = [int(f"{state:03b}"[::-1], 2) for state in range(8)]
"""Their first qubit is the highest bit of a state, ours the lowest."""


def ours(text: str) -> QubitCircuit:
    read = read_openqasm3 if "OPENQASM 3" in text else read_openqasm2
    (circuit,) = read(text.encode(), LIMITS)
    return circuit


def assert_same(text: str, theirs: np.ndarray) -> None:
    overlap = abs(np.trace(unitary(ours(text)).conj().T @ theirs)) / len(theirs)
    assert overlap == pytest.approx(1, abs=1e-6)  # Cirq and PennyLane round their angles


@pytest.mark.parametrize("version", ["2.0", "3.0"])
@pytest.mark.parametrize("seed", range(15))
def test_random_circuits_of_cirq(seed: int, version: str) -> None:
    qubits = cirq.LineQubit.range(3)
    circuit = cirq.testing.random_circuit(qubits, 10, 0.8, random_state=seed)
    circuit.append(cirq.I.on_each(*qubits))
    theirs = circuit.unitary(qubit_order=qubits[::-1])
    assert_same(circuit.to_qasm(qubit_order=qubits, version=version), theirs)


@pytest.mark.parametrize("version", ["2.0", "3.0"])
def test_gates_of_cirq(version: str) -> None:
    a, b, c = qubits = cirq.LineQubit.range(3)
    circuit = cirq.Circuit(
        cirq.PhasedXPowGate(phase_exponent=0.3, exponent=0.2)(b),
        cirq.ISWAP(a, b),
        cirq.FSimGate(0.1, 0.2)(a, b),
        cirq.CCX(a, b, c),
        cirq.CSWAP(a, b, c),
        cirq.XX(a, b) ** 0.3,
        cirq.X(a) ** 0.1,
        cirq.CZ(a, b) ** 0.5,
        cirq.SWAP(a, b) ** 0.5,
        cirq.MatrixGate(cirq.testing.random_unitary(4, random_state=1))(a, c),
    )
    assert_same(circuit.to_qasm(version=version), circuit.unitary(qubit_order=qubits[::-1]))


@pytest.mark.parametrize("version", ["2.0", "3.0"])
def test_measurements_and_controls_of_cirq(version: str) -> None:
    a, b = cirq.LineQubit.range(2)
    circuit = cirq.Circuit(
        cirq.H(a),
        cirq.measure(a, key="first"),
        cirq.X(b).with_classical_controls("first"),
        cirq.reset(a),
        cirq.measure(a, b, key="a strange name"),
    )
    found = distribution(ours(circuit.to_qasm(version=version)))
    assert found == pytest.approx({(0, 0, 0): 0.5, (1, 0, 1): 0.5})


def test_gates_of_pytket() -> None:
    circuit = Circuit(3, 3).H(0).CX(0, 1).Rz(0.3, 2).ZZPhase(0.2, 0, 1).XXPhase(0.1, 0, 1)
    circuit.CCX(0, 1, 2).CSWAP(0, 1, 2).SX(0).CRz(0.2, 0, 1).CU1(0.1, 1, 2).U3(0.1, 0.2, 0.3, 0)
    assert_same(circuit_to_qasm_str(circuit), circuit.get_unitary()[np.ix_(REVERSED, REVERSED)])


def test_conditions_of_pytket() -> None:
    circuit = Circuit(2)
    bits = circuit.add_c_register("bits", 2)
    circuit.H(0).Measure(circuit.qubits[0], bits[0])
    circuit.X(1, condition_bits=[bits[0], bits[1]], condition_value=1)
    circuit.add_barrier([0, 1])
    circuit.Reset(0).Measure(circuit.qubits[1], bits[1])
    found = distribution(ours(circuit_to_qasm_str(circuit)))
    assert found == pytest.approx({(0, 0): 0.5, (1, 1): 0.5})


def test_gates_of_pennylane() -> None:
    with qml.queuing.AnnotatedQueue() as queue:
        qml.Hadamard(0)
        qml.Rot(0.1, 0.2, 0.3, 1)
        qml.CRZ(0.2, [0, 1])
        qml.Toffoli([0, 1, 2])
        qml.PhaseShift(0.3, 0)
        qml.IsingXX(0.2, [0, 1])
        qml.IsingZZ(0.2, [0, 1])
        qml.U3(0.1, 0.2, 0.3, 0)
        qml.CSWAP([0, 1, 2])
        qml.adjoint(qml.T(0))
        qml.SX(1)
        qml.QFT([0, 1, 2])
        qml.MultiRZ(0.2, [0, 1, 2])
        qml.ISWAP([0, 1])
    tape = qml.tape.QuantumScript.from_queue(queue)
    theirs = qml.matrix(tape, wire_order=[0, 1, 2])[np.ix_(REVERSED, REVERSED)]
    assert_same(qml.to_openqasm(tape, measure_all=False), theirs)
