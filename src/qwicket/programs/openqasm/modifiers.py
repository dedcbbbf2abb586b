"""The gate modifiers `ctrl`, `negctrl`, `inv` and `pow` on templates of flat gates."""

from __future__ import annotations

from collections.abc import Mapping
from math import atan2, cos, hypot, pi, remainder, sin, tau
from typing import Final

from qwicket.circuits.qubit import Gate
from qwicket.programs.openqasm.gates import Template

_ORDER: Final[Mapping[str, int]] = {
    **dict.fromkeys(("x", "y", "z", "h", "swap"), 2),
    **dict.fromkeys(("s", "sdg", "sx", "sxdg"), 4),
    **dict.fromkeys(("t", "tdg"), 8),
    "id": 1,
}
"""Smallest power of each fixed gate that is the identity."""

_SELF_ADJOINT: Final = ("id", "x", "y", "z", "h", "swap")
_ADJOINT_PAIRS: Final = (("s", "sdg"), ("t", "tdg"), ("sx", "sxdg"))
_ADJOINT: Final[Mapping[str, str]] = {
    **{name: name for name in _SELF_ADJOINT},
    **dict(_ADJOINT_PAIRS),
    **{adjoint: name for name, adjoint in _ADJOINT_PAIRS},
}

_ROTATIONS: Final = frozenset({"p", "rx", "ry", "rz", "rxx", "ryy", "rzz"})
"""Gates G with G(θ)^k = G(kθ)."""

_ANGLE: Final[Mapping[str, tuple[str, float]]] = {
    "z": ("p", pi),
    "s": ("p", pi / 2),
    "sdg": ("p", -pi / 2),
    "t": ("p", pi / 4),
    "tdg": ("p", -pi / 4),
    "x": ("rx", pi),
    "sx": ("rx", pi / 2),
    "sxdg": ("rx", -pi / 2),
    "y": ("ry", pi),
    "h": ("h", pi),
    "swap": ("swap", pi),
}
"""Axis and θ of each fixed gate, whose eigenvalues are 1 and e^{iθ} (see `_rotation`)."""

_ROOTS: Final[Mapping[tuple[str, float], str]] = {
    ("p", pi): "z",
    ("p", pi / 2): "s",
    ("p", -pi / 2): "sdg",
    ("p", pi / 4): "t",
    ("p", -pi / 4): "tdg",
    ("rx", pi): "x",
    ("rx", pi / 2): "sx",
    ("rx", -pi / 2): "sxdg",
    ("ry", pi): "y",
}
"""Inverse of `_ANGLE` without h and swap: √z becomes s, so that Clifford programs stay Clifford."""


class NoSimplePower(Exception):
    """The exponent is a fraction, and the template has several gates. Never leaves this package."""


def control(template: Template, n_controls: int, *, negative: bool) -> Template:
    """Return a template that acts where all of its new first qubits are |1⟩ (|0⟩ if `negative`).

    Source: the controls come first in the argument list (OpenQASM 3, "Control modifiers").
    `negctrl(n)` is n times `negctrl`, as in other readers. The formula in the specification,
    1 - c_1…c_n, would be another gate: one that acts unless all controls are |1⟩.
    """
    controls = tuple(range(n_controls))
    ops = _with_controls([_shifted(op, n_controls) for op in template.ops], controls)
    # Under a control the global phase is relative to the state without it, so it can be observed.
    if template.phase:
        ops.append(Gate("p", (0,), (template.phase,), controls[1:]))
    if negative:
        flips = [Gate("x", (qubit,)) for qubit in controls]
        ops = [*flips, *ops, *flips]
    return Template(n_controls + template.n_qubits, tuple(ops))


def invert(template: Template) -> Template:
    """Return the adjoint of a template."""
    ops = tuple(_inverted(op) for op in reversed(template.ops))
    return Template(template.n_qubits, ops, -template.phase)


def power(template: Template, exponent: float) -> Template:
    """Return a power of a template.

    A fraction scales the angle of a rotation; of any other gate it takes the principal branch.

    Raises:
        NoSimplePower: The exponent is a fraction and the template is more than one gate.
    """
    phase = template.phase * exponent
    if len(template.ops) == 1:
        ops, phase = _power_of_gate(template.ops[0], exponent, template.phase)
        return Template(template.n_qubits, tuple(ops), phase)
    if template.ops and exponent != int(exponent):
        raise NoSimplePower
    repeated = template if exponent >= 0 else invert(template)
    return Template(template.n_qubits, repeated.ops * abs(int(exponent)), phase)


# --- one gate -------------------------------------------------------------------------------------


def _shifted(op: Gate, by: int) -> Gate:
    targets = tuple(target + by for target in op.targets)
    return Gate(op.name, targets, op.params, tuple(control + by for control in op.controls))


def _with_controls(ops: list[Gate], controls: tuple[int, ...]) -> list[Gate]:
    """Return gates under more controls; the identity needs none."""
    return [
        op if op.name == "id" else Gate(op.name, op.targets, op.params, controls + op.controls)
        for op in ops
    ]


