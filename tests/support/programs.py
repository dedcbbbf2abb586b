"""Programs that many tests submit."""

from __future__ import annotations

from typing import Any

BELL: dict[str, Any] = {
    "gateset": "qis",
    "qubits": 2,
    "circuit": [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}],
}


def slow(qubits: int = 24, gates: int = 400) -> dict[str, Any]:
    """Return a program that keeps a worker busy for many seconds."""
    circuit = [{"gate": "rx", "target": i % qubits, "rotation": 0.1} for i in range(gates)]
    return {"gateset": "qis", "qubits": qubits, "circuit": circuit}
