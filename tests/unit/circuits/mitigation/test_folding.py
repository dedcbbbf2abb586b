"""Folded circuits do the same with more gates."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from qwicket.circuits.mitigation.folding import fold, inverse, reached
from qwicket.circuits.options import RunOptions
from qwicket.circuits.qubit import Branch, Gate, Measure, Op, QubitCircuit, Register, Reset
from qwicket.engines import qubit
from support import qubit_math
from support.for_each import for_each

PHASE = np.exp(0.3j)
ROTATION = np.array([[0.6, -0.8 * PHASE], [0.8, 0.6 * PHASE]])
GATES = [
    *[Gate(name, (0,)) for name in ("id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx")],
    *[Gate(name, (0,), (0.7,)) for name in ("rx", "ry", "rz", "p", "gpi", "gpi2")],
    *[Gate("sxdg", (0,)), Gate("u", (0,), (0.4, 0.9, -0.3)), Gate("swap", (0, 1))],
    *[Gate(name, (0, 1), (0.7,)) for name in ("rxx", "ryy", "rzz", "zz")],
    *[Gate("ms", (0, 1), (0.2, 0.5, 0.8)), Gate("gphase", (), (0.4,), (0,))],
    *[Gate("x", (1,), (), (0,)), Gate("u", (1,), (0.4, 0.9, -0.3), (0,))],
    Gate("pauliexp", (0, 1), (0.3, 0.5), (), ("XY", "ZZ")),
    Gate("unitary", (0,), tuple(ROTATION.reshape(-1).view(float).tolist())),
]


@for_each("gate", GATES)
def test_a_gate_and_its_inverse_do_nothing(gate: Gate) -> None:
    n_qubits = 1 + max(gate.targets + gate.controls)
    both = [
        qubit_math.embedded(qubit_math.gate_unitary(each), each, n_qubits)
        for each in (gate, inverse(gate))
    ]
    assert both[1] @ both[0] == pytest.approx(np.eye(2**n_qubits), abs=1e-12)


CX = Gate("x", (1,), (), (0,))
FOUR = QubitCircuit(2, (Gate("h", (0,)), *[CX] * 4, Gate("s", (1,))), ())


@for_each(
    "folding, factor, lengths",
    [
        ("front", 1.0, [1, 1, 1, 1]),
        ("front", 2.0, [3, 3, 1, 1]),  # of four gates two are folded: 8 in all, twice as many
        ("back", 1.5, [1, 1, 1, 3]),
        ("random", 3.0, [3, 3, 3, 3]),
        ("back", 4.0, [3, 3, 5, 5]),
        ("front", 1.2, [1, 1, 1, 1]),  # the closest to 1.2 that four gates can reach
    ],
)
def test_gates_on_two_qubits_are_folded_to_the_factor(
    folding: str, factor: float, lengths: list[int]
) -> None:
    angles = [0.1, 0.2, 0.3, 0.4]
    ops = (Gate("h", (0,)), *[Gate("rzz", (0, 1), (angle,)) for angle in angles])
    found = fold(QubitCircuit(2, ops, ()), factor, folding, Random(5)).ops  # type: ignore[arg-type]
    seen = [abs(op.params[0]) for op in found if isinstance(op, Gate) and op.params]
    assert [seen.count(angle) for angle in angles] == lengths
    assert reached(4, factor) == sum(lengths) / 4
    assert found[0] == ops[0]


def test_gates_that_are_folded_by_chance_are_drawn_anew() -> None:
    ops = tuple([Gate("rzz", (0, 1), (0.1 * k,)) for k in range(8)])
    rng = Random(5)
    found = {fold(QubitCircuit(2, ops, ()), 2.0, "random", rng) for _ in range(5)}
    assert len(found) == 5
    assert {len(circuit.ops) for circuit in found} == {16}


def test_without_gates_on_two_qubits_all_are_folded() -> None:
    circuit = QubitCircuit(1, (Gate("s", (0,)), Gate("delay", (0,), (1e-6,))), ())
    names = [op.name for op in fold(circuit, 3.0, "front").ops if isinstance(op, Gate)]
    assert names == ["s", "sdg", "s", "delay"]


def test_jumps_lead_to_the_same_gates() -> None:
    """A measured 1 skips the gates that would flip the other qubit."""
    for first in ((), (Gate("x", (0,)),)):
        ops: tuple[Op, ...] = (
            *first,
            Measure(0, 0),
            Branch((0,), "==", "0", 2),
            CX,
            Gate("x", (1,)),
            Gate("swap", (0, 1)),
            Reset(0),
            Measure(1, 1),
        )
        circuit = QubitCircuit(2, ops, (Register("c", 2),))
        folded = fold(circuit, 5.0, "front")
        assert len(folded.ops) == len(ops) + 2 * 4
        options = RunOptions(shots=20, seed=1, outputs=("counts",))
        assert qubit.run(folded, options, 0).counts() == qubit.run(circuit, options, 0).counts()
