"""Format `iqm.circuits`: the JSON object with circuits that IQM's clients submit.

Reads the circuits and the names of their qubits. Shots and options beside them are the dialect's.

`prx(angle, phase)` is RZ(phase) RX(angle) RZ(-phase). A `measure` becomes a classical register with
its key as name and one bit for each qubit; registers are in the order of measurements. A circuit
may also be the text of a QIR program.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import isfinite, pi
from types import MappingProxyType
from typing import Final

import msgspec

from qwicket.circuits import analysis
from qwicket.circuits.qubit import (
    DELAY,
    MAX_SECONDS,
    Branch,
    Gate,
    Measure,
    Op,
    QubitCircuit,
    Register,
    Reset,
)
from qwicket.circuits.summary import Checked
from qwicket.model.errors import InvalidProgram
from qwicket.model.limits import Limits
from qwicket.model.suggestions import did_you_mean
from qwicket.programs import json_text, qir
from qwicket.programs.json_text import SHOWN_CHARS, FieldError, check_limit, quoted
from qwicket.vendors.iqm.limits import IQMLimits
from qwicket.vendors.iqm.names import qubit_number


class _Args(msgspec.Struct):
    """Arguments of an instruction. Older clients send angles in full turns, as `…_t`."""

    angle: float | None = None
    phase: float | None = None
    angle_t: float | None = None
    phase_t: float | None = None
    duration: float | None = None
    key: str | None = None
    feedback_key: str | None = None
    feedback_qubit: str | None = None


class _Instruction(msgspec.Struct):
    """An instruction. Older clients send `qubits` in place of `locus`."""

    name: str
    locus: tuple[str, ...] | None = None
    qubits: tuple[str, ...] = ()
    args: _Args | None = None


class _Circuit(msgspec.Struct):
    instructions: tuple[_Instruction, ...]


class _Mapped(msgspec.Struct):
    logical_name: str
    physical_name: str


class _Program(msgspec.Struct):
    circuits: tuple[_Circuit | str, ...]
    qubit_mapping: tuple[_Mapped, ...] | None = None


def read(source: bytes, limits: Limits) -> tuple[QubitCircuit, ...]:
    """Read circuits in IQM's JSON.

    Args:
        source: JSON text: `{"circuits": […], "qubit_mapping"?}`; other fields are ignored. In a
            text of QIR, qubit 0 is `QB1`, whatever the mapping.
        limits: Bounds on bytes, circuits, qubits, bits, instructions as written, and operations: an
            instruction on k qubits counts as k.

    Returns:
        One circuit for each in the text; qubit `QB1` is number 0.

    Raises:
        InvalidProgram: The text is not a program in IQM's JSON; the detail names the place.
        LimitExceeded: A limit is exceeded; the detail names it and both numbers.
    """
    check_limit("program_json_bytes", len(source), limits.programs.program_json_bytes)
    program = json_text.decode(_decoder, source, _place_of_path)
    if not program.circuits:
        raise InvalidProgram("circuits is empty", field="circuits")
    check_limit("circuits", len(program.circuits), limits.programs.circuits)
    names = _physical_names(program.qubit_mapping or ())
    circuits: list[QubitCircuit] = []
    n_instructions = n_ops = 0
    for number, circuit in enumerate(program.circuits):
        left = limits.programs.operations - n_ops
        if isinstance(circuit, str):
            circuits.append(_read_qir(circuit, number, limits, left))
            n_ops += len(circuits[-1].ops)
            continue
        n_instructions += len(circuit.instructions)
        check_limit("iqm_instructions", n_instructions, limits.of(IQMLimits).iqm_instructions)
        flat = _Builder(names, limits, left)
        for place, instruction in enumerate(circuit.instructions):
            try:
                flat.add(instruction)
            except FieldError as fault:
                where = f"circuits[{number}].instructions[{place}].{fault.field}"
                text = f"{_place(number, place, instruction.name)}{fault}"
                raise InvalidProgram(text, field=where) from None
        n_ops += len(flat.ops)
        circuits.append(flat.circuit())
    return tuple(circuits)


def to_checked(circuits: tuple[QubitCircuit, ...]) -> Checked:
    """Return packed circuits with their summary, which has the pairs that gates act on."""
    checked = analysis.to_checked(circuits)
    pairs = {
        (op.controls[0], op.targets[0])
        for circuit in circuits
        for op in circuit.ops
        if type(op) is Gate and op.controls
    }
    summary = msgspec.structs.replace(checked.summary, pairs=tuple(sorted(pairs)))
    return Checked(summary, checked.circuits)


def _read_qir(text: str, number: int, limits: Limits, max_ops: int) -> QubitCircuit:
    programs = msgspec.structs.replace(limits.programs, operations=max_ops)
    try:
        (circuit,) = qir.read(text.encode(), msgspec.structs.replace(limits, programs=programs))
    except InvalidProgram as error:
        field = f"circuits[{number}]"
        raise InvalidProgram(_place(number, None) + error.detail, field=field) from None
    return circuit


def _physical_names(mapping: tuple[_Mapped, ...]) -> Mapping[str, str]:
    found = {each.logical_name: each.physical_name for each in mapping}
    if len(found) < len(mapping) or len({*found.values()}) < len(mapping):
        raise InvalidProgram("qubit_mapping names a qubit twice", field="qubit_mapping")
    return found


class _Builder:
    """Makes one circuit from instructions.

    Args:
        names: Physical names of qubits by those in the circuit; empty if these are physical.
        limits: Bounds on qubits, bits and names.
        max_ops: Bound on operations.
    """

    def __init__(self, names: Mapping[str, str], limits: Limits, max_ops: int) -> None:
        self.ops: list[Op] = []
        self._names = names
        self._limits = limits
        self._max_ops = max_ops
        self._n_qubits = 1
        self._registers: list[Register] = []
        self._n_bits = 0
        self._keys: set[str] = set()
        self._feedback: dict[tuple[str, int], int] = {}
        """Bits by the feedback key and qubit of their measurement."""

    def circuit(self) -> QubitCircuit:
        return QubitCircuit(self._n_qubits, tuple(self.ops), tuple(self._registers))

    def add(self, instruction: _Instruction) -> None:
        """Append the operations of an instruction.

        Raises:
            FieldError: The instruction is unknown or malformed.
            LimitExceeded: The circuit has too many qubits, bits or operations.
        """
        add = _INSTRUCTIONS.get(instruction.name)
        if add is None:
            raise FieldError(_unknown(instruction.name), "name")
        locus = instruction.qubits if instruction.locus is None else instruction.locus
        check_limit("operations", len(self.ops) + len(locus), self._max_ops, " or more")
        qubits = [self._qubit(name) for name in locus]
        if not qubits or len({*qubits}) < len(qubits):
            raise FieldError("locus must name one qubit or several different ones", "locus")
        self._n_qubits = max(self._n_qubits, *(qubit + 1 for qubit in qubits))
        check_limit("clifford_qubits", self._n_qubits, self._limits.programs.clifford_qubits)
        add(self, qubits, instruction.args or _NO_ARGS)

    def _qubit(self, name: str, field: str = "locus") -> int:
        number = qubit_number(self._names.get(name, "") if self._names else name)
        if number is None:
            kind = "in qubit_mapping" if self._names else "a qubit; they are QB1, QB2 and so on"
            raise FieldError(f"{field}: {quoted(name)} is not {kind}", field)
        return number

    def prx(self, qubits: list[int], args: _Args) -> None:
        angle, phase = _angle(args, "angle"), _angle(args, "phase")
        self.ops.append(Gate("u", (_only(qubits),), (angle, phase - pi / 2, pi / 2 - phase)))

    def cc_prx(self, qubits: list[int], args: _Args) -> None:
        key = _text(args.feedback_key, "feedback_key")
        qubit = self._qubit(_text(args.feedback_qubit, "feedback_qubit"), "args.feedback_qubit")
        bit = self._feedback.get((key, qubit))
        if bit is None:
            text = f"no measurement before it has feedback_key {quoted(key)} and that qubit"
            raise FieldError(text, "args.feedback_key")
        self.ops.append(Branch((bit,), "==", "1", 1))
        self.prx(qubits, args)

    def cz(self, qubits: list[int], _: _Args) -> None:
        if len(qubits) != 2:
            raise FieldError(f"locus must have 2 qubits, not {len(qubits)}", "locus")
        self.ops.append(Gate("z", (qubits[1],), (), (qubits[0],)))

    def measure(self, qubits: list[int], args: _Args) -> None:
        key = _text(args.key, "key")
        check_limit("name_chars", len(key), self._limits.requests.name_chars)
        if key in self._keys:
            raise FieldError(f"args.key: {quoted(key)} is there twice", "args.key")
        self._keys.add(key)
        first = self._n_bits
        self._n_bits += len(qubits)
        check_limit("clbits", self._n_bits, self._limits.programs.clbits)
        self._registers.append(Register(key, len(qubits)))
        for bit, qubit in enumerate(qubits, first):
            self.ops.append(Measure(qubit, bit))
            if args.feedback_key is not None:
                self._feedback[args.feedback_key, qubit] = bit

    def reset(self, qubits: list[int], _: _Args) -> None:
        self.ops.extend(map(Reset, qubits))

    def delay(self, qubits: list[int], args: _Args) -> None:
        seconds = _number(args.duration, "duration")
        if not 0 <= seconds <= MAX_SECONDS:
            text = f"args.duration must be 0 to {MAX_SECONDS:g} seconds, not {seconds:g}"
            raise FieldError(text, "args.duration")
        self.ops.extend(Gate(DELAY, (qubit,), (seconds,)) for qubit in qubits)

    def barrier(self, qubits: list[int], _: _Args) -> None:
        """Nothing: operations run in the order in which they are written."""


_INSTRUCTIONS: Final[Mapping[str, Callable[[_Builder, list[int], _Args], None]]] = MappingProxyType(
    {
        "prx": _Builder.prx,
        "cz": _Builder.cz,
        "measure": _Builder.measure,
        "barrier": _Builder.barrier,
        "cc_prx": _Builder.cc_prx,
        "reset": _Builder.reset,
        "delay": _Builder.delay,
    }
)
_NO_ARGS: Final = _Args()
_decoder: Final = msgspec.json.Decoder(_Program)
_PATH: Final = re.compile(r"circuits\[(\d+)\](?:\.instructions\[(\d+)\])?")


def _unknown(name: str) -> str:
    if name == "move":
        return "moves a state to a resonator, and this server has no computer with one"
    near = did_you_mean(name, _INSTRUCTIONS)
    return f"is not known; there are {', '.join(_INSTRUCTIONS)}.{near}"


def _only(qubits: list[int]) -> int:
    if len(qubits) != 1:
        raise FieldError(f"locus must have 1 qubit, not {len(qubits)}", "locus")
    return qubits[0]


def _number(value: float | None, name: str) -> float:
    if value is None or not isfinite(value):
        raise FieldError(f"args.{name} is missing", f"args.{name}")
    return value


def _angle(args: _Args, name: str) -> float:
    turns: float | None = getattr(args, f"{name}_t")
    value: float | None = getattr(args, name)
    if value is None and turns is not None:
        value = 2 * pi * turns
    return _number(value, name)


def _text(value: str | None, name: str) -> str:
    if not value:
        raise FieldError(f"args.{name} is missing", f"args.{name}")
    return value


def _place(circuit: int, instruction: int | None, name: str = "") -> str:
    """Return a place such as `"circuit 1: instruction 3 (prx): "`."""
    if instruction is None:
        return f"circuit {circuit}: "
    # The name is the client's text, so only a short plain one is shown as it is.
    shown = name if name.isidentifier() and len(name) <= SHOWN_CHARS else quoted(name)
    return f"circuit {circuit}: instruction {instruction}{f' ({shown})' if name else ''}: "


def _place_of_path(_: bytes, path: str) -> str:
    found = _PATH.match(path)
    if found is None:
        return ""
    return _place(int(found[1]), None if found[2] is None else int(found[2]))
