"""The gate modifiers of OpenQASM 3."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.for_each import for_each
from support.pairwise import pairs
from unit.programs.openqasm.corpus import HEAD_3
from unit.programs.openqasm.execution import FIXED, H, Matrix, X, controlled, unitary
from unit.programs.openqasm.reading import listing, read3, why3, with3
from unit.programs.openqasm.test_gates import built_in_3

GATE = "gate g(a, b) m, n { rx(a) m; cx m, n; gphase(b); u3(a, b, a - b) n; ch n, m; }\n"


def matrix(body: str, n_qubits: int) -> Matrix:
    return unitary(read3(f"{HEAD_3}{GATE}qubit[{n_qubits}] q;\n{body}"))


def principal_power(base: Matrix, exponent: float) -> Matrix:
    values, vectors = np.linalg.eig(base)
    phases = np.angle(values)
    phases[np.isclose(phases, -pi)] = pi
    return vectors @ np.diag(np.exp(1j * exponent * phases)) @ np.linalg.inv(vectors)


def test_ctrl_puts_its_control_first() -> None:
    assert listing(with3("ctrl @ x q[2], q[0];")) == ["cx 2 0"]


def test_ctrl_with_a_count_takes_that_many_controls() -> None:
    assert listing(with3("ctrl(3) @ x q[3], q[1], q[0], q[2];")) == ["cccx 3 1 0 2"]


def test_controls_of_a_control_come_before_its_own() -> None:
    assert listing(with3("ctrl @ cx q[3], q[1], q[0];")) == ["ccx 3 1 0"]


def test_negctrl_flips_its_control_before_and_after() -> None:
    assert listing(with3("negctrl @ x q[0], q[1];")) == ["x 0", "cx 0 1", "x 0"]


def test_negctrl_with_a_count_wants_all_of_them_zero() -> None:
    counted = with3("negctrl(2) @ z q[0], q[1], q[2];")
    nested = with3("negctrl @ negctrl @ z q[0], q[1], q[2];")
    np.testing.assert_allclose(unitary(counted), unitary(nested), atol=1e-12)
    acted = [k for k, value in enumerate(np.diag(unitary(counted))) if abs(value + 1) < 1e-9]
    assert [k & 7 for k in acted] == [4, 4]  # q[0] = q[1] = 0 and q[2] = 1, whatever q[3] is


def test_mixed_controls_of_the_specification_broadcast() -> None:
    circuit = read3(
        f"{HEAD_3}qubit[3] a; qubit[2] b; qubit f;\n"
        "ctrl(3) @ x a[1], a[0], a[2], f;\n"
        "negctrl(3) @ ctrl @ x a[0], b[1], a[2], b[0], f;\n"
        "negctrl(2) @ ctrl @ x b[1], a, b[0], f;\n"
    )
    assert listing(circuit)[0] == "cccx 1 0 2 5"
    assert [line for line in listing(circuit) if line.startswith("ccccx")] == ["ccccx 0 4 2 3 5"]
    assert [line for line in listing(circuit) if line.startswith("cccx")][1:] == [
        "cccx 4 0 3 5",
        "cccx 4 1 3 5",
        "cccx 4 2 3 5",
    ]


def test_a_controlled_phase_turns_the_control() -> None:
    assert listing(with3("ctrl @ gphase(0.5) q[1];")) == ["p(0.5) 1"]
    assert listing(with3("ctrl(2) @ gphase(0.5) q[1], q[0];")) == ["cp(0.5) 0 1"]


def test_a_controlled_identity_is_the_identity() -> None:
    assert listing(with3("ctrl @ id q[1], q[0];")) == ["id 0"]


@for_each("name", [name for name in FIXED if name not in ("sxdg", "swap")])
def test_inv_of_a_fixed_gate_is_its_adjoint(name: str) -> None:
    found = matrix(f"inv @ {name} q[0];", 1)
    np.testing.assert_allclose(found, FIXED[name].conj().T, atol=1e-12)


def test_inv_of_the_built_in_gate_follows_the_specification() -> None:
    found = matrix("inv @ U(0.3, 0.5, 0.8) q[0];", 1)
    np.testing.assert_allclose(found, built_in_3(-0.3, -0.8, -0.5), atol=1e-12)


def test_inv_reverses_a_user_gate() -> None:
    both = matrix("g(0.4, 0.9) q[0], q[1]; inv @ g(0.4, 0.9) q[0], q[1];", 2)
    np.testing.assert_allclose(both, np.eye(4), atol=1e-12)


def test_ctrl_of_a_user_gate_keeps_its_phase() -> None:
    inner = matrix("g(0.4, 0.9) q[0], q[1];", 2)
    found = matrix("ctrl @ g(0.4, 0.9) q[0], q[1], q[2];", 3)
    np.testing.assert_allclose(found, controlled(inner), atol=1e-12)


@for_each("exponent", [0, 1, 2, 3, 7, -1, -2, -5])
def test_integer_powers_of_a_user_gate_repeat_it(exponent: int) -> None:
    inner = matrix("g(0.4, 0.9) q[0], q[1];", 2)
    found = matrix(f"pow({exponent}) @ g(0.4, 0.9) q[0], q[1];", 2)
    np.testing.assert_allclose(found, np.linalg.matrix_power(inner, exponent), atol=1e-10)


@for_each(
    "name, exponent",
    pairs(
        [name for name in FIXED if name != "sxdg"],
        [0.5, -0.5, 0.25, 1.7, 2, 3, -3, 4, 0, -2.5],
        always={0.5, -2.5},
    ),
)
def test_powers_of_fixed_gates_are_principal(name: str, exponent: float) -> None:
    width = 2 if name == "swap" else 1
    found = matrix(f"pow({exponent}) @ {name} {'q[0], q[1]' if width == 2 else 'q[0]'};", width)
    np.testing.assert_allclose(found, principal_power(FIXED[name], exponent), atol=1e-10)


def test_roots_of_clifford_gates_stay_clifford_gates() -> None:
    body = "pow(0.5) @ z q[0]; pow(0.5) @ s q[0]; pow(0.5) @ x q[0]; pow(-0.5) @ x q[0];"
    assert listing(with3(body)) == ["s 0", "t 0", "sx 0", "sxdg 0"]


def test_powers_of_rotations_scale_their_angle() -> None:
    body = "pow(0.5) @ rx(3) q[0]; pow(-2) @ rz(0.25) q[0]; ctrl @ pow(1.5) @ p(2) q[0], q[1];"
    assert listing(with3(body)) == ["rx(1.5) 0", "rz(-0.5) 0", "cp(3) 0 1"]


def test_a_power_of_a_phase_scales_it() -> None:
    found = matrix("pow(0.5) @ gphase(3) ; ", 1)
    np.testing.assert_allclose(found, np.exp(1.5j) * np.eye(2), atol=1e-12)


def test_powers_of_the_built_in_gate_are_principal() -> None:
    # U(π, 0, π) = iX has the eigenvalues ±i
    found = matrix("pow(0.5) @ U(pi, 0, pi) q[0];", 1)
    np.testing.assert_allclose(found, principal_power(1j * X, 0.5), atol=1e-12)


def test_the_root_of_a_hadamard_under_control_is_right() -> None:
    found = matrix("pow(0.5) @ ch q[0], q[1];", 2)
    np.testing.assert_allclose(found, controlled(principal_power(H, 0.5)), atol=1e-12)
    found = matrix("ctrl @ pow(0.5) @ swap q[0], q[1], q[2];", 3)
    expected = controlled(principal_power(FIXED["swap"], 0.5))
    np.testing.assert_allclose(found, expected, atol=1e-12)


@settings(derandomize=True)
@given(
    st.tuples(*[st.floats(-6, 6)] * 3),
    st.integers(-6, 6),
)
def test_a_root_of_the_built_in_gate_squares_to_it(
    angles: tuple[float, float, float], twice: int
) -> None:
    theta, phi, lam = angles
    call = f"U({theta!r}, {phi!r}, {lam!r}) q[0];"
    root, whole = matrix(f"pow(0.5) @ {call}", 1), matrix(call, 1)
    np.testing.assert_allclose(root @ root, whole, atol=1e-7)
    several = matrix(f"pow({twice}) @ {call}", 1)
    np.testing.assert_allclose(several, np.linalg.matrix_power(whole, twice), atol=1e-7)


@pytest.mark.parametrize("exponent", [0.3, -1.5, 2, 3])
def test_powers_of_controlled_gates_are_controlled_powers(exponent: float) -> None:
    found = matrix(f"pow({exponent}) @ ccx q[0], q[1], q[2];", 3)
    np.testing.assert_allclose(found, controlled(principal_power(X, exponent), 2), atol=1e-12)
    found = matrix(f"pow({exponent}) @ cswap q[0], q[1], q[2];", 3)
    expected = controlled(principal_power(FIXED["swap"], exponent))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_modifiers_apply_from_the_gate_outwards() -> None:
    inner = matrix("g(0.4, 0.9) q[0], q[1];", 2)
    found = matrix("inv @ ctrl @ pow(2) @ g(0.4, 0.9) q[0], q[1], q[2];", 3)
    expected = controlled(np.linalg.matrix_power(inner, -2))
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_modifiers_work_inside_gate_definitions_with_parameters() -> None:
    body = "gate k(n) m, o { ctrl @ pow(n) @ rx(0.5) m, o; } k(3) q[0], q[1];"
    assert listing(with3(body)) == ["crx(1.5) 0 1"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("ctrl x q[0], q[1];", "column 6: expected '@' after 'ctrl', found 'x'"),
        ("pow @ x q[0];", "column 5: expected '(' after 'pow', found '@'"),
        ("inv(2) @ x q[0];", "column 4: expected '@' after 'inv', found '('"),
        ("ctrl(0) @ x q[0];", "column 1: 'ctrl' needs at least 1 control, not 0"),
        ("ctrl(1.5) @ x q[0];", "column 1: an integer is needed here, not a float"),
        (
            "ctrl(2) @ x q[0], q[1];",
            "column 11: gate 'x' acts on 3 qubits, not 2 (2 of them for its controls)",
        ),
        ("pow(1001) @ x q[0];", "column 1: the exponent of 'pow' is larger than 1,000"),
        (
            "pow(0.5) @ cu(1, 2, 3, 4) q[0], q[1];",
            "column 1: 'pow' of 'cu', which consists of several gates, needs an integer",
        ),
        ("pow(1000) @ rx(1e99) q[0];", "column 1: 'pow' gives an angle larger than 1e+100"),
        ("pow(1000) @ gphase(1e99);", "column 1: 'pow' gives an angle larger than 1e+100"),
        (
            "gate a m { gphase(1e100); } gate b m { a m; a m; } b q[0];",
            "column 52: the global phase of the gate is too large",
        ),
        ("pow(c) @ x q[0];", "column 1: a value is needed that is known before"),
        ("ctrl @ x q[0], q[0];", "column 8: gate 'x' is applied to the same qubit twice"),
        ("ctrl @ measure q[0];", "column 8: expected the name of a gate, found 'measure'"),
    ],
)
def test_wrong_modifiers_are_refused_with_their_place(body: str, reason: str) -> None:
    assert why3(body).startswith(f"line 4, {reason}")
