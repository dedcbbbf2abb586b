"""Clifford gates in Stim's words, against their matrices; what is refused, and why."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
import stim

from qwicket.circuits.analysis import (
    CLIFFORD_GRID,
    CONTROLLED_CLIFFORD_GRID,
    clifford_steps,
    is_clifford,
    is_pauli,
    summarise,
)
from qwicket.circuits.noise import GateNoise, NoiseModel, ReadoutError
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
from qwicket.engines.qubit import program
from qwicket.engines.qubit.clifford import NotClifford, Stabilizers, stabilizers, stim_gates
from qwicket.engines.qubit.noise import noise_of
from support import qubit_math
from support.for_each import for_each

N_TARGETS = {name: n_targets for name, n_targets, _ in qubit_math.EXAMPLES}


def every_clifford() -> list[Gate]:
    """Every gate of the table, each parameter at steps -2 to 5."""
    made = []
    for grid, controls in ((CLIFFORD_GRID, ()), (CONTROLLED_CLIFFORD_GRID, (0,))):
        for name, steps in grid.items():
            targets = (2, 1)[: N_TARGETS[name]]
            for number in range(8 ** len(steps) if len(steps) < 3 else 64):
                multiples = [number // 8**i % 8 - 2 for i in range(len(steps))]
                if len(steps) == 3:
                    multiples = [number // 4**i % 4 - 1 for i in range(3)]
                params = tuple(k * step for k, step in zip(multiples, steps, strict=True))
                made.append(Gate(name, targets, params, controls))
    return made


def in_stim(gates: list[Gate]) -> np.ndarray:
    """The matrix of gates on three qubits as Stim makes it; qubit 0 is the lowest bit."""
    lines = [f"I {qubit}" for qubit in range(3)]
    for gate in gates:
        lines += [f"{name} {' '.join(map(str, qubits))}" for name, qubits in stim_gates(gate)]
    tableau = stim.Tableau.from_circuit(stim.Circuit("\n".join(lines)))
    matrix: np.ndarray = tableau.to_unitary_matrix(endian="little")
    return matrix


def agree(one: np.ndarray, other: np.ndarray) -> bool:
    """Equal up to a global phase."""
    return bool(abs(abs(np.vdot(one, other)) - len(one)) < 1e-5)


@for_each("name", sorted({*CLIFFORD_GRID, *CONTROLLED_CLIFFORD_GRID}))
def test_stim_gates_have_the_matrix_of_the_gate(name: str) -> None:
    """Stim's matrices are single precision."""
    for gate in every_clifford():
        if gate.name == name:
            matrix = qubit_math.embedded(qubit_math.gate_unitary(gate), gate, 3)
            assert agree(in_stim([gate]), matrix), gate


@pytest.mark.parametrize(
    ("gate", "found"),
    [
        (Gate("gpi", (0,), (0.0,)), "X"),
        (Gate("gpi", (0,), (pi / 2,)), "Y"),
        (Gate("gpi", (0,), (pi / 4,)), "H_XY"),
        (Gate("gpi", (0,), (3 * pi / 4,)), "H_NXY"),
        (Gate("gpi2", (0,), (0.0,)), "SQRT_X"),
        (Gate("gpi2", (0,), (pi / 2,)), "SQRT_Y"),
        (Gate("gpi2", (0,), (pi,)), "SQRT_X_DAG"),
        (Gate("gpi2", (0,), (3 * pi / 2,)), "SQRT_Y_DAG"),
        (Gate("rzz", (0, 1), (pi / 2,)), "SQRT_ZZ"),
        (Gate("ms", (0, 1), (0.0, 0.0, pi / 2)), "SQRT_XX"),
    ],
)
def test_names_are_those_of_the_table(gate: Gate, found: str) -> None:
    assert [name for name, _ in stim_gates(gate)] == [found]


