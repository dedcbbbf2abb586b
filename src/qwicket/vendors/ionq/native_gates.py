"""Compile flat qubit circuits to IonQ's native gates, exactly up to a global phase.

One-qubit gates are multiplied until a gate on several qubits follows. Z rotations are virtual: they
shift the phases of later gates, and are dropped before a measurement. Gates on several qubits are
made of ZZ rotations and gates on one qubit.
"""

from __future__ import annotations

from math import fmod, pi, tau

import msgspec

from qwicket.circuits.qubit import Branch, Entangler, Gate, Jump, Measure, QubitCircuit, Reset
from qwicket.model.errors import InvalidProgram
from qwicket.model.limits import Limits
from qwicket.programs.json_text import check_limit
from qwicket.programs.synthesis import (
    TINY,
    UNIT,
    X_FROM_Z,
    NoExactDecomposition,
    Synthesis,
    euler,
    rz,
)
from qwicket.vendors.ionq.limits import IonQLimits


class NativeGate(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One gate in the JSON of `ionq.native.v1`; phases and angles in turns (1 = 2π)."""

    gate: str
    target: int | None = None
    targets: tuple[int, ...] | None = None
    phase: float | None = None
    phases: tuple[float, float] | None = None
    angle: float | None = None


class NativeCircuit(msgspec.Struct, frozen=True):
    """A circuit in the JSON of `ionq.native.v1`."""

    qubits: int
    circuit: tuple[NativeGate, ...]


def compile_circuit(circuit: QubitCircuit, entangler: Entangler, limits: Limits) -> NativeCircuit:
    """Compile a circuit to native gates.

    Args:
        circuit: Gates and measurements; no gate may follow the measurement of one of its qubits.
        entangler: The machine's two-qubit gate.
        limits: `ionq_gates` bounds the number of native gates, as it does for submitted circuits.

    Raises:
        InvalidProgram: The circuit has mid-circuit measurement, reset or conditions, or a gate
            without an exact decomposition.
        LimitExceeded: The circuit needs too many native gates.
    """
    emitter = _Emitter(circuit.n_qubits, entangler, limits.of(IonQLimits).ionq_gates)
    try:
        _compile(circuit, emitter)
    except NoExactDecomposition as error:
        text = f"The circuit cannot be compiled to native gates: {error}."
        raise InvalidProgram(text, field="circuit") from None
    return NativeCircuit(circuit.n_qubits, tuple(emitter.gates))


def _compile(circuit: QubitCircuit, emitter: _Emitter) -> None:
    measured: set[int] = set()
    for op in circuit.ops:
        if isinstance(op, Measure):
            measured.add(op.qubit)
        elif isinstance(op, Gate) and measured.isdisjoint(op.targets + op.controls):
            emitter.add(op)
        else:
            raise InvalidProgram(
                "Circuits with mid-circuit measurement, reset or conditions cannot be compiled to"
                f" native gates; this one has {_unsupported(op)}.",
                field="circuit",
            )
    for qubit in range(circuit.n_qubits):
        emitter.finish(qubit, is_measured=qubit in measured)


def _unsupported(op: Gate | Reset | Branch | Jump) -> str:
    match op:
        case Gate():
            return f"the gate {op.name} after a measurement of its qubit"
        case Reset():
            return "a reset"
        case _:
            return "a condition"


class _Emitter(Synthesis):
    def __init__(self, n_qubits: int, entangler: Entangler, max_gates: int) -> None:
        super().__init__(n_qubits)
        self.gates: list[NativeGate] = []
        self._entangler = entangler
        self._max_gates = max_gates

    def finish(self, qubit: int, *, is_measured: bool) -> None:
        """Emit the pending gates of a qubit.

        A remaining Z rotation is emitted as two `gpi` unless the qubit is measured.
        """
        angle = self.emit_pending(qubit)
        if not is_measured and abs(fmod(angle, tau)) > TINY:
            # rz(angle) = gpi(angle / 2) · gpi(0)
            self._pulse("gpi", qubit, 0)
            self._pulse("gpi", qubit, angle / 2)

    def rotate_zz(self, theta: float, qubit_a: int, qubit_b: int) -> None:
        if self._entangler == "zz":
            self._zz(theta, qubit_a, qubit_b)
        else:
            self._ms(theta, qubit_a, qubit_b)

    def _zz(self, theta: float, qubit_a: int, qubit_b: int) -> None:
        for qubit in (qubit_a, qubit_b):  # Z rotations commute with `zz`
            self.pending[qubit] = rz(self.emit_pending(qubit))
        self._emit(NativeGate("zz", targets=(qubit_a, qubit_b), angle=theta / tau))

    def _ms(self, theta: float, qubit_a: int, qubit_b: int) -> None:
        # exp(-iθ/2 ZZ) = V† exp(-iθ/2 XX) V with V = `X_FROM_Z` on both qubits. The Z rotations
        # that are left before XX are not emitted: they shift the phases of `ms`.
        z_angles = []
        for qubit in (qubit_a, qubit_b):
            self.do(X_FROM_Z, qubit)
            z_angles.append(self.emit_pending(qubit))
        for qubit, z_angle in zip((qubit_a, qubit_b), z_angles, strict=True):
            self.pending[qubit] = X_FROM_Z.adjoint.after(rz(z_angle))
        # IonQ's angle must not be negative; adding π to one phase negates it.
        sign_phase = pi if theta < 0 else 0.0
        phases = (_turns(sign_phase - z_angles[0]), _turns(-z_angles[1]))
        self._emit(
            NativeGate("ms", targets=(qubit_a, qubit_b), phases=phases, angle=abs(theta) / tau)
        )

    def emit_pending(self, qubit: int) -> float:
        # Each identity holds up to a global phase; its rightmost factor acts first.
        theta, phi, lam = euler(self.pending[qubit])
        self.pending[qubit] = UNIT
        if theta == 0:  # u(0, 0, λ) = rz(λ)
            return lam
        if theta == pi:  # u(π, φ, 0) = gpi((φ + π) / 2)
            self._pulse("gpi", qubit, (phi + pi) / 2)
            return 0.0
        if abs(theta - pi / 2) < TINY:  # u(π/2, φ, λ) = rz(φ + λ) · gpi2(π/2 - λ)
            self._pulse("gpi2", qubit, pi / 2 - lam)
            return phi + lam
        # u(θ, φ, λ) = rz(φ + θ + λ) · gpi2(π - λ - θ) · gpi2(-λ)
        self._pulse("gpi2", qubit, -lam)
        self._pulse("gpi2", qubit, pi - lam - theta)
        return phi + theta + lam

    def _pulse(self, name: str, qubit: int, phi: float) -> None:
        self._emit(NativeGate(name, target=qubit, phase=_turns(phi)))

    def _emit(self, gate: NativeGate) -> None:
        self.gates.append(gate)
        check_limit("ionq_gates", len(self.gates), self._max_gates, " or more")


def _turns(angle: float) -> float:
    """Return an angle in turns, at least 0 and less than 1."""
    # `% 1.0` rounds tiny negative values to 1.0; the second maps that to 0.
    return angle / tau % 1.0 % 1.0
