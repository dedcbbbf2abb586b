"""A Bell pair with amazon-braket-pennylane-plugin."""

from __future__ import annotations

import pennylane as qml

from support.bed_clients.loop import serve

device = qml.device(
    "braket.aws.qubit",
    device_arn="arn:aws:braket:::device/quantum-simulator/qwicket/sv1",
    wires=2,
    poll_timeout_seconds=30,
    poll_interval_seconds=0.1,
)


@qml.set_shots(100)  # type: ignore[untyped-decorator]  # PennyLane has no types
@qml.qnode(device)  # type: ignore[untyped-decorator]  # PennyLane has no types
def circuit() -> object:
    qml.Hadamard(0)
    qml.CNOT([0, 1])
    return qml.counts()


def bell() -> dict[str, int]:
    return {str(outcome): int(n) for outcome, n in circuit().items()}


serve(bell)
