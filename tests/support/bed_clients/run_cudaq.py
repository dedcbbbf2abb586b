"""A Bell pair with CUDA-Q and its target for qBraid."""

from __future__ import annotations

import os

import cudaq

from support.bed_clients.loop import serve

cudaq.set_target(
    "qbraid",
    url=os.environ["QBRAID_API_URL"],
    api_key=os.environ["QBRAID_API_KEY"],
    machine="qbraid:qbraid:sim:statevector",
)
pair = cudaq.make_kernel()
qubits = pair.qalloc(2)
pair.h(qubits[0])
pair.cx(qubits[0], qubits[1])
pair.mz(qubits)


def bell() -> dict[str, int]:
    return dict(cudaq.sample(pair, shots_count=100).items())


serve(bell)
