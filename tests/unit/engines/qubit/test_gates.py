"""The matrices, against definitions in Pauli algebra that share no line with them."""

from __future__ import annotations

import re
from math import pi

import numpy as np
import pytest

from qwicket.circuits import qubit
from qwicket.engines.failures import CannotRun
from qwicket.engines.qubit import gates
from support import qubit_math
from support.for_each import for_each

ANGLES = (-3.0, -pi / 2, 0.0, 0.3, pi, 7.5)


@for_each("name, n_targets, params", qubit_math.EXAMPLES)
def test_matrix_is_what_the_definition_says(
    name: str, n_targets: int, params: tuple[float, ...]
) -> None:
    for angle in ANGLES if params else (0.0,):
        shifted = tuple(p + angle for p in params)
        made = gates.matrix(name, shifted)
        assert made.shape == (1 << n_targets,) * 2
        assert np.abs(made - qubit_math.unitary(name, shifted)).max() < 1e-14


def test_examples_cover_the_table_of_the_model() -> None:
    table = re.findall(r"^\| (`[^|]*)\|", qubit.__doc__ or "", re.MULTILINE)
    names = {
        name for row in table for cell in re.findall(r"`([^`]*)`", row) for name in cell.split()
    }
    assert names == {name for name, _, _ in qubit_math.EXAMPLES} | {"pauliexp", "unitary"}


def test_unitary_is_the_matrix_that_it_is_given_row_by_row() -> None:
    root = np.array([[0.6, 0.8j], [-0.8, 0.6j]])
    assert gates.matrix("unitary", (0.6, 0, 0, 0.8, -0.8, 0, 0, 0.6)).tolist() == root.tolist()
    pair = np.kron(root, qubit_math.Y)
    made = gates.matrix("unitary", qubit_math.dense(pair, (0, 1)).params)
    assert np.array_equal(made, pair)


def test_native_gates_are_the_rotations_that_ionq_names() -> None:
    """gpi2(0) = R_X(π/2), gpi2(¼ turn) = R_Y(π/2), gpi2(½ turn) = R_X(-π/2)."""
    assert np.allclose(gates.matrix("gpi2", (0.0,)), qubit_math.unitary("rx", (pi / 2,)))
    assert np.allclose(gates.matrix("gpi2", (pi / 2,)), qubit_math.unitary("ry", (pi / 2,)))
    assert np.allclose(gates.matrix("gpi2", (pi,)), qubit_math.unitary("rx", (-pi / 2,)))


def test_first_phase_of_ms_belongs_to_the_first_target() -> None:
    """ms(φ0, φ1, ½ turn) = -i gpi(φ0) ⊗ gpi(φ1): an angle of π leaves the generator alone."""
    made = gates.matrix("ms", (0.0, pi / 2, pi))
    assert np.allclose(made, -1j * np.kron(qubit_math.X, qubit_math.Y))


def test_constant_matrices_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        gates.matrix("x")[0, 0] = 1


def test_unknown_gate_cannot_run() -> None:
    with pytest.raises(CannotRun, match="no engine here knows the gate 'warp'") as caught:
        gates.matrix("warp")
    assert caught.value.code == "unsupported"
