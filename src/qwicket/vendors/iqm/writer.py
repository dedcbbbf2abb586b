"""Writes flat circuits as IQM's JSON, for quantum computers that take no other format.

A gate on one qubit is a `prx` after a rotation about Z. Such rotations commute with `cz` and with
measurements, so they only shift the phases of later `prx` (McKay et al., Phys. Rev. A 96, 022330,
2017). U(θ, φ, λ) after a rotation by f is PRX(θ, π/2 - λ - f), with a rotation by f + φ + λ left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import pi, remainder, tau
from typing import Any, Final

import msgspec

from qwicket.circuits.qubit import DELAY, Gate, Measure, Op, QubitCircuit, Reset
from qwicket.programs.openqasm.writer import NotWritable
from qwicket.programs.synthesis import TINY, euler, on_one
from qwicket.vendors.iqm.names import qubit_name

_ON_SEVERAL: Final = ("swap", "rxx", "ryy", "rzz", "zz", "ms", "pauliexp", "unitary", "kraus")


def key_of_bit(clbit: int) -> str:
    """Return the key under which a classical bit is measured."""
    return f"bit{clbit}"


def write(circuits: Sequence[QubitCircuit]) -> bytes:
    """Return circuits as one program. Each bit is measured under a key of its own.

    Raises:
        NotWritable: A circuit has what this language cannot express.
    """
    found = [
        {"name": f"circuit{number}", "instructions": [*_instructions(circuit)], "metadata": {}}
        for number, circuit in enumerate(circuits)
    ]
    return msgspec.json.encode({"circuits": found})


def _instructions(circuit: QubitCircuit) -> Iterator[dict[str, Any]]:
    frames = [0.0] * circuit.n_qubits
    measured: set[int] = set()
    for op in circuit.ops:
        if isinstance(op, Measure):
            if op.clbit in measured:
                raise NotWritable("a classical bit is measured twice")
            measured.add(op.clbit)
            yield _instruction("measure", op.qubit, key=key_of_bit(op.clbit))
        elif isinstance(op, Reset):
            frames[op.qubit] = 0.0
            yield _instruction("reset", op.qubit)
        else:
            yield from _gate(op, frames)


def _gate(op: Op, frames: list[float]) -> Iterator[dict[str, Any]]:
    """Yield a gate, and change the rotations about Z that are left of each qubit."""
    if not isinstance(op, Gate):
        raise NotWritable(f"it has no {type(op).__name__.lower()}")
    if op.name == DELAY:
        yield _instruction("delay", op.targets[0], duration=op.params[0])
    elif op.name == "z" and len(op.controls) == 1:
        yield _instruction("cz", op.controls[0], op.targets[0])
    elif op.name == "gphase" and not op.controls:
        return
    elif op.controls or op.name in _ON_SEVERAL:
        raise NotWritable(f"it has no gate {'c' * len(op.controls)}{op.name}")
    else:
        (qubit,) = op.targets
        theta, phi, lam = euler(on_one(op))
        if abs(remainder(theta, tau)) > TINY:
            phase = remainder(pi / 2 - lam - frames[qubit], tau)
            yield _instruction("prx", qubit, angle=theta, phase=phase)
        frames[qubit] += phi + lam


def _instruction(name: str, *qubits: int, **args: float | str) -> dict[str, Any]:
    return {"name": name, "locus": [*map(qubit_name, qubits)], "args": args}
