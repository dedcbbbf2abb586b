"""Waiting jobs that are copied in the database of a running server: a flood within seconds."""

from __future__ import annotations

import sqlite3
import time
from datetime import datetime
from typing import Any, Self

import psycopg

from support.server import LiveServer

_PIECE = 5_000
"""Rows of one transaction, so that the server writes in between."""
_COPY = """
insert into job (id, {columns})
with recursive number (n) as (
    select {first} union all select n + 1 from number where n < {last}
)
select substr(id, 1, 24) || {hex}, {columns} from job, number where id = '{job}'
"""


class Backlog:
    """The copies of one job. They have no programs: what is copied must be far from its turn."""

    def __init__(self, live: LiveServer) -> None:
        self._is_postgres = live.database_url is not None
        self._hex = "printf('%012x', n)"
        if live.database_url is None:
            file = live.folder / "data" / "qwicket.db"
            self._database: Any = sqlite3.connect(file, timeout=30, isolation_level=None)
            names = self._rows("select name from pragma_table_info('job')")
        else:
            self._database = psycopg.connect(live.database_url, autocommit=True)
            self._hex = "lpad(to_hex(n), 12, '0')"
            names = self._rows(
                "select column_name from information_schema.columns where table_name = 'job'"
            )
        same = [f'"{name}"' for (name,) in names if name not in ("id", "seq")]
        self._columns = ", ".join(same)
        self._original = self._account = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def _rows(self, text: str) -> list[tuple[Any, ...]]:
        return list(self._database.execute(text).fetchall())

    def copy(self, job: str, count: int) -> None:
        """Have so many copies of a waiting job wait behind it."""
        self._original = job
        ((self._account,),) = self._rows(f"select account from job where id = '{job}'")
        for first in range(1, count + 1, _PIECE):
            last = min(first + _PIECE - 1, count)
            self._database.execute(
                _COPY.format(columns=self._columns, first=first, last=last, hex=self._hex, job=job)
            )
        if self._is_postgres:
            self._database.execute("analyze")  # as autovacuum does; SQLite's is never run

    def delete_copies(self) -> None:
        if not self._original:
            return
        prefix = self._original[:24]
        copies = f"id between '{prefix}' and '{prefix}z' and id <> '{self._original}'"
        while True:
            n_deleted = self._database.execute(
                f"delete from job where id in (select id from job where {copies} limit {_PIECE})"
            ).rowcount
            if not n_deleted:
                return
            time.sleep(0.01)

    def started_before(self, job: dict[str, Any]) -> int:
        """Return how many jobs of the flood started while another one, as JSON, waited."""
        queued, started = (
            round(1000 * datetime.fromisoformat(job[at]).timestamp())
            for at in ("queued_at", "started_at")
        )
        ((n,),) = self._rows(
            f"select count(*) from job where account = '{self._account}'"
            f" and started_at > {queued} and started_at < {started}"
        )
        return int(n)
