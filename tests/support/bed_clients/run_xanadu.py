"""Two squeezed modes with xanadu-cloud-client."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import xcc

from support.bed_clients.loop import serve

parts = urlsplit(os.environ["QWICKET_URL"])
connection = xcc.Connection(
    os.environ["QWICKET_TOKEN"], host=parts.hostname, port=parts.port, tls=False
)
PROGRAM = """
name pair
version 1.0
target simulon_gaussian (shots=20)

S2gate(1.0) | [0, 1]
MeasureFock() | [0, 1]
"""


def pair() -> dict[str, int]:
    job = xcc.Job.submit(connection, "pair", "simulon_gaussian", PROGRAM, "blackbird:1.0")
    job.wait()
    return {"shots": len(job.result["output"][0])}


serve(pair)
