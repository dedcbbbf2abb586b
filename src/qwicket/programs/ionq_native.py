"""Flat circuits in the native gates of IonQ's machines: `gpi`, `gpi2` and either `ms` or `zz`.

Exact up to a global phase. What one qubit is to undergo is gathered until two qubits meet, and what
is then left of it, a rotation about Z, costs nothing: it turns the phases of the gates to come.
Before a measurement it is dropped. Everything else is made of one thing, exp(-iθ/2 Z⊗Z).

Owns which gates come out; does not know what asked for them, nor how well a machine does them.
"""

from __future__ import annotations

from cmath import exp, phase
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise
from math import atan2, cos, fmod, pi, sin, sqrt, tau
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

import msgspec

from qwicket.model.circuits import Gate, Measure, QubitCircuit
from qwicket.model.errors import InvalidProgram
from qwicket.model.limits import Limits
from qwicket.programs.json_text import check_limit

Entangler = Literal["ms", "zz"]

_TINY: Final = 1e-12


class NativeGate(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A gate as IonQ writes it; phases and angles in turns."""

    gate: str
    target: int | None = None
    targets: tuple[int, ...] | None = None
    phase: float | None = None
    phases: tuple[float, float] | None = None
    angle: float | None = None


class NativeCircuit(msgspec.Struct, frozen=True):
    """IonQ's format `ionq.native.v1`."""

    qubits: int
    circuit: tuple[NativeGate, ...]


def compiled(circuit: QubitCircuit, entangler: Entangler, limits: Limits) -> NativeCircuit:
    """Return a circuit in native gates.

    Args:
        circuit: Gates, and measurements that no gate on their qubit follows.
        entangler: The machine's gate on two qubits.
        limits: `ionq_gates` bounds the gates that come out, as those that come in.

    Raises:
        InvalidProgram: It is not compiled: it measures on its way, resets or has conditions, or has
            a gate for which there is no exact way.
        LimitExceeded: Too many gates come out.
    """
    work = _Compiler(circuit.n_qubits, entangler, limits.ionq_gates)
    measured: set[int] = set()
    for op in circuit.ops:
        if isinstance(op, Measure):
            measured.add(op.qubit)
        elif isinstance(op, Gate) and measured.isdisjoint(op.targets + op.controls):
            work.add(op)
        else:
            raise _refusal("it measures on its way, resets or has conditions")
    for qubit in range(circuit.n_qubits):
        work.end(qubit, is_measured=qubit in measured)
    return NativeCircuit(circuit.n_qubits, tuple(work.gates))


def _refusal(reason: str) -> InvalidProgram:
    return InvalidProgram(f"The circuit is not compiled: {reason}.", field="circuit")


# --- one qubit ------------------------------------------------------------------------------------


class _Matrix(NamedTuple):
    """[[a, b], [c, d]]."""

    a: complex
    b: complex
    c: complex
    d: complex

    def after(self, first: _Matrix) -> _Matrix:
        a, b, c, d = first
        return _Matrix(
            *(self.a * a + self.b * c, self.a * b + self.b * d),
            *(self.c * a + self.d * c, self.c * b + self.d * d),
        )

    @property
    def adjoint(self) -> _Matrix:
        a, b, c, d = (entry.conjugate() for entry in self)
        return _Matrix(a, c, b, d)


def _u(theta: float, phi: float, lam: float, gamma: float = 0.0) -> _Matrix:
    """Return the flat form's `u` with a global phase."""
    c, s = cos(theta / 2) * exp(1j * gamma), sin(theta / 2) * exp(1j * gamma)
    return _Matrix(c, -exp(1j * lam) * s, exp(1j * phi) * s, exp(1j * (phi + lam)) * c)


def _rz(theta: float) -> _Matrix:
    return _u(0, 0, theta, -theta / 2)


_UNIT: Final = _u(0, 0, 0)
_H: Final = _u(pi / 2, 0, pi)
_X: Final = _u(pi, 0, pi)
_Z: Final = _u(0, 0, pi)
_X_FROM_Z: Final = _u(pi / 2, 0, 0)
"""V with V Z V† = X: a quarter turn about Y."""

_TO_PAULI: Final[Mapping[str, _Matrix]] = MappingProxyType(
    {"X": _X_FROM_Z, "Y": _u(pi / 2, pi / 2, -pi / 2), "Z": _UNIT}
)
"""V with V Z V† = P."""

_FIXED: Final[Mapping[str, _Matrix]] = MappingProxyType(
    {
        "id": _UNIT,
        "x": _X,
        "y": _u(pi, pi / 2, pi / 2),
        "z": _Z,
        "h": _H,
        "s": _u(0, 0, pi / 2),
        "sdg": _u(0, 0, -pi / 2),
        "t": _u(0, 0, pi / 4),
        "tdg": _u(0, 0, -pi / 4),
        "sx": _u(pi / 2, -pi / 2, pi / 2, pi / 4),
        "sxdg": _u(pi / 2, pi / 2, -pi / 2, -pi / 4),
    }
)


def _on_one(gate: Gate) -> _Matrix:
    """Return the matrix of a gate on one target, controls aside."""
    if gate.name in _FIXED:
        return _FIXED[gate.name]
    match gate.name, gate.params:
        case "rx", (theta,):
            return _u(theta, -pi / 2, pi / 2)
        case "ry", (theta,):
            return _u(theta, 0, 0)
        case "rz", (theta,):
            return _rz(theta)
        case "p", (lam,):
            return _u(0, 0, lam)
        case "u", (theta, phi, lam):
            return _u(theta, phi, lam)
        case "gpi", (phi,):
            return _u(pi, phi, pi - phi)
        case "gpi2", (phi,):
            return _u(pi / 2, phi - pi / 2, pi / 2 - phi)
        case "unitary", (ar, ai, br, bi, cr, ci, dr, di):
            return _Matrix(complex(ar, ai), complex(br, bi), complex(cr, ci), complex(dr, di))
        case _:
            raise _refusal(f"there is no exact way for {gate.name}")


def _diagonalised(matrix: _Matrix) -> tuple[_Matrix, float, float]:
    """Return W, α, β of a unitary W diag(e^{iα}, e^{iβ}) W†."""
    a, b, c, d = matrix
    if abs(b) < _TINY:
        return _UNIT, phase(a), phase(d)
    middle, half = (a + d) / 2, (a - d) / 2
    root = (half * half + b * c) ** 0.5
    # Of the two ways to write an eigenvector the one that does not cancel.
    x, y = (half + root, c) if abs(half + root) > abs(half - root) else (b, root - half)
    norm = sqrt(abs(x) ** 2 + abs(y) ** 2)
    x, y = x / norm, y / norm
    basis = _Matrix(x, -y.conjugate(), y, x.conjugate())
    return basis, phase(middle + root), phase(middle - root)


# --- the compiler ---------------------------------------------------------------------------------


class _Compiler:
    """Takes gates one by one; `pending` is what each qubit has yet to undergo."""

    def __init__(self, n_qubits: int, entangler: Entangler, most: int) -> None:
        self.gates: list[NativeGate] = []
        self._entangler = entangler
        self._most = most
        self._pending = [_UNIT] * n_qubits

    def add(self, gate: Gate) -> None:
        """Add a gate of the flat form."""
        targets, controls = gate.targets, gate.controls
        match gate.name:
            case "gphase":
                self._phase(gate.params[0], controls)
            case "swap":
                self._swap(targets[0], targets[1], controls)
            case "rxx" | "ryy" | "rzz":
                basis = _TO_PAULI[gate.name[1].upper()]
                self._rotate(gate.params[0], targets, (basis, basis), controls)
            case "zz":
                self._rotate(gate.params[0], targets, (_UNIT, _UNIT), controls)
            case "ms":
                *phis, theta = gate.params
                equator = [_rz(phi).after(_X_FROM_Z) for phi in phis]
                self._rotate(theta, targets, equator, controls)
            case "pauliexp":
                self._pauliexp(gate)
            case _ if controls:
                self._controlled(_on_one(gate), controls, targets[0])
            case _:
                self._do(_on_one(gate), targets[0])

    def end(self, qubit: int, *, is_measured: bool) -> None:
        """Do what a qubit has yet to undergo; a last rotation about Z is nothing to its reading."""
        angle = self._flush(qubit)
        if not is_measured and abs(fmod(angle, tau)) > _TINY:
            self._pulse("gpi", qubit, 0)
            self._pulse("gpi", qubit, angle / 2)

    def _do(self, matrix: _Matrix, qubit: int) -> None:
        self._pending[qubit] = matrix.after(self._pending[qubit])

    def _controlled(self, matrix: _Matrix, controls: tuple[int, ...], target: int) -> None:
        basis, alpha, beta = _diagonalised(matrix)
        self._do(basis.adjoint, target)
        self._phase(alpha, controls)
        self._phase(beta - alpha, (*controls, target))
        self._do(basis, target)

    def _swap(self, one: int, other: int, controls: tuple[int, ...]) -> None:
        self._cx(one, other)
        self._controlled(_X, (*controls, other), one)
        self._cx(one, other)

    def _cx(self, control: int, target: int) -> None:
        self._controlled(_X, (control,), target)

    def _pauliexp(self, gate: Gate) -> None:
        if _any_anticommute(gate.terms):
            raise _refusal("terms of a pauliexp do not commute")
        for term, amount in zip(gate.terms, gate.params, strict=True):
            places = [place for place, letter in enumerate(term[::-1]) if letter != "I"]
            if places:
                qubits = tuple(gate.targets[place] for place in places)
                bases = tuple(_TO_PAULI[term[::-1][place]] for place in places)
                self._rotate(2 * amount, qubits, bases, gate.controls)
            else:
                self._phase(-amount, gate.controls)

    def _rotate(
        self,
        theta: float,
        qubits: Sequence[int],
        bases: Sequence[_Matrix],
        controls: tuple[int, ...],
    ) -> None:
        """Do exp(-iθ/2 ⊗ V Z V†), V from `bases`, where the controls are |1⟩."""
        for qubit, basis in zip(qubits, bases, strict=True):
            self._do(basis.adjoint, qubit)
        # A parity is gathered on the last qubit; with two and no controls there is a gate for it.
        n_gathered = len(qubits) - (1 if controls else 2)
        chain = list(pairwise(qubits))[: max(0, n_gathered)]
        for pair in chain:
            self._cx(*pair)
        if controls:
            self._controlled(_rz(theta), controls, qubits[-1])
        elif len(qubits) == 1:
            self._do(_rz(theta), qubits[0])
        else:
            self._entangle(theta, *qubits[-2:])
        for pair in reversed(chain):
            self._cx(*pair)
        for qubit, basis in zip(qubits, bases, strict=True):
            self._do(basis, qubit)

    def _phase(self, lam: float, qubits: tuple[int, ...]) -> None:
        """Multiply by e^{iλ} where all qubits are |1⟩.

        Barenco et al., Phys. Rev. A 52, 3457 (1995), lemma 7.5.
        """
        if not qubits or abs(fmod(lam, tau)) < _TINY:
            return
        match qubits:
            case (target,):
                self._do(_u(0, 0, lam), target)
            case control, target:
                self._do(_u(0, 0, lam / 2), control)
                self._do(_u(0, 0, lam / 2), target)
                self._entangle(-lam / 2, control, target)
            case *others, control, target:
                self._phase(lam / 2, (control, target))
                self._flip(tuple(others), control, target)
                self._phase(-lam / 2, (control, target))
                self._flip(tuple(others), control, target)
                self._phase(lam / 2, (*others, target))

    def _flip(self, controls: tuple[int, ...], target: int, spare: int) -> None:
        """Do X where all controls are |1⟩, with a qubit that may be in any state and stays in it.

        Lemma 7.3 there, down to two controls: about k² gates.
        """
        if len(controls) <= 2:
            self._controlled(_X, controls, target)
            return
        middle = (len(controls) + 1) // 2
        few, rest = controls[:middle], (*controls[middle:], spare)
        for _ in range(2):
            self._flip(few, spare, target)
            self._flip(rest, target, few[0])

    # --- what comes out ---------------------------------------------------------------------------

    def _entangle(self, theta: float, one: int, other: int) -> None:
        """Do exp(-iθ/2 Z⊗Z) with at most a quarter turn of the machine's gate."""
        n_halves = round(theta / pi)
        theta -= n_halves * pi
        if n_halves % 2:  # exp(-iπ/2 Z⊗Z) is Z⊗Z but for a phase
            self._do(_Z, one)
            self._do(_Z, other)
        if abs(theta) < _TINY:
            return
        if self._entangler == "zz":
            self._zz(theta, one, other)
        else:
            self._ms(theta, one, other)

    def _zz(self, theta: float, one: int, other: int) -> None:
        for qubit in (one, other):
            self._pending[qubit] = _rz(self._flush(qubit))
        self._emit(NativeGate("zz", targets=(one, other), angle=theta / tau))

    def _ms(self, theta: float, one: int, other: int) -> None:
        frames = []
        for qubit in (one, other):
            self._do(_X_FROM_Z, qubit)
            frames.append(self._flush(qubit))
        for qubit, frame in zip((one, other), frames, strict=True):
            self._pending[qubit] = _X_FROM_Z.adjoint.after(_rz(frame))
        first = pi if theta < 0 else 0.0  # half a turn of one phase is a sign
        phases = (_turns(first - frames[0]), _turns(-frames[1]))
        self._emit(NativeGate("ms", targets=(one, other), phases=phases, angle=abs(theta) / tau))

    def _flush(self, qubit: int) -> float:
        """Do what is pending but for a rotation about Z, and return its angle."""
        a, b, c, d = self._pending[qubit]
        self._pending[qubit] = _UNIT
        if abs(c) < _TINY:
            return phase(d) - phase(a)
        if abs(a) < _TINY:
            self._pulse("gpi", qubit, (phase(c) - phase(b)) / 2)
            return 0.0
        theta, lam = 2 * atan2(abs(c), abs(a)), phase(-b) - phase(a)
        # Of a small entry the phase is vague: φ comes from the large ones, so that it makes up.
        phi = (phase(d) - phase(a) - lam) if abs(a) > abs(c) else (phase(c) - phase(-b) + lam)
        if abs(theta - pi / 2) < _TINY:
            self._pulse("gpi2", qubit, pi / 2 - lam)
            return phi + lam
        self._pulse("gpi2", qubit, -lam)
        self._pulse("gpi2", qubit, pi - lam - theta)
        return phi + theta + lam

    def _pulse(self, name: str, qubit: int, phi: float) -> None:
        self._emit(NativeGate(name, target=qubit, phase=_turns(phi)))

    def _emit(self, gate: NativeGate) -> None:
        self.gates.append(gate)
        check_limit("ionq_gates", len(self.gates), self._most, " or more")


def _turns(angle: float) -> float:
    """Return an angle in turns, at least 0 and less than 1."""
    return angle / tau % 1.0 % 1.0  # the first may give 1 for what is just below 0


def _any_anticommute(terms: Sequence[str]) -> bool:
    """Return whether two strings of Paulis differ in an odd number of places that both fill."""
    masks = []
    for term in terms:
        x = int("0" + "".join("1" if letter in "XY" else "0" for letter in term), 2)
        z = int("0" + "".join("1" if letter in "ZY" else "0" for letter in term), 2)
        masks.append((x, z))
    each = dict.fromkeys(masks)
    return any(
        (a & d).bit_count() + (b & c).bit_count() & 1 for (a, b), (c, d) in combinations(each, 2)
    )
