"""Gates by Qiskit's names. The contract suite compares each of them with Qiskit's own matrix."""

from __future__ import annotations

from math import cos, pi, sin, sqrt

import numpy as np
import pytest

from qwicket.circuits.qubit import Gate
from support import qubit_math
from support.for_each import for_each
from vendors.ibm.unit.qobj.documents import Json, circuit, fault


def gates(name: str, qubits: list[int], *params: float) -> list[Gate]:
    ops = circuit({"name": name, "qubits": qubits, "params": list(params)}, n_qubits=6).ops
    assert all(isinstance(op, Gate) for op in ops)
    return [op for op in ops if isinstance(op, Gate)]


@for_each("name", ["id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg"])
def test_plain_gates(name: str) -> None:
    assert gates(name, [1]) == [Gate(name, (1,))]


@for_each(
    "name, qubits, params, expected",
    [
        ("p", [1], (0.5,), Gate("p", (1,), (0.5,))),
        ("u1", [1], (0.5,), Gate("p", (1,), (0.5,))),
        ("u2", [1], (0.5, 1), Gate("u", (1,), (pi / 2, 0.5, 1.0))),
        ("u3", [1], (0.5, 1, 2), Gate("u", (1,), (0.5, 1.0, 2.0))),
        ("u", [1], (0.5, 1, 2), Gate("u", (1,), (0.5, 1.0, 2.0))),
        ("U", [1], (0.5, 1, 2), Gate("u", (1,), (0.5, 1.0, 2.0))),
        ("u0", [1], (1,), Gate("id", (1,))),
        ("rx", [1], (0.5,), Gate("rx", (1,), (0.5,))),
        ("ry", [1], (0.5,), Gate("ry", (1,), (0.5,))),
        ("rz", [1], (-7,), Gate("rz", (1,), (-7.0,))),
        ("cx", [2, 0], (), Gate("x", (0,), (), (2,))),
        ("CX", [2, 0], (), Gate("x", (0,), (), (2,))),
        ("cy", [2, 0], (), Gate("y", (0,), (), (2,))),
        ("cz", [2, 0], (), Gate("z", (0,), (), (2,))),
        ("ch", [2, 0], (), Gate("h", (0,), (), (2,))),
        ("cs", [2, 0], (), Gate("s", (0,), (), (2,))),
        ("csdg", [2, 0], (), Gate("sdg", (0,), (), (2,))),
        ("csx", [2, 0], (), Gate("sx", (0,), (), (2,))),
        ("swap", [2, 0], (), Gate("swap", (2, 0))),
        ("ccx", [2, 0, 1], (), Gate("x", (1,), (), (2, 0))),
        ("ccz", [2, 0, 1], (), Gate("z", (1,), (), (2, 0))),
        ("cswap", [2, 0, 1], (), Gate("swap", (0, 1), (), (2,))),
        ("crx", [2, 0], (0.5,), Gate("rx", (0,), (0.5,), (2,))),
        ("cry", [2, 0], (0.5,), Gate("ry", (0,), (0.5,), (2,))),
        ("crz", [2, 0], (0.5,), Gate("rz", (0,), (0.5,), (2,))),
        ("cu1", [2, 0], (0.5,), Gate("p", (0,), (0.5,), (2,))),
        ("cp", [2, 0], (0.5,), Gate("p", (0,), (0.5,), (2,))),
        ("cu3", [2, 0], (0.5, 1, 2), Gate("u", (0,), (0.5, 1.0, 2.0), (2,))),
        ("rxx", [2, 0], (0.5,), Gate("rxx", (2, 0), (0.5,))),
        ("ryy", [2, 0], (0.5,), Gate("ryy", (2, 0), (0.5,))),
        ("rzz", [2, 0], (0.5,), Gate("rzz", (2, 0), (0.5,))),
        ("c3sx", [2, 0, 1, 4], (), Gate("sx", (4,), (), (2, 0, 1))),
        ("mcx", [1, 0], (), Gate("x", (0,), (), (1,))),
        ("mcx", [5, 4, 3, 2, 1, 0], (), Gate("x", (0,), (), (5, 4, 3, 2, 1))),
        ("mcphase", [5, 4, 3], (0.5,), Gate("p", (3,), (0.5,), (5, 4))),
    ],
)
def test_gates_that_are_one_of_ours(
    name: str, qubits: list[int], params: tuple[float, ...], expected: Gate
) -> None:
    assert gates(name, qubits, *params) == [expected]


