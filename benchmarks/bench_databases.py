"""A temporary database for one measurement, filled quickly with plain SQL."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import psycopg

from benchmarks.wire import BELL, SHOTS
from qwicket import programs
from qwicket.circuits.options import RunOptions
from qwicket.gateway.signin import digest, new_secret
from qwicket.model.accounts import DEFAULT_SCOPES, Token
from qwicket.model.ids import new_id
from qwicket.model.limits import Limits
from qwicket.store import Store, open_postgres, open_sqlite
from support.postgres import PostgresServer, postgres_server

ACCOUNTS: Final = 10
DATABASES: Final = ("SQLite", "PostgreSQL")
FORMAT: Final = "ionq.circuit.v1"
_PARAMETER: Final = re.compile(r"(?<![:\w]):(\w+)")

_JOBS: Final = """
insert into job (
    id, account, project, device, dialect, state, version, name, tags, shots, n_circuits, n_qubits,
    n_ops_1q, n_ops_2q, est_bytes, est_seconds, priority, attempts, change, created_at, queued_at,
    started_at, ended_at
)
with recursive number (n) as (select 1 union all select n + 1 from number where n < :count)
select
    cast(:state as text) || '-' || cast(n as text), account.id, project.id, 'simulator', 'native',
    :state, 1, '', '[]', 1000, 1, 2, 1, 1, 1048576, 0.001, 0, 0, n * 1000, n, n,
    case when cast(:state as text) = 'queued' then null else n end,
    case when cast(:state as text) = 'completed' then n end
from number
inner join account on account.name = 'bench-' || cast(n % 10 as text)
inner join project on project.name = account.name
order by number.n
"""
_PROGRAMS: Final = """
insert into program (job, format, source, inputs, circuits, options, reader_version)
select id, :format, :source, '{}', :circuits, :options, 1 from job where state = :state
"""
_SHARES: Final = """
insert into share (device, project, vtime, has_work)
select 'simulator', project, 0, 1 from job where state = 'queued' group by project
on conflict (device, project) do update set has_work = 1
"""
_LEASES: Final = """
insert into lease (job, fence, nonce, runner)
select job.id, 1, 'nonce', (select id from runner) from job where state = 'running'
"""


class Work(NamedTuple):
    """A Bell job as an engine takes it."""

    source: bytes
    circuits: bytes
    options: bytes


class BenchDatabase(NamedTuple):
    """A folder, or a database on a server beside it."""

    database: str
    folder: Path
    url: str | None

    @property
    def options(self) -> list[str]:
        """Return the options of commands that use this database."""
        address = ["--database-url", self.url] if self.url else []
        return ["--data-dir", str(self.folder), *address]

    def open(self) -> Store:
        return open_postgres(self.url) if self.url else open_sqlite(self.folder)

    def run(self, *statements: str, **params: object) -> None:
        """Run statements in one transaction."""
        if self.url:
            with psycopg.connect(self.url) as connection:
                for text in statements:
                    given = {k: v for k, v in params.items() if f":{k}" in text}
                    connection.execute(
                        _PARAMETER.sub(r"%(\1)s", text.replace("%", "%%")).encode(), given
                    )
            return
        with closing(sqlite3.connect(self.folder / "qwicket.db")) as file, file:
            for text in statements:
                file.execute(text, params)

    def bare_selects(self, count: int) -> list[float]:
        """Return the times of `select 1` on a connection of its own."""
        connection: Any = (
            psycopg.connect(self.url, autocommit=True)
            if self.url
            else sqlite3.connect(self.folder / "qwicket.db")
        )
        with closing(connection):
            return timed(lambda: connection.execute("select 1").fetchall(), count)

    def add_accounts(self, count: int = ACCOUNTS) -> list[str]:
        """Make accounts with a token each; return the secrets."""
        secrets = [new_secret() for _ in range(count)]
        asyncio.run(self._add_accounts(secrets))
        return secrets

    async def _add_accounts(self, secrets: Sequence[str]) -> None:
        now = now_ms()
        async with asyncio.timeout(60):
            store = self.open()
            for number, secret in enumerate(secrets):
                name = f"bench-{number}"
                await store.accounts.add(name, "member", email=None, password_hash=None, now=now)
                blank = Token(
                    id=new_id(now),
                    account="",
                    project="",
                    scopes=DEFAULT_SCOPES,
                    devices=(),
                    created_at=now,
                )
                await store.accounts.add_token(
                    blank, account=name, project=None, digest=digest(secret)
                )
            await store.close()

    def fill(self, state: str, count: int) -> None:
        """Add jobs of ten accounts in turn; the only runner holds the running ones."""
        also = {"queued": (_PROGRAMS, _SHARES), "running": (_PROGRAMS, _LEASES)}.get(state, ())
        # Without triggers, which count each job in the same row: 100,000 versions of it.
        before = ("set local session_replication_role = replica",) if self.url else ()
        self.run(*before, _JOBS, *also, state=state, count=count, format=FORMAT, **bell()._asdict())
        if self.url:
            self.run("analyze")  # as autovacuum does a minute later


def bell() -> Work:
    source = msgspec.json.encode(BELL)
    options = RunOptions(shots=SHOTS, seed=1, outputs=("counts",))
    checked = programs.read(FORMAT, source, Limits())
    return Work(source, checked.circuits, msgspec.msgpack.encode(options))


def timed(work: Callable[[], object], count: int) -> list[float]:
    """Return the seconds of each of some calls."""
    times = []
    for _ in range(count):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return times


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class BenchDatabases:
    """Makes fresh databases; one PostgreSQL server serves all."""

    def __init__(self, postgres: PostgresServer) -> None:
        self._postgres = postgres

    @property
    def pid(self) -> int | None:
        """The first process of PostgreSQL, which started all others."""
        return self._postgres.first_pid

    @contextmanager
    def fresh(self, database: str) -> Iterator[BenchDatabase]:
        with tempfile.TemporaryDirectory(prefix="qwicket-bench-") as folder:
            if database == "SQLite":
                yield BenchDatabase(database, Path(folder), None)
                return
            with self._postgres.database() as url:
                yield BenchDatabase(database, Path(folder), url)


@contextmanager
def bench_databases() -> Iterator[BenchDatabases]:
    with postgres_server() as postgres:
        yield BenchDatabases(postgres)
