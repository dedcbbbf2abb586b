"""Qiskit's named gates, as flat gates. A global phase is dropped, because nothing controls it.

Most are those of `qelib1.inc`, which is Qiskit's own list. Does not own gates that are given as a
matrix or as a state (`matrices`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import pi
from typing import Final

from qwicket.circuits.qubit import DELAY, MAX_SECONDS, Gate, Op
from qwicket.programs.json_text import FieldError
from qwicket.programs.openqasm.bounds import MAX_ANGLE
from qwicket.programs.openqasm.gates import BUILT_IN_2, QELIB1, StandardGate, Template
from qwicket.vendors.ibm.qobj.wire import Instruction


def add_gate(ops: list[Op], instruction: Instruction) -> None:
    """Append a gate whose qubits exist and are all different.

    Raises:
        FieldError: The gate is unknown, takes another number of qubits or parameters, or has an
            invalid angle.
    """
    name, qubits = instruction.name, instruction.qubits
    gate = _GATES.get(name) or _with_many_controls(name, len(qubits))
    if len(qubits) != gate.n_qubits:
        raise FieldError(f"takes {_count(gate.n_qubits, 'qubit')}, not {len(qubits)}", "qubits")
    angles = _angles(instruction, gate.n_parameters)
    # Most gates are one flat gate: they need no template.
    if gate.flat:
        n_controls = gate.n_controls
        ops.append(Gate(gate.flat, qubits[n_controls:], angles, qubits[:n_controls]))
        return
    for op in gate.template(angles).ops:
        targets = tuple([qubits[target] for target in op.targets])
        controls = tuple([qubits[control] for control in op.controls])
        ops.append(Gate(op.name, targets, op.params, controls))


def add_delay(ops: list[Op], qubit: int, seconds: float) -> None:
    """Append a delay, unless it is 0.

    Raises:
        FieldError: The delay is negative, too long, or NaN.
    """
    if not 0 <= seconds <= MAX_SECONDS:
        raise FieldError(f"a delay must be 0 to {MAX_SECONDS:g} s, not {seconds:g} s", "params")
    if seconds:
        ops.append(Gate(DELAY, (qubit,), (seconds,)))


def _angles(instruction: Instruction, n_parameters: int) -> tuple[float, ...]:
    angles = []
    for index, value in enumerate(instruction.params):
        if not isinstance(value, float):
            raise FieldError("params must be numbers", f"params[{index}]")
        # The sums and differences below must stay finite. NaN, possible in QPY, fails, too.
        if not abs(value) <= MAX_ANGLE:
            raise FieldError(f"params has an angle above {MAX_ANGLE:g}", f"params[{index}]")
        angles.append(value)
    if len(angles) != n_parameters:
        raise FieldError(f"takes {_count(n_parameters, 'parameter')}, not {len(angles)}", "params")
    return tuple(angles)


def _with_many_controls(name: str, n_qubits: int) -> StandardGate:
    """Return a gate whose last qubit is its target and all others are controls."""
    if name not in _MANY_CONTROLS:
        raise FieldError("is not a known instruction", "name")
    flat, n_parameters = _MANY_CONTROLS[name]
    # With fewer than a control and a target, the caller's check of the number fails.
    n_qubits = max(2, n_qubits)
    return StandardGate(n_parameters, n_qubits, flat, n_qubits - 1)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _on(n_parameters: int, n_qubits: int, make: Callable[..., tuple[Gate, ...]]) -> StandardGate:
    return StandardGate(n_parameters, n_qubits, compose=lambda *a: Template(n_qubits, make(*a)))


def _r(theta: float, phi: float) -> tuple[Gate, ...]:
    """Return exp(-iθ/2 (cos φ X + sin φ Y))."""
    return (Gate("u", (0,), (theta, phi - pi / 2, pi / 2 - phi)),)


def _rzx(theta: float) -> tuple[Gate, ...]:
    """Return exp(-iθ/2 Z⊗X), with Z on the first qubit."""
    return (Gate("h", (1,)), Gate("rzz", (0, 1), (theta,)), Gate("h", (1,)))


def _ecr() -> tuple[Gate, ...]:
    """Return the echoed cross-resonance gate, as Qiskit defines it."""
    return (*_rzx(pi / 4), Gate("x", (0,)), *_rzx(-pi / 4))


def _iswap() -> tuple[Gate, ...]:
    """Return exp(iπ/4 (X⊗X + Y⊗Y))."""
    return (Gate("rxx", (0, 1), (-pi / 2,)), Gate("ryy", (0, 1), (-pi / 2,)))


def _dcx() -> tuple[Gate, ...]:
    return (Gate("x", (1,), (), (0,)), Gate("x", (0,), (), (1,)))


def _xx_plus_yy(theta: float, beta: float) -> tuple[Gate, ...]:
    """Return Rz(-β) exp(-iθ/4 (X⊗X + Y⊗Y)) Rz(β), with Rz on the first qubit."""
    turn = (Gate("rxx", (0, 1), (theta / 2,)), Gate("ryy", (0, 1), (theta / 2,)))
    return (Gate("rz", (0,), (beta,)), *turn, Gate("rz", (0,), (-beta,)))


def _xx_minus_yy(theta: float, beta: float) -> tuple[Gate, ...]:
    """Return Rz(β) exp(-iθ/4 (X⊗X - Y⊗Y)) Rz(-β), with Rz on the second qubit."""
    turn = (Gate("rxx", (0, 1), (theta / 2,)), Gate("ryy", (0, 1), (-theta / 2,)))
    return (Gate("rz", (1,), (-beta,)), *turn, Gate("rz", (1,), (beta,)))


_GATES: Final[Mapping[str, StandardGate]] = {
    **BUILT_IN_2,
    **QELIB1,
    "cs": StandardGate(0, 2, "s", 1),
    "csdg": StandardGate(0, 2, "sdg", 1),
    "ccz": StandardGate(0, 3, "z", 2),
    "c3sx": StandardGate(0, 4, "sx", 3),
    "rcccx": QELIB1["rc3x"],
    "ryy": StandardGate(1, 2, "ryy"),
    "r": _on(2, 1, _r),
    "rzx": _on(1, 2, _rzx),
    "ecr": _on(0, 2, _ecr),
    "iswap": _on(0, 2, _iswap),
    "dcx": _on(0, 2, _dcx),
    "xx_plus_yy": _on(2, 2, _xx_plus_yy),
    "xx_minus_yy": _on(2, 2, _xx_minus_yy),
}

_MANY_CONTROLS: Final[Mapping[str, tuple[str, int]]] = {
    "mcx": ("x", 0),
    "mcx_gray": ("x", 0),
    "mcphase": ("p", 1),
    "mcu1": ("p", 1),
}
"""Gates with any number of controls: the flat gate that is controlled, and its number of angles."""