@for_each(
    "gate",
    [
        Gate("t", (0,)),
        Gate("tdg", (0,)),
        Gate("rx", (0,), (0.3,)),
        Gate("rz", (0,), (pi / 4,)),
        Gate("p", (0,), (pi / 2 + 2e-9,)),
        Gate("p", (0,), (pi / 2,), (1,)),
        Gate("rz", (0,), (pi,), (1,)),
        Gate("h", (0,), (), (1,)),
        Gate("swap", (0, 1), (), (2,)),
        Gate("x", (0,), (), (1, 2)),
        Gate("gpi", (0,), (pi / 8,)),
        Gate("gpi", (0,), (2 * pi * 0.1,)),
        Gate("gpi2", (0,), (pi / 4,)),
        Gate("ms", (0, 1), (0.0, 0.0, pi / 4)),
        Gate("ms", (0, 1), (pi / 4, 0.0, pi / 2)),
        Gate("u", (0,), (pi / 2, 0.0, 0.1)),
        Gate("pauliexp", (0,), (pi / 4,), (), ("X",)),
        Gate("gphase", (), (pi,), (0, 1)),
        Gate("rx", (0,), (float("nan"),)),
        Gate("rx", (0,), (float("inf"),)),
        Gate("rx", (0,), (pi * 1e9,)),
        Gate("rx", (0,), ()),
        Gate("warp", (0,)),
    ],
)
def test_other_gates_are_no_clifford_gates(gate: Gate) -> None:
    assert clifford_steps(gate) is None
    with pytest.raises(NotClifford, match="is not a Clifford gate"):
        stim_gates(gate)


def test_angles_may_be_off_by_a_thousand_millionth() -> None:
    assert clifford_steps(Gate("rx", (0,), (pi / 2 + 9e-10,))) == (1,)
    assert clifford_steps(Gate("rx", (0,), (-2e5 * pi,))) == (-400_000,)


def test_paulis_are_those_that_flip_signs_alone() -> None:
    """P Z P† and P X P† are ±Z and ±X. A delay is not taken for one: it may be noisy."""
    for gate in every_clifford():
        if len(gate.targets) == 1 and not gate.controls and gate.name not in ("u", "gpi2", "h"):
            u = qubit_math.gate_unitary(gate)
            keeps = all(
                abs(abs(np.trace(u @ p @ u.conj().T @ p)) - 2) < 1e-9
                for p in (qubit_math.X, qubit_math.Z)
            )
            assert is_pauli(gate) == (keeps and gate.name != "delay"), gate


# --- whole circuits -------------------------------------------------------------------------------


def plan(*ops: Op, noise: NoiseModel | None = None, n_qubits: int = 4) -> Stabilizers:
    read = program.read(QubitCircuit(n_qubits, ops, (Register("c", 9),)))
    return stabilizers(read, noise_of(noise, read))


H, CX = Gate("h", (0,)), Gate("x", (1,), (), (0,))


def test_measurements_at_the_end_come_in_the_order_of_their_bits() -> None:
    made = plan(H, CX, Measure(1, 0), Measure(0, 5))
    assert made.text == "H 0\nCX 0 1\nM 1\nM 0"
    assert (made.n_records, made.record_of, made.measurements) == (2, {0: 0, 5: 1}, {0: 1, 5: 0})


def test_idle_qubits_are_not_for_stim() -> None:
    made = plan(Gate("h", (3,)), Measure(2, 0), Measure(3, 1))
    assert made.text == "H 0\nM 0"
    assert made.record_of == {1: 0}


def test_idle_qubit_takes_a_bit_back() -> None:
    made = plan(H, Measure(0, 0), H, Measure(3, 0))
    assert (made.text, made.record_of) == ("H 0\nM 0\nH 0", {})


@pytest.mark.parametrize(
    ("relation", "value", "found"),
    [
        ("==", "1", "CX rec[-1] 1"),
        ("!=", "0", "CX rec[-1] 1"),
        (">", "0", "CX rec[-1] 1"),
        (">=", "1", "CX rec[-1] 1"),
        ("==", "0", "X 1\nCX rec[-1] 1"),
        ("<", "1", "X 1\nCX rec[-1] 1"),
        ("<=", "1", "X 1"),
        (">=", "0", "X 1"),
        ("==", "7", ""),
        ("<", "0", ""),
    ],
)
def test_condition_on_one_bit_is_feedback(relation: Relation, value: str, found: str) -> None:
    branch = Branch((3,), relation, value, 1)
    made = plan(H, Measure(0, 3), branch, Gate("x", (1,)), Measure(1, 0))
    assert made.text == f"H 0\nM 0\n{found}\nM 1".replace("\n\n", "\n")


