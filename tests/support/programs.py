"""Programs that many tests submit."""

from __future__ import annotations

from typing import Any

BELL: dict[str, Any] = {
    "gateset": "qis",
    "qubits": 2,
    "circuit": [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}],
}
