"""Every gate that the languages know, against its published definition."""

from __future__ import annotations

import cmath
from collections.abc import Callable
from math import cos, pi, sin

import numpy as np
import pytest

from qwicket.programs.openqasm.gates import BUILT_IN_2, BUILT_IN_3, QELIB1, STDGATES
from unit.programs.openqasm.corpus import HEAD_2, HEAD_3
from unit.programs.openqasm.execution import (
    FIXED,
    I2,
    SWAP,
    SX,
    H,
    Matrix,
    X,
    Y,
    Z,
    controlled,
    pair,
    phase,
    rotation,
    u,
    unitary,
)
from unit.programs.openqasm.reading import read2, read3

ANGLES = (0.7, -1.3, 2.1, 0.4)


def special(theta: float, phi: float, lam: float) -> Matrix:
    """u3 of OpenQASM 2 and of stdgates.inc: R_z(φ) R_y(θ) R_z(λ), in SU(2)."""
    return rotation(Z, phi) @ rotation(Y, theta) @ rotation(Z, lam)


def built_in_3(theta: float, phi: float, lam: float) -> Matrix:
    """U of the OpenQASM 3 specification, "Built-in gates"."""
    turn = cmath.exp(1j * theta)
    return np.array(
        [
            [(1 + turn) / 2, -1j * cmath.exp(1j * lam) * (1 - turn) / 2],
            [
                1j * cmath.exp(1j * phi) * (1 - turn) / 2,
                cmath.exp(1j * (phi + lam)) * (1 + turn) / 2,
            ],
        ]
    )


def cu(theta: float, phi: float, lam: float, gamma: float) -> Matrix:
    return controlled(cmath.exp(1j * gamma) * u(theta, phi, lam))


SHARED: dict[str, Callable[..., Matrix]] = {
    **{name: lambda name=name: FIXED[name] for name in ("id", "x", "y", "z", "h", "s", "sdg")},
    **{name: lambda name=name: FIXED[name] for name in ("t", "tdg", "sx", "swap")},
    "rx": lambda a: rotation(X, a),
    "ry": lambda a: rotation(Y, a),
    "rz": lambda a: rotation(Z, a),
    "p": phase,
    "u1": phase,
    "cx": lambda: controlled(X),
    "CX": lambda: controlled(X),
    "cy": lambda: controlled(Y),
    "cz": lambda: controlled(Z),
    "ch": lambda: controlled(H),
    "cp": lambda a: controlled(phase(a)),
    "crx": lambda a: controlled(rotation(X, a)),
    "cry": lambda a: controlled(rotation(Y, a)),
    "crz": lambda a: controlled(rotation(Z, a)),
    "ccx": lambda: controlled(X, 2),
    "cswap": lambda: controlled(SWAP),
    "cu": cu,
}
MATRICES_2: dict[str, Callable[..., Matrix]] = {
    **SHARED,
    "U": u,
    "u": u,
    "u2": lambda a, b: u(pi / 2, a, b),
    "u3": u,
    "u0": lambda _a: I2,
    "gphase": lambda a: cmath.exp(1j * a) * I2,
    "sxdg": lambda: SX.conj().T,
    "cu1": lambda a: controlled(phase(a)),
    "cu3": lambda a, b, c: controlled(u(a, b, c)),
    "csx": lambda: controlled(SX),
    "rxx": lambda a: rotation(pair(X), a),
    "rzz": lambda a: rotation(pair(Z), a),
    "c3x": lambda: controlled(X, 3),
    "c3sqrtx": lambda: controlled(SX, 3),
    "c4x": lambda: controlled(X, 4),
}
MATRICES_3: dict[str, Callable[..., Matrix]] = {
    **SHARED,
    "U": built_in_3,
    "gphase": lambda a: np.array([[cmath.exp(1j * a)]]),
    "sxdg": lambda: SX.conj().T,
    "phase": phase,
    "cphase": lambda a: controlled(phase(a)),
    "u2": lambda a, b: special(pi / 2, a, b),
    "u3": special,
}


def test_every_gate_of_version_2_is_tested_here() -> None:
    assert BUILT_IN_2.keys() | QELIB1.keys() == MATRICES_2.keys() | {"rccx", "rc3x"}


def test_every_gate_of_version_3_is_tested_here() -> None:
    assert BUILT_IN_3.keys() | STDGATES.keys() == MATRICES_3.keys()


def call(name: str, n_angles: int, n_qubits: int) -> str:
    angles = "(" + ", ".join(map(repr, ANGLES[:n_angles])) + ")" if n_angles else ""
    return f"{name}{angles} {', '.join(f'q[{k}]' for k in range(n_qubits))};"


def test_gate_of_version_2_has_its_matrix(subtests: pytest.Subtests) -> None:
    for name in MATRICES_2:
        with subtests.test(name):
            gate = {**BUILT_IN_2, **QELIB1}[name]
            text = (
                f"{HEAD_2}qreg q[{gate.n_qubits}]; {call(name, gate.n_parameters, gate.n_qubits)}"
            )
            expected = MATRICES_2[name](*ANGLES[: gate.n_parameters])
            np.testing.assert_allclose(unitary(read2(text)), expected, atol=1e-12)


