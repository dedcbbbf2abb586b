"""A Bell pair by the tools of `/mcp`, with the official SDK's client."""

from __future__ import annotations

import asyncio
import os
import uuid
from typing import Any

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

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
    headers = {"Authorization": f"Bearer {os.environ['QWICKET_TOKEN']}"}
    http = httpx2.AsyncClient(headers=headers, timeout=30)
    transport = streamable_http_client(f"{os.environ['QWICKET_URL']}/mcp", http_client=http)
    async with Client(transport) as client:
        try:
            return await run(client)
        except Exception as error:  # outside of the client it would be in an ExceptionGroup
            failure = error
    raise failure


async def run(client: Client) -> dict[str, int]:
    async def call(tool: str, **arguments: Any) -> Any:
        found = await client.call_tool(tool, arguments)
        if found.is_error:
            raise RuntimeError(found.structured_content)
        return found.structured_content

    program = {"device": "simulator", "program": PROGRAM, "shots": 100}
    job = await call("submit_job", **program, idempotency_key=uuid.uuid4().hex)
    while True:
        job = await call("wait_for_job", id=job["id"])
        if job["state"] not in ("queued", "running"):
            break
    found: dict[str, int] = (await call("get_result", id=job["id"]))["counts"]
    return found


serve(lambda: asyncio.run(counts()))
