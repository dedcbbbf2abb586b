"""Status polls of one account while 500 status streams are open on IBM's dialect.

The streams watch a draft, so no job runs: the cost is that of checking their tokens and their job
every three seconds. Polls without streams come first, in the same run.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from websockets.asyncio.client import connect

from benchmarks.bench_databases import BenchDatabase, timed
from benchmarks.figures import Figure, both, p95
from benchmarks.live import cpu, server
from benchmarks.wire import HTTPConnection
from qwicket.clients.http.sending import object_of
from qwicket.clients.ibm_qx import IBMQXClient

STREAMS: Final = 500
POLLS: Final = 1_500
BAR_S: Final = 0.010
_AT_ONCE: Final = 50
_WATCHED_S: Final = 6.0


def measure() -> list[Figure]:
    """Return the figures of one run."""
    with tempfile.TemporaryDirectory(prefix="qwicket-bench-") as folder:
        bench_db = BenchDatabase("SQLite", Path(folder), None)
        secret, *_ = bench_db.add_accounts()
        with server(bench_db) as live:
            connection = HTTPConnection(live.url, secret)
            job = connection.submit()
            connection.result(job)
            with IBMQXClient(secret, url=f"{live.url}/ibm/api") as client:
                body = {"backend": {"name": "qwicket_simulator"}, "allowObjectStorage": True}
                draft = client._send("POST", "/Jobs", object_of, body)["id"]
                token = client._current_access_token()

            def poll() -> bytes:
                return connection.get(f"/v1/jobs/{job}")

            alone = timed(poll, POLLS)
            url = f"{live.url.replace('http', 'ws', 1)}/ibm/api/jobs/{draft}/status/v/1"

            async def beside() -> tuple[list[float], float]:
                async with AsyncExitStack() as opened:
                    for start in range(0, STREAMS, _AT_ONCE):
                        batch = range(start, min(STREAMS, start + _AT_ONCE))
                        await asyncio.gather(*(_open(opened, url, token) for _ in batch))
                    before, began = cpu(live.pid)[0], time.perf_counter()
                    await asyncio.sleep(_WATCHED_S)
                    idle = (cpu(live.pid)[0] - before) / (time.perf_counter() - began)
                    return await asyncio.to_thread(timed, poll, POLLS), idle

            found, idle = asyncio.run(beside())
    return [
        Figure("status poll alone, p50 / p95", bench_db.database, both(alone)),
        Figure(
            f"status poll beside {STREAMS} open streams, p50 / p95",
            bench_db.database,
            both(found),
            both(alone),
            f"p95 ≤ {1000 * BAR_S:.0f} ms",
            p95(found) <= BAR_S,
        ),
        Figure(
            f"CPU of {STREAMS} open streams", bench_db.database, f"{100 * idle:.0f} % of a core"
        ),
    ]


async def _open(opened: AsyncExitStack, url: str, token: str) -> None:
    stream = await opened.enter_async_context(connect(url, proxy=None, compression=None))
    await stream.send(json.dumps({"type": "authentication", "data": token}))
    assert json.loads(await stream.recv())["type"] == "authenticated"
