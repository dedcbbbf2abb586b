"""A Bell pair with cirq-ionq, which finds the server by its environment alone."""

from __future__ import annotations

import os

import cirq
import cirq_ionq

from support.bed_clients.loop import serve

service = cirq_ionq.Service(default_target="simulator", max_retry_seconds=5)


def bell() -> dict[str, int]:
    a, b = cirq.LineQubit.range(2)
    circuit = cirq.Circuit(cirq.H(a), cirq.CNOT(a, b), cirq.measure(a, b, key="m"))
    job = service.create_job(circuit, repetitions=100, target=os.environ.get("BELL_DEVICE"))
    found = job.results(polling_seconds=0.05, timeout_seconds=20)
    # Shots of a simulator are drawn by the client.
    drawn = {"seed": 1} if isinstance(found, cirq_ionq.SimulatorResult) else {}
    counts = found.to_cirq_result(**drawn).histogram(key="m")
    return {format(key, "02b"): n for key, n in counts.items()}


serve(bell)
