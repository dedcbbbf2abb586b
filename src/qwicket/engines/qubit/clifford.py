"""Translates Clifford circuits into text for Stim, up to a global phase.

`circuits.analysis.clifford_steps` decides which gates are Clifford. No text of a user reaches Stim.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from qwicket.circuits.analysis import clifford_steps, is_pauli
from qwicket.circuits.qubit import DELAY, Branch, Gate, Measure, Op, Reset
from qwicket.engines.qubit.noise import EXACT, NO_ERRORS, GateErrors, Noise
from qwicket.engines.qubit.program import Program
from qwicket.engines.qubit.steps import RELATIONS

StimGates = Sequence[tuple[str, tuple[int, ...]]]
"""Names of Stim's gates, each with its qubits, in time order."""


class NotClifford(Exception):
    """A stabilizer simulator cannot run the circuit; the text is the reason, as a clause."""


class Stabilizers(NamedTuple):
    """A circuit for Stim.

    Attributes:
        text: The circuit, with all its measurements.
        n_records: Number of measurement records.
        record_of: Index of the last record of each classical bit; bits without one stay 0.
        measurements: Last measurement into each classical bit, from bit to qubit.
    """

    text: str
    n_records: int
    record_of: Mapping[int, int]
    measurements: Mapping[int, int]


def stabilizers(program: Program, noise: Noise | None) -> Stabilizers:
    """Translate a program into Stim's circuit language.

    Raises:
        NotClifford: The program has a gate that is not Clifford.
    """
    return _Translator(program, noise).translate()


class _Translator:
    def __init__(self, program: Program, noise: Noise | None) -> None:
        self._program = program
        self._noise = noise
        self._lines: list[str] = []
        self._n_records = 0
        self._record_of: dict[int, int] = {}
        self._measurements: dict[int, int] = {}

    def translate(self) -> Stabilizers:
        ops = self._program.ops
        index = 0
        while index < len(ops):
            op = ops[index]
            index += 1
            if type(op) is Gate:
                self._add_gate(op)
            elif isinstance(op, Measure):
                self._measure(op.qubit, op.clbit)
            elif isinstance(op, Reset):
                if op.qubit >= 0:
                    self._lines.append(f"R {op.qubit}")
            elif isinstance(op, Branch):
                self._add_feedback(op, ops[index : index + op.skip])
                index += op.skip
            else:
                raise NotClifford("it has a jump")
        for bit, qubit in sorted(self._program.measurements.items()):
            self._measure(qubit, bit)
        text = "\n".join(self._lines)
        return Stabilizers(text, self._n_records, self._record_of, self._measurements)

    def _measure(self, qubit: int, bit: int) -> None:
        self._measurements[bit] = qubit
        if qubit < 0:  # no gate acts on this qubit, so it was left out of the program: it reads 0
            self._record_of.pop(bit, None)
            return
        self._lines.append(f"M {qubit}")
        self._record_of[bit] = self._n_records
        self._n_records += 1

    def _add_gate(self, gate: Gate) -> None:
        controls, targets = gate.controls, gate.targets
        if len(targets) == 1 and not controls and (name := _UNCONTROLLED.get(gate.name)):
            # Most gates are in the table; without `stim_gates` they take half the time.
            self._lines.append(f"{name} {targets[0]}")
        elif len(targets) == len(controls) == 1 and (name := _CONTROLLED.get(gate.name)):
            self._lines.append(f"{name} {controls[0]} {targets[0]}")
        else:
            for name, qubits in stim_gates(gate):
                self._lines.append(f"{name} {' '.join(map(str, qubits))}")
        if self._noise is not None:
            self._add_noise(self._noise.after(gate))

    def _add_noise(self, errors: GateErrors) -> None:
        if errors.damping:
            raise NotClifford("its noise has amplitude damping")
        for error in errors.pauli_errors:
            p, operands = error.probability, " ".join(map(str, error.qubits))
            if error.is_depolarizing:
                self._lines.append(f"DEPOLARIZE{len(error.qubits)}({p!r}) {operands}")
            elif error.is_phase_flip:
                self._lines.append(f"Z_ERROR({p!r}) {operands}")
            else:
                self._lines.append(f"PAULI_CHANNEL_1({p / 2!r}, {p / 2!r}, 0) {operands}")

    def _add_feedback(self, branch: Branch, body: Sequence[Op]) -> None:
        """Add Paulis that depend on one bit: Stim applies them if a record is 1."""
        gates = [op for op in body if isinstance(op, Gate) and is_pauli(op)]
        if len(branch.clbits) != 1 or len(gates) < len(body):
            raise NotClifford("a condition is on several bits or for more than Paulis")
        (bit,) = branch.clbits
        relation, value = RELATIONS[branch.relation], int(branch.value)
        if_zero, if_one = relation(0, value), relation(1, value)
        self._check_noise(bit, gates)
        for gate in gates:
            for name, qubits in stim_gates(gate):
                # A Pauli for 0 alone is always applied, and for 1 a second time, which undoes it.
                if if_zero:
                    self._lines.append(f"{name} {qubits[0]}")
                if if_zero != if_one and bit in self._record_of:
                    record = self._record_of[bit] - self._n_records
                    self._lines.append(f"C{name} rec[{record}] {qubits[0]}")

    def _check_noise(self, bit: int, gates: Sequence[Gate]) -> None:
        """Refuse errors that depend on a bit, and bits that may be recorded wrong."""
        if self._noise is None:
            return
        if any(self._noise.after(gate) != NO_ERRORS for gate in gates):
            raise NotClifford("a gate with a condition is noisy")
        if bit in self._measurements:
            qubit = self._program.original(self._measurements[bit])
            if self._noise.readout(qubit) != EXACT:
                raise NotClifford("a condition is on a bit that may be recorded wrong")


