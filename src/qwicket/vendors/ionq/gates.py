"""Converts the gates of IonQ's two gatesets from JSON to gates of `circuits.qubit` (the flat form).

QIS gates have radians in `rotation`, native gates have turns in `phase`, `phases` and `angle`.
Errors do not name the gate or the circuit: the reader adds these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from math import fmod, isfinite, tau
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from qwicket.circuits.qubit import Gate
from qwicket.programs.json_text import FieldError, Int64, quoted


class WireGate(msgspec.Struct, gc=False):
    """One gate as it is written; its rule says which fields it needs."""

    gate: str
    target: Int64 | None = None
    targets: tuple[Int64, ...] | None = None
    control: Int64 | None = None
    controls: tuple[Int64, ...] | None = None
    rotation: float | None = None
    phase: float | None = None
    phases: tuple[float, ...] | None = None
    angle: float | None = None
    time: float | None = None
    coefficients: tuple[float, ...] | None = None
    terms: tuple[str, ...] | None = None


class GateRule(NamedTuple):
    """Rule that turns a gate of a gateset into a gate of the flat form.

    Attributes:
        name: Name of the flat gate.
        params: Function that reads the parameters, in radians.
        n_targets: Number of targets; None for any number. If it is 1, a gate without controls may
            name several and then acts on each.
        n_controls: Minimum number of controls.
        takes_controls: Whether controls are allowed.
    """

    name: str
    params: Callable[[WireGate], tuple[float, ...]]
    n_targets: int | None = 1
    n_controls: int = 0
    takes_controls: bool = True


def add_gate(flat: list[Gate], gate: WireGate, rules: Mapping[str, GateRule], width: int) -> int:
    """Append one gate as flat gates; return how many operations it counts as.

    Raises:
        FieldError: The gate is unknown or invalid.
    """
    rule = rules.get(gate.gate)
    if rule is None:
        raise _unknown(gate.gate, rules)
    targets, controls = _operands(gate, rule, width)
    if rule is _NOP:  # not before `_operands`: also the qubits of a `nop` must exist
        return 0
    if rule is _Z and gate.rotation is not None:
        rule = _P
    params = rule.params(gate)
    if len(targets) == rule.n_targets:
        flat.append(Gate(rule.name, targets, params, controls))
        return 1
    if rule is _PAULIEXP:
        return _add_pauliexp(flat, Gate(rule.name, targets, params, controls, gate.terms or ()))
    flat.extend([Gate(rule.name, (target,), params) for target in targets])
    return len(targets)


def _add_pauliexp(flat: list[Gate], gate: Gate) -> int:
    for term in gate.terms:
        if len(term) != len(gate.targets):
            text = f"term {quoted(term)} has {len(term)} letters for {len(gate.targets)} targets"
            raise FieldError(text, "terms")
        if not set(term) <= set("IXYZ"):
            raise FieldError(f"term {quoted(term)} has letters other than I, X, Y and Z", "terms")
    flat.append(gate)
    return max(1, len(gate.terms))


def _operands(
    gate: WireGate, rule: GateRule, width: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return targets and controls; check that each qubit exists and occurs once."""
    targets = _operand_list(gate.target, gate.targets, "target")
    controls = _operand_list(gate.control, gate.controls, "control")
    if len(targets) != rule.n_targets or controls or rule.n_controls:
        _check_shape(len(targets), len(controls), rule)
    operands = targets + controls if controls else targets
    for qubit in operands:
        if not 0 <= qubit < width:
            name = "controls" if qubit in controls else "targets"
            raise FieldError(f"qubit {qubit} is outside 0..{width - 1}", name)
    if len(operands) > 1 and len(set(operands)) < len(operands):
        twice = min(qubit for qubit, n in Counter(operands).items() if n > 1)
        raise FieldError(f"qubit {twice} is given twice", "targets")
    return targets, controls


def _operand_list(
    single: int | None, several: tuple[int, ...] | None, name: str
) -> tuple[int, ...]:
    if single is None:
        return several or ()
    if several:
        raise FieldError(f"{name} and {name}s are both given", f"{name}s")
    return (single,)


def _check_shape(n_targets: int, n_controls: int, rule: GateRule) -> None:
    """Check the numbers of targets and controls."""
    if n_controls and not rule.takes_controls:
        raise FieldError("takes no controls", "controls")
    if n_controls < rule.n_controls:
        raise FieldError("control is missing", "controls")
    if n_targets == 0 and rule is not _NOP:
        raise FieldError("target is missing", "targets")
    if rule.n_targets == 2 and n_targets != 2:
        raise FieldError(f"takes 2 targets, not {n_targets}", "targets")
    if rule.n_targets == 1 and n_targets > 1 and n_controls:
        raise FieldError(f"takes 1 target when it has controls, not {n_targets}", "targets")


