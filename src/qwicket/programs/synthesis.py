"""Synthesis of flat gates from one-qubit and ZZ rotations, exact up to a global phase.

One-qubit gates are multiplied until a gate on several qubits follows. A subclass decides which
gates are emitted for the product (`emit_pending`) and for exp(-iθ/2 Z⊗Z) (`rotate_zz`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from cmath import exp, phase
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import atan2, cos, fmod, pi, sin, sqrt, tau
from types import MappingProxyType
from typing import Final, NamedTuple

from qwicket.circuits.analysis import all_commute, pauli_masks
from qwicket.circuits.qubit import Gate

TINY: Final = 1e-12
"""Absolute value below which a matrix entry, or an angle in radians, counts as zero."""


class NoExactDecomposition(Exception):
    """A gate has no exact decomposition into the target's gates; the text says why."""


# --- one qubit ------------------------------------------------------------------------------------


class Matrix(NamedTuple):
    """The matrix [[a, b], [c, d]]."""

    a: complex
    b: complex
    c: complex
    d: complex

    def after(self, first: Matrix) -> Matrix:
        a, b, c, d = first
        return Matrix(
            *(self.a * a + self.b * c, self.a * b + self.b * d),
            *(self.c * a + self.d * c, self.c * b + self.d * d),
        )

    @property
    def adjoint(self) -> Matrix:
        a, b, c, d = (entry.conjugate() for entry in self)
        return Matrix(a, c, b, d)


def u(theta: float, phi: float, lam: float, gamma: float = 0.0) -> Matrix:
    """Return e^{iγ} times the `u` of the flat form."""
    c, s = cos(theta / 2) * exp(1j * gamma), sin(theta / 2) * exp(1j * gamma)
    return Matrix(c, -exp(1j * lam) * s, exp(1j * phi) * s, exp(1j * (phi + lam)) * c)


def rz(theta: float) -> Matrix:
    return u(0, 0, theta, -theta / 2)


UNIT: Final = u(0, 0, 0)
_X: Final = u(pi, 0, pi)
Z: Final = u(0, 0, pi)
X_FROM_Z: Final = u(pi / 2, 0, 0)
"""V with V Z V† = X: a quarter turn about Y."""

TO_PAULI: Final[Mapping[str, Matrix]] = MappingProxyType(
    {"X": X_FROM_Z, "Y": u(pi / 2, pi / 2, -pi / 2), "Z": UNIT}
)
"""V with V Z V† = P."""

_FIXED: Final[Mapping[str, Matrix]] = MappingProxyType(
    {
        "id": UNIT,
        "x": _X,
        "y": u(pi, pi / 2, pi / 2),
        "z": Z,
        "h": u(pi / 2, 0, pi),
        "s": u(0, 0, pi / 2),
        "sdg": u(0, 0, -pi / 2),
        "t": u(0, 0, pi / 4),
        "tdg": u(0, 0, -pi / 4),
        "sx": u(pi / 2, -pi / 2, pi / 2, pi / 4),
        "sxdg": u(pi / 2, pi / 2, -pi / 2, -pi / 4),
    }
)


def on_one(gate: Gate) -> Matrix:
    """Return the matrix of a gate on one target, without its controls."""
    if gate.name in _FIXED:
        return _FIXED[gate.name]
    match gate.name, gate.params:
        case "rx", (theta,):
            return u(theta, -pi / 2, pi / 2)
        case "ry", (theta,):
            return u(theta, 0, 0)
        case "rz", (theta,):
            return rz(theta)
        case "p", (lam,):
            return u(0, 0, lam)
        case "u", (theta, phi, lam):
            return u(theta, phi, lam)
        case "gpi", (phi,):
            return u(pi, phi, pi - phi)
        case "gpi2", (phi,):
            return u(pi / 2, phi - pi / 2, pi / 2 - phi)
        case "unitary", (ar, ai, br, bi, cr, ci, dr, di):
            return Matrix(complex(ar, ai), complex(br, bi), complex(cr, ci), complex(dr, di))
        case _:
            raise NoExactDecomposition(f"the gate {gate.name} has no exact decomposition")