E = sqrt(0.5)
T, B = 0.7, 0.3
C, S, TURN = cos(T / 2), -1j * sin(T / 2), np.exp(1j * B)


@pytest.mark.parametrize(
    ("name", "params", "matrix"),
    # bit 0 of an index is the first qubit
    [
        ("iswap", (), [[1, 0, 0, 0], [0, 0, 1j, 0], [0, 1j, 0, 0], [0, 0, 0, 1]]),
        ("dcx", (), [[1, 0, 0, 0], [0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0]]),
        (
            "ecr",
            (),
            [[0, E, 0, 1j * E], [E, 0, -1j * E, 0], [0, 1j * E, 0, E], [-1j * E, 0, E, 0]],
        ),
        ("rzx", (T,), [[C, 0, S, 0], [0, C, 0, -S], [S, 0, C, 0], [0, -S, 0, C]]),
        (
            "xx_plus_yy",
            (T, B),
            [[1, 0, 0, 0], [0, C, S / TURN, 0], [0, S * TURN, C, 0], [0, 0, 0, 1]],
        ),
        (
            "xx_minus_yy",
            (T, B),
            [[C, 0, 0, S / TURN], [0, 1, 0, 0], [0, 0, 1, 0], [S * TURN, 0, 0, C]],
        ),
    ],
)
def test_composed_gates_have_their_matrix(
    name: str, params: tuple[float, ...], matrix: list[list[complex]]
) -> None:
    made = np.eye(4, dtype=complex)
    for gate in gates(name, [0, 1], *params):
        made = qubit_math.embedded(qubit_math.gate_unitary(gate), gate, 2) @ made
    assert abs(np.trace(made.conj().T @ np.array(matrix))) / 4 == pytest.approx(1, abs=1e-14)


def test_r_turns_about_an_axis_on_the_equator() -> None:
    (gate,) = gates("r", [0], 0.7, 0.4)
    axis = cos(0.4) * qubit_math.X + sin(0.4) * qubit_math.Y
    expected = cos(0.35) * np.eye(2) - 1j * sin(0.35) * axis
    assert np.allclose(qubit_math.gate_unitary(gate), expected, atol=1e-15)


@pytest.mark.parametrize(
    ("gate", "text", "field"),
    [
        ({"name": "warp", "qubits": [0]}, "is not a known instruction", "name"),
        ({"name": "kraus", "qubits": [0]}, "is not a known instruction", "name"),
        ({"name": "x", "qubits": []}, "takes 1 qubit, not 0", "qubits"),
        ({"name": "x"}, "takes 1 qubit, not 0", "qubits"),
        ({"name": "cx", "qubits": [0]}, "takes 2 qubits, not 1", "qubits"),
        ({"name": "mcx", "qubits": [0]}, "takes 2 qubits, not 1", "qubits"),
        ({"name": "rx", "qubits": [0]}, "takes 1 parameter, not 0", "params"),
        ({"name": "x", "qubits": [0], "params": [1]}, "takes 0 parameters, not 1", "params"),
        ({"name": "u2", "qubits": [0], "params": [1]}, "takes 2 parameters, not 1", "params"),
        ({"name": "rx", "qubits": [0], "params": ["1"]}, "params must be numbers", "params[0]"),
        ({"name": "rx", "qubits": [0], "params": [[1, 0]]}, "params must be numbers", "params[0]"),
        (
            {"name": "u2", "qubits": [0], "params": [1, 1e101]},
            "params has an angle above 1e+100",
            "params[1]",
        ),
    ],
)
def test_bad_gate_is_refused(gate: Json, text: str, field: str) -> None:
    assert fault({"name": "h", "qubits": [0]}, gate) == (text, field)
