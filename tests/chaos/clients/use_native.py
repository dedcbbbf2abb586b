"""Jobs with Qwicket's own client on an event loop: many users, one of twenty jobs is long."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import sys
import time
from collections.abc import Iterator
from typing import Any

import qwicket
from chaos.clients.loop import AGAIN, PATIENCE_S, PAUSE_S, SHOTS, History, code, coded
from qwicket.clients.native import AsyncClient, AsyncJob

NAME = os.environ["CHAOS_NAME"]
LONG = 20
QUBITS = 4
QUBITS_OF_LONG = 18


def program(number: int) -> dict[str, Any]:
    flips = [{"gate": "x", "target": bit} for bit in range(3) if number >> bit & 1]
    qubits = QUBITS
    circuit: list[dict[str, Any]] = [*flips, {"gate": "h", "target": 3}]
    if number % LONG == 0:  # so that what is killed and paused meets jobs that run
        qubits = QUBITS_OF_LONG
        circuit += [
            {"gate": "rx", "target": 4 + each % (qubits - 4), "rotation": 0.1}
            for each in range(150)
        ]
    return {"gateset": "qis", "qubits": qubits, "circuit": circuit}


class User:
    """Submits one job after the other."""

    def __init__(self, client: AsyncClient, numbers: Iterator[int], stop: asyncio.Event) -> None:
        self._client, self._numbers, self._stop = client, numbers, stop
        self._history = History()
        self._rng = random.Random(next(numbers))
        self._read: list[tuple[int, str]] = []

    async def run(self) -> None:
        while not self._stop.is_set():
            await self._one(next(self._numbers))
            if self._read and self._rng.random() < 1 / AGAIN:
                await self._again(*self._rng.choice(self._read))
        for number, job in self._rng.sample(self._read, min(AGAIN, len(self._read))):
            await self._again(number, job)

    async def _one(self, number: int) -> None:
        self._history.write("submit", number, {code(number): SHOTS})
        try:
            job = await self._client.submit(
                program(number), "simulator", shots=SHOTS, name=f"{NAME}-{number}", wait=0.05
            )
        except Exception as error:
            self._history.write("error", number, "submit", f"{type(error).__name__}: {error}"[:300])
            await asyncio.sleep(PAUSE_S)
            return
        self._history.write("accepted", number, job.id)
        if await self._until_read(number, job.id, job):
            self._read.append((number, job.id))
            if len(self._read) > 100:
                del self._read[self._rng.randrange(len(self._read))]

    async def _again(self, number: int, job: str) -> None:
        await self._until_read(number, job, None)

    async def _until_read(self, number: int, job: str, handle: AsyncJob | None) -> bool:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                read = handle if handle is not None else await self._client.job(job)
                counts = (await read.result(timeout=30)).counts
                assert counts is not None
            except Exception as error:
                text = f"{type(error).__name__}: {error}"[:300]
                self._history.write("error", number, "result", text)
                await asyncio.sleep(PAUSE_S)
            else:
                self._history.answer(number, job, coded({**counts}))
                return True
        self._history.write("gave up", number, job)
        return False


async def main() -> None:
    users = int(os.environ["CHAOS_THREADS"])
    stop = asyncio.Event()
    async with qwicket.aconnect() as client:
        running = [User(client, itertools.count(each, users), stop) for each in range(users)]
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _stop_at_end, stop)
        await asyncio.gather(*(each.run() for each in running))


def _stop_at_end(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 1024):
        stop.set()
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())


asyncio.run(main())
