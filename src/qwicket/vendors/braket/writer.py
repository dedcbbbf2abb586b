"""Writes flat circuits as OpenQASM 3 with Braket's gates, for clouds that take no other format."""

from __future__ import annotations

from collections.abc import Sequence
from math import isclose, pi
from typing import Final

import msgspec

from qwicket.circuits.qubit import Gate, Measure, QubitCircuit
from qwicket.programs.openqasm.writer import NotWritable
from qwicket.programs.rewriting import measured_qubits
from qwicket.vendors.braket.reader import BraketProgram, BraketSource
from qwicket.vendors.braket.reader.gates import GATES

_NAMES: Final = {
    (gate.flat, gate.n_controls): name
    for name, gate in GATES.items()
    if gate.compose is None and name != "U"
}
"""Braket's name of each gate, by its flat name and its number of controls."""


def write(circuits: Sequence[QubitCircuit]) -> bytes:
    """Return circuits as one program; several become a program set. The shots are those of the job.

    Raises:
        NotWritable: A circuit has what this language cannot express.
    """
    texts = [_text(circuit) for circuit in circuits]
    if len(texts) == 1:
        return msgspec.json.encode(BraketSource(texts[0], 0))
    return msgspec.json.encode(BraketSource("", 0, programs=tuple(map(BraketProgram, texts))))


def _text(circuit: QubitCircuit) -> str:
    measured_qubits(circuit)  # for its errors: a result has one column for each qubit
    lines = ["OPENQASM 3.0;", f"qubit[{circuit.n_qubits}] q;", f"bit[{circuit.n_clbits}] b;"]
    measured = set()
    for op in circuit.ops:
        if isinstance(op, Measure):
            if op.qubit in measured:
                raise NotWritable("a qubit is measured twice")
            measured.add(op.qubit)
            lines.append(f"b[{op.clbit}] = measure q[{op.qubit}];")
        elif isinstance(op, Gate) and (op.name != "gphase" or op.controls):
            lines.append(_gate(op))
    if not measured:
        raise NotWritable("it measures nothing")
    return "\n".join(lines)


def _gate(gate: Gate) -> str:
    n_controls = len(gate.controls)
    name, params = gate.name, gate.params
    if name == "p" and n_controls == 1 and isclose(abs(params[0]), pi):
        name, params = "z", ()
    if (name, n_controls) not in _NAMES:
        raise NotWritable(f"it has no gate {'c' * n_controls}{name}")
    angles = f"({', '.join(map(repr, params))})" if params else ""
    qubits = ", ".join(f"q[{qubit}]" for qubit in (*gate.controls, *gate.targets))
    return f"{_NAMES[name, n_controls]}{angles} {qubits};"
