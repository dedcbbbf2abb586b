"""A program as steps: grouping, targets of jumps, positions of noise."""

from __future__ import annotations

import pytest

from qwicket.circuits.noise import GateNoise, NoiseModel, ReadoutError
from qwicket.circuits.qubit import Branch, Gate, Jump, Measure, Op, QubitCircuit, Register, Reset
from qwicket.engines.qubit import program
from qwicket.engines.qubit.noise import noise_of
from qwicket.engines.qubit.steps import (
    AmplitudeDamping,
    GateRange,
    JumpTo,
    JumpUnless,
    ReadoutFlip,
    Step,
    steps,
)

H, X = Gate("h", (0,)), Gate("x", (0,))
CX = Gate("x", (1,), (), (0,))


def written(*ops: Op, noise: NoiseModel | None = None, n_qubits: int = 2) -> list[Step]:
    read = program.read(QubitCircuit(n_qubits, ops, (Register("c", 9),)))
    return steps(read, noise_of(noise, read))


def test_gates_in_a_row_are_one_step() -> None:
    assert written(H, X, CX) == [GateRange(0, 3)]
    assert written(H, X, Measure(0, 0), X, CX) == [GateRange(0, 2), Measure(0, 0), GateRange(3, 5)]


def test_jumps_lead_to_steps() -> None:
    made = written(H, Jump(2), X, X, H, X)
    assert made == [GateRange(0, 1), JumpTo(3), GateRange(2, 4), GateRange(4, 6)]


def test_jump_to_the_end_leads_behind_the_last_step() -> None:
    assert written(H, Jump(1), X) == [GateRange(0, 1), JumpTo(3), GateRange(2, 3)]


def test_gates_part_where_a_jump_enters() -> None:
    made = written(H, Measure(0, 0), Branch((0,), "==", "1", 1), X, X, Measure(0, 1), X)
    assert [type(step) for step in made] == [
        GateRange,
        Measure,
        JumpUnless,
        GateRange,
        GateRange,
        Measure,
        GateRange,
    ]
    test = made[2]
    assert isinstance(test, JumpUnless)
    assert test.target == 4
    assert made[3:5] == [GateRange(3, 4), GateRange(4, 5)]


@pytest.mark.parametrize(
    ("clbits", "bits", "number"),
    [
        ((), 0b1111, 0),
        ((2,), 0b0100, 1),
        ((1, 2, 3), 0b1010, 0b101),
        ((3, 1), 0b1000, 0b01),
        ((3, 1), 0b0010, 0b10),
        ((2, 2), 0b0100, 0b11),
    ],
)
def test_first_bit_of_a_condition_is_the_lowest(
    clbits: tuple[int, ...], bits: int, number: int
) -> None:
    made = written(H, Measure(0, 0), Branch(clbits, "==", "1", 1), X)[2]
    assert isinstance(made, JumpUnless)
    assert made.number(bits) == number


def test_resets_of_idle_qubits_are_left_out() -> None:
    made = written(H, Measure(0, 0), Reset(1), Measure(0, 1), X)
    assert made == [GateRange(0, 1), Measure(0, 0), Measure(0, 1), GateRange(4, 5)]


def test_damping_follows_its_gate_on_every_qubit_of_it() -> None:
    noise = NoiseModel(name="", source="", two_qubit=GateNoise(amplitude_damping=0.25))
    made = written(H, CX, X, noise=noise)
    assert made == [
        GateRange(0, 2),
        AmplitudeDamping(1, 0.25),
        AmplitudeDamping(0, 0.25),
        GateRange(2, 3),
    ]


def test_wrong_readings_follow_measurements_on_the_way() -> None:
    error = ReadoutError(one_for_zero=0.125, zero_for_one=0.25)
    noise = NoiseModel(name="", source="", readout_of={0: error})
    made = written(H, CX, Measure(0, 4), Measure(1, 5), H, CX, noise=noise)
    assert made == [
        GateRange(0, 2),
        Measure(0, 4),
        ReadoutFlip(4, 0.125, 0.25),
        Measure(1, 5),
        GateRange(4, 6),
    ]
