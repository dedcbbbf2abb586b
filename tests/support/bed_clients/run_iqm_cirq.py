"""A Bell pair with iqm-client and Cirq, which find the server by their environment alone."""

from __future__ import annotations

import cirq
from iqm.cirq_iqm.iqm_sampler import IQMSampler

from support.bed_clients.loop import serve

A, B = cirq.NamedQubit.range(2, prefix="q")
BELL = cirq.Circuit(cirq.H(A), cirq.CNOT(A, B), cirq.measure(A, B, key="m"))


def bell() -> dict[str, int]:
    sampler = IQMSampler()
    device = sampler.device
    routed, _, _ = device.route_circuit(device.decompose_circuit(BELL))
    circuit = device.decompose_circuit(routed)
    counts = sampler.run(circuit, repetitions=100).histogram(key="m")
    return {str(key): number for key, number in counts.items()}


serve(bell)