def test_condition_looks_at_the_last_record_of_its_bit() -> None:
    ops = (H, Measure(0, 3), H, Measure(0, 3), H, Measure(0, 4))
    made = plan(*ops, Branch((3,), "==", "1", 2), Gate("z", (0,)), Gate("rx", (1,), (pi,)))
    assert made.text.endswith("M 0\nCZ rec[-2] 0\nCX rec[-2] 1")


def test_bit_that_was_never_written_is_zero() -> None:
    branches = (Branch((8,), "==", "1", 1), Gate("x", (0,)), Branch((8,), "==", "0", 1))
    assert plan(H, *branches, Gate("y", (0,))).text == "H 0\nY 0"


def test_noise_follows_its_gates() -> None:
    noise = NoiseModel(
        name="",
        source="",
        one_qubit=GateNoise(phase_damping=0.75),
        two_qubit=GateNoise(depolarizing=1e-05),
    )
    text = plan(H, CX, Measure(0, 0), noise=noise).text
    assert text.split("\n")[:2] == ["H 0", "Z_ERROR(0.25) 0"]
    assert text.split("\n")[2:] == ["CX 0 1", "DEPOLARIZE2(1e-05) 1 0", "M 0"]
    stim.Circuit(text)


@pytest.mark.parametrize(
    ("ops", "noise", "reason"),
    [
        ((H, Gate("t", (0,))), None, "t is not a Clifford gate"),
        ((H, Gate("rz", (0,), (0.1,), (1,))), None, r"crz\(0.1\) is not a Clifford gate"),
        ((H, Jump(0)), None, "it has a jump"),
        ((H, Branch((0, 1), "==", "1", 0)), None, "a condition is on several bits"),
        ((H, Branch((), "==", "0", 0)), None, "a condition is on several bits"),
        ((H, Branch((0,), "==", "1", 1), H), None, "or for more than Paulis"),
        ((H, Branch((0,), "==", "1", 1), CX), None, "or for more than Paulis"),
        ((H, Branch((0,), "==", "1", 1), Measure(0, 1), H), None, "or for more than Paulis"),
        ((H, Branch((0,), "==", "1", 1), Reset(0), H), None, "or for more than Paulis"),
        ((H,), GateNoise(amplitude_damping=0.1), "its noise has amplitude damping"),
    ],
)
def test_what_stim_cannot_run_is_said(
    ops: tuple[Op, ...], noise: GateNoise | None, reason: str
) -> None:
    model = NoiseModel(name="", source="", one_qubit=noise) if noise else None
    with pytest.raises(NotClifford, match=reason):
        plan(*ops, noise=model)
    circuit = QubitCircuit(2, ops, (Register("c", 9),))
    assert summarise((circuit,)).is_clifford == (noise is not None)


@pytest.mark.parametrize(
    ("noise", "reason"),
    [
        (NoiseModel(name="", source="", gates={"x": GateNoise(phase_damping=0.1)}), "is noisy"),
        (
            NoiseModel(name="", source="", readout=ReadoutError(one_for_zero=0.1)),
            "may be recorded wrong",
        ),
    ],
)
def test_noise_that_a_condition_decides_on_is_refused(noise: NoiseModel, reason: str) -> None:
    with pytest.raises(NotClifford, match=reason):
        plan(H, Measure(0, 0), Branch((0,), "==", "1", 1), Gate("x", (1,)), noise=noise)


def test_summary_and_engine_agree_on_what_is_clifford() -> None:
    for ops in (
        (H, CX, Measure(0, 0)),
        (H, Gate("t", (0,))),
        (H, Measure(0, 0), Branch((0,), "!=", "1", 1), Gate("y", (1,)), Reset(0)),
        (H, Measure(0, 0), Branch((0,), "!=", "1", 2), Gate("y", (1,)), Jump(0)),
    ):
        try:
            plan(*ops)
        except NotClifford:
            assert not is_clifford(ops)
        else:
            assert is_clifford(ops)
