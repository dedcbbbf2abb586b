"""Format `ionq.circuit.v1`: IonQ's JSON `input` object with one circuit or several.

Reads the object and its members, and adds the place to errors; `ionq_gates` reads the gates. The
request around the object, and what a device can run, are checked elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from qwicket.circuits.qubit import Gate, Measure, QubitCircuit, Register
from qwicket.model.errors import InvalidProgram
from qwicket.model.limits import Limits
from qwicket.programs import json_text
from qwicket.programs.json_text import SHOWN_CHARS, FieldError, Int64, check_limit, quoted
from qwicket.vendors.ionq.gates import GATESETS, GateRule, WireGate, add_gate
from qwicket.vendors.ionq.limits import IonQLimits

REGISTER: Final = "c"
"""Name of the one register; IonQ's JSON names none."""


class _Circuit(msgspec.Struct):
    circuit: tuple[WireGate, ...] | None = None
    gateset: str | None = None
    qubits: Int64 | None = None


class _Input(_Circuit):
    circuits: tuple[_Circuit, ...] | None = None


def read(source: bytes, limits: Limits) -> tuple[QubitCircuit, ...]:
    """Read IonQ's `input` object into circuits that measure every qubit at the end.

    Args:
        source: JSON text: `{"qubits", "gateset"?, "circuit"}` or `{…, "circuits": […]}`.
        limits: Bounds on bytes, circuits, qubits, gates as written, and operations. As operations,
            a gate on one qubit with k targets counts as k, a `pauliexp` as one per term, and a
            measurement as one.

    Returns:
        One circuit per member, all padded to the same width.

    Raises:
        InvalidProgram: The text is not a program in IonQ's JSON, or a gate in it is invalid.
        LimitExceeded: A limit is exceeded; the detail names it and both numbers.
    """
    check_limit("program_json_bytes", len(source), limits.programs.program_json_bytes)
    program = json_text.decode(_decoder, source, _place_of_path)
    members = _members(program)
    check_limit("circuits", len(members), limits.programs.circuits)
    width = _width(program, members, limits)
    n_measures = width * len(members)
    n_gates = sum(len(member.circuit or ()) for member in members)
    check_limit("ionq_gates", n_gates, limits.of(IonQLimits).ionq_gates)
    # A first count of gates as written, so that a far too long text is refused at once.
    check_limit("operations", n_measures + n_gates, limits.programs.operations)
    measures = tuple(Measure(qubit, qubit) for qubit in range(width))
    registers = (Register(REGISTER, width),)
    circuits = []
    n_ops = n_measures
    for index, member in enumerate(members):
        part = None if program.circuits is None else index
        rules = _rules(member.gateset or program.gateset or "qis", part)
        gates: list[Gate] = []
        # Checked after each circuit: `pauliexp` counts once for each term.
        n_ops += _add_gates(gates, member, part, rules, width, limits.programs.operations - n_ops)
        check_limit("operations", n_ops, limits.programs.operations, " or more")
        circuits.append(QubitCircuit(width, (*gates, *measures), registers))
    return tuple(circuits)


def _members(program: _Input) -> tuple[_Circuit, ...]:
    if program.circuits is None:
        if program.circuit is None:
            raise InvalidProgram("circuit is missing", field="circuit")
        return (program,)  # one circuit: the program is its own member
    if program.circuit is not None:
        raise InvalidProgram("circuit and circuits are both given", field="circuits")
    if not program.circuits:
        raise InvalidProgram("circuits is empty", field="circuits")
    for part, member in enumerate(program.circuits):
        if member.circuit is None:
            raise _refusal(part, "circuit is missing", "circuit")
    return program.circuits


