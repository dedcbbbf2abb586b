"""Compiles flat circuits to the gates that a lab's device announces, up to a global phase.

The device's own gates are kept. Other gates on one qubit are multiplied and become one-qubit gates
of the device; other gates on several qubits also use its two-qubit gates. Native gates of trapped
ions (`gpi gpi2 ms zz`) are never replaced: a program that names them means these pulses.
"""

from __future__ import annotations

from cmath import phase
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from math import isclose, pi, remainder, tau
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from qwicket.circuits.qubit import Branch, Gate, Jump, Measure, Op, QubitCircuit, Reset
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.programs.synthesis import (
    TINY,
    TO_PAULI,
    UNIT,
    X_FROM_Z,
    Matrix,
    NoExactDecomposition,
    Synthesis,
    euler,
    on_one,
    rz,
    u,
)

FlatGate = tuple[str, int]
"""Name of a flat gate (`circuits.qubit`) and its number of controls."""
GateSequence = tuple[Gate, ...]
"""Gates on qubit 0, in time order."""

_FIXED: Final = ("id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg")
_ROTATIONS: Final = ("rx", "ry", "rz", "p")
_ON_TWO: Final = ("swap", "rxx", "ryy", "rzz")
_IONS: Final = ("gpi", "gpi2", "ms", "zz")

_CONTROLLED: Final = ("x", "y", "z", "h", "s", "sdg", "sx", "sxdg", *_ROTATIONS, "u")
NAMES: Final[Mapping[str, FlatGate]] = MappingProxyType(
    {
        **{name: (name, 0) for name in (*_FIXED, *_ROTATIONS, *_ON_TWO, *_IONS, "u", "gphase")},
        **{f"c{name}": (name, 1) for name in (*_CONTROLLED, "swap")},
        "ccx": ("x", 2),
        "ccz": ("z", 2),
        "c3x": ("x", 3),
        "c4x": ("x", 4),
        "c3sx": ("sx", 3),
        "u1": ("p", 0),
        "phase": ("p", 0),
        "cu1": ("p", 1),
        "cphase": ("p", 1),
        "u3": ("u", 0),
        "U": ("u", 0),
        "cu3": ("u", 1),
        "CX": ("x", 1),
        "not": ("x", 0),
        "v": ("sx", 0),
        "vi": ("sxdg", 0),
        "si": ("sdg", 0),
        "ti": ("tdg", 0),
        "cnot": ("x", 1),
        "toffoli": ("x", 2),
        "xx": ("rxx", 0),
        "yy": ("ryy", 0),
    }
)
"""Flat gates by the names that devices may announce, OpenQASM's or those of trapped ions."""
RESET: Final = "reset"
CONDITIONS: Final = ("if", "if_else")
"""Names by which a device announces resets and conditional gates."""

_MAX_SEQUENCES: Final = 1_000
_DIGITS: Final = 12
_DIGITS_IF_NOT_UNIVERSAL: Final = 9
"""Digits to which `_key` rounds a matrix if not every matrix can be made: coarse as in
`circuits.analysis`, because an angle in a text may have ten digits."""
_SHOWN_GATES: Final = 12
_SHOWN_CHARS: Final = 100


def compile_circuits(
    circuits: tuple[QubitCircuit, ...], gates: Sequence[str], device: str, limits: Limits
) -> tuple[QubitCircuit, ...]:
    """Return circuits in the gates of a device.

    Args:
        circuits: Circuits of one program.
        gates: Names that the device announces, with `reset` and `if` where it supports them.
        device: Name of the device, for errors.
        limits: `operations` bounds the number of operations of all compiled circuits.

    Raises:
        InvalidProgram: A gate cannot be compiled; the detail names it.
        LimitExceeded: The compiled circuits have too many operations.
    """
    n_left = limits.programs.operations
    found = []
    for circuit in circuits:
        work = _Compiler(circuit, tuple(gates), n_left)
        try:
            found.append(work.compile())
        except NoExactDecomposition as error:
            raise InvalidProgram(
                f"{device} takes {_listed(gates)}; {error} cannot be compiled to them",
                field="program",
            ) from None
        except _TooManyOperations:
            raise LimitExceeded(
                f"In the gates of {device} the program has more than"
                f" {limits.programs.operations} operations (limit operations)",
                field="program",
            ) from None
        n_left -= len(found[-1].ops)
    return tuple(found)


class _TooManyOperations(Exception):
    """The compiled circuits have too many operations."""


