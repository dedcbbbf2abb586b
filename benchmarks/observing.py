"""The cost of metrics and of the access log per status poll: `python -m benchmarks.observing`.

The server runs in this process, without a socket, whose cost would hide the difference. Rounds with
and without them alternate, so that other work of the machine affects both alike.
"""

from __future__ import annotations

import asyncio
import json
import logging
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

from starlette.types import Message, Scope

from benchmarks.bench_databases import BenchDatabase
from qwicket.cli.demo import BELL
from qwicket.server.app import App
from qwicket.server.logs import AccessLog
from qwicket.server.metrics import Metrics
from qwicket.server.router import Router
from qwicket.server.settings import Settings

ROUNDS: Final = 60
POLLS: Final = 300


async def measure(folder: Path, secret: str) -> dict[str, float]:
    """Return the median CPU seconds of one poll, by what is turned on."""
    app = App(Settings(data_dir=folder, workers=1))
    await app.start()
    assert app._router is not None
    mounts, limits = {each.prefix: each.app for each in app._router._mounts[""]}, app._limits
    body = {"program": BELL, "device": "simulator", "shots": 10}
    made = await _ask(Router(mounts, limits), secret, "POST", "/v1/jobs", json.dumps(body).encode())
    path = f"/v1/jobs/{json.loads(made)['id']}"
    await asyncio.sleep(3)  # until it has run: then it changes no more
    access = AccessLog()
    routers = {
        "nothing": Router(mounts, limits),
        "metrics": Router(mounts, limits, metrics=Metrics()),
        "metrics and access log": Router(mounts, limits, metrics=Metrics(), access=access),
    }
    took: dict[str, list[float]] = {name: [] for name in routers}
    for _ in range(ROUNDS):
        for name, router in routers.items():
            began = time.thread_time()
            for _ in range(POLLS):
                await _ask(router, secret, "GET", path)
            took[name].append((time.thread_time() - began) / POLLS)
            await asyncio.sleep(0.02)  # the access log's thread writes meanwhile
    access.close()
    await app.stop()
    return {name: median(each) for name, each in took.items()}


async def _ask(router: Router, secret: str, method: str, path: str, body: bytes = b"") -> bytes:
    scope: Scope = {
        "type": "http",
        "method": method,
        "path": path,
        "root_path": "",
        "scheme": "http",
        "http_version": "1.1",
        "query_string": b"",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
        "headers": [
            (b"authorization", b"Bearer " + secret.encode()),
            (b"content-length", b"%d" % len(body)),
        ],
    }
    answer = b""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal answer
        assert message.get("status", 200) in (200, 201), message
        answer += message.get("body", b"")

    await router(scope, receive, send)
    return answer


def main() -> None:
    """Measure and print."""
    logging.basicConfig(filename="/dev/null", level=logging.INFO)
    with tempfile.TemporaryDirectory(prefix="qwicket-bench-") as folder:
        bench_db = BenchDatabase("SQLite", Path(folder), None)
        secret, *_ = bench_db.add_accounts()
        took = asyncio.run(measure(Path(folder), secret))
    for name, seconds in took.items():
        ratio = took["nothing"] / seconds
        print(f"{name}: {1e6 * seconds:.1f} us of a poll, {ratio:.3f} of the polls per second")


if __name__ == "__main__":
    main()