def _unknown(name: str, rules: Mapping[str, GateRule]) -> FieldError:
    this, other = ("native", "qis") if rules is _NATIVE else ("qis", "native")
    if name in GATESETS[other]:
        return FieldError(f"is a gate of the {other} gateset, not of {this}", "gate")
    return FieldError(f"is not a gate of the {this} gateset", "gate")


# --- parameters -----------------------------------------------------------------------------------


def _no_params(_: WireGate) -> tuple[float, ...]:
    return ()


def _rotation(gate: WireGate) -> tuple[float, ...]:
    if gate.rotation is None:
        raise FieldError("rotation is missing", "rotation")
    return (gate.rotation,)


def _phase(gate: WireGate) -> tuple[float, ...]:
    if gate.phase is None:
        raise FieldError("phase is missing", "phase")
    return (_radians(gate.phase),)


def _phases_and_angle(gate: WireGate) -> tuple[float, ...]:
    if gate.phases is None:
        raise FieldError("phases is missing", "phases")
    if len(gate.phases) != 2:
        raise FieldError(f"phases must be 2 numbers, not {len(gate.phases)}", "phases")
    angle = 0.25 if gate.angle is None else gate.angle  # the API's default: maximally entangling
    return (_radians(gate.phases[0]), _radians(gate.phases[1]), _radians(angle))


def _angle(gate: WireGate) -> tuple[float, ...]:
    turns = gate.phase if gate.angle is None else gate.angle  # cirq-ionq writes `phase`
    if turns is None:
        raise FieldError("angle is missing", "angle")
    return (_radians(turns),)


def _time_coefficients(gate: WireGate) -> tuple[float, ...]:
    if gate.terms is None:
        raise FieldError("terms is missing", "terms")
    if gate.coefficients is None:
        raise FieldError("coefficients is missing", "coefficients")
    if gate.time is None:
        raise FieldError("time is missing", "time")
    if len(gate.terms) != len(gate.coefficients):
        text = f"{len(gate.terms)} terms but {len(gate.coefficients)} coefficients"
        raise FieldError(text, "coefficients")
    params = tuple([gate.time * coefficient for coefficient in gate.coefficients])
    if not all(map(isfinite, params)):
        raise FieldError("time times a coefficient is out of range", "coefficients")
    return params


def _radians(turns: float) -> float:
    """Return an angle in radians without whole turns, which change at most a global phase.

    The turns are removed first, because `fmod` is exact and a product with `tau` is rounded.
    """
    return tau * fmod(turns, 1.0)


_X: Final = GateRule("x", _no_params)
_Z: Final = GateRule("z", _no_params)
_P: Final = GateRule("p", _rotation)
"""Rule of `z` with a `rotation`: the API's phase gate."""
_PAULIEXP: Final = GateRule("pauliexp", _time_coefficients, n_targets=None)
_NOP: Final = GateRule("id", _no_params)
"""Rule of `nop`, which does nothing and so may have controls, or any number of targets."""

_QIS: Final[Mapping[str, GateRule]] = {
    "x": _X,
    "not": _X,
    "cnot": GateRule("x", _no_params, n_controls=1),
    "y": GateRule("y", _no_params),
    "z": _Z,
    "h": GateRule("h", _no_params),
    "s": GateRule("s", _no_params),
    "si": GateRule("sdg", _no_params),
    "t": GateRule("t", _no_params),
    "ti": GateRule("tdg", _no_params),
    "v": GateRule("sx", _no_params),
    "vi": GateRule("sxdg", _no_params),
    "rx": GateRule("rx", _rotation),
    "ry": GateRule("ry", _rotation),
    "rz": GateRule("rz", _rotation),
    "swap": GateRule("swap", _no_params, n_targets=2),
    "xx": GateRule("rxx", _rotation, n_targets=2),
    "yy": GateRule("ryy", _rotation, n_targets=2),
    "zz": GateRule("rzz", _rotation, n_targets=2),
    "pauliexp": _PAULIEXP,
}
_NATIVE: Final[Mapping[str, GateRule]] = {
    "gpi": GateRule("gpi", _phase, takes_controls=False),
    "gpi2": GateRule("gpi2", _phase, takes_controls=False),
    "ms": GateRule("ms", _phases_and_angle, n_targets=2, takes_controls=False),
    "zz": GateRule("zz", _angle, n_targets=2, takes_controls=False),
    "nop": _NOP,
}
GATESETS: Final = MappingProxyType({"qis": _QIS, "native": _NATIVE})
