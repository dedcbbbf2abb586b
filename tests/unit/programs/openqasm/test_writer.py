"""The writer of OpenQASM 3: our reader gives back what was written, gate by gate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwicket.circuits.qubit import (
    Branch,
    Gate,
    Jump,
    Measure,
    Op,
    QubitCircuit,
    Register,
    Relation,
    Reset,
)
from qwicket.model.limits import Limits
from qwicket.programs.openqasm import NotWritable, read_openqasm3, write
from support import qubit_math
from support.for_each import for_each

LIMITS = Limits()
REGISTERS = (Register("c", 2), Register("d", 1))


def read_back(circuit: QubitCircuit) -> QubitCircuit:
    (found,) = read_openqasm3(write(circuit).encode(), LIMITS)
    return found


def circuit(
    ops: Sequence[Op], n_qubits: int = 3, registers: tuple[Register, ...] = REGISTERS
) -> QubitCircuit:
    return QubitCircuit(n_qubits, tuple(ops), registers)


PLAIN = ("id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "rx", "ry", "rz", "p", "swap")


def test_gates_of_the_library_come_back_as_they_were(subtests: pytest.Subtests) -> None:
    for name in PLAIN:
        for n_controls in [0, 1, 2]:
            with subtests.test(name, n_controls=n_controls):
                (size,) = {size for each, size, _ in qubit_math.EXAMPLES if each == name}
                (params,) = {params for each, _, params in qubit_math.EXAMPLES if each == name}
                if size + n_controls > 3 or (name == "id" and n_controls):
                    continue  # the reader leaves out what does nothing
                gate = Gate(
                    name, (2, 0, 1)[n_controls : n_controls + size], params, (2, 0, 1)[:n_controls]
                )
                assert read_back(circuit([gate])) == circuit([gate])


def test_every_gate_has_its_matrix_with_its_phase(subtests: pytest.Subtests) -> None:
    for name, size, params in [each for each in qubit_math.EXAMPLES if each[1]]:
        for n_controls in [0, 1]:
            with subtests.test(name, n_controls=n_controls):
                gate = Gate(
                    name, (2, 0, 1)[n_controls : n_controls + size], params, (2, 0, 1)[:n_controls]
                )
                ours = [op for op in read_back(circuit([gate])).ops if isinstance(op, Gate)]
                whole = np.eye(8, dtype=complex)
                for each in ours:
                    whole = qubit_math.embedded(qubit_math.gate_unitary(each), each, 3) @ whole
                wanted = qubit_math.embedded(qubit_math.gate_unitary(gate), gate, 3)
                if not n_controls:  # the reader drops a global phase
                    whole = whole * (np.trace(whole.conj().T @ wanted) / 8)
                assert np.abs(whole - wanted).max() < 1e-12


@settings(max_examples=50)
@given(st.floats(-1e6, 1e6, allow_nan=False))
def test_angles_come_back_to_the_last_bit(angle: float) -> None:
    program = circuit([Gate("rz", (0,), (angle,))])
    assert read_back(program) == program


@for_each(
    "ops",
    [
        [Measure(0, 1), Reset(0), Measure(2, 2)],
        [Measure(0, 0), Branch((0,), "==", "1", 1), Gate("x", (1,))],
        [Measure(0, 0), Branch((0, 1), "==", "2", 1), Gate("x", (1,))],
        [Branch((0, 1), ">=", "2", 2), Gate("x", (1,)), Jump(1), Gate("z", (1,)), Reset(0)],
        [
            *(Branch((0, 1), "!=", "3", 4), Gate("h", (0,)), Branch((2,), "==", "1", 1)),
            *(Gate("x", (1,)), Gate("y", (1,)), Gate("z", (0,))),
        ],
        [Branch((0, 1), "==", "1", 2), Branch((2,), "==", "1", 1), Gate("x", (1,))],
    ],
)
def test_what_depends_on_bits_comes_back(ops: list[Op]) -> None:
    assert read_back(circuit(ops)) == circuit(ops)


@pytest.mark.parametrize(
    ("relation", "holds"), [("==", {0b101}), ("!=", {n for n in range(8) if n != 0b101})]
)
def test_bits_of_several_registers_are_compared_one_by_one(
    relation: Relation, holds: set[int]
) -> None:
    for number in range(8):
        ops: list[Op] = [Gate("x", (k,)) for k in range(3) if number >> k & 1]
        ops += [Measure(0, 0), Measure(1, 1), Measure(2, 2)]
        ops += [Branch((0, 1, 2), relation, "5", 1), Gate("x", (3,)), Measure(3, 3)]
        program = circuit(ops, 4, (Register("c", 1), Register("d", 1), Register("e", 2)))
        counts = qubit_math.run(read_back(program), shots=1, outputs=["counts"]).counts()
        assert counts == {number | (number in holds) << 3: 1}


@pytest.mark.parametrize(
    ("ops", "why"),
    [
        ([qubit_math.dense(np.eye(2, dtype=complex), (0,))], "it has a unitary"),
        ([Gate("pauliexp", (0,), (0.5,), (), ("X",))], "it has a pauliexp"),
        ([Branch((0, 2), "<", "2", 0)], "it compares bits that are not a register"),
        ([Jump(1), Gate("x", (0,))], "its conditions are not nested"),
        (
            [Branch((0,), "==", "1", 2), Branch((1,), "==", "1", 2), *[Gate("x", (0,))] * 3],
            "its conditions are not nested",
        ),
    ],
)
def test_what_the_language_cannot_say_is_named(ops: list[Op], why: str) -> None:
    with pytest.raises(NotWritable, match=why):
        write(circuit(ops))


@for_each("name", ["q", "if", "pi", "cx", "rzz", "a b", "é", "", "c1"])
def test_names_that_the_language_forbids_are_replaced(name: str) -> None:
    registers = (Register(name, 1), Register("c0", 1))
    ops = (Measure(0, 0), Measure(1, 1))
    found = read_back(QubitCircuit(2, ops, registers))
    assert found.ops == ops
    assert [each.size for each in found.registers] == [1, 1]
    if name in ("q", "c1"):
        assert found.registers == registers


def test_a_program_reads_as_a_person_would_write_it() -> None:
    ops: list[Op] = [Gate("rz", (0,), (0.5,)), Gate("x", (1,), (), (0,)), Measure(0, 0)]
    ops += [Branch((0,), "==", "1", 1), Gate("rzz", (0, 1), (0.25,))]
    assert write(circuit(ops, 2, (Register("c", 1),))) == (
        'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
        "gate rzz(a0) a, b { cx a, b; rz(a0) b; cx a, b; }\n"
        "qubit[2] q;\nbit[1] c;\nrz(0.5) q[0];\ncx q[0], q[1];\nc[0] = measure q[0];\n"
        "if (c == 1) {\n  rzz(0.25) q[0], q[1];\n}\n"
    )
