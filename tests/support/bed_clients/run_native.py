"""A Bell pair with Qwicket's own client."""

from __future__ import annotations

import qwicket
from support.bed_clients.loop import serve

PROGRAM = {
    "gateset": "qis",
    "qubits": 2,
    "circuit": [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}],
}
client = qwicket.connect()


def bell() -> dict[str, int]:
    counts = client.submit(PROGRAM, "simulator", shots=100).result(timeout=30).counts
    assert counts is not None
    return {**counts}


serve(bell)