def _listed(gates: Sequence[str]) -> str:
    names = [name[:_SHOWN_CHARS] for name in gates[:_SHOWN_GATES]]
    return ", ".join(names) + (", …" if len(gates) > _SHOWN_GATES else "")


def label(gate: Gate) -> str:
    """Return a gate's name with its controls, as OpenQASM has it: `x`, `cx`, `ccx`, `c3x`."""
    n_controls = len(gate.controls)
    return ("c" * n_controls if n_controls < 3 else f"c{n_controls}") + gate.name


def basis(gates: Sequence[str]) -> Basis:
    """Return the basis of a device with these gates."""
    return _basis(tuple(gates))


@lru_cache(64)
def _basis(gates: tuple[str, ...]) -> Basis:
    return Basis(gates)


# --- one qubit ------------------------------------------------------------------------------------


class Basis:
    """Decomposition of one-qubit matrices into the gates of a device.

    Attributes:
        names: The device's gates as flat gates, with their numbers of controls.
        resets: Whether the device resets qubits.
        branches: Whether the device runs conditional gates.
        is_universal: Whether `sequence_for` finds gates for every matrix.
    """

    def __init__(self, gates: tuple[str, ...]) -> None:
        self.names = frozenset(NAMES[gate] for gate in gates if gate in NAMES)
        self.resets = RESET in gates
        self.branches = any(name in gates for name in CONDITIONS)
        self._z = next((name for name in ("rz", "p") if self.has(name)), "")
        self._decompose = self._find_decomposition()
        self.is_universal = self._decompose is not None
        self._digits = _DIGITS if self.is_universal else _DIGITS_IF_NOT_UNIVERSAL
        self._fixed = {
            _key(on_one(Gate(name, (0,))), self._digits): (Gate(name, (0,)),)
            for name in reversed(_FIXED)
            if self.has(name) and name != "id"
        }
        self._shortest_sequences = {} if self.is_universal else _shortest_sequences(self._fixed)

    def has(self, name: str, n_controls: int = 0) -> bool:
        return (name, n_controls) in self.names

    def sequence_for(self, matrix: Matrix) -> GateSequence | None:
        """Return gates that make a matrix up to a phase; None if no sequence is known."""
        key = _key(matrix, self._digits)
        if key == _UNIT_KEY:
            return ()
        if key in self._fixed:
            return self._fixed[key]
        if self._decompose is not None:
            return tuple(_normalised(self._decompose(matrix)))
        return self._as_one_rotation(matrix) or self._shortest_sequences.get(key)

    def _find_decomposition(self) -> Callable[[Matrix], GateSequence] | None:
        """Return a function that decomposes every matrix, or None if the gates do not suffice.

        The first that the gates allow is returned.
        """
        if self.has("u"):
            return lambda matrix: (Gate("u", (0,), tuple(euler(matrix))),)
        if self._z:
            for name, decompose in (
                ("sx", self._by_sx),
                ("ry", self._by_ry),
                ("rx", self._by_rx),
                ("sxdg", self._by_sxdg),
                ("h", self._by_h),
            ):
                if self.has(name):
                    return decompose
        if self.has("rx") and self.has("ry"):
            return self._by_rx_and_ry
        if self.has("gpi2"):
            return self._by_pulses
        return None

    def _rz(self, angle: float) -> Gate:
        return Gate(self._z, (0,), (angle,))

    def _by_sx(self, matrix: Matrix) -> GateSequence:
        """Rz SX Rz SX Rz: McKay et al., Phys. Rev. A 96, 022330 (2017)."""
        theta, phi, lam = euler(matrix)
        sx = Gate("sx", (0,))
        if theta == 0:
            return (self._rz(lam),)
        if theta == pi and self.has("x"):
            return self._rz(lam - phi + pi), Gate("x", (0,))
        if isclose(theta, pi / 2, abs_tol=TINY):
            return self._rz(lam - pi / 2), sx, self._rz(phi + pi / 2)
        return self._rz(lam), sx, self._rz(theta + pi), sx, self._rz(phi + pi)

    def _by_sxdg(self, matrix: Matrix) -> GateSequence:
        theta, phi, lam = euler(matrix)
        sxdg = Gate("sxdg", (0,))
        if theta == 0:
            return (self._rz(lam),)
        if isclose(theta, pi / 2, abs_tol=TINY):
            return self._rz(lam + pi / 2), sxdg, self._rz(phi - pi / 2)
        return self._rz(lam - pi), sxdg, self._rz(theta + pi), sxdg, self._rz(phi)

    def _by_h(self, matrix: Matrix) -> GateSequence:
        theta, phi, lam = euler(matrix)
        h = Gate("h", (0,))
        if theta == 0:
            return (self._rz(lam),)
        if isclose(theta, pi / 2, abs_tol=TINY):
            return self._rz(lam - pi), h, self._rz(phi)
        return self._rz(lam - pi / 2), h, self._rz(theta), h, self._rz(phi + pi / 2)

    def _by_ry(self, matrix: Matrix) -> GateSequence:
        theta, phi, lam = euler(matrix)
        return self._rz(lam), Gate("ry", (0,), (theta,)), self._rz(phi)

    def _by_rx(self, matrix: Matrix) -> GateSequence:
        theta, phi, lam = euler(matrix)
        if theta == 0:
            return (self._rz(lam),)
        return self._rz(lam - pi / 2), Gate("rx", (0,), (theta,)), self._rz(phi + pi / 2)

    def _by_rx_and_ry(self, matrix: Matrix) -> GateSequence:
        turned = X_FROM_Z.adjoint.after(matrix).after(X_FROM_Z)
        theta, phi, lam = euler(turned)
        return (
            Gate("rx", (0,), (lam,)),
            Gate("ry", (0,), (theta,)),
            Gate("rx", (0,), (phi,)),
        )

    def _by_pulses(self, matrix: Matrix) -> GateSequence:
        """Two `gpi2`, and the rotation about Z that is left as two `gpi` or four `gpi2`."""
        theta, phi, lam = euler(matrix)
        first = (_gpi2(-lam), _gpi2(pi - lam - theta)) if theta else ()
        angle = phi + theta + lam if theta else lam
        if abs(remainder(angle, tau)) < TINY:
            return first
        return (*first, *self._whole_pulse(0.0), *self._whole_pulse(angle / 2))

    def _whole_pulse(self, phi: float) -> GateSequence:
        return (Gate("gpi", (0,), (phi,)),) if self.has("gpi") else (_gpi2(phi), _gpi2(phi))

    def _as_one_rotation(self, matrix: Matrix) -> GateSequence | None:
        """Return the matrix as one rotation, if it is one about an axis of the device."""
        for letter, name in (("Z", self._z), ("X", "rx"), ("Y", "ry")):
            if name and self.has(name):
                basis = TO_PAULI[letter]
                a, b, _, d = basis.adjoint.after(matrix).after(basis)
                if abs(b) < TINY:
                    return (Gate(name, (0,), (phase(d) - phase(a),)),)
        return None


