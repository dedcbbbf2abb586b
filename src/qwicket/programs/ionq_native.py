"""Flat circuits in the native gates of IonQ's machines: `gpi`, `gpi2` and either `ms` or `zz`.

Exact up to a global phase. What one qubit is to undergo is gathered until two qubits meet, and what
is then left of it, a rotation about Z, costs nothing: it turns the phases of the gates to come.
Before a measurement it is dropped. Everything else is made of one thing, exp(-iθ/2 Z⊗Z).

Owns which gates come out; does not know what asked for them, nor how well a machine does them.
"""

from __future__ import annotations

from math import fmod, pi, tau
from typing import Literal

import msgspec

from qwicket.circuits.qubit import Gate, Measure, QubitCircuit
from qwicket.model.errors import InvalidProgram
from qwicket.model.limits import Limits
from qwicket.programs.ionq_gates import IonQLimits
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

Entangler = Literal["ms", "zz"]


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


def compile_circuit(circuit: QubitCircuit, entangler: Entangler, limits: Limits) -> NativeCircuit:
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
    work = _Compiler(circuit.n_qubits, entangler, limits.of(IonQLimits).ionq_gates)
    try:
        _compile(circuit, work)
    except NoExactDecomposition as error:
        raise InvalidProgram(f"The circuit is not compiled: {error}.", field="circuit") from None
    return NativeCircuit(circuit.n_qubits, tuple(work.gates))


def _compile(circuit: QubitCircuit, work: _Compiler) -> None:
    measured: set[int] = set()
    for op in circuit.ops:
        if isinstance(op, Measure):
            measured.add(op.qubit)
        elif isinstance(op, Gate) and measured.isdisjoint(op.targets + op.controls):
            work.add(op)
        else:
            raise NoExactDecomposition("it measures on its way, resets or has conditions")
    for qubit in range(circuit.n_qubits):
        work.end(qubit, is_measured=qubit in measured)


class _Compiler(Synthesis):
    def __init__(self, n_qubits: int, entangler: Entangler, maximum: int) -> None:
        super().__init__(n_qubits)
        self.gates: list[NativeGate] = []
        self._entangler = entangler
        self._maximum = maximum

    def end(self, qubit: int, *, is_measured: bool) -> None:
        """Do what a qubit has yet to undergo; a last rotation about Z is nothing to its reading."""
        angle = self.flush(qubit)
        if not is_measured and abs(fmod(angle, tau)) > TINY:
            self._pulse("gpi", qubit, 0)
            self._pulse("gpi", qubit, angle / 2)

    def turn_parity(self, theta: float, qubit_a: int, qubit_b: int) -> None:
        if self._entangler == "zz":
            self._zz(theta, qubit_a, qubit_b)
        else:
            self._ms(theta, qubit_a, qubit_b)

    def _zz(self, theta: float, qubit_a: int, qubit_b: int) -> None:
        for qubit in (qubit_a, qubit_b):
            self.pending[qubit] = rz(self.flush(qubit))
        self._emit(NativeGate("zz", targets=(qubit_a, qubit_b), angle=theta / tau))

    def _ms(self, theta: float, qubit_a: int, qubit_b: int) -> None:
        frames = []
        for qubit in (qubit_a, qubit_b):
            self.do(X_FROM_Z, qubit)
            frames.append(self.flush(qubit))
        for qubit, frame in zip((qubit_a, qubit_b), frames, strict=True):
            self.pending[qubit] = X_FROM_Z.adjoint.after(rz(frame))
        first = pi if theta < 0 else 0.0  # half a turn of one phase is a sign
        phases = (_turns(first - frames[0]), _turns(-frames[1]))
        self._emit(
            NativeGate("ms", targets=(qubit_a, qubit_b), phases=phases, angle=abs(theta) / tau)
        )

    def flush(self, qubit: int) -> float:
        theta, phi, lam = euler(self.pending[qubit])
        self.pending[qubit] = UNIT
        if theta == 0:
            return lam
        if theta == pi:
            self._pulse("gpi", qubit, (phi + pi) / 2)
            return 0.0
        if abs(theta - pi / 2) < TINY:
            self._pulse("gpi2", qubit, pi / 2 - lam)
            return phi + lam
        self._pulse("gpi2", qubit, -lam)
        self._pulse("gpi2", qubit, pi - lam - theta)
        return phi + theta + lam

    def _pulse(self, name: str, qubit: int, phi: float) -> None:
        self._emit(NativeGate(name, target=qubit, phase=_turns(phi)))

    def _emit(self, gate: NativeGate) -> None:
        self.gates.append(gate)
        check_limit("ionq_gates", len(self.gates), self._maximum, " or more")


def _turns(angle: float) -> float:
    """Return an angle in turns, at least 0 and less than 1."""
    return angle / tau % 1.0 % 1.0  # the first may give 1 for what is just below 0
