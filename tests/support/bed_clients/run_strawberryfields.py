"""Four squeezed pairs with Strawberry Fields and xanadu-cloud-client."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import strawberryfields as sf
import xcc
from strawberryfields import ops

from support.bed_clients.loop import serve

parts = urlsplit(os.environ["QWICKET_URL"])
connection = xcc.Connection(
    os.environ["QWICKET_TOKEN"], host=parts.hostname, port=parts.port, tls=False
)
program = sf.Program(8)
with program.context as q:
    for signal, idler in zip(q[:4], q[4:], strict=True):
        ops.S2gate(1.0) | (signal, idler)
    ops.MeasureFock() | q
engine = sf.RemoteEngine("X8", connection=connection)


def squeezed() -> dict[str, int]:
    return {"shots": len(engine.run(program, shots=20).samples)}


serve(squeezed)