class Euler(NamedTuple):
    """Angles of a matrix that is `u` (θ, φ, λ) up to a phase; φ is 0 for a rotation about Z."""

    theta: float
    phi: float
    lam: float


def euler(matrix: Matrix) -> Euler:
    """Return the angles of a unitary matrix; θ is exactly 0 or π where an entry is tiny."""
    a, b, c, d = matrix
    if abs(c) < TINY:
        return Euler(0.0, 0.0, phase(d) - phase(a))
    if abs(a) < TINY:
        return Euler(pi, phase(c) - phase(-b), 0.0)
    lam = phase(-b) - phase(a)
    # The phase of a small entry is inaccurate, and so is λ if one is small. φ comes from the two
    # large entries, so that their phases are right.
    phi = (phase(d) - phase(a) - lam) if abs(a) > abs(c) else (phase(c) - phase(-b) + lam)
    return Euler(2 * atan2(abs(c), abs(a)), phi, lam)


def _diagonalised(matrix: Matrix) -> tuple[Matrix, float, float]:
    """Return W, α and β of a unitary matrix W diag(e^{iα}, e^{iβ}) W†."""
    a, b, c, d = matrix
    if abs(b) < TINY:
        return UNIT, phase(a), phase(d)
    middle, half = (a + d) / 2, (a - d) / 2
    root = (half * half + b * c) ** 0.5
    # An eigenvector can be written in two ways; choose the one without cancellation.
    x, y = (half + root, c) if abs(half + root) > abs(half - root) else (b, root - half)
    norm = sqrt(abs(x) ** 2 + abs(y) ** 2)
    x, y = x / norm, y / norm
    basis = Matrix(x, -y.conjugate(), y, x.conjugate())
    return basis, phase(middle + root), phase(middle - root)


# --- several qubits -----------------------------------------------------------------------------


