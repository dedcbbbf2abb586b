"""A Bell pair by the tools of `/mcp`, with fastmcp."""

from __future__ import annotations

import asyncio
import os
import uuid
from typing import Any

from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport

from support.bed_clients.loop import serve

PROGRAM = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;
"""


async def counts() -> dict[str, int]:
    token = os.environ["QWICKET_TOKEN"]
    transport = StreamableHttpTransport(f"{os.environ['QWICKET_URL']}/mcp", auth=token)
    async with Client(transport) as client:

        async def call(tool: str, **arguments: Any) -> Any:
            return (await client.call_tool(tool, arguments)).data

        program = {"device": "simulator", "program": PROGRAM, "shots": 100}
        job = await call("submit_job", **program, idempotency_key=uuid.uuid4().hex)
        while True:
            job = await call("wait_for_job", id=job["id"])
            if job["state"] not in ("queued", "running"):
                break
        found: dict[str, int] = (await call("get_result", id=job["id"]))["counts"]
        return found


serve(lambda: asyncio.run(counts()))
