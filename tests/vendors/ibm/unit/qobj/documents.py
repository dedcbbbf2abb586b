"""Qobjs for tests, and what comes of reading them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qwicket.circuits.qubit import QubitCircuit
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.vendors.ibm.qobj import read
from support import qubit_math

LIMITS = Limits()

Json = dict[str, Any]


def experiment(*instructions: object, n_qubits: int = 3, slots: int = 3, **more: object) -> Json:
    config = {"n_qubits": n_qubits, "memory_slots": slots}
    return {"config": config, "header": {}, "instructions": list(instructions), **more}


def document(*experiments: object, **changes: object) -> Json:
    return {
        "qobj_id": "an id",
        "type": "QASM",
        "schema_version": "1.3.0",
        "header": {},
        "config": {"shots": 1024},
        "experiments": list(experiments),
        **changes,
    }


def source(*experiments: object, **changes: object) -> bytes:
    return json.dumps(document(*experiments, **changes)).encode()


def circuit(*instructions: object, n_qubits: int = 3, slots: int = 3) -> QubitCircuit:
    """What one experiment becomes."""
    (made,) = read(source(experiment(*instructions, n_qubits=n_qubits, slots=slots)), LIMITS)
    return made


def outcomes(*instructions: object, n_qubits: int = 3, slots: int = 3) -> dict[int, float]:
    """Exact probabilities of the memory, by density matrices."""
    return qubit_math.exact(circuit(*instructions, n_qubits=n_qubits, slots=slots))


def refusal(text: bytes, limits: Limits = LIMITS) -> tuple[str, str | None]:
    with pytest.raises(InvalidProgram) as caught:
        read(text, limits)
    return caught.value.detail, caught.value.field


def excess(text: bytes, limits: Limits) -> str:
    with pytest.raises(LimitExceeded) as caught:
        read(text, limits)
    return caught.value.detail


def fault(*instructions: object) -> tuple[str, str | None]:
    """The refusal of the last of some instructions, without the words for its place."""
    text, field = refusal(source(experiment(), experiment(*instructions)))
    place = f"experiments[1].instructions[{len(instructions) - 1}]"
    assert text.startswith(place), text
    return text.partition("): ")[2], field and field.removeprefix(f"{place}.")


def measure(qubit: int, slot: int, register: int | None = None, **more: object) -> Json:
    written = {} if register is None else {"register": [register]}
    return {"name": "measure", "qubits": [qubit], "memory": [slot], **written, **more}


def bfunc(register: int, mask: str, val: str, relation: str = "==", **more: object) -> Json:
    test = {"mask": mask, "relation": relation, "val": val}
    return {"name": "bfunc", "register": register, **test, **more}
