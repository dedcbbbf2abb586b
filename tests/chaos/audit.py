"""Triggers by which the database itself records what happens to jobs, beside the product's records.

They run in the transaction that makes the change, so what is recorded is what was committed.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Final

import psycopg

from chaos.checker import Change, Stored

_SQLITE: Final = """
create table chaos_change (
    seq integer primary key, job text not null, what text not null,
    before text not null, after text not null
);
create trigger chaos_added after insert on job begin
    insert into chaos_change (job, what, before, after) values (new.id, 'state', '', new.state);
end;
create trigger chaos_changed after update on job when old.state <> new.state begin
    insert into chaos_change (job, what, before, after)
    values (new.id, 'state', old.state, new.state);
end;
create trigger chaos_deleted after delete on job begin
    insert into chaos_change (job, what, before, after) values (old.id, 'state', old.state, '');
end;
create trigger chaos_result after insert on outcome begin
    insert into chaos_change (job, what, before, after) values (new.job, 'result', '', 'stored');
end;
create trigger chaos_result_changed after update on outcome begin
    insert into chaos_change (job, what, before, after)
    values (new.job, 'result', 'stored', 'changed');
end;
create trigger chaos_result_deleted after delete on outcome begin
    insert into chaos_change (job, what, before, after) values (old.job, 'result', 'stored', '');
end;
"""
_POSTGRES: Final = """
create table chaos_change (
    seq bigserial primary key, job text not null, what text not null,
    before text not null, after text not null
);
create function chaos_job() returns trigger language plpgsql as $$ begin
    if tg_op = 'INSERT' then
        insert into chaos_change (job, what, before, after)
        values (new.id, 'state', '', new.state);
    elsif tg_op = 'DELETE' then
        insert into chaos_change (job, what, before, after)
        values (old.id, 'state', old.state, '');
    elsif old.state <> new.state then
        insert into chaos_change (job, what, before, after)
        values (new.id, 'state', old.state, new.state);
    end if;
    return null;
end $$;
create function chaos_outcome() returns trigger language plpgsql as $$ begin
    if tg_op = 'INSERT' then
        insert into chaos_change (job, what, before, after)
        values (new.job, 'result', '', 'stored');
    elsif tg_op = 'DELETE' then
        insert into chaos_change (job, what, before, after)
        values (old.job, 'result', 'stored', '');
    else
        insert into chaos_change (job, what, before, after)
        values (new.job, 'result', 'stored', 'changed');
    end if;
    return null;
end $$;
create trigger chaos_job after insert or update or delete on job
    for each row execute function chaos_job();
create trigger chaos_outcome after insert or update or delete on outcome
    for each row execute function chaos_outcome();
"""
_PAGE: Final = 1_000
_JOBS: Final = """
select job.id, account.name, job.name, job.state, job.attempts, coalesce(job.error_code, ''),
    job.n_circuits, program.source
from job inner join account on account.id = job.account left join program on program.job = job.id
"""

_UNFINISHED: Final = """
select job.id, job.device, job.state, lease.runner
from job left join lease on lease.job = job.id
where job.state not in ('completed', 'failed', 'cancelled', 'draft')
"""


class Books:
    """The database, read beside the servers that write it."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows page by page; only one such iteration may go on at a time."""
        if isinstance(self._connection, sqlite3.Connection):
            yield from self._connection.execute(sql)
            return
        with self._connection.transaction(), self._connection.cursor("rows") as cursor:
            cursor.itersize = _PAGE
            yield from cursor.execute(sql)

    def jobs(self) -> int:
        ((number,),) = self.rows("select coalesce(max(seq), 0) from job")
        return int(number)

    def unfinished(self) -> dict[str, str]:
        """Return the jobs that wait or run, with what they do. Drafts wait for their clients."""
        found = {}
        for job, device, state, runner in self.rows(_UNFINISHED):
            found[job] = f"{state} on {device}" + (f", under a lease of {runner}" if runner else "")
        return found

    def held(self) -> set[tuple[str, int, str]]:
        """Return the leases: job, fence and runner of each."""
        sql = "select job, fence, runner from lease where runner is not null"
        return {(job, fence, runner) for job, fence, runner in self.rows(sql)}

    def stored(self) -> Iterator[Stored]:
        for *values, source in self.rows(_JOBS):
            content = hashlib.sha256(source or b"").hexdigest()
            yield Stored._make((*values, content))

    def changes(self) -> Iterator[Change]:
        """Yield the changes of each job together, in their order."""
        sql = "select job, what, before, after from chaos_change order by job, seq"
        for row in self.rows(sql):
            yield Change(*row)


@contextmanager
def books(place: str) -> Iterator[Books]:
    """Open a database for reading: the address of a PostgreSQL database, or a file of SQLite."""
    if place.startswith("/"):
        with closing(sqlite3.connect(f"file:{place}?mode=ro", uri=True, timeout=10)) as file:
            yield Books(file)
    else:
        with psycopg.connect(place, autocommit=True) as connection:
            yield Books(connection)


def install(place: str) -> None:
    """Create the triggers."""
    if place.startswith("/"):
        with closing(sqlite3.connect(place, timeout=30)) as file:
            file.executescript(_SQLITE)
    else:
        with psycopg.connect(place, autocommit=True) as connection:
            connection.execute(_POSTGRES.encode())
