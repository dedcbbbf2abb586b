"""Named gates of OpenQASM 2 and 3, as flat gates.

A `Template` keeps its global phase apart from its gates: without a control the phase cannot be
observed, with one it becomes a `p` on the control.

OpenQASM 2 has no control modifiers, so the global phase of a gate is free. Here `U`, `u2` and `u3`
are the flat `u`, and `cu3` is the controlled `u`, as in today's `qelib1.inc` (the file of 2017
lacks a u1((λ+φ)/2) on the control). OpenQASM 3 fixes every phase (specification, "Built-in gates",
and `stdgates.inc`): U(θ,φ,λ) is e^{iθ/2} u(θ,φ,λ), and `u2` and `u3` lie in SU(2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import pi
from typing import Final, final

import msgspec

from qwicket.circuits.qubit import Gate
from qwicket.programs.openqasm.syntax import Node


class Template(Node, frozen=True):
    """e^{i·phase} times gates in time order, on qubits 0 … n_qubits - 1."""

    n_qubits: int
    ops: tuple[Gate, ...]
    phase: float = 0.0


@final
class StandardGate(msgspec.Struct, frozen=True):
    """A gate of a language: one flat gate whose first qubits are controls, or a composition.

    Attributes:
        n_parameters: Number of angles.
        n_qubits: Number of qubits, controls included.
        flat: Name of the flat gate; empty for a composition.
        n_controls: Controls of the flat gate.
        phase: Global phase as a function of the angles.
        compose: Makes the template, unless it is one flat gate with the same angles.
    """

    n_parameters: int
    n_qubits: int
    flat: str = ""
    n_controls: int = 0
    phase: Callable[..., float] | None = None
    compose: Callable[..., Template] | None = None

    def template(self, parameters: tuple[float, ...]) -> Template:
        """Return the template for some angles, in radians."""
        if self.compose is not None:
            return self.compose(*parameters)
        qubits = tuple(range(self.n_qubits))
        controls, targets = qubits[: self.n_controls], qubits[self.n_controls :]
        op = Gate(self.flat, targets, parameters, controls)
        return Template(self.n_qubits, (op,), self.phase(*parameters) if self.phase else 0.0)


def _phase_alone(phase: float) -> Template:
    return Template(1, (), phase)


def _u2(phi: float, lam: float) -> Template:
    return Template(1, (Gate("u", (0,), (pi / 2, phi, lam)),))


def _u2_special(phi: float, lam: float) -> Template:
    return Template(1, (Gate("u", (0,), (pi / 2, phi, lam)),), -(phi + lam) / 2)


def _u0(_wait: float) -> Template:
    # `u0` waits for some gate times, and simulated gates take no time.
    return Template(1, (Gate("id", (0,)),))


def _cu(theta: float, phi: float, lam: float, gamma: float) -> Template:
    # A phase that exists only where the control is 1 is a `p` on the control.
    return Template(2, (Gate("p", (0,), (gamma,)), Gate("u", (1,), (theta, phi, lam), (0,))))


def _gphase(gamma: float) -> Template:
    return Template(0, (), gamma)


def _circuit(n_qubits: int, text: str) -> Callable[[], Template]:
    """Return a function that returns a template, from words such as "h0 cx12" (target last)."""
    ops = []
    for word in text.split():
        name = word.rstrip("0123456789")
        *controls, target = map(int, word[len(name) :])
        ops.append(Gate(name.lstrip("c"), (target,), (), tuple(controls)))
    template = Template(n_qubits, tuple(ops))
    return lambda: template


# Maslov, "Advantages of using relative-phase Toffoli gates", Phys. Rev. A 93, 022311 (2016),
# figures 3 and 4.
_rccx = _circuit(3, "h2 t2 cx12 tdg2 cx02 t2 cx12 tdg2 h2")
_rc3x = _circuit(4, "h3 t3 cx23 tdg3 h3 cx03 t3 cx13 tdg3 cx03 t3 cx13 tdg3 h3 t3 cx23 tdg3 h3")

_PLAIN: Final = ("id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx")
_ROTATIONS: Final = ("rx", "ry", "rz", "p")

_SHARED: Final[Mapping[str, StandardGate]] = {
    **{name: StandardGate(0, 1, name) for name in _PLAIN},
    **{name: StandardGate(1, 1, name) for name in _ROTATIONS},
    **{f"c{name}": StandardGate(0, 2, name, 1) for name in ("x", "y", "z", "h")},
    **{f"c{name}": StandardGate(1, 2, name, 1) for name in _ROTATIONS},
    "swap": StandardGate(0, 2, "swap"),
    "ccx": StandardGate(0, 3, "x", 2),
    "cswap": StandardGate(0, 3, "swap", 1),
    "u1": StandardGate(1, 1, "p"),
    "cu": StandardGate(4, 2, compose=_cu),
}

BUILT_IN_2: Final[Mapping[str, StandardGate]] = {
    "U": StandardGate(3, 1, "u"),
    "CX": StandardGate(0, 2, "x", 1),
    # Not in the language, but PennyLane 0.45 writes it, with a qubit, for the phase of an SX.
    "gphase": StandardGate(1, 1, compose=_phase_alone),
}
"""Gates of OpenQASM 2 itself."""

QELIB1: Final[Mapping[str, StandardGate]] = {
    **_SHARED,
    "sxdg": StandardGate(0, 1, "sxdg"),
    "u0": StandardGate(1, 1, compose=_u0),
    "u2": StandardGate(2, 1, compose=_u2),
    "u3": StandardGate(3, 1, "u"),
    "u": StandardGate(3, 1, "u"),
    "cu1": StandardGate(1, 2, "p", 1),
    "cu3": StandardGate(3, 2, "u", 1),
    "csx": StandardGate(0, 2, "sx", 1),
    "rxx": StandardGate(1, 2, "rxx"),
    "rzz": StandardGate(1, 2, "rzz"),
    "rccx": StandardGate(0, 3, compose=_rccx),
    "rc3x": StandardGate(0, 4, compose=_rc3x),
    "c3x": StandardGate(0, 4, "x", 3),
    "c3sqrtx": StandardGate(0, 4, "sx", 3),
    "c4x": StandardGate(0, 5, "x", 4),
}
"""`qelib1.inc`: the list of 2017 and all later additions."""

BUILT_IN_3: Final[Mapping[str, StandardGate]] = {
    "U": StandardGate(3, 1, "u", phase=lambda theta, _phi, _lam: theta / 2),
    "CX": StandardGate(0, 2, "x", 1),
    "gphase": StandardGate(1, 0, compose=_gphase),
}
"""Gates of OpenQASM 3 itself, and `CX`, which moved to `stdgates.inc`."""

STDGATES: Final[Mapping[str, StandardGate]] = {
    **_SHARED,
    "sxdg": StandardGate(0, 1, "sxdg"),  # not in the file either, but Cirq 1.7 writes it
    "phase": StandardGate(1, 1, "p"),
    "cphase": StandardGate(1, 2, "p", 1),
    "u2": StandardGate(2, 1, compose=_u2_special),
    "u3": StandardGate(3, 1, "u", phase=lambda _theta, phi, lam: -(phi + lam) / 2),
}
"""`stdgates.inc`."""

LIBRARIES: Final[Mapping[int, Mapping[str, Mapping[str, StandardGate]]]] = {
    2: {"qelib1.inc": QELIB1},
    3: {"stdgates.inc": STDGATES, "qelib1.inc": QELIB1},
}
"""Gates of each version's libraries, by the file's name. No file is ever opened."""
