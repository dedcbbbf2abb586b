"""Jobs with qbraid."""

from __future__ import annotations

import os
from typing import Any

os.environ["DISABLE_CACHE"] = "1"  # the client's own, of devices

from qbraid.runtime import QbraidJob, QbraidProvider
from qbraid_core.services.runtime import QuantumRuntimeClient
from qbraid_core.sessions import QbraidSessionV1

from chaos.clients.loop import SHOTS, code, coded, serve

PROGRAM = """OPENQASM 3.0;
include "stdgates.inc";
qubit[4] q;
bit[4] c;
{flips}
h q[3];
c = measure q;
"""


class Client:
    def __init__(self) -> None:
        self._runtime = QuantumRuntimeClient(session=QbraidSessionV1())
        self._device = QbraidProvider(client=self._runtime).get_device(
            "qbraid:qbraid:sim:statevector"
        )

    def expected(self, number: int) -> Any:
        return {code(number): SHOTS}

    def submit(self, number: int) -> tuple[str, Any]:
        flips = "\n".join(f"x q[{bit}];" for bit in range(3) if number >> bit & 1)
        job = self._device.run(PROGRAM.format(flips=flips), shots=SHOTS)
        return job.id, job

    def result(self, job: Any) -> Any:
        job.wait_for_final_state(timeout=20, poll_interval=0.1)
        return coded(job.result().data.get_counts())

    def again(self, job: str) -> Any:
        return self.result(QbraidJob(job, client=self._runtime))


serve(Client)
