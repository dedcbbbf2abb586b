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

    def __init__(self, connection: Any, database: str) -> None:
        self._connection = connection
        self.database = database

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return list(self._connection.execute(sql).fetchall())

    def number(self, sql: str) -> int:
        ((value,),) = self.rows(sql)
        return int(value or 0)

    def await_end(self, timeout_s: float = 120) -> None:
        """Wait until no job waits or runs."""
        count = f"select count(*) from job where {UNFINISHED}"
        until(lambda: self.number(count) == 0, "every job has ended", timeout_s=timeout_s)

    def lost(self, acknowledged: set[str]) -> set[str]:
        """Return the acknowledged jobs that are not stored or have not ended."""
        ended = self.rows(f"select id from job where not ({UNFINISHED})")
        return acknowledged - {job for (job,) in ended}

    def ended_twice(self) -> set[str]:
        """Return the completed jobs that did not end exactly once.

        A completed job has one outcome. Every change of state raises `version` by one: from 1, a
        claim and an end make 3, and each release adds itself and one more claim.
        """
        outcomes = Counter(job for (job,) in self.rows("select job from outcome"))
        releases = Counter(
            job for (job,) in self.rows("""select job from job_event where "to" = 'queued'""")
        )
        completed = self.rows("select id, version from job where state = 'completed'")
        return {
            job
            for job, version in completed
            if outcomes[job] != 1 or version != 3 + 2 * releases[job]
        }

    def assert_each_ended_once(self, acknowledged: set[str]) -> None:
        """Check that no acknowledged job is lost, and each job ended once and is under no lease."""
        assert self.lost(acknowledged) == set()
        assert self.ended_twice() == set()
        completed = self.rows("select id from job where state = 'completed' order by 1")
        assert self.rows("select distinct job from outcome order by 1") == completed
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
            yield Ledger(file, "SQLite")
            assert file.execute("pragma integrity_check").fetchone() == ("ok",)
    else:
        with psycopg.connect(server.database_url, autocommit=True) as connection:
            yield Ledger(connection, "PostgreSQL")
