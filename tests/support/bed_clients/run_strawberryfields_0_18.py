"""Four squeezed pairs with Strawberry Fields 0.18."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

os.environ["SF_API_USE_SSL"] = "false"  # overrules the argument

import strawberryfields as sf
from strawberryfields import ops
from strawberryfields.api import Connection

from support.bed_clients.loop import serve

parts = urlsplit(os.environ["QWICKET_URL"])
connection = Connection(
    token=os.environ["QWICKET_TOKEN"], host=parts.hostname, port=parts.port, use_ssl=False
)
program = sf.Program(8)
with program.context as q:
    for k in range(4):
        ops.S2gate(1.0) | (q[k], q[k + 4])
    ops.MeasureFock() | q
engine = sf.RemoteEngine("X8", connection=connection)


def squeezed() -> dict[str, int]:
    return {"shots": len(engine.run(program, shots=20).samples)}


serve(squeezed)
