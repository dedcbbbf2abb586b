"""Writes flat circuits as IonQ's JSON, for clouds that take no other format."""

from __future__ import annotations

from collections.abc import Sequence
from math import isclose, pi
from typing import Any, Final

import msgspec

from qwicket.circuits.qubit import Gate, Op, QubitCircuit
from qwicket.programs.openqasm.writer import NotWritable
from qwicket.programs.rewriting import measured_qubits

_NAMES: Final = {
    **{name: name for name in ("x", "y", "z", "h", "s", "t", "swap")},
    "sdg": "si",
    "tdg": "ti",
    "sx": "v",
    "sxdg": "vi",
}
_ROTATIONS: Final = {
    **{name: name for name in ("rx", "ry", "rz")},
    "rxx": "xx",
    "ryy": "yy",
    "rzz": "zz",
}


def write(circuits: Sequence[QubitCircuit]) -> bytes:
    """Return circuits as one program.

    Raises:
        NotWritable: A circuit has what this language cannot express.
    """
    members: list[dict[str, Any]] = []
    for circuit in circuits:
        measured_qubits(circuit)  # for its errors: IonQ measures all qubits at the end
        gates = [gate for op in circuit.ops for gate in _gates(op)]
        members.append({"qubits": circuit.n_qubits, "circuit": gates})
    if len(members) == 1:
        return msgspec.json.encode({"gateset": "qis", **members[0]})
    width = max(circuit.n_qubits for circuit in circuits)
    return msgspec.json.encode({"gateset": "qis", "qubits": width, "circuits": members})


def _gates(op: Op) -> list[dict[str, Any]]:
    """Return an operation as IonQ's gates: none for a measurement, identity or global phase."""
    if not isinstance(op, Gate) or op.name == "id" or (op.name == "gphase" and not op.controls):
        return []
    gate: dict[str, Any] = {"targets": list(op.targets)}
    if op.controls:
        gate["controls"] = list(op.controls)
    if op.name in _NAMES:
        return [{"gate": _NAMES[op.name], **gate}]
    if op.name in _ROTATIONS:
        return [{"gate": _ROTATIONS[op.name], **gate, "rotation": op.params[0]}]
    if op.name == "p" and not op.controls:  # equal to rz but for a global phase
        return [{"gate": "rz", **gate, "rotation": op.params[0]}]
    if op.name == "p" and isclose(abs(op.params[0]), pi):
        return [{"gate": "z", **gate}]
    raise NotWritable(f"it has no gate {'c' * len(op.controls)}{op.name}")
