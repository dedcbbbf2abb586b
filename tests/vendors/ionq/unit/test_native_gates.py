"""The compiler to IonQ's native gates, against dense matrices written from Pauli algebra."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from math import pi, tau

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import unitary_group

from qwicket.circuits.qubit import (
    Branch,
    Entangler,
    Gate,
    Measure,
    Op,
    QubitCircuit,
    Register,
    Reset,
)
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.vendors.ionq.limits import IonQLimits
from qwicket.vendors.ionq.native_gates import NativeCircuit, NativeGate, compile_circuit
from support import qubit_math
from support.for_each import for_each
from support.pairwise import pairs

Matrix = NDArray[np.complex128]

ENTANGLERS: tuple[Entangler, ...] = ("ms", "zz")
ANGLES = (-3.0, -pi / 2, -1e-13, 0.3, pi, 7.5)
LIMITS = Limits()
BELL = (Gate("h", (0,)), Gate("x", (1,), (), (0,)))
EXAMPLES = [(name, size, params) for name, size, params in qubit_math.EXAMPLES if name != "gphase"]


def circuit(ops: Sequence[Op], n_qubits: int) -> QubitCircuit:
    return QubitCircuit(n_qubits, tuple(ops), (Register("c", n_qubits),))


def native(ops: Sequence[Op], n_qubits: int, entangler: Entangler) -> NativeCircuit:
    return compile_circuit(circuit(ops, n_qubits), entangler, LIMITS)


def flat(gate: NativeGate) -> Gate:
    """A native gate with its turns in radians."""
    if gate.target is not None:
        assert gate.gate in ("gpi", "gpi2")
        assert gate.phase is not None
        assert 0 <= gate.phase < 1
        return Gate(gate.gate, (gate.target,), (tau * gate.phase,))
    assert gate.targets is not None
    assert gate.angle is not None
    assert abs(gate.angle) <= 0.25
    if gate.gate == "zz":
        return Gate("zz", gate.targets, (tau * gate.angle,))
    assert gate.gate == "ms"
    assert gate.phases is not None
    assert gate.angle >= 0
    assert all(0 <= phase < 1 for phase in gate.phases)
    return Gate("ms", gate.targets, tuple(tau * turns for turns in (*gate.phases, gate.angle)))


def whole(gates: Sequence[Gate], n_qubits: int) -> Matrix:
    made: Matrix = np.eye(1 << n_qubits, dtype=complex)
    for gate in gates:
        made = qubit_math.embedded(qubit_math.gate_unitary(gate), gate, n_qubits) @ made
    return made


def assert_same(ops: Sequence[Gate], n_qubits: int, entangler: Entangler) -> NativeCircuit:
    """Both are one unitary, up to a global phase."""
    found = native(ops, n_qubits, entangler)
    assert found.qubits == n_qubits
    ours, theirs = whole([flat(gate) for gate in found.circuit], n_qubits), whole(ops, n_qubits)
    overlap = np.trace(theirs.conj().T @ ours) / (1 << n_qubits)
    assert np.abs(ours - overlap * theirs).max() < 1e-9
    assert abs(overlap) == pytest.approx(1, abs=1e-9)
    return found


def n_pairs(found: NativeCircuit) -> int:
    return sum(gate.targets is not None for gate in found.circuit)


CONTROLLED = [(*example, n_controls) for example in EXAMPLES for n_controls in range(3)]


@pytest.mark.parametrize("entangler", ENTANGLERS)
def test_a_gate_keeps_its_matrix(subtests: pytest.Subtests, entangler: Entangler) -> None:
    for gate, chosen in pairs(CONTROLLED, ENTANGLERS):
        if chosen != entangler:
            continue
        with subtests.test(str(gate)):
            name, size, params, n_controls = gate
            n_qubits = size + n_controls
            operands = tuple(reversed(range(n_qubits)))
            for angle in ANGLES[:: 1 + n_controls] if params else (0.0,):
                shifted = tuple(p - params[0] + angle for p in params)
                ops = [Gate(name, operands[:size], shifted, operands[size:])]
                assert_same(ops, n_qubits, entangler)


@pytest.mark.parametrize("entangler", ENTANGLERS)
def test_a_phase_counts_under_controls(entangler: Entangler) -> None:
    for controls in ((0,), (0, 2), (2, 0, 1)):
        assert_same([Gate("gphase", (), (0.7,), controls)], 3, entangler)


@for_each("entangler", ENTANGLERS)
@for_each("n_controls", range(3))
def test_paulis_that_commute_are_exponentiated(n_controls: int, entangler: Entangler) -> None:
    terms, angles = ("XXI", "ZZI", "YYX", "IIX", "III"), (0.3, -1.1, 0.7, 2.0, 0.4)
    gate = Gate("pauliexp", (2, 0, 1), angles, tuple(range(3, 3 + n_controls)), terms)
    assert_same([gate], 3 + n_controls, entangler)


@pytest.mark.parametrize("n_controls", range(3))
def test_any_matrix_of_one_qubit_is_compiled(n_controls: int) -> None:
    for matrix in unitary_group.rvs(2, size=20, random_state=5):
        gate = qubit_math.dense(matrix, (0,), tuple(range(1, 1 + n_controls)))
        assert_same([gate], 1 + n_controls, "ms")


@pytest.mark.parametrize("entangler", ENTANGLERS)
def test_controls_may_be_many(entangler: Entangler) -> None:
    gate = Gate("ry", (3,), (0.7,), (0, 1, 2, 4, 5))
    # A phase on n qubits takes P(n) = 2 + 2 F(n - 2) + P(n - 1), a flip with k controls
    # F(k) = 2 F(⌈k/2⌉) + 2 F(⌊k/2⌋ + 1); P(2) = F(1) = 1, F(2) = P(3). Here are P(6) and P(5).
    assert n_pairs(assert_same([gate], 6, entangler)) == 161 + 59


@st.composite
def gates(draw: st.DrawFn) -> Gate:
    name, size, params = draw(st.sampled_from(EXAMPLES))
    operands = draw(st.permutations(range(3)))
    n_controls = draw(st.integers(0, 3 - size)) if name not in ("gpi", "gpi2", "ms", "zz") else 0
    some = st.one_of(st.floats(-10, 10), st.sampled_from([k * pi / 4 for k in range(-8, 9)]))
    drawn = tuple(draw(some) for _ in params)
    return Gate(name, tuple(operands[:size]), drawn, tuple(operands[size : size + n_controls]))


@settings(max_examples=40)
@given(ops=st.lists(gates(), max_size=6), entangler=st.sampled_from(ENTANGLERS))
def test_a_circuit_keeps_its_matrix(ops: list[Gate], entangler: Entangler) -> None:
    found = assert_same(ops, 3, entangler)
    # Two pulses on a qubit before each gate on it and at the end, and two for a last phase.
    assert len(found.circuit) <= 5 * n_pairs(found) + 12


@settings(max_examples=40)
@given(ops=st.lists(gates(), max_size=6), entangler=st.sampled_from(ENTANGLERS))
def test_what_is_measured_keeps_its_distribution(ops: list[Gate], entangler: Entangler) -> None:
    measures = [Measure(qubit, qubit) for qubit in range(3)]
    found = native([*ops, *measures], 3, entangler)
    ours = whole([flat(gate) for gate in found.circuit], 3)[:, 0]
    theirs = whole(ops, 3)[:, 0]
    assert np.abs(np.abs(ours) ** 2 - np.abs(theirs) ** 2).max() < 1e-9


# The two-qubit gates that are known to be needed: 5 for Toffoli (Sleator and Weinfurter, Phys. Rev.
# Lett. 74, 4087 (1995)), 3 for a swap, one of any angle for what one control makes of any gate.
COSTS = [
    (Gate("rz", (0,), (0.3,)), 0),
    (Gate("x", (1,), (), (0,)), 1),
    (Gate("u", (1,), (0.7, -1.1, 2.3), (0,)), 1),
    (Gate("rzz", (0, 1), (0.3,)), 1),
    (Gate("ryy", (0, 1), (0.3,)), 1),
    (Gate("ms", (0, 1), (0.4, -1.3, 0.7)), 1),
    (Gate("rxx", (0, 1), (pi,)), 0),
    (Gate("swap", (0, 1)), 3),
    (Gate("x", (2,), (), (0, 1)), 5),
    (Gate("pauliexp", (0, 1, 2), (0.3,), (), ("XYZ",)), 3),
]


@pytest.mark.parametrize("entangler", ENTANGLERS)
@pytest.mark.parametrize(("gate", "expected"), COSTS)
def test_no_more_pairs_than_needed_come_out(
    gate: Gate, expected: int, entangler: Entangler
) -> None:
    assert n_pairs(native([gate], 3, entangler)) == expected


def test_a_gate_of_a_tiny_angle_does_not_blur_its_neighbours() -> None:
    """Of a small entry of a matrix the phase is known badly; this once made an error of 1e-6."""
    turn = Gate("u", (1,), (4e-05, -4.71238898038469, -5.477748645060298), (0, 2))
    assert_same([Gate("sx", (2,), (), (0,)), turn], 3, "ms")


def test_a_machines_own_gates_become_no_more() -> None:
    own = [
        Gate("gpi2", (0,), (pi / 2,)),
        Gate("gpi", (1,), (1.0,)),
        Gate("ms", (0, 1), (0.2, 1.0, 0.5)),
    ]
    measured: list[Op] = [*own, Measure(0, 0), Measure(1, 1)]
    found = native(measured, 2, "ms")
    assert [gate.gate for gate in found.circuit] == ["gpi2", "gpi", "ms"]
    assert_same(own, 2, "ms")


def test_rotations_about_z_cost_nothing_before_a_measurement() -> None:
    turns: list[Op] = [Gate("rz", (0,), (0.3,)), Gate("t", (0,)), Gate("z", (0,)), Measure(0, 0)]
    assert native(turns, 1, "ms").circuit == ()


def test_gates_on_one_qubit_become_two_pulses_at_most() -> None:
    ops: list[Op] = [Gate(name, (0,), params) for name, size, params in EXAMPLES if size == 1]
    assert len(native([*ops, Measure(0, 0)], 1, "zz").circuit) == 2


@pytest.mark.parametrize(
    ("ops", "unsupported"),
    [
        ((Measure(0, 0), Gate("x", (0,))), "the gate x after a measurement"),
        ((Measure(0, 0), Gate("x", (1,), (), (0,))), "the gate x after a measurement"),
        ((Reset(0),), "a reset"),
        ((Measure(0, 0), Branch((0,), "==", "1", 1), Gate("x", (1,))), "a condition"),
    ],
)
def test_mid_circuit_measurement_reset_and_conditions_are_refused(
    ops: tuple[Op, ...], unsupported: str
) -> None:
    with pytest.raises(InvalidProgram, match=f"mid-circuit measurement.* has {unsupported}"):
        native(ops, 2, "ms")


def test_paulis_that_do_not_commute_are_refused() -> None:
    gate = Gate("pauliexp", (0, 1), (0.3, 0.4), (), ("XI", "ZZ"))
    with pytest.raises(InvalidProgram, match="do not commute"):
        native([gate], 2, "ms")


def test_a_matrix_of_two_qubits_is_refused() -> None:
    with pytest.raises(InvalidProgram, match="unitary has no exact decomposition"):
        native([qubit_math.dense(np.eye(4, dtype=complex), (0, 1))], 2, "ms")


def test_more_gates_than_a_job_may_have_do_not_come_out() -> None:
    limits = Limits.from_names(IonQLimits, ionq_gates=3)
    bell = circuit(BELL, 2)
    with pytest.raises(LimitExceeded, match=re.escape("ionq_gates: 4 or more")):
        compile_circuit(bell, "ms", limits)
    assert len(compile_circuit(circuit(BELL[:1], 2), "ms", limits).circuit) <= 3


def test_the_bound_holds_inside_one_gate() -> None:
    """28 controls make tens of thousands of gates; they are never all there."""
    gate = Gate("x", (28,), (), tuple(range(28)))
    with pytest.raises(LimitExceeded, match=re.escape("ionq_gates: 1001 or more")):
        compile_circuit(circuit([gate], 29), "zz", Limits.from_names(IonQLimits, ionq_gates=1000))


def test_many_terms_that_commute_are_compared_in_linear_time() -> None:
    terms = tuple(f"{k:016b}".translate({48: "I", 49: "Z"}) for k in range(1, 20_001))
    gate = Gate("pauliexp", tuple(range(16)), (0.1,) * len(terms), (), terms)
    began = time.thread_time()
    with pytest.raises(LimitExceeded, match="ionq_gates"):
        compile_circuit(QubitCircuit(16, (gate,), ()), "zz", Limits())
    assert time.thread_time() - began < 8.0
