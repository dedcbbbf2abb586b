"""Tasks with the Amazon Braket SDK."""

from __future__ import annotations

from typing import Any

from braket.aws import AwsDevice, AwsQuantumTask
from braket.circuits import Circuit

from chaos.clients.loop import SHOTS, code, coded, serve


class Client:
    def __init__(self) -> None:
        self._device = AwsDevice("arn:aws:braket:::device/quantum-simulator/qwicket/sv1")

    def expected(self, number: int) -> Any:
        return {code(number): SHOTS}

    def submit(self, number: int) -> tuple[str, Any]:
        circuit = Circuit().h(3)
        for bit in range(3):
            circuit.x(bit) if number >> bit & 1 else circuit.i(bit)
        task = self._device.run(
            circuit, shots=SHOTS, poll_timeout_seconds=20, poll_interval_seconds=0.1
        )
        return task.id, task

    def result(self, task: Any) -> Any:
        found = task.result()
        if found is None:
            raise RuntimeError(f"the task is {task.state()}")
        return coded(dict(found.measurement_counts), lambda key: key[2::-1])

    def again(self, task: str) -> Any:
        return self.result(AwsQuantumTask(task, poll_timeout_seconds=20, poll_interval_seconds=0.1))


serve(Client)
