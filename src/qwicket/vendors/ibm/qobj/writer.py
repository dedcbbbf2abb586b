"""Writes flat circuits as a Qobj, for clouds that take no other format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from qwicket.circuits.qubit import Gate, Measure, Op, QubitCircuit, Reset
from qwicket.programs.openqasm.writer import NotWritable

_NAMES: Final = {"p": "u1", "u": "u3"}
_GATES: Final = frozenset(
    (
        *("id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg", "rx", "ry", "rz"),
        *("u1", "u3", "swap", "rxx", "rzz", "cx", "cy", "cz", "ch", "crx", "cry", "crz", "cu1"),
        *("cu3", "cswap", "ccx"),
    )
)


def write(circuits: Sequence[QubitCircuit]) -> bytes:
    """Return circuits as one Qobj.

    Raises:
        NotWritable: A circuit has what no Qobj can express.
    """
    experiments: list[dict[str, Any]] = []
    for number, circuit in enumerate(circuits):
        sizes = {"n_qubits": circuit.n_qubits, "memory_slots": circuit.n_clbits}
        header = {
            **sizes,
            "name": f"circuit{number}",
            "qreg_sizes": [["q", circuit.n_qubits]],
            "creg_sizes": [[register.name, register.size] for register in circuit.registers],
            "qubit_labels": [["q", k] for k in range(circuit.n_qubits)],
            "clbit_labels": [
                [register.name, k] for register in circuit.registers for k in range(register.size)
            ],
        }
        instructions = [each for op in circuit.ops for each in _instructions(op)]
        experiments.append({"header": header, "config": sizes, "instructions": instructions})
    config = {
        name: max(each["config"][name] for each in experiments)
        for name in ("n_qubits", "memory_slots")
    }
    head = {"qobj_id": "qwicket", "type": "QASM", "schema_version": "1.2.0", "header": {}}
    return msgspec.json.encode({**head, "config": config, "experiments": experiments})


def _instructions(op: Op) -> list[dict[str, Any]]:
    """Return an operation as Qiskit's instructions: none for a global phase."""
    if isinstance(op, Measure):
        return [{"name": "measure", "qubits": [op.qubit], "memory": [op.clbit]}]
    if isinstance(op, Reset):
        return [{"name": "reset", "qubits": [op.qubit]}]
    if not isinstance(op, Gate):
        raise NotWritable("it has no conditions")
    if op.name == "gphase" and not op.controls:
        return []
    name = f"{'c' * len(op.controls)}{_NAMES.get(op.name, op.name)}"
    if name not in _GATES:
        raise NotWritable(f"it has no gate {name}")
    gate: dict[str, Any] = {"name": name, "qubits": [*op.controls, *op.targets]}
    return [{**gate, "params": list(op.params)} if op.params else gate]
