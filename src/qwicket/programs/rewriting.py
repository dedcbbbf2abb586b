"""Writes flat circuits in another language, for clouds that do not take the format of the job."""

from __future__ import annotations

from collections.abc import Sequence
from math import isclose, pi
from typing import Any, Final, Literal

import msgspec

from qwicket.circuits.qubit import Gate, Measure, Op, QubitCircuit, Reset
from qwicket.model.errors import InvalidProgram
from qwicket.programs import batch
from qwicket.programs.openqasm.writer import NotWritable
from qwicket.programs.openqasm.writer import write as write_openqasm

Language = Literal["openqasm3", "ionq.circuit.v1", "qobj"]

_QOBJ_NAMES: Final = {"p": "u1", "u": "u3"}
_QOBJ_GATES: Final = frozenset(
    (
        *("id", "x", "y", "z", "h", "s", "sdg", "t", "tdg", "sx", "sxdg", "rx", "ry", "rz"),
        *("u1", "u3", "swap", "rxx", "rzz", "cx", "cy", "cz", "ch", "crx", "cry", "crz", "cu1"),
        *("cu3", "cswap", "ccx"),
    )
)
_ION_NAMES: Final = {
    **{name: name for name in ("x", "y", "z", "h", "s", "t", "swap")},
    "sdg": "si",
    "tdg": "ti",
    "sx": "v",
    "sxdg": "vi",
}
_ION_ROTATIONS: Final = {
    **{name: name for name in ("rx", "ry", "rz")},
    "rxx": "xx",
    "ryy": "yy",
    "rzz": "zz",
}


def rewrite(circuits: Sequence[QubitCircuit], language: Language) -> tuple[str, bytes]:
    """Return circuits as a program: its format, and its text.

    Args:
        circuits: One or several circuits.
        language: Language of the text. Several circuits in OpenQASM 3 become a `batch`.

    Raises:
        InvalidProgram: The language cannot express a circuit, or a circuit is not sampled.
    """
    if any(circuit.estimation or circuit.readouts for circuit in circuits):
        raise InvalidProgram(
            "the other cloud does not take this format, and only programs that are sampled can be"
            " rewritten",
            field="program",
        )
    try:
        if language == "ionq.circuit.v1":
            return language, _ionq(circuits)
        if language == "qobj":
            return language, _qobj(circuits)
        texts = [write_openqasm(circuit) for circuit in circuits]
    except (NotWritable, RecursionError) as error:
        reason = str(error) if isinstance(error, NotWritable) else "it is nested too deeply"
        raise InvalidProgram(
            f"the circuit cannot be written in {language}, which the other cloud takes: {reason}",
            field="program",
        ) from None
    if len(texts) == 1:
        return language, texts[0].encode()
    return "batch", batch.write(tuple(batch.Member("openqasm3", text) for text in texts))


def _qobj(circuits: Sequence[QubitCircuit]) -> bytes:
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
        instructions = [each for op in circuit.ops for each in _qobj_instructions(op)]
        experiments.append({"header": header, "config": sizes, "instructions": instructions})
    config = {
        name: max(each["config"][name] for each in experiments)
        for name in ("n_qubits", "memory_slots")
    }
    head = {"qobj_id": "qwicket", "type": "QASM", "schema_version": "1.2.0", "header": {}}
    return msgspec.json.encode({**head, "config": config, "experiments": experiments})


def _qobj_instructions(op: Op) -> list[dict[str, Any]]:
    """Return an operation as Qiskit's instructions: none for a global phase."""
    if isinstance(op, Measure):
        return [{"name": "measure", "qubits": [op.qubit], "memory": [op.clbit]}]
    if isinstance(op, Reset):
        return [{"name": "reset", "qubits": [op.qubit]}]
    if not isinstance(op, Gate):
        raise NotWritable("it has no conditions")
    if op.name == "gphase" and not op.controls:
        return []
    name = f"{'c' * len(op.controls)}{_QOBJ_NAMES.get(op.name, op.name)}"
    if name not in _QOBJ_GATES:
        raise NotWritable(f"it has no gate {name}")
    gate: dict[str, Any] = {"name": name, "qubits": [*op.controls, *op.targets]}
    return [{**gate, "params": list(op.params)} if op.params else gate]


def measured_qubits(circuit: QubitCircuit) -> dict[int, int]:
    """Return the qubit from which each classical bit is measured.

    Raises:
        NotWritable: A gate follows a measurement of its qubit, or there is a reset or branch.
    """
    found: dict[int, int] = {}
    measured: set[int] = set()
    for op in circuit.ops:
        if isinstance(op, Measure):
            found[op.clbit] = op.qubit
            measured.add(op.qubit)
        elif not isinstance(op, Gate):
            raise NotWritable(f"it has no {type(op).__name__.lower()}")
        elif not measured.isdisjoint((*op.targets, *op.controls)):
            raise NotWritable("qubits are measured once, after all gates")
    return found


def _ionq(circuits: Sequence[QubitCircuit]) -> bytes:
    members: list[dict[str, Any]] = []
    for circuit in circuits:
        measured_qubits(circuit)  # for its errors: IonQ measures all qubits at the end
        gates = [gate for op in circuit.ops for gate in _ion_gates(op)]
        members.append({"qubits": circuit.n_qubits, "circuit": gates})
    if len(members) == 1:
        return msgspec.json.encode({"gateset": "qis", **members[0]})
    width = max(circuit.n_qubits for circuit in circuits)
    return msgspec.json.encode({"gateset": "qis", "qubits": width, "circuits": members})


def _ion_gates(op: Op) -> list[dict[str, Any]]:
    """Return an operation as IonQ's gates: none for a measurement, identity or global phase."""
    if not isinstance(op, Gate) or op.name == "id" or (op.name == "gphase" and not op.controls):
        return []
    gate: dict[str, Any] = {"targets": list(op.targets)}
    if op.controls:
        gate["controls"] = list(op.controls)
    if op.name in _ION_NAMES:
        return [{"gate": _ION_NAMES[op.name], **gate}]
    if op.name in _ION_ROTATIONS:
        return [{"gate": _ION_ROTATIONS[op.name], **gate, "rotation": op.params[0]}]
    if op.name == "p" and not op.controls:  # equal to rz but for a global phase
        return [{"gate": "rz", **gate, "rotation": op.params[0]}]
    if op.name == "p" and isclose(abs(op.params[0]), pi):
        return [{"gate": "z", **gate}]
    raise NotWritable(f"it has no gate {'c' * len(op.controls)}{op.name}")
