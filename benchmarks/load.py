"""Connections that each submit Bell jobs one after the other and wait for their results.

A process of its own: `python -m benchmarks.load URL TOKEN CONNECTIONS JOBS LANGUAGE` prints one
line of JSON. Each job takes one request, and every result is counted. No program was sent before.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import uvloop

from benchmarks.wire import (
    LANGUAGES,
    SHOTS,
    WITH_RESULT,
    AsyncHTTPConnection,
    address,
    bell,
    submission,
)


class Load(NamedTuple):
    """Time of one run of many jobs, and of each job from submit to result, in seconds."""

    seconds: float
    wholes: list[float]

    @property
    def jobs_per_s(self) -> float:
        return len(self.wholes) / self.seconds


def run(url: str, token: str, connections: int, jobs: int, language: str = LANGUAGES[0]) -> Load:
    """Run `jobs` jobs from a process of its own."""
    arguments = (url, token, connections, jobs, language)
    command = [sys.executable, "-m", "benchmarks.load", *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Load(*json.loads(done.stdout))


async def _load(url: str, token: str, connections: int, jobs: int, language: str) -> Load:
    host, port = address(url)
    loop = asyncio.get_running_loop()
    opened = [
        (await loop.create_connection(AsyncHTTPConnection, host, port))[1]
        for _ in range(connections)
    ]
    load = Load(0.0, [])
    first = random.randrange(10**9)
    left = iter(
        [submission(token, bell(language, first + i), query=WITH_RESULT) for i in range(jobs)]
    )
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for connection in opened:
            group.create_task(_submit_on(connection, load, left))
    return load._replace(seconds=time.perf_counter() - began)


async def _submit_on(connection: AsyncHTTPConnection, load: Load, left: Iterator[bytes]) -> None:
    for request in left:
        began = time.perf_counter()
        result = json.loads(await connection.ask(request))["result"]
        load.wholes.append(time.perf_counter() - began)
        assert sum(result["parts"][0]["counts"].values()) == SHOTS


if __name__ == "__main__":
    url, token, connections, jobs, language = sys.argv[1:]
    print(json.dumps(uvloop.run(_load(url, token, int(connections), int(jobs), language))))
