"""The cost of parsing a program in a warm process: CPU time from text to checked circuits.

The same 10,000 gates on 20 qubits, drawn with a fixed seed, in four formats. `python -m
benchmarks.reading` prints the times.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from math import pi
from typing import Any, Final, NamedTuple

from qwicket import programs
from qwicket.model.limits import Limits

N_GATES: Final = 10_000
N_QUBITS: Final = 20
_ROUNDS: Final = 15
_HEADS: Final = {
    2: 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[20];\ncreg c[20];\n',
    3: 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[20] q;\nbit[20] c;\n',
}


class Drawn(NamedTuple):
    """One gate: h, rz or cx; only rz uses the angle."""

    name: str
    qubits: Sequence[int]
    angle: float


class Reading(NamedTuple):
    """The best of several readings of one text."""

    format: str
    size_bytes: int
    cpu_ms: float


def measure() -> list[Reading]:
    """Measure every format; print each result at once."""
    gates = _gates()
    return [_reading(name, write(gates).encode()) for name, write in _WRITERS.items()]


def _gates() -> list[Drawn]:
    draw = random.Random(1)
    return [
        Drawn(
            draw.choice(("h", "rz", "cx")),
            draw.sample(range(N_QUBITS), 2),
            draw.uniform(-pi, pi),
        )
        for _ in range(N_GATES)
    ]


def _openqasm(version: int) -> Callable[[Sequence[Drawn]], str]:
    def write(gates: Sequence[Drawn]) -> str:
        lines = []
        for name, (one, other), angle in gates:
            call = f"{name}({angle!r})" if name == "rz" else name
            lines.append(f"{call} q[{one}]" + (f",q[{other}];" if name == "cx" else ";"))
        end = "measure q -> c;" if version == 2 else "c = measure q;"
        return "\n".join([_HEADS[version], *lines, end])

    return write


def _ionq(gates: Sequence[Drawn]) -> str:
    circuit: list[dict[str, Any]] = []
    for name, (one, other), angle in gates:
        if name == "cx":
            circuit.append({"gate": "cnot", "control": one, "target": other})
        else:
            turn = {"rotation": angle} if name == "rz" else {}
            circuit.append({"gate": name, "target": one} | turn)
    return json.dumps({"gateset": "qis", "qubits": N_QUBITS, "circuit": circuit})


def _qobj(gates: Sequence[Drawn]) -> str:
    instructions: list[dict[str, Any]] = []
    for name, (one, other), angle in gates:
        turn = {"params": [angle]} if name == "rz" else {}
        instructions.append({"name": name, "qubits": [one, other][: 1 + (name == "cx")]} | turn)
    every = list(range(N_QUBITS))
    instructions.append({"name": "measure", "qubits": every, "memory": every})
    sizes = {"n_qubits": N_QUBITS, "memory_slots": N_QUBITS}
    head = {"qobj_id": "benchmark", "type": "QASM", "schema_version": "1.3.0", "header": {}}
    experiment = {"header": {}, "config": sizes, "instructions": instructions}
    return json.dumps(head | {"config": {"shots": 1_000}, "experiments": [experiment]})


_WRITERS: Final[Mapping[str, Callable[[Sequence[Drawn]], str]]] = {
    "openqasm2": _openqasm(2),
    "openqasm3": _openqasm(3),
    "ionq.circuit.v1": _ionq,
    "qobj": _qobj,
}


def _reading(name: str, source: bytes) -> Reading:
    limits, minimum = Limits(), float("inf")
    for _ in range(_ROUNDS):
        began = time.process_time()
        programs.read(name, source, limits)
        minimum = min(minimum, time.process_time() - began)
    found = Reading(name, len(source), 1_000 * minimum)
    print(f"{found.format:17} {found.size_bytes:10,} bytes {found.cpu_ms:10.1f} ms", flush=True)
    return found


if __name__ == "__main__":
    measure()
