"""A Bell pair with the Amazon Braket SDK, which finds the server by its environment alone."""

from __future__ import annotations

from braket.aws import AwsDevice
from braket.circuits import Circuit

from support.bed_clients.loop import serve

device = AwsDevice("arn:aws:braket:::device/quantum-simulator/qwicket/sv1")
circuit = Circuit().h(0).cnot(0, 1)


def bell() -> dict[str, int]:
    task = device.run(circuit, shots=100, poll_timeout_seconds=30, poll_interval_seconds=0.1)
    found = task.result()
    if found is None:
        raise RuntimeError(f"the task is {task.state()}")
    return dict(found.measurement_counts)


serve(bell)