class Synthesis(ABC):
    """Decomposes gates one by one.

    `pending` is the product of the one-qubit gates of each qubit that have not been emitted.
    """

    def __init__(self, n_qubits: int) -> None:
        self.pending = [UNIT] * n_qubits

    @abstractmethod
    def emit_pending(self, qubit: int) -> float:
        """Emit the pending gates. A last Z rotation may be left out; return its angle, else 0."""

    @abstractmethod
    def rotate_zz(self, theta: float, qubit_a: int, qubit_b: int) -> None:
        """Emit exp(-iθ/2 Z⊗Z) for an angle from -π/2 to π/2."""

    def add(self, gate: Gate) -> None:
        """Add a gate of the flat form."""
        targets, controls = gate.targets, gate.controls
        match gate.name:
            case "delay":
                pass  # the gates that are written have no times
            case "gphase":
                self.turn_phase(gate.params[0], controls)
            case "swap":
                self._swap(targets[0], targets[1], controls)
            case "rxx" | "ryy" | "rzz":
                basis = TO_PAULI[gate.name[1].upper()]
                self._rotate(gate.params[0], targets, (basis, basis), controls)
            case "zz":
                self._rotate(gate.params[0], targets, (UNIT, UNIT), controls)
            case "ms":
                *phis, theta = gate.params
                equator = [rz(phi).after(X_FROM_Z) for phi in phis]
                self._rotate(theta, targets, equator, controls)
            case "pauliexp":
                self._pauliexp(gate)
            case _ if controls:
                self.do_controlled(on_one(gate), controls, targets[0])
            case _:
                self.do(on_one(gate), targets[0])

    def do(self, matrix: Matrix, qubit: int) -> None:
        self.pending[qubit] = matrix.after(self.pending[qubit])

    def do_controlled(self, matrix: Matrix, controls: tuple[int, ...], target: int) -> None:
        basis, alpha, beta = _diagonalised(matrix)
        self.do(basis.adjoint, target)
        self.turn_phase(alpha, controls)
        self.turn_phase(beta - alpha, (*controls, target))
        self.do(basis, target)

    def _swap(self, qubit_a: int, qubit_b: int, controls: tuple[int, ...]) -> None:
        self._cx(qubit_a, qubit_b)
        self.do_controlled(_X, (*controls, qubit_b), qubit_a)
        self._cx(qubit_a, qubit_b)

    def _cx(self, control: int, target: int) -> None:
        self.do_controlled(_X, (control,), target)

    def _pauliexp(self, gate: Gate) -> None:
        if not all_commute(map(pauli_masks, gate.terms)):
            raise NoExactDecomposition("terms of a pauliexp do not commute")
        for term, amount in zip(gate.terms, gate.params, strict=True):
            places = [place for place, letter in enumerate(term[::-1]) if letter != "I"]
            if places:
                qubits = tuple(gate.targets[place] for place in places)
                bases = tuple(TO_PAULI[term[::-1][place]] for place in places)
                self._rotate(2 * amount, qubits, bases, gate.controls)
            else:
                self.turn_phase(-amount, gate.controls)

    def _rotate(
        self,
        theta: float,
        qubits: Sequence[int],
        bases: Sequence[Matrix],
        controls: tuple[int, ...],
    ) -> None:
        """Do exp(-iθ/2 ⊗ V Z V†), V from `bases`, where the controls are |1⟩."""
        for qubit, basis in zip(qubits, bases, strict=True):
            self.do(basis.adjoint, qubit)
        # A chain of CX gathers the parity on the last qubit. Without controls it ends at the last
        # but one, because `entangle` takes two qubits.
        n_gathered = len(qubits) - (1 if controls else 2)
        chain = list(pairwise(qubits))[: max(0, n_gathered)]
        for pair in chain:
            self._cx(*pair)
        if controls:
            self.do_controlled(rz(theta), controls, qubits[-1])
        elif len(qubits) == 1:
            self.do(rz(theta), qubits[0])
        else:
            self.entangle(theta, *qubits[-2:])
        for pair in reversed(chain):
            self._cx(*pair)
        for qubit, basis in zip(qubits, bases, strict=True):
            self.do(basis, qubit)

    def turn_phase(self, lam: float, qubits: tuple[int, ...]) -> None:
        """Multiply by e^{iλ} where all qubits are |1⟩.

        Barenco et al., Phys. Rev. A 52, 3457 (1995), lemma 7.5.
        """
        if not qubits or abs(fmod(lam, tau)) < TINY:
            return
        match qubits:
            case (target,):
                self.do(u(0, 0, lam), target)
            case control, target:
                self.do(u(0, 0, lam / 2), control)
                self.do(u(0, 0, lam / 2), target)
                self.entangle(-lam / 2, control, target)
            case *others, control, target:
                self.turn_phase(lam / 2, (control, target))
                self._flip(tuple(others), control, target)
                self.turn_phase(-lam / 2, (control, target))
                self._flip(tuple(others), control, target)
                self.turn_phase(lam / 2, (*others, target))

    def _flip(self, controls: tuple[int, ...], target: int, spare: int) -> None:
        """Do X where all controls are |1⟩, with the help of `spare`, which keeps any state.

        Barenco et al., lemma 7.3, down to two controls: about k² gates for k controls.
        """
        if len(controls) <= 2:
            self.do_controlled(_X, controls, target)
            return
        middle = (len(controls) + 1) // 2
        few, rest = controls[:middle], (*controls[middle:], spare)
        for _ in range(2):
            self._flip(few, spare, target)
            self._flip(rest, target, few[0])

    def entangle(self, theta: float, qubit_a: int, qubit_b: int) -> None:
        """Do exp(-iθ/2 Z⊗Z)."""
        n_half_turns = round(theta / pi)
        theta -= n_half_turns * pi
        if n_half_turns % 2:  # exp(-iπ/2 Z⊗Z) is Z⊗Z but for a phase
            self.do(Z, qubit_a)
            self.do(Z, qubit_b)
        if abs(theta) >= TINY:
            self.rotate_zz(theta, qubit_a, qubit_b)
