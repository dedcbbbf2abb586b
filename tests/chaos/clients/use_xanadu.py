"""Jobs with xanadu-cloud-client: pairs of modes, which hold equal numbers of photons."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

import xcc

from chaos.clients.loop import CODES, SHOTS, serve

PROGRAM = """
name {name}
version 1.0
target simulon_gaussian (shots={shots})

S2gate(1.0) | [0, 1]
MeasureFock() | [0, 1]
"""


class Client:
    def __init__(self) -> None:
        parts = urlsplit(os.environ["QWICKET_URL"])
        self._connection = xcc.Connection(
            os.environ["QWICKET_TOKEN"], host=parts.hostname, port=parts.port, tls=False
        )

    def expected(self, number: int) -> Any:
        return {"equal": SHOTS + number % CODES}

    def submit(self, number: int) -> tuple[str, Any]:
        name = f"{os.environ['CHAOS_NAME']}-{number}".replace("-", "_")
        program = PROGRAM.format(name=name, shots=SHOTS + number % CODES)
        job = xcc.Job.submit(self._connection, name, "simulon_gaussian", program, "blackbird:1.0")
        return job.id, job

    def result(self, job: Any) -> Any:
        job.wait()
        samples = [[int(each) for each in row] for row in job.result["output"][0]]
        return {"equal": sum(first == second for first, second in samples)}, samples

    def again(self, job: str) -> Any:
        return self.result(xcc.Job(job, self._connection))


serve(Client)
