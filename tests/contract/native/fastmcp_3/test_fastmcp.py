"""The server's own tools by fastmcp 3, which begins with a handshake."""

import asyncio
import os

from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport

URL, TOKEN = os.environ["QWICKET_URL"], os.environ["QWICKET_TOKEN"]
PROGRAM = """OPENQASM 3.0;
include "stdgates.inc";
qubit q;
bit c;
x q;
c = measure q;
"""


def test_a_job_is_run_and_read():
    async def counts():
        transport = StreamableHttpTransport(f"{URL}/mcp", auth=TOKEN)
        async with Client(transport) as client:
            await client.ping()
            asked = {"device": "simulator", "program": PROGRAM, "shots": 10}
            job = (await client.call_tool("submit_job", asked)).data
            while job["state"] != "completed":
                job = (await client.call_tool("wait_for_job", {"id": job["id"]})).data
            return (await client.call_tool("get_result", {"id": job["id"]})).data["counts"]

    assert asyncio.run(counts()) == {"1": 10}