def test_gate_of_version_3_has_its_matrix_and_phase(subtests: pytest.Subtests) -> None:
    for name in MATRICES_3:
        with subtests.test(name):
            gate = {**BUILT_IN_3, **STDGATES}[name]
            n_qubits = max(1, gate.n_qubits)
            text = f"{HEAD_3}qubit[{n_qubits}] q; {call(name, gate.n_parameters, gate.n_qubits)}"
            expected = MATRICES_3[name](*ANGLES[: gate.n_parameters])
            if name == "gphase":
                expected = expected[0, 0] * I2
            np.testing.assert_allclose(unitary(read3(text)), expected, atol=1e-12)


def test_controlled_gate_of_version_3_keeps_its_phase(subtests: pytest.Subtests) -> None:
    for name in MATRICES_3:
        with subtests.test(name):
            gate = {**BUILT_IN_3, **STDGATES}[name]
            n_qubits = gate.n_qubits + 1
            called = call(name, gate.n_parameters, n_qubits)
            text = f"{HEAD_3}qubit[{n_qubits}] q; ctrl @ {called}"
            expected = controlled(MATRICES_3[name](*ANGLES[: gate.n_parameters]))
            np.testing.assert_allclose(unitary(read3(text)), expected, atol=1e-12)


def margolus(n_qubits: int, words: str) -> Matrix:
    """A circuit of u1, u2 and cx in the spelling of qelib1.inc."""
    text = f"{HEAD_2}qreg q[{n_qubits}];\n{words}"
    return unitary(read2(text))


def test_rccx_is_the_toffoli_up_to_signs() -> None:
    # Maslov, Phys. Rev. A 93, 022311 (2016), figure 3: ccx times a diagonal in the target's basis
    matrix = margolus(3, "rccx q[0],q[1],q[2];")
    toffoli = controlled(X, 2)
    np.testing.assert_allclose(abs(matrix), abs(toffoli), atol=1e-12)
    expected = (
        "u2(0,pi) q[2]; u1(pi/4) q[2]; cx q[1],q[2]; u1(-pi/4) q[2]; cx q[0],q[2]; "
        "u1(pi/4) q[2]; cx q[1],q[2]; u1(-pi/4) q[2]; u2(0,pi) q[2];"
    )
    np.testing.assert_allclose(matrix, margolus(3, expected), atol=1e-12)
    signs = matrix @ toffoli
    np.testing.assert_allclose(abs(signs), np.eye(8), atol=1e-12)


def test_rc3x_is_the_controlled_not_of_three_up_to_phases() -> None:
    matrix = margolus(4, "rc3x q[0],q[1],q[2],q[3];")
    np.testing.assert_allclose(abs(matrix), abs(controlled(X, 3)), atol=1e-12)
    expected = (
        "u2(0,pi) q[3]; u1(pi/4) q[3]; cx q[2],q[3]; u1(-pi/4) q[3]; u2(0,pi) q[3]; "
        "cx q[0],q[3]; u1(pi/4) q[3]; cx q[1],q[3]; u1(-pi/4) q[3]; cx q[0],q[3]; "
        "u1(pi/4) q[3]; cx q[1],q[3]; u1(-pi/4) q[3]; u2(0,pi) q[3]; u1(pi/4) q[3]; "
        "cx q[2],q[3]; u1(-pi/4) q[3]; u2(0,pi) q[3];"
    )
    np.testing.assert_allclose(matrix, margolus(4, expected), atol=1e-12)


def test_definitions_of_stdgates_hold_for_our_gates() -> None:
    # Each gate of the file, spelled by its own definition in the specification's repository.
    definitions = {
        "x q;": "U(pi, 0, pi) q; gphase(-pi/2);",
        "y q;": "U(pi, pi/2, pi/2) q; gphase(-pi/2);",
        "h q;": "U(pi/2, 0, pi) q; gphase(-pi/4);",
        "s q;": "pow(0.5) @ z q;",
        "tdg q;": "inv @ pow(0.5) @ s q;",
        "sx q;": "pow(0.5) @ x q;",
        "rx(0.3) q;": "U(0.3, -pi/2, pi/2) q; gphase(-0.15);",
        "ry(0.3) q;": "U(0.3, 0, 0) q; gphase(-0.15);",
        "rz(0.3) q;": "gphase(-0.15); U(0, 0, 0.3) q;",
        "u2(0.3, 0.7) q;": "gphase(-(0.3+0.7+pi/2)/2); U(pi/2, 0.3, 0.7) q;",
        "u3(0.2, 0.3, 0.7) q;": "gphase(-(0.2+0.3+0.7)/2); U(0.2, 0.3, 0.7) q;",
    }
    for ours, theirs in definitions.items():
        left, right = (unitary(read3(f"{HEAD_3}qubit q; {text}")) for text in (ours, theirs))
        np.testing.assert_allclose(left, right, atol=1e-12, err_msg=ours)


def test_the_built_in_gate_of_version_3_is_periodic() -> None:
    left, right = (
        unitary(read3(f"qubit[2] q; ctrl @ U({a!r}, 0, 0) q[0], q[1];"))
        for a in (0.4, 0.4 + 2 * pi)
    )
    np.testing.assert_allclose(left, right, atol=1e-12)


def test_the_interpreter_of_these_tests_agrees_with_itself() -> None:
    expected = np.array([[cos(0.2), -sin(0.2)], [sin(0.2), cos(0.2)]])
    np.testing.assert_allclose(rotation(Y, 0.4), expected, atol=1e-15)
    np.testing.assert_allclose(u(pi / 2, 0, pi), H, atol=1e-15)
    np.testing.assert_allclose(SX @ SX, X, atol=1e-15)
