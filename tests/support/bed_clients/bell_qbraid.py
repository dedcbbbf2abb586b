"""A Bell pair with qbraid, which finds the server by its environment alone."""

from __future__ import annotations

import os

os.environ["DISABLE_CACHE"] = "1"  # the client's own, of devices

from qbraid.runtime import QbraidProvider
from qbraid_core.services.runtime import QuantumRuntimeClient
from qbraid_core.sessions import QbraidSessionV1

from support.bed_clients.loop import serve

provider = QbraidProvider(client=QuantumRuntimeClient(session=QbraidSessionV1()))
device = provider.get_device(os.environ.get("BELL_DEVICE", "qbraid:qbraid:sim:statevector"))
BELL = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;
"""


def bell() -> dict[str, int]:
    job = device.run(BELL, shots=100)
    job.wait_for_final_state(timeout=20, poll_interval=0.05)
    counts: dict[str, int] = job.result().data.get_counts()
    return counts


serve(bell)