def _inverted(op: Gate) -> Gate:
    if op.name in _ADJOINT:
        return Gate(_ADJOINT[op.name], op.targets, (), op.controls)
    params = tuple(-angle for angle in op.params)
    # The adjoint reverses the order of the two z rotations, so φ and λ change places.
    if op.name == "u":
        theta, phi, lam = params
        params = (theta, lam, phi)
    return Gate(op.name, op.targets, params, op.controls)


def _power_of_gate(op: Gate, exponent: float, phase: float) -> tuple[list[Gate], float]:
    """Return gates and a phase that make (e^{i·phase} op)^exponent."""
    if not op.controls:
        return _power_without_controls(op, exponent, phase)
    ops, controlled_phase = _power_without_controls(op, exponent, 0.0)
    ops = _with_controls(ops, op.controls)
    # The phase of the power exists only where the controls are 1, so it is a `p` on them.
    if controlled_phase:
        ops.append(Gate("p", op.controls[:1], (controlled_phase,), op.controls[1:]))
    return ops, phase * exponent


def _power_without_controls(op: Gate, exponent: float, phase: float) -> tuple[list[Gate], float]:
    name, targets = op.name, op.targets
    if name in _ROTATIONS:
        return [Gate(name, targets, (op.params[0] * exponent,))], phase * exponent
    # Before the integer powers: one `u` takes the place of any number of repeats.
    if name == "u":
        params, phase = _power_of_u(op.params, exponent, phase)
        return [Gate("u", targets, params)], phase
    if exponent == int(exponent):
        return _integer_power(op, int(exponent)), phase * exponent
    if name == "id":
        return [op], phase * exponent
    axis, angle = _ANGLE[name]
    # The phase is part of the eigenvalues: on the principal branch (ab)^k is not always a^k b^k.
    low, high = _principal(phase), _principal(phase + angle)
    return _rotation(axis, targets, exponent * (high - low), exponent * low)


def _rotation(
    axis: str, targets: tuple[int, ...], angle: float, phase: float
) -> tuple[list[Gate], float]:
    """Return the rotation with eigenvalues e^{i·phase} and e^{i(phase + angle)}."""
    if axis == "h":  # H = R_y(π/4) Z R_y(-π/4)
        turn, back = Gate("ry", targets, (-pi / 4,)), Gate("ry", targets, (pi / 4,))
        return [turn, Gate("p", targets, (angle,)), back], phase
    if axis == "swap":  # SWAP = e^{iπ/4} exp(-iπ/4 (XX + YY + ZZ))
        pairs = [Gate(pair, targets, (angle / 2,)) for pair in ("rxx", "ryy", "rzz")]
        return pairs, phase + angle / 4
    if (root := _ROOTS.get((axis, angle))) is not None:
        return [Gate(root, targets)], phase
    return [Gate(axis, targets, (angle,))], phase if axis == "p" else phase + angle / 2


def _integer_power(op: Gate, exponent: int) -> list[Gate]:
    order = _ORDER[op.name]
    # Modulo the order, so that a large exponent makes at most a few gates.
    repeats = exponent % order
    if repeats > order // 2:
        return [Gate(_ADJOINT[op.name], op.targets)] * (order - repeats)
    return [Gate(op.name, op.targets)] * repeats


def _power_of_u(
    params: tuple[float, ...], exponent: float, phase: float
) -> tuple[tuple[float, float, float], float]:
    """Return the angles of a `u` and a phase that make (e^{i·phase} u(θ,φ,λ))^exponent.

    u = e^{iα} (cos β/2 - i sin β/2 n·σ) has the eigenvalues e^{i(α ∓ β/2)}; these are
    raised to the exponent.
    """
    theta, phi, lam = params
    half_sum, half_difference = (phi + lam) / 2, (phi - lam) / 2
    n_x = -sin(theta / 2) * sin(half_difference)
    n_y = sin(theta / 2) * cos(half_difference)
    n_z = cos(theta / 2) * sin(half_sum)
    length = hypot(n_x, n_y, n_z)
    half_beta = atan2(length, cos(theta / 2) * cos(half_sum))
    low = exponent * _principal(phase + half_sum - half_beta)
    high = exponent * _principal(phase + half_sum + half_beta)
    if length:
        n_x, n_y, n_z = n_x / length, n_y / length, n_z / length
    scale, shift = sin((high - low) / 2), cos((high - low) / 2)
    n_x, n_y, n_z = scale * n_x, scale * n_y, scale * n_z
    new_theta = 2 * atan2(hypot(n_x, n_y), hypot(shift, n_z))
    new_sum = atan2(n_z, shift)
    new_difference = atan2(n_y, n_x) - pi / 2 if new_theta else 0.0
    angles = (new_theta, new_sum + new_difference, new_sum - new_difference)
    return angles, (low + high) / 2 - new_sum


def _principal(angle: float) -> float:
    """Return an angle in (-π, π]."""
    angle = remainder(angle, tau)
    # `remainder` returns -π for some odd multiples of π, because it rounds half to even.
    return pi if angle <= -pi else angle
