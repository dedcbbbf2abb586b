"""A Bell pair with pennylane-ionq."""

from __future__ import annotations

import os

import pennylane as qml
import pennylane_ionq.api_client

from support.bed_clients.loop import serve

pennylane_ionq.api_client.APIClient.BASE_URL = os.environ["QWICKET_URL"] + "/ionq/v0.4"
device = qml.device("ionq.simulator", wires=2, api_key=os.environ["QWICKET_TOKEN"])


@qml.set_shots(100)  # type: ignore[untyped-decorator]  # PennyLane has no types
@qml.qnode(device)  # type: ignore[untyped-decorator]  # PennyLane has no types
def circuit() -> object:
    qml.Hadamard(0)
    qml.CNOT([0, 1])
    return qml.counts()


def bell() -> dict[str, int]:
    return {str(outcome): int(n) for outcome, n in circuit().items()}


serve(bell)