def _width(program: _Input, members: tuple[_Circuit, ...], limits: Limits) -> int:
    """Return the width to which all members are padded."""
    own = [(part, member.qubits) for part, member in enumerate(members) if member is not program]
    for part, qubits in own:
        _check_width(qubits, part, limits)
    if program.qubits is None:
        widths = [member.qubits for member in members if member.qubits is not None]
        if len(widths) < len(members):
            raise InvalidProgram("qubits is missing", field="qubits")
        return max(widths)
    _check_width(program.qubits, None, limits)
    for part, qubits in own:
        if qubits is not None and qubits > program.qubits:
            text = f"qubits is {qubits}, above the {program.qubits} of the whole program"
            raise _refusal(part, text, "qubits")
    return program.qubits


def _check_width(qubits: int | None, part: int | None, limits: Limits) -> None:
    if qubits is None:
        return
    if qubits < 1:
        raise _refusal(part, f"qubits must be at least 1, not {qubits}", "qubits")
    # The limit for programs of any kind; the width of the device is checked elsewhere.
    check_limit("clifford_qubits", qubits, limits.programs.clifford_qubits)


def _rules(gateset: str, part: int | None) -> Mapping[str, GateRule]:
    rules = GATESETS.get(gateset)
    if rules is None:
        known = ", ".join(GATESETS)
        text = f"gateset {quoted(gateset)} is not known; known: {known}"
        raise _refusal(part, text, "gateset")
    return rules


def _add_gates(
    flat: list[Gate],
    member: _Circuit,
    part: int | None,
    rules: Mapping[str, GateRule],
    width: int,
    budget: int,
) -> int:
    """Append a member's gates to `flat`; return the operations that they count as.

    Stops once these exceed `budget`.
    """
    # Padding adds qubits that the member itself does not have, so its gates cannot name them.
    width = member.qubits or width
    n_ops = 0
    for index, gate in enumerate(member.circuit or ()):
        try:
            n_ops += add_gate(flat, gate, rules, width)
        except FieldError as fault:
            place = _place(None, index, gate.gate)
            raise _refusal(part, f"{place}{fault}", f"circuit[{index}].{fault.field}") from None
        # Checked after each gate, too: a `pauliexp` of thousands of terms is one gate in the text.
        if n_ops > budget:
            break
    return n_ops


# --- where a refusal points -----------------------------------------------------------------------


class _GateName(msgspec.Struct):
    gate: str = ""


class _GateNames(msgspec.Struct):
    circuit: tuple[_GateName, ...] = ()


class _InputNames(_GateNames):
    circuits: tuple[_GateNames, ...] = ()


_decoder: Final = msgspec.json.Decoder(_Input)
_names_decoder: Final = msgspec.json.Decoder(_InputNames)
_PATH: Final = re.compile(r"(?:circuits\[(\d+)\](?:\.|$))?(?:circuit\[(\d+)\])?")


def _refusal(part: int | None, text: str, field: str) -> InvalidProgram:
    if part is None:
        return InvalidProgram(text, field=field)
    return InvalidProgram(f"circuit {part}: {text}", field=f"circuits[{part}].{field}")


def _place(part: int | None, index: int | None, name: str) -> str:
    """Return a place such as `"circuit 1: gate 3 (rx): "`."""
    circuit = "" if part is None else f"circuit {part}: "
    if index is None:
        return circuit
    # The name is the client's text, so only a short plain one is shown as it is.
    shown = name if name.isidentifier() and len(name) <= SHOWN_CHARS else quoted(name)
    return f"{circuit}gate {index} ({shown}): " if name else f"{circuit}gate {index}: "


def _place_of_path(source: bytes, path: str) -> str:
    """Return `_place` for a path such as `circuits[1].circuit[3].rotation`."""
    found = _PATH.match(path)
    assert found is not None  # every part of the pattern is optional
    part, index = (None if text is None else int(text) for text in found.groups())
    return _place(part, index, "" if index is None else _name(source, part, index))


def _name(source: bytes, part: int | None, index: int) -> str:
    """Return the name of one gate in a text that is not a valid `_Input`; "" if it has none."""
    try:
        names = _names_decoder.decode(source)
        return (names if part is None else names.circuits[part]).circuit[index].gate
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, IndexError):
        return ""
