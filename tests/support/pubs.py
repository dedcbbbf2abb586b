"""Programs for Qiskit's primitives, encoded as their client encodes them."""

from __future__ import annotations

import base64
import io
import json
import zlib
from typing import Any

import numpy as np
from qiskit import QuantumCircuit, qpy
from qiskit.circuit import Parameter

THETA = Parameter("theta")


def typed(kind: str, value: Any) -> dict[str, Any]:
    return {"__type__": kind, "__value__": value}


def packed(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode()


def qpy_bytes(circuit: QuantumCircuit, version: int = 17) -> bytes:
    file = io.BytesIO()
    qpy.dump(circuit, file, version=version)
    return file.getvalue()


def npy_bytes(values: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, np.asarray(values), allow_pickle=False)
    return file.getvalue()


def circuit(of: QuantumCircuit, version: int = 17) -> dict[str, Any]:
    return typed("QuantumCircuit", packed(qpy_bytes(of, version)))


def array(values: Any = ()) -> dict[str, Any]:
    return typed("ndarray", packed(npy_bytes(np.asarray(values, float))))


def unpacked(value: dict[str, Any]) -> Any:
    """Return the array that an answer holds."""
    assert value["__type__"] == "ndarray"
    return np.load(io.BytesIO(zlib.decompress(base64.b64decode(value["__value__"]))))


def params(*pubs: list[Any], **options: Any) -> dict[str, Any]:
    return {"pubs": list(pubs), "options": options, "version": 2, "support_qiskit": True}


def source(program: str, *pubs: list[Any], **options: Any) -> bytes:
    """Return a document of the format `qiskit.primitives`."""
    return json.dumps({"program": program, "params": params(*pubs, **options)}).encode()


def bell(width: int = 2) -> QuantumCircuit:
    made = QuantumCircuit(width, 2)
    made.h(0)
    made.cx(0, 1)
    made.measure([0, 1], [0, 1])
    return made


def ghz(n_qubits: int) -> QuantumCircuit:
    made = QuantumCircuit(n_qubits)
    made.h(0)
    for qubit in range(n_qubits - 1):
        made.cx(qubit, qubit + 1)
    return made


def turned(n_qubits: int = 1) -> QuantumCircuit:
    """Return RX(θ) on the first qubit: ⟨Z⟩ = cos θ, ⟨Y⟩ = -sin θ, ⟨X⟩ = 0."""
    made = QuantumCircuit(n_qubits)
    made.rx(THETA, 0)
    return made
