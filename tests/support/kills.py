"""Records of what was killed, how long its processes lived on, and what became of the jobs.

`tools/scale_report.py` names a file in the environment, to which each test adds its record.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from pathlib import Path
from typing import Final

import msgspec

from support.ledger import Ledger
from support.processes import is_alive
from support.waiting import until

FILE: Final = "QWICKET_KILLS_FILE"
GONE_S: Final = 1.0
"""Time after a kill within which all processes below it must have ended."""


class KillRecord(msgspec.Struct, frozen=True):
    """Kills of one kind in one test; `longest_s` is the longest time until all had ended.

    `load` is the load average at the end of the test, `at` the time in Unix seconds.
    """

    kind: str
    database: str
    kills: int
    jobs: int
    lost: int
    twice: int
    longest_s: float
    load: float
    at: float


class Kills:
    """Counts the kills of one kind.

    Args:
        kind: What is killed, as the report names it.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._kills = 0
        self._longest_s = 0.0

    def await_end(self, processes: Collection[int], *, timeout_s: float = GONE_S) -> None:
        """Count a kill that was just made, and wait until these processes have ended."""
        began = time.monotonic()
        self._kills += 1
        until(
            lambda: not any(map(is_alive, processes)),
            f"processes end after a kill ({self._kind})",
            timeout_s=timeout_s,
        )
        self._longest_s = max(self._longest_s, time.monotonic() - began)

    def record(self, books: Ledger, jobs: set[str]) -> None:
        """Record what became of the jobs, if a report is made."""
        if FILE not in os.environ:
            return
        line = KillRecord(
            kind=self._kind,
            database=books.database,
            kills=self._kills,
            jobs=len(jobs),
            lost=len(books.lost(jobs)),
            twice=len(books.ended_twice()),
            longest_s=self._longest_s,
            load=os.getloadavg()[0],
            at=time.time(),
        )
        with Path(os.environ[FILE]).open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")
