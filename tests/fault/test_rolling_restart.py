"""Servers on one PostgreSQL, one of which runs no jobs, are restarted one after the other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from support.kills import Kills
from support.ledger import ledger
from support.pilots import pilot
from support.processes import below
from support.repetitions import kills, runs
from support.server import Serve
from support.submitters import Submitter, crowd

pytestmark = pytest.mark.extended

SERVERS = 3
ROUNDS = math.ceil(kills(1) / SERVERS)
JOBS = 40
"""Jobs between two restarts, at least."""
GATEWAY_ONLY = ("--workers", "0", "--no-dispatch")


@pytest.mark.timeout(runs(180, long=3600))
def test_a_rolling_restart_loses_no_job_and_doubles_none(
    shared_url: str, serve: Serve, tmp_path: Path
) -> None:
    servers = (
        serve("gateway", shared_url, *GATEWAY_ONLY),
        serve("first", shared_url),
        serve("second", shared_url, "--workers", "0"),
    )
    token = servers[0].token()
    stopped = Kills("three servers on one database: stopped and started in turn")
    with ExitStack() as stack:
        books = stack.enter_context(ledger(servers[0]))
        stack.enter_context(pilot(servers[2], tmp_path / "pilot"))
        members = [Submitter(each, token, with_keys=True) for each in servers]
        submitters = stack.enter_context(crowd(*members))
        for _ in range(ROUNDS):
            for server in servers:
                submitters.await_more(JOBS)
                processes = below(server.process.pid)
                assert server.stop() == 0
                stopped.await_end(processes)
                server.start()
        submitters.stop()
        books.await_end(timeout_s=runs(60, long=600))
        assert all(len(jobs) == 1 for jobs in submitters.keys.values())
        acknowledged = set(submitters.acknowledged)
        stopped.record(books, acknowledged)
        assert len(acknowledged) >= JOBS * SERVERS * ROUNDS
        books.assert_all_completed_uncounted(acknowledged)
        runners = [str(runner) for (runner,) in books.rows("select distinct runner from job")]
        accounts = [str(account) for (account,) in books.rows("select id from account")]
        of_pilots = {any(map(runner.startswith, accounts)) for runner in runners}
        assert of_pilots == {True, False}, "a pilot and a server did their part"


ADDITIONS = (
    "alter table job add column of_the_next_version text",
    "alter table account add column of_the_next_version integer not null default 0",
    "create table of_the_next_version (id text primary key)",
    "create index of_the_next_version_by_device on job (device, of_the_next_version)",
    "insert into schema_version values ((select max(number) + 1 from schema_version))",
)
REMOVALS = (
    "alter table job drop column of_the_next_version",
    "alter table account drop column of_the_next_version",
    "drop table of_the_next_version",
    "delete from schema_version where number = (select max(number) from schema_version)",
)


@contextmanager
def newer(url: str) -> Iterator[None]:
    """Play a newer server by what it does first; the database is used again by other tests."""
    _run(url, ADDITIONS)
    try:
        yield
    finally:
        _run(url, REMOVALS)


def _run(url: str, statements: tuple[str, ...]) -> None:
    with psycopg.connect(url) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@pytest.mark.timeout(180)
def test_a_server_goes_on_beside_a_newer_one_that_has_migrated_the_database(
    shared_url: str, serve: Serve
) -> None:
    server = serve("former", shared_url)
    members = [Submitter(server, server.token(), with_keys=True) for _ in range(2)]
    with ledger(server) as books, crowd(*members) as submitters:
        submitters.await_more(JOBS)
        with newer(shared_url):
            submitters.await_more(JOBS)
            submitters.stop()
            books.await_end()
        books.assert_all_completed_uncounted(set(submitters.acknowledged))
