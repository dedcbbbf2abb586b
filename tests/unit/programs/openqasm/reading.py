"""Short ways to read programs in tests."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from qwicket.circuits.qubit import Branch, Gate, Jump, Measure, Op, QubitCircuit, Reset
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.programs.openqasm import read_openqasm2, read_openqasm3
from unit.programs.openqasm.corpus import HEAD_2, HEAD_3

LIMITS = Limits()


def read2(text: str, limits: Limits = LIMITS) -> QubitCircuit:
    (circuit,) = read_openqasm2(text.encode(), limits)
    return circuit


def read3(
    text: str, limits: Limits = LIMITS, inputs: Mapping[str, float] | None = None
) -> QubitCircuit:
    (circuit,) = read_openqasm3(text.encode(), limits, inputs)
    return circuit


def with2(body: str, n_qubits: int = 4, n_bits: int = 4) -> QubitCircuit:
    """Read statements about `qreg q` and `creg c`."""
    return read2(f"{HEAD_2}qreg q[{n_qubits}]; creg c[{n_bits}];\n{body}")


def with3(body: str, n_qubits: int = 4, n_bits: int = 4) -> QubitCircuit:
    """Read statements about `qubit[n] q` and `bit[n] c`, which start on line 4."""
    return read3(f"{HEAD_3}qubit[{n_qubits}] q; bit[{n_bits}] c;\n{body}")


def why2(body: str) -> str:
    """The reason for which statements after `qreg q[4]; creg c[4];` on line 3 are refused."""
    with pytest.raises((InvalidProgram, LimitExceeded)) as refusal:
        with2(body)
    return refusal.value.detail


def why3(body: str) -> str:
    """The reason for which statements from line 4 on are refused."""
    with pytest.raises((InvalidProgram, LimitExceeded)) as refusal:
        with3(body)
    return refusal.value.detail


def spelled(op: Op) -> str:
    """An operation as a short text, such as "cx 0 1" or "rz(0.5) 2"."""
    match op:
        case Gate():
            angles = ",".join(f"{angle:.6g}" for angle in op.params)
            name = "c" * len(op.controls) + op.name + (f"({angles})" if angles else "")
            return " ".join([name, *map(str, op.controls), *map(str, op.targets)])
        case Measure(qubit, clbit):
            return f"measure {qubit} -> {clbit}"
        case Reset(qubit):
            return f"reset {qubit}"
        case Branch(clbits, relation, value, skip):
            return f"if {','.join(map(str, clbits))} {relation} {value} else +{skip}"
        case Jump(skip):
            return f"+{skip}"
    raise AssertionError(op)


def listing(circuit: QubitCircuit) -> list[str]:
    return [spelled(op) for op in circuit.ops]


def angles(circuit: QubitCircuit) -> list[float]:
    """The angles of all gates, in order."""
    return [angle for op in circuit.ops if isinstance(op, Gate) for angle in op.params]
