"""A Bell pair with qbraid 0.10."""

from __future__ import annotations

import os

from qbraid.runtime import QbraidProvider
from qbraid_core.services.quantum import QuantumClient
from qbraid_core.sessions import QbraidSession

from support.bed_clients.loop import serve

session = QbraidSession(
    api_key=os.environ["QWICKET_TOKEN"], base_url=os.environ["QWICKET_URL"] + "/qbraid/api"
)
device = QbraidProvider(client=QuantumClient(session=session)).get_device("qbraid_statevector")
BELL = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;
"""


def bell() -> dict[str, int]:
    counts: dict[str, int] = device.run(BELL, shots=100).result().data.get_counts()
    return counts


serve(bell)
