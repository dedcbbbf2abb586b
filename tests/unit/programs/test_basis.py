"""The compiler to a lab's announced gates, against dense matrices written from Pauli algebra."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from functools import reduce
from math import pi

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import unitary_group

from qwicket import programs
from qwicket.circuits.qubit import Branch, Gate, Jump, Measure, Op, QubitCircuit, Register, Reset
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.programs.basis import NAMES, compile_circuits, label
from support import qubit_math
from support.for_each import for_each

Matrix = NDArray[np.complex128]

LIMITS = Limits()
UNIVERSAL = [
    ("rz", "sx", "x", "cz"),
    ("rz", "sx", "cx"),
    ("rx", "ry", "rz", "cz"),
    ("rx", "ry", "rxx"),
    ("rx", "rz", "ryy"),
    ("u3", "cx"),
    ("U", "CX"),
    ("u", "cy"),
    ("rz", "ry", "cnot"),
    ("p", "sxdg", "cp"),
    ("rz", "h", "crz"),
    ("u1", "v", "crx"),
    ("ry", "rx", "cry"),
    ("gpi", "gpi2", "ms"),
    ("gpi2", "zz"),
    ("rz", "sx", "rzz", "swap"),
]
CLIFFORD = [("h", "s", "cx"), ("sx", "s", "cz"), ("h", "sdg", "cy")]
IONS = ("gpi", "gpi2", "ms", "zz")
EXAMPLES = [
    (name, size, params)
    for name, size, params in qubit_math.EXAMPLES
    if name not in (*IONS, "gphase")
]
ANGLES = (-3.0, -pi / 2, -1e-13, 0.3, pi, 7.5)


def circuit(ops: Sequence[Op], n_qubits: int, n_bits: int = 2) -> QubitCircuit:
    return QubitCircuit(n_qubits, tuple(ops), (Register("c", n_bits),))


def made(
    ops: Sequence[Op], n_qubits: int, gates: Sequence[str], limits: Limits = LIMITS
) -> QubitCircuit:
    (found,) = compile_circuits((circuit(ops, n_qubits),), gates, "fridge7", limits)
    return found


def whole(gates: Sequence[Op], n_qubits: int) -> Matrix:
    made_of: Matrix = np.eye(1 << n_qubits, dtype=complex)
    for gate in gates:
        assert isinstance(gate, Gate)
        made_of = qubit_math.embedded(qubit_math.gate_unitary(gate), gate, n_qubits) @ made_of
    return made_of


def assert_same(ops: Sequence[Gate], n_qubits: int, gates: Sequence[str]) -> QubitCircuit:
    """What comes out has announced gates alone and is the same unitary, up to a global phase."""
    found = made(ops, n_qubits, gates)
    announced = {NAMES[gate] for gate in gates}
    assert {(op.name, len(op.controls)) for op in found.ops if isinstance(op, Gate)} <= announced
    ours, theirs = whole(found.ops, n_qubits), whole(ops, n_qubits)
    overlap = np.trace(theirs.conj().T @ ours) / (1 << n_qubits)
    assert np.abs(ours - overlap * theirs).max() < 1e-9
    return found


def names(found: QubitCircuit) -> Counter[str]:
    return Counter(label(op) for op in found.ops if isinstance(op, Gate))


@pytest.mark.parametrize("gates", UNIVERSAL, ids=" ".join)
def test_every_gate_keeps_its_matrix(subtests: pytest.Subtests, gates: tuple[str, ...]) -> None:
    for n_controls in [0, 1, 2]:
        with subtests.test(n_controls=n_controls):
            for name, size, params in EXAMPLES:
                if size + n_controls <= 3:
                    qubits = (2, 0, 1)[: size + n_controls]
                    gate = Gate(name, qubits[n_controls:], params, qubits[:n_controls])
                    assert_same([*qubit_math.scrambling(3)[:3], gate], 3, gates)


ANY_ON_ONE = st.sampled_from([each for each in EXAMPLES if each[1] == 1])
ANGLE = st.sampled_from(ANGLES) | st.floats(-7, 7)


@st.composite
def circuits(draw: st.DrawFn) -> tuple[list[Gate], int]:
    n_qubits = draw(st.integers(1, 5))
    ops = []
    for _ in range(draw(st.integers(1, 6))):
        name, size, params = draw(
            st.sampled_from([each for each in EXAMPLES if each[1] <= n_qubits])
        )
        qubits = draw(st.permutations(range(n_qubits)))
        n_controls = draw(st.integers(0, min(3, n_qubits - size)))
        angles = tuple(draw(ANGLE) for _ in params)
        ops.append(
            Gate(name, tuple(qubits[:size]), angles, tuple(qubits[size : size + n_controls]))
        )
    return ops, n_qubits


@settings(max_examples=60)
@given(circuits(), st.sampled_from(UNIVERSAL))
def test_any_circuit_keeps_its_unitary(
    drawn: tuple[list[Gate], int], gates: tuple[str, ...]
) -> None:
    assert_same(*drawn, gates)


@settings(max_examples=25)
@given(circuits(), st.sampled_from(UNIVERSAL), st.integers(0, 2**32))
def test_any_circuit_gives_the_same_probabilities_on_the_engine(
    drawn: tuple[list[Gate], int], gates: tuple[str, ...], seed: int
) -> None:
    ops, n_qubits = drawn
    start = qubit_math.scrambling(n_qubits)
    wanted = qubit_math.run(
        qubit_math.measured(n_qubits, [*start, *ops]), outputs=["probabilities"]
    )
    found = made([*start, *ops], n_qubits, gates)
    given_back = qubit_math.run(
        qubit_math.measured(n_qubits, found.ops), seed=seed, outputs=["probabilities"]
    )
    ours, theirs = given_back.probabilities(), wanted.probabilities()
    for key in ours.keys() | theirs.keys():
        assert abs(ours.get(key, 0.0) - theirs.get(key, 0.0)) < 1e-9


@for_each("gates", UNIVERSAL)
def test_a_matrix_on_one_qubit_is_made(gates: tuple[str, ...]) -> None:
    for seed in range(5):
        matrix = unitary_group.rvs(2, random_state=seed)
        assert_same(
            [qubit_math.dense(matrix, (0,)), qubit_math.dense(matrix, (1,), (0,))], 2, gates
        )


@pytest.mark.parametrize("gates", UNIVERSAL[:3], ids=" ".join)
def test_commuting_pauli_strings_and_wide_controls_are_made(gates: tuple[str, ...]) -> None:
    strings = Gate("pauliexp", (0, 1, 2), (0.4, -0.7), (), ("XXI", "ZZY"))
    assert_same([strings], 3, gates)
    assert_same([Gate("x", (4,), (), (0, 1, 2, 3)), Gate("swap", (0, 1), (), (2, 3))], 5, gates)


CLIFFORDS = [
    *(Gate(name, (0,)) for name in ("x", "y", "z", "h", "s", "sdg", "sx", "sxdg", "id")),
    *(Gate(name, (0,), (k * pi / 2,)) for name in ("rx", "ry", "rz", "p") for k in (1, 2, -1)),
    *(Gate(name, (1,), (), (0,)) for name in ("x", "y", "z")),
    Gate("swap", (0, 1)),
    *(Gate(name, (0, 1), (pi / 2,)) for name in ("rxx", "ryy", "rzz")),
    Gate("u", (1,), (pi / 2, pi, -pi / 2)),
]


@settings(max_examples=60)
@given(st.lists(st.sampled_from(CLIFFORDS), min_size=1, max_size=8), st.sampled_from(CLIFFORD))
def test_clifford_programs_are_made_of_clifford_gates(
    ops: list[Gate], gates: tuple[str, ...]
) -> None:
    assert_same(ops, 2, gates)


def test_clifford_gates_and_t_make_a_toffoli() -> None:
    found = assert_same([Gate("x", (2,), (), (0, 1))], 3, ("h", "s", "t", "cx"))
    assert names(found)["cx"] == 6


@pytest.mark.parametrize(
    ("gates", "counts"),
    [
        (("rz", "sx", "x", "cz"), {"cz": 1}),
        (("rz", "sx", "cy"), {"cy": 1}),
        (("rz", "sx", "rzz"), {"rzz": 1}),
        (("rx", "ry", "ms"), {"ms": 1}),
    ],
)
def test_a_cx_takes_one_gate_on_two_qubits(gates: tuple[str, ...], counts: dict[str, int]) -> None:
    found = assert_same([Gate("x", (1,), (), (0,))], 2, gates)
    on_two = [op for op in found.ops if isinstance(op, Gate) and len(op.targets + op.controls) > 1]
    assert Counter(label(op) for op in on_two) == counts


def test_one_qubit_takes_five_gates_at_most_and_a_hadamard_three() -> None:
    gates = ("rz", "sx", "x", "cz")
    run = [Gate("u", (0,), (0.3, 0.4, 0.5)), Gate("ry", (0,), (0.6,)), Gate("t", (0,))]
    assert names(assert_same(run, 1, gates)) == {"rz": 3, "sx": 2}
    assert names(assert_same([Gate("h", (0,))], 1, gates)) == {"rz": 2, "sx": 1}
    assert names(assert_same([Gate("y", (0,))], 1, gates)) == {"rz": 1, "x": 1}
    assert not assert_same([Gate("h", (0,)), Gate("h", (0,))], 1, gates).ops


def test_what_is_announced_passes_as_it_is() -> None:
    ops: list[Op] = [
        Gate("rz", (0,), (0.0,)),
        *[Gate("sx", (0,))] * 4,
        Gate("rz", (1,), (9.5,)),
        *[Gate("z", (1,), (), (0,))] * 2,
        Measure(0, 0),
    ]
    program = circuit(ops, 2)
    assert compile_circuits((program,), ("rz", "sx", "cz"), "fridge7", LIMITS) == (program,)


def test_a_gate_that_passes_does_not_overtake_one_that_is_compiled() -> None:
    ops = [Gate("h", (0,)), Gate("sx", (0,)), Gate("t", (0,)), Gate("z", (1,), (), (0,))]
    found = assert_same(ops, 2, ("rz", "sx", "cz"))
    assert [label(op) for op in found.ops if isinstance(op, Gate)] == [
        *("rz", "sx", "rz", "sx", "rz", "cz")
    ]


@pytest.mark.parametrize("name", IONS)
def test_a_native_gate_of_ions_is_not_rewritten(name: str) -> None:
    size, params = {
        "gpi": (1, (0.5,)),
        "gpi2": (1, (0.5,)),
        "ms": (2, (0.0, 0.0, pi / 2)),
        "zz": (2, (0.5,)),
    }[name]
    gate = Gate(name, tuple(range(size)), params)
    with pytest.raises(InvalidProgram, match=f"'{name}', a native gate, is never rewritten"):
        made([gate], 2, ("rz", "sx", "cz"))
    assert made([gate], 2, ("rz", "sx", "cz", name)).ops == (gate,)


@pytest.mark.parametrize(
    ("gates", "ops", "named"),
    [
        (("rz", "sx", "x"), [Gate("x", (1,), (), (0,))], "'cx'"),
        (("rz", "cz"), [Gate("h", (0,))], "'h'"),
        (("rx", "cx"), [Gate("rx", (0,), (0.5,)), Gate("rz", (0,), (0.5,))], "'rz'"),
        (("h", "s", "cx"), [Gate("t", (0,))], "'t'"),
        (("h", "s", "cx"), [Gate("rzz", (0, 1), (0.5,))], "'rzz'"),
        (("h", "s", "cx"), [Gate("x", (2,), (), (0, 1))], "'ccx'"),
        (("rz", "sx", "swap"), [Gate("x", (0,), (), (1,))], "'cx'"),
        (("pulse",), [Gate("x", (0,))], "'x'"),
        (("rz", "sx", "cz"), [Reset(0)], "'reset'"),
        (("rz", "sx", "cz"), [Measure(0, 0), Branch((0,), "==", "1", 0)], "'if'"),
        (("rz", "sx", "cz"), [qubit_math.dense(np.eye(4, dtype=complex), (0, 1))], "'unitary'"),
        (
            ("rz", "sx", "cz"),
            [Gate("pauliexp", (0,), (0.5, 0.5), (), ("X", "Z"))],
            "'pauliexp'",
        ),
    ],
)
def test_what_cannot_be_made_is_named(gates: tuple[str, ...], ops: list[Op], named: str) -> None:
    with pytest.raises(InvalidProgram) as refused:
        made(ops, 3, gates)
    wanted = f"fridge7 takes {', '.join(gates)}; {named} cannot be compiled to them"
    assert (refused.value.detail, refused.value.field) == (wanted, "program")


def test_long_lists_of_gates_are_cut_in_a_refusal() -> None:
    gates = [f"g{k}" + "x" * 300 for k in range(256)]
    with pytest.raises(InvalidProgram) as refused:
        made([Gate("x", (0,))], 1, gates)
    assert len(refused.value.detail) < 1_500


def test_more_operations_than_are_allowed_are_refused() -> None:
    limits = Limits.from_names(operations=4)
    program = circuit([Gate("h", (0,))], 1)
    assert len(compile_circuits((program,), ("rz", "sx"), "fridge7", limits)[0].ops) == 3
    with pytest.raises(LimitExceeded, match=r"more than 4 operations \(limit operations\)"):
        compile_circuits((program, program), ("rz", "sx"), "fridge7", limits)


def test_resets_and_measurements_stay_where_they_were() -> None:
    ops: list[Op] = [
        Gate("h", (0,)),
        Measure(0, 0),
        Gate("h", (0,)),
        Reset(0),
        Gate("y", (0,)),
        Measure(0, 1),
    ]
    found = made(ops, 1, ("rz", "sx", "x", "reset"))
    kinds = [label(op) if isinstance(op, Gate) else type(op).__name__ for op in found.ops]
    assert kinds == ["rz", "sx", "rz", "Measure", "Reset", "rz", "x", "Measure"]


CONDITIONAL: list[Op] = [
    Gate("h", (0,)),
    Measure(0, 0),
    Branch((0,), "==", "1", 3),
    Gate("h", (1,)),
    Gate("x", (2,), (), (1,)),
    Jump(1),
    Gate("y", (2,)),
    Branch((0,), "!=", "0", 1),
    Gate("rx", (1,), (0.7,)),
    Gate("ry", (1,), (0.4,)),
    Measure(1, 1),
    Measure(2, 2),
]


@pytest.mark.parametrize("gates", [("rz", "sx", "cz", "if"), ("u", "rxx", "if_else")])
def test_conditions_hold_for_what_their_gates_become(gates: tuple[str, ...]) -> None:
    program = circuit(CONDITIONAL, 3, 3)
    (found,) = compile_circuits((program,), gates, "fridge7", LIMITS)
    ours, theirs = (
        qubit_math.run(each, shots=20_000, seed=7, outputs=["counts"]).counts()
        for each in (found, program)
    )
    assert set(ours) == set(theirs)
    distance = sum(abs(ours[key] - theirs[key]) for key in ours) / 40_000
    assert distance < 0.03


def test_a_jump_to_the_end_stays_one() -> None:
    ops: list[Op] = [Measure(0, 0), Branch((0,), "==", "1", 1), Gate("h", (0,))]
    found = made(ops, 1, ("rz", "sx", "if"))
    (branch,) = (op for op in found.ops if isinstance(op, Branch))
    assert branch.skip == len(found.ops) - 2


def test_every_name_of_a_gate_is_one_that_readers_make() -> None:
    known = {name for name, _, _ in qubit_math.EXAMPLES} | {"gphase"}
    assert {flat for flat, _ in NAMES.values()} <= known
    sizes = reduce(lambda maximum, name: max(maximum, name[1]), NAMES.values(), 0)
    assert sizes == 4


@pytest.mark.needs_vendors
@pytest.mark.parametrize("gates", [("rz", "sx", "cx"), ()])
def test_quantities_of_the_final_state_are_refused_where_only_bits_are_read(
    gates: tuple[str, ...],
) -> None:
    text = "qubit[1] q; h q;\n#pragma braket result expectation z(q[0])\n"
    source = json.dumps({"source": text, "shots": 9}).encode()
    packed = programs.read("braket.openqasm3", source, LIMITS).circuits
    found = programs.compile_to_basis_in_parser(packed, gates, "far", "openqasm3", LIMITS)
    assert isinstance(found, programs.Refusal)
    assert "only programs that are sampled" in found.detail
