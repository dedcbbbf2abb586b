"""Circuits in IonQ's two gatesets, built gate by gate.

    Circuit(2).h(0).cnot(0, 1)
    NativeCircuit(2).gpi2(0, phase=0.25).ms(0, 1, phases=(0, 0), angle=0.25)

All qubits are measured at the end. A result's keys are decimal; their lowest bit is qubit 0.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from qwicket.clients.numbers import listed, whole
from qwicket.vendors.ionq.client.errors import IonQClientError

if TYPE_CHECKING:
    from collections.abc import Sequence


class _CircuitBase:
    """Number of qubits, and a list of gates in IonQ's JSON format.

    Each method for a gate adds it and returns the circuit, so calls can be chained.
    """

    gateset: ClassVar[Literal["qis", "native"]]

    def __init__(self, qubits: int, *, name: str = "") -> None:
        number = whole(qubits)
        if number is None or number < 1:
            raise IonQClientError(f"qubits must be a positive whole number, not {qubits!r}.")
        self.qubits = number
        self.name = name
        self.gates: list[dict[str, Any]] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.qubits} qubits, {len(self.gates)} gates>"

    @property
    def num_qubits(self) -> int:
        """Number of qubits, under the name that other packages use."""
        return self.qubits

    @property
    def depth(self) -> int:
        """Number of layers of gates; gates on different qubits share a layer."""
        layers = [0] * self.qubits
        for gate in self.gates:
            operands = [*gate.get("targets", ()), *gate.get("controls", ())] or [gate["target"]]
            layer = 1 + max(layers[qubit] for qubit in operands)
            for qubit in operands:
                layers[qubit] = layer
        return max(layers)

    def _add(self, gate: str, **fields: Any) -> Self:
        self.gates.append({"gate": gate, **fields})
        return self

    def _where(self, gate: str) -> str:
        return f"gate {len(self.gates)} ({gate})"

    def _operands(self, gate: str, qubits: Sequence[int]) -> list[int]:
        """Return the qubits of a gate as plain integers, because JSON has no others."""
        where = self._where(gate)
        found: list[int] = []
        for qubit in qubits:
            number = whole(qubit)
            if number is None:
                raise IonQClientError(f"{where}: a qubit is a whole number, not {qubit!r}.")
            if not 0 <= number < self.qubits:
                raise IonQClientError(
                    f"{where}: qubit {number} does not exist; there are {self.qubits} qubits."
                )
            found.append(number)
        if len(set(found)) < len(found):
            raise IonQClientError(f"{where}: a qubit occurs twice.")
        return found

    def _qubits(self, value: Sequence[int], gate: str, name: str) -> list[int]:
        qubits = listed(value)
        if qubits is None:
            raise IonQClientError(
                f"{self._where(gate)}: {name} must be a list of qubits, not {value!r}."
            )
        return qubits

    def _number(self, value: float, gate: str, name: str) -> float:
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise IonQClientError(
                f"{self._where(gate)}: {name} must be a finite number, not {value!r}."
            )
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
            targets: Qubits that it acts on; a one-qubit gate with several targets and no controls
                acts on each.
            controls: Qubits that control it.
            rotation: Angle in radians; None for gates without an angle.

        Raises:
            IonQClientError: A qubit is no whole number, does not exist or occurs twice, the
                controls are no list, or the angle is no finite number.
        """
        operands = self._operands(name, [*targets, *self._qubits(controls, name, "controls")])
        fields: dict[str, Any] = {"targets": operands[: len(targets)]}
        if len(operands) > len(targets):
            fields["controls"] = operands[len(targets) :]
        if rotation is not None:
            fields["rotation"] = self._number(rotation, name, "rotation")
        return self._add(name, **fields)

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
            targets: Qubits that it acts on.
            terms: Pauli strings of I, X, Y and Z, with one letter per target: the rightmost letter
                acts on `targets[0]`, the leftmost on the last target.
            coefficients: One coefficient per term.
            time: Evolution time; time × coefficient is an angle in radians.

        Raises:
            IonQClientError: As for `gate`; or there are no terms, a term has a wrong letter or
                number of letters, or terms and coefficients differ in number.
        """
        where = self._where("pauliexp")
        targets = self._qubits(targets, "pauliexp", "targets")
        if not terms:
            raise IonQClientError(f"{where}: there are no terms.")
        if len(terms) != len(coefficients):
            raise IonQClientError(f"{where}: each term needs one coefficient.")
        if any(len(term) != len(targets) or set(term) - set("IXYZ") for term in terms):
            raise IonQClientError(f"{where}: each term needs one of I, X, Y, Z for each target.")
        return self._add(
            "pauliexp",
            targets=self._operands("pauliexp", targets),
            terms=list(terms),
            coefficients=[self._number(value, "pauliexp", "coefficient") for value in coefficients],
            time=self._number(time, "pauliexp", "time"),
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
        return self._one_qubit("gpi", target, phase)

    def gpi2(self, target: int, phase: float) -> Self:
        """Add 1/√2·[[1, -i·e^(-2πi·phase)], [-i·e^(2πi·phase), 1]]."""
        return self._one_qubit("gpi2", target, phase)

    def ms(self, a: int, b: int, phases: tuple[float, float], angle: float = 0.25) -> Self:
        """Add exp(-iπ·angle·gpi(phases[0])⊗gpi(phases[1])), the Mølmer-Sørensen gate.

        An angle of a quarter turn gives maximal entanglement.
        """
        try:
            first, second = phases
        except (TypeError, ValueError):
            raise IonQClientError(
                f"{self._where('ms')}: phases must be two numbers, not {phases!r}."
            ) from None
        return self._add(
            "ms",
            targets=self._operands("ms", [a, b]),
            phases=[self._number(phase, "ms", "phase") for phase in (first, second)],
            angle=self._number(angle, "ms", "angle"),
        )

    def zz(self, a: int, b: int, angle: float) -> Self:
        """Add exp(-iπ·angle·Z⊗Z)."""
        return self._add(
            "zz", targets=self._operands("zz", [a, b]), angle=self._number(angle, "zz", "angle")
        )

    def _one_qubit(self, gate: str, target: int, phase: float) -> Self:
        (qubit,) = self._operands(gate, [target])
        return self._add(gate, target=qubit, phase=self._number(phase, gate, "phase"))


AnyCircuit = Circuit | NativeCircuit
