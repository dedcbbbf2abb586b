"""Two programs in one group of jobs of qbraid."""

from __future__ import annotations

import os

os.environ["DISABLE_CACHE"] = "1"  # the client's own, of devices

from qbraid.runtime import GroupJobSession, QbraidProvider
from qbraid_core.services.runtime import QuantumRuntimeClient
from qbraid_core.sessions import QbraidSessionV1

from support.bed_clients.loop import serve

client = QuantumRuntimeClient(session=QbraidSessionV1())
device = QbraidProvider(client=client).get_device("qbraid:qbraid:sim:statevector")
PROGRAM = (
    'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[1] q;\nbit[1] c;\nx q[0];\nc = measure q;\n'
)


def two() -> dict[str, int]:
    with GroupJobSession(name="two", client=device.client, max_ttl=60):
        device.run(PROGRAM, shots=100).wait_for_final_state(timeout=20, poll_interval=0.05)
        device.run(PROGRAM, shots=100)
    return {}


serve(two)
