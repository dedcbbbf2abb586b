"""`python -m chaos.mass`: submits as `chaos.clients.loop` does, with many users of each dialect.

CHAOS_ACCOUNTS is a JSON object of accounts by the names in `DIALECTS`, CHAOS_URL the server,
CHAOS_HISTORY the folder of the histories. Of each there are CHAOS_USERS times its share of users.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import uvloop

from chaos.clients.loop import AGAIN, PATIENCE_S, PAUSE_S, History
from chaos.mass import USERS
from chaos.mass.connection import Connection, Lost
from chaos.mass.dialects import DIALECTS, Account, Dialect, Ended, Refused

_REMEMBERED: Final = 100


class User:
    """Submits one job after the other, and reads some earlier results again."""

    def __init__(
        self, dialect: Dialect, history: History, numbers: Iterator[int], stop: asyncio.Event
    ) -> None:
        self._dialect, self._history = dialect, history
        self._numbers, self._stop = numbers, stop
        self._rng = random.Random(next(numbers))
        self._before: deque[tuple[int, str]] = deque(maxlen=_REMEMBERED)

    async def run(self) -> None:
        while not self._stop.is_set():
            await self._one(next(self._numbers))
            if self._before and self._rng.random() < 1 / AGAIN:
                await self._read(*self._rng.choice(self._before))
        for number, job in self._rng.sample(self._before, min(AGAIN, len(self._before))):
            await self._read(number, job)

    async def _one(self, number: int) -> None:
        self._history.write("submit", number, self._dialect.wanted(number))
        try:
            job = await self._dialect.submit(number)
        except (Lost, Refused) as error:
            self._history.error(number, "submit", error)
            await asyncio.sleep(PAUSE_S)
            return
        self._history.write("accepted", number, job)
        if await self._read(number, job):
            self._before.append((number, job))

    async def _read(self, number: int, job: str) -> bool:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    found = await self._dialect.result(job)
            except Ended as error:  # whether it may, the check finds out
                self._history.error(number, "result", error)
                return False
            except (Lost, Refused, TimeoutError) as error:
                self._history.error(number, "result", error)
                await asyncio.sleep(PAUSE_S)
            else:
                self._history.answer(number, job, found)
                return True
        self._history.write("gave up", number, job)
        return False


async def main() -> None:
    parts = urlsplit(os.environ["CHAOS_URL"])
    assert parts.hostname is not None
    assert parts.port is not None
    folder = Path(os.environ["CHAOS_HISTORY"])
    stop = asyncio.Event()
    users = []
    for name, account in json.loads(os.environ["CHAOS_ACCOUNTS"]).items():
        history, numbers = History(str(folder / f"{name}.jsonl")), itertools.count()
        for _ in range(USERS[name] * int(os.environ["CHAOS_USERS"])):
            connection = Connection(parts.hostname, parts.port)
            dialect = DIALECTS[name](Account(*account), connection)
            users.append(User(dialect, history, numbers, stop))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _stop_at_end, stop)
    await asyncio.gather(*(each.run() for each in users))


def _stop_at_end(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 1024):
        stop.set()
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())


if __name__ == "__main__":
    uvloop.run(main())
