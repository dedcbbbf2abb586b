"""Circuits in IonQ's two gatesets, built gate by gate.

    Circuit(2).h(0).cnot(0, 1)
    NativeCircuit(2).gpi2(0, phase=0.25).ms(0, 1, phases=(0, 0), angle=0.25)

All qubits are measured at the end; in a result's keys qubit 0 is the lowest bit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from qwicket.clients.ionq.errors import IonQClientError

if TYPE_CHECKING:
    from collections.abc import Sequence


class _CircuitBase:
    """Number of qubits, and a list of gates in IonQ's JSON format.

    Each method for a gate adds it and returns the circuit, so calls can be chained.
    """

    gateset: ClassVar[Literal["qis", "native"]]

    def __init__(self, qubits: int, *, name: str = "") -> None:
        if not _is_whole(qubits) or qubits < 1:
            raise IonQClientError(f"qubits must be a positive whole number, not {qubits!r}.")
        self.qubits = qubits
        self.name = name
        self.gates: list[dict[str, Any]] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.qubits} qubits, {len(self.gates)} gates>"

    def _add(self, gate: str, operands: Sequence[int], **fields: Any) -> Self:
        where = f"gate {len(self.gates)} ({gate})"
        for qubit in operands:
            if not _is_whole(qubit):
                raise IonQClientError(f"{where}: a qubit is a whole number, not {qubit!r}.")
            if not 0 <= qubit < self.qubits:
                raise IonQClientError(
                    f"{where}: qubit {qubit} does not exist; there are {self.qubits} qubits."
                )
        if len(set(operands)) < len(operands):
            raise IonQClientError(f"{where}: a qubit occurs twice.")
        self.gates.append({"gate": gate, **fields})
        return self

    def _number(self, value: float, name: str) -> float:
        number = float(value)
        if not math.isfinite(number):
            raise IonQClientError(f"gate {len(self.gates)}: {name} must be finite, not {value!r}.")
        return number


class Circuit(_CircuitBase):
    """Circuit of abstract gates (gateset `qis`). Angles are in radians.

    Args:
        qubits: Number of qubits.
        name: Name of the circuit in a job of several circuits.
    """

    gateset = "qis"

    def gate(
        self,
        name: str,
        *targets: int,
        controls: Sequence[int] = (),
        rotation: float | None = None,
    ) -> Self:
        """Add a gate by IonQ's name.

        Args:
            name: Name of the gate in IonQ's format, such as `x` or `rz`.
            targets: Qubits that it changes.
            controls: Qubits that control it.
            rotation: Angle in radians; None for gates without an angle.

        Raises:
            IonQClientError: A qubit does not exist or occurs twice, or the angle is not finite.
        """
        fields: dict[str, Any] = {"targets": list(targets)}
        if controls:
            fields["controls"] = list(controls)
        if rotation is not None:
            fields["rotation"] = self._number(rotation, "rotation")
        return self._add(name, [*controls, *targets], **fields)

    def x(self, target: int, *, controls: Sequence[int] = ()) -> Self:
        return self.gate("x", target, controls=controls)

    def y(self, target: int, *, controls: Sequence[int] = ()) -> Self:
        return self.gate("y", target, controls=controls)

    def z(self, target: int, *, controls: Sequence[int] = ()) -> Self:
        return self.gate("z", target, controls=controls)

    def h(self, target: int, *, controls: Sequence[int] = ()) -> Self:
        return self.gate("h", target, controls=controls)

    def s(self, target: int, *, controls: Sequence[int] = ()) -> Self:
        return self.gate("s", target, controls=controls)

    def si(self, target: int, *, controls: Sequence[int] = ()) -> Self:
        """Add the inverse of `s`."""
        return self.gate("si", target, controls=controls)

    def t(self, target: int, *, controls: Sequence[int] = ()) -> Self:
        return self.gate("t", target, controls=controls)

    def ti(self, target: int, *, controls: Sequence[int] = ()) -> Self:
        """Add the inverse of `t`."""
        return self.gate("ti", target, controls=controls)

    def v(self, target: int, *, controls: Sequence[int] = ()) -> Self:
        """Add the square root of `x`."""
        return self.gate("v", target, controls=controls)

    def vi(self, target: int, *, controls: Sequence[int] = ()) -> Self:
        """Add the inverse of `v`."""
        return self.gate("vi", target, controls=controls)

    def rx(self, target: int, rotation: float, *, controls: Sequence[int] = ()) -> Self:
        return self.gate("rx", target, controls=controls, rotation=rotation)

    def ry(self, target: int, rotation: float, *, controls: Sequence[int] = ()) -> Self:
        return self.gate("ry", target, controls=controls, rotation=rotation)

    def rz(self, target: int, rotation: float, *, controls: Sequence[int] = ()) -> Self:
        return self.gate("rz", target, controls=controls, rotation=rotation)

    def phase(self, target: int, rotation: float, *, controls: Sequence[int] = ()) -> Self:
        """Add diag(1, e^(i·rotation)), which IonQ writes as `z` with a rotation."""
        return self.gate("z", target, controls=controls, rotation=rotation)

    def cnot(self, control: int, target: int) -> Self:
        return self.gate("x", target, controls=[control])

    def swap(self, a: int, b: int, *, controls: Sequence[int] = ()) -> Self:
        return self.gate("swap", a, b, controls=controls)

    def xx(self, a: int, b: int, rotation: float) -> Self:
        """Add exp(-i·rotation/2·X⊗X)."""
        return self.gate("xx", a, b, rotation=rotation)

    def yy(self, a: int, b: int, rotation: float) -> Self:
        """Add exp(-i·rotation/2·Y⊗Y)."""
        return self.gate("yy", a, b, rotation=rotation)

    def zz(self, a: int, b: int, rotation: float) -> Self:
        """Add exp(-i·rotation/2·Z⊗Z)."""
        return self.gate("zz", a, b, rotation=rotation)

    def pauliexp(
        self,
        targets: Sequence[int],
        terms: Sequence[str],
        coefficients: Sequence[float],
        *,
        time: float,
    ) -> Self:
        """Add exp(-i·time·Σ coefficient·term).

        Args:
            targets: Qubits; the rightmost letter of a term acts on the first one.
            terms: Pauli strings of I, X, Y and Z, with one letter per target.
            coefficients: One coefficient per term.
            time: Evolution time; time × coefficient is an angle in radians.
        """
        where = f"gate {len(self.gates)} (pauliexp)"
        if not terms or len(terms) != len(coefficients):
            raise IonQClientError(f"{where}: each term needs one coefficient.")
        if any(len(term) != len(targets) or set(term) - set("IXYZ") for term in terms):
            raise IonQClientError(f"{where}: each term needs one of I, X, Y, Z for each target.")
        return self._add(
            "pauliexp",
            targets,
            targets=list(targets),
            terms=list(terms),
            coefficients=[self._number(value, "coefficient") for value in coefficients],
            time=self._number(time, "time"),
        )


class NativeCircuit(_CircuitBase):
    """Circuit of the hardware's native gates (gateset `native`). Angles are in turns.

    Args:
        qubits: Number of qubits.
        name: Name of the circuit in a job of several circuits.
    """

    gateset = "native"

    def gpi(self, target: int, phase: float) -> Self:
        """Add [[0, e^(-2πi·phase)], [e^(2πi·phase), 0]]."""
        return self._add("gpi", [target], target=target, phase=self._number(phase, "phase"))

    def gpi2(self, target: int, phase: float) -> Self:
        """Add 1/√2·[[1, -i·e^(-2πi·phase)], [-i·e^(2πi·phase), 1]]."""
        return self._add("gpi2", [target], target=target, phase=self._number(phase, "phase"))

    def ms(self, a: int, b: int, phases: tuple[float, float], angle: float = 0.25) -> Self:
        """Add exp(-iπ·angle·gpi(phases[0])⊗gpi(phases[1])), the Mølmer-Sørensen gate.

        An angle of a quarter turn gives maximal entanglement.
        """
        first, second = (self._number(phase, "phase") for phase in phases)
        return self._add(
            "ms",
            [a, b],
            targets=[a, b],
            phases=[first, second],
            angle=self._number(angle, "angle"),
        )

    def zz(self, a: int, b: int, angle: float) -> Self:
        """Add exp(-iπ·angle·Z⊗Z)."""
        return self._add("zz", [a, b], targets=[a, b], angle=self._number(angle, "angle"))


AnyCircuit = Circuit | NativeCircuit


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
