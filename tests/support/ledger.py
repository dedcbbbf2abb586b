"""The database itself, read beside the servers that write it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg

from support.server import LiveServer
from support.waiting import until

UNFINISHED = "state not in ('completed', 'failed', 'cancelled')"


class Ledger:
    """Reads what is stored; nothing here goes through a server."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return list(self._connection.execute(sql).fetchall())

    def number(self, sql: str) -> int:
        ((value,),) = self.rows(sql)
        return int(value or 0)

    def await_end(self, timeout_s: float = 120) -> None:
        """Wait until no job waits or runs."""
        count = f"select count(*) from job where {UNFINISHED}"
        until(lambda: self.number(count) == 0, "every job has ended", timeout_s=timeout_s)

    def assert_each_ended_once(self, acknowledged: set[str]) -> None:
        """Check that no acknowledged job is lost, and each job ended once and is under no lease.

        A completed job has one outcome. Every change of state raises `version` by one: from 1, a
        claim and an end make 3, and each release adds itself and one more claim.
        """
        jobs = self.rows("select id, state, version from job")
        states = {job: state for job, state, _ in jobs}
        assert acknowledged <= set(states), "an acknowledged job is lost"
        outcomes = Counter(job for (job,) in self.rows("select job from outcome"))
        completed = [job for job, state in states.items() if state == "completed"]
        assert outcomes == Counter(dict.fromkeys(completed, 1))
        releases = Counter(
            job for (job,) in self.rows("""select job from job_event where "to" = 'queued'""")
        )
        steps = {job: version for job, state, version in jobs if state == "completed"}
        assert steps == {job: 3 + 2 * releases[job] for job in completed}
        assert self.rows("select job from lease") == []

    def assert_all_completed_uncounted(self, acknowledged: set[str]) -> None:
        """Check the same; and that every job completed, and no attempt was counted."""
        self.assert_each_ended_once(acknowledged)
        assert self.rows("select state, attempts from job group by 1, 2") == [("completed", 0)]


@contextmanager
def ledger(server: LiveServer) -> Iterator[Ledger]:
    """Open the database of a server, for reading alone."""
    if server.database_url is None:
        path = server.folder / "data" / "qwicket.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file:
            yield Ledger(file)
            assert file.execute("pragma integrity_check").fetchone() == ("ok",)
    else:
        with psycopg.connect(server.database_url, autocommit=True) as connection:
            yield Ledger(connection)