def stim_gates(gate: Gate) -> StimGates:
    """Translate a gate into gates of Stim.

    Raises:
        NotClifford: The gate is not Clifford.
    """
    operands = gate.controls + gate.targets
    name = _STIM_NAMES.get((gate.name, len(gate.controls)))
    if name is not None:
        return ((name, operands),)
    steps = clifford_steps(gate)
    if steps is None:
        raise NotClifford(f"{_described(gate)} is not a Clifford gate")
    return _BUILDERS[gate.name, len(gate.controls)](operands, *steps)


def _described(gate: Gate) -> str:
    params = ", ".join(f"{parameter:.6g}" for parameter in gate.params[:3])
    return f"{'c' * len(gate.controls)}{gate.name}" + (f"({params})" if params else "")


_STIM_NAMES: Final[Mapping[tuple[str, int], str]] = {
    **{(name, 0): name.upper() for name in ("x", "y", "z", "h", "s", "swap")},
    ("sdg", 0): "S_DAG",
    ("sx", 0): "SQRT_X",
    ("sxdg", 0): "SQRT_X_DAG",
    ("x", 1): "CX",
    ("y", 1): "CY",
    ("z", 1): "CZ",
}

_UNCONTROLLED: Final = {
    name: stim for (name, n_controls), stim in _STIM_NAMES.items() if not n_controls
}
_CONTROLLED: Final = {name: stim for (name, n_controls), stim in _STIM_NAMES.items() if n_controls}

_Builder = Callable[..., StimGates]


def _no_gates(_qubits: tuple[int, ...], *_steps: int) -> StimGates:
    return ()


def _cycle(*names: str) -> _Builder:
    """Return a function that names a gate by its number of steps."""

    def build(qubits: tuple[int, ...], step: int) -> StimGates:
        name = names[step % len(names)]
        return ((name, qubits),) if name else ()

    return build


_rx = _cycle("", "SQRT_X", "X", "SQRT_X_DAG")
_ry = _cycle("", "SQRT_Y", "Y", "SQRT_Y_DAG")
_rz = _cycle("", "S", "Z", "S_DAG")


def _u(qubits: tuple[int, ...], theta: int, phi: int, lam: int) -> StimGates:
    return (*_rz(qubits, lam), *_ry(qubits, theta), *_rz(qubits, phi))


def _pauli_rotation(letter: str) -> _Builder:
    """Return a function that builds exp(-iθ/2 P⊗P) for a Pauli P, θ in steps of π/2."""

    def build(qubits: tuple[int, ...], step: int) -> StimGates:
        root = f"SQRT_{letter}{letter}"
        return ((), ((root, qubits),), ((letter, qubits),), ((f"{root}_DAG", qubits),))[step % 4]

    return build


_rxx = _pauli_rotation("X")


def _ms(qubits: tuple[int, ...], phi0: int, phi1: int, theta: int) -> StimGates:
    """Turn both qubits' axes to X, a quarter turn about Z at a time, and back after an RXX."""
    first, second = (qubits[0],), (qubits[1],)
    back = (*_rz(first, -phi0), *_rz(second, -phi1))
    return (*back, *_rxx(qubits, theta), *_rz(first, phi0), *_rz(second, phi1))


_BUILDERS: Final[Mapping[tuple[str, int], _Builder]] = {
    ("id", 0): _no_gates,
    ("id", 1): _no_gates,
    (DELAY, 0): _no_gates,
    ("gphase", 0): _no_gates,
    ("gphase", 1): _rz,
    ("rx", 0): _rx,
    ("ry", 0): _ry,
    ("rz", 0): _rz,
    ("p", 0): _rz,
    ("p", 1): _cycle("", "CZ"),
    ("u", 0): _u,
    ("rxx", 0): _rxx,
    ("ryy", 0): _pauli_rotation("Y"),
    ("rzz", 0): _pauli_rotation("Z"),
    ("zz", 0): _pauli_rotation("Z"),
    ("gpi", 0): _cycle("X", "H_XY", "Y", "H_NXY"),
    ("gpi2", 0): _cycle("SQRT_X", "SQRT_Y", "SQRT_X_DAG", "SQRT_Y_DAG"),
    ("ms", 0): _ms,
}