def _gpi2(phi: float) -> Gate:
    return Gate("gpi2", (0,), (phi,))


def _key(matrix: Matrix, digits: int) -> tuple[complex, ...]:
    """Return a key that is equal for matrices that differ only by a phase."""
    first = next(entry for entry in matrix if abs(entry) > 1e-6)
    turn = first.conjugate() / abs(first)
    return tuple(
        complex(round(z.real, digits) + 0.0, round(z.imag, digits) + 0.0)
        for z in (entry * turn for entry in matrix)
    )


_UNIT_KEY: Final = _key(UNIT, _DIGITS)


def _shortest_sequences(
    fixed: Mapping[tuple[complex, ...], GateSequence],
) -> dict[tuple[complex, ...], GateSequence]:
    """Return the shortest sequence of fixed gates for each matrix that they make.

    Clifford gates make 24 matrices. With `t` there are infinitely many, so the search stops once
    `_MAX_SEQUENCES` are known.
    """
    known: dict[tuple[complex, ...], GateSequence] = {_UNIT_KEY: ()}
    edge: list[tuple[Matrix, GateSequence]] = [(UNIT, ())]
    factors = [(on_one(gate), gate) for (gate,) in fixed.values()]
    while edge and len(known) < _MAX_SEQUENCES:
        grown = []
        for matrix, sequence in edge:
            for factor, gate in factors:
                made = factor.after(matrix)
                key = _key(made, _DIGITS_IF_NOT_UNIVERSAL)
                if key not in known:
                    known[key] = (*sequence, gate)
                    grown.append((made, known[key]))
        edge = grown
    return known


def _normalised(sequence: GateSequence) -> Iterator[Gate]:
    """Leave out rotations by multiples of 2π; bring other angles into [-π, π]."""
    for gate in sequence:
        if gate.name in _ROTATIONS:
            angle = remainder(gate.params[0], tau)
            if abs(angle) >= TINY:
                yield Gate(gate.name, gate.targets, (angle,))
        else:
            yield gate


# --- several qubits -------------------------------------------------------------------------------


class _Compiler(Synthesis):
    """Compiles one circuit."""

    def __init__(self, circuit: QubitCircuit, gates: tuple[str, ...], maximum: int) -> None:
        super().__init__(circuit.n_qubits)
        self._circuit = circuit
        self._basis = _basis(gates)
        self._maximum = maximum
        self._ops: list[Op] = []
        self._qubits_with_pending: set[int] = set()
        self._label = ""

    def compile(self) -> QubitCircuit:
        circuit = self._circuit
        ends = {
            k + 1 + op.skip for k, op in enumerate(circuit.ops) if isinstance(op, Branch | Jump)
        }
        # Where each operation begins in the compiled list, to count skips again.
        begins: dict[int, int] = {}
        for place, op in enumerate(circuit.ops):
            if place in ends:  # no gates are merged across the end of a skip
                self._emit_all_pending()
            begins[place] = len(self._ops)
            self._take(op)
            if isinstance(op, Branch | Jump):
                begins[place] = len(self._ops) - 1
        self._emit_all_pending()
        begins[len(circuit.ops)] = len(self._ops)
        for place, op in enumerate(circuit.ops):
            if isinstance(op, Branch | Jump):
                here, end = begins[place], begins[min(place + 1 + op.skip, len(circuit.ops))]
                self._ops[here] = _skipping(op, end - here - 1)
        return replace(circuit, ops=tuple(self._ops))

    def _take(self, op: Op) -> None:
        basis = self._basis
        match op:
            case Gate():
                self._take_gate(op)
            case Measure():
                self._emit_all_pending()  # so that no gate follows a final measurement
                self._emit(op)
            case Reset():
                if not basis.resets:
                    raise NoExactDecomposition("'reset'")
                self.pending[op.qubit] = UNIT
                self._emit(op)
            case Branch() | Jump():
                if not basis.branches:
                    raise NoExactDecomposition("'if'")
                self._emit_all_pending()
                self._emit(op)

    def _take_gate(self, gate: Gate) -> None:
        if self._basis.has(gate.name, len(gate.controls)):
            for qubit in gate.controls + gate.targets:
                self.emit_pending(qubit)
            self._emit(gate)
            return
        self._label = repr(label(gate))
        if gate.name in _IONS:
            raise NoExactDecomposition(f"{self._label}, a native gate, is never rewritten and")
        try:
            self.add(gate)
        except NoExactDecomposition:
            raise NoExactDecomposition(self._label) from None

    def do(self, matrix: Matrix, qubit: int) -> None:
        """Multiply the pending matrix; if no sequence makes the product, emit the former gates."""
        product = matrix.after(self.pending[qubit])
        if not self._basis.is_universal and self._basis.sequence_for(product) is None:
            self.emit_pending(qubit)
            product = matrix
            if self._basis.sequence_for(matrix) is None:
                raise NoExactDecomposition(self._label)
        self.pending[qubit] = product
        self._qubits_with_pending.add(qubit)

    def emit_pending(self, qubit: int) -> float:
        """Emit all pending gates and return 0: no rotation about Z is left.

        A device's gates need not commute with one.
        """
        if qubit in self._qubits_with_pending:
            self._qubits_with_pending.discard(qubit)
            sequence = self._basis.sequence_for(self.pending[qubit])
            assert sequence is not None  # `do` keeps only matrices that have one
            self.pending[qubit] = UNIT
            for gate in sequence:
                self._emit(Gate(gate.name, (qubit,), gate.params))
        return 0.0

    def _emit_all_pending(self) -> None:
        for qubit in sorted(self._qubits_with_pending):
            self.emit_pending(qubit)

    def _emit(self, op: Op) -> None:
        if len(self._ops) >= self._maximum:
            raise _TooManyOperations
        self._ops.append(op)

    def _emit_on(self, name: str, params: tuple[float, ...], *qubits: int, n_controls: int) -> None:
        for qubit in qubits:
            self.emit_pending(qubit)
        self._emit(Gate(name, qubits[n_controls:], params, qubits[:n_controls]))

    def turn_phase(self, lam: float, qubits: tuple[int, ...]) -> None:
        """Do a phase of π on three qubits (CCZ) with six CX: two fewer than in general."""
        is_half_turn = isclose(abs(remainder(lam, tau)), pi, abs_tol=TINY)
        if len(qubits) == 3 and is_half_turn and self._controlled_pauli() is not None:
            self._do_ccz(*qubits)
        else:
            super().turn_phase(lam, qubits)

    def _do_ccz(self, qubit_a: int, qubit_b: int, target: int) -> None:
        """Six CX: Nielsen and Chuang, "Quantum Computation and Quantum Information", fig. 4.9."""
        t, tdg = u(0, 0, pi / 4), u(0, 0, -pi / 4)
        for control, turn in ((qubit_b, tdg), (qubit_a, t), (qubit_b, tdg), (qubit_a, t)):
            self._cx(control, target)
            self.do(turn, target)
        self.do(t, qubit_b)
        self._cx(qubit_a, qubit_b)
        self.do(t, qubit_a)
        self.do(tdg, qubit_b)
        self._cx(qubit_a, qubit_b)

    def rotate_zz(self, theta: float, qubit_a: int, qubit_b: int) -> None:
        """Do exp(-iθ/2 Z⊗Z).

        By one CZ if θ = ±π/2, else by one rotation or controlled rotation, else by two CX.
        """
        is_quarter = isclose(abs(theta), pi / 2, abs_tol=TINY)
        if is_quarter and self._controlled_pauli() is not None:
            turn = u(0, 0, pi / 2 if theta > 0 else -pi / 2)
            self.do(turn, qubit_a)
            self.do(turn, qubit_b)
            self._do_cz(qubit_a, qubit_b)
        elif not (
            self._do_by_rotation(theta, qubit_a, qubit_b)
            or self._do_by_phase(theta, qubit_a, qubit_b)
        ):
            if self._controlled_pauli() is None:
                raise NoExactDecomposition(self._label)
            self._cx(qubit_a, qubit_b)
            self.do(rz(theta), qubit_b)
            self._cx(qubit_a, qubit_b)

    def _do_by_rotation(self, theta: float, qubit_a: int, qubit_b: int) -> bool:
        """Do exp(-iθ/2 Z⊗Z) by a rotation about a product of Paulis, if the device has one."""
        for name, letter in (("rzz", "Z"), ("zz", "Z"), ("rxx", "X"), ("ryy", "Y"), ("ms", "X")):
            if self._basis.has(name):
                params = (0.0, 0.0, theta) if name == "ms" else (theta,)
                for qubit in (qubit_a, qubit_b):
                    self.do(TO_PAULI[letter], qubit)
                self._emit_on(name, params, qubit_a, qubit_b, n_controls=0)
                for qubit in (qubit_a, qubit_b):
                    self.do(TO_PAULI[letter].adjoint, qubit)
                return True
        return False

    def _do_by_phase(self, theta: float, qubit_a: int, qubit_b: int) -> bool:
        """Do exp(-iθ/2 Z⊗Z) by a controlled phase or rotation by -2θ, if the device has one."""
        if self._basis.has("p", 1):
            self.do(u(0, 0, theta), qubit_a)
            self.do(u(0, 0, theta), qubit_b)
            self._emit_on("p", (-2 * theta,), qubit_a, qubit_b, n_controls=1)
            return True
        for name, letter in (("rz", "Z"), ("rx", "X"), ("ry", "Y")):
            if self._basis.has(name, 1):
                self.do(rz(theta), qubit_b)
                self.do(TO_PAULI[letter], qubit_b)
                self._emit_on(name, (-2 * theta,), qubit_a, qubit_b, n_controls=1)
                self.do(TO_PAULI[letter].adjoint, qubit_b)
                return True
        return False

    def _controlled_pauli(self) -> str | None:
        return next((name for name in ("z", "x", "y") if self._basis.has(name, 1)), None)

    def _do_cz(self, qubit_a: int, qubit_b: int) -> None:
        name = self._controlled_pauli()
        assert name is not None
        frame = TO_PAULI[name.upper()]
        self.do(frame, qubit_b)
        self._emit_on(name, (), qubit_a, qubit_b, n_controls=1)
        self.do(frame.adjoint, qubit_b)

    def _cx(self, control: int, target: int) -> None:
        if self._basis.has("x", 1):
            self._emit_on("x", (), control, target, n_controls=1)
        elif self._controlled_pauli() is not None:
            self.do(X_FROM_Z.adjoint, target)
            self._do_cz(control, target)
            self.do(X_FROM_Z, target)
        else:
            super()._cx(control, target)


def _skipping(op: Branch | Jump, skip: int) -> Branch | Jump:
    if isinstance(op, Jump):
        return Jump(skip)
    return Branch(op.clbits, op.relation, op.value, skip)
