"""A store that reports failures of writes that succeeded, and of some that failed.

Clients repeat a submission under its key, the dispatcher repeats its writes, and its comparison of
leases finds claims whose success was not reported. Each key has one job, each job ends once, and no
process runs without a lease.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import random
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import psycopg
import pytest

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.drivers import ForwardLog, ProcessDied
from qwicket.gateway.retries import retry_until_known
from qwicket.model.accounts import Token
from qwicket.model.errors import TooManyRequests, Unavailable
from qwicket.model.jobs import Assignment, Job, NewJob
from qwicket.model.states import JobState
from qwicket.scheduling import Dispatcher
from qwicket.store import JobChange, Store
from qwicket.store.database import Database, Tx
from qwicket.store.postgres import Postgres
from support.history_callers import OpenStores
from support.history_stores import two_on_postgres, two_on_sqlite
from support.postgres import PostgresServer
from support.repetitions import runs
from support.stores import NOW, PLENTY, execute, make_token, new_job

pytestmark = [pytest.mark.anyio, pytest.mark.promise]

OPERATIONS = runs(600, long=20_000)
LOST = 0.05
CLIENTS = 8
PATIENCE_S = runs(120, long=600)


class Forgetful:
    """A database whose answers get lost: half of them before the deed, half of them after it."""

    def __init__(self, database: Database, rng: random.Random) -> None:
        self._database = database
        self._rng = rng
        self.fates: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def write(self, operation: Callable[[Tx], Any], *, durable: bool = True) -> Any:
        fate = self._rng.random()
        self.fates["asked"] += 1
        if fate < LOST / 2:
            self.fates["not done"] += 1
            raise Unavailable("The database did not answer.")
        answer = await self._database.write(operation, durable=durable)
        if fate < LOST:
            self.fates["done and denied"] += 1
            raise Unavailable("The database did not answer.")
        return answer


class Echo:
    """A driver that answers with the job's name, and whose worker dies now and then."""

    forwards = False
    slots = 4
    jobs_per_task = 4

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    async def run(self, assignments: Sequence[Assignment], desk: ForwardLog) -> list[RunResult]:
        await asyncio.sleep(0)
        if self._rng.random() < 0.02:
            raise ProcessDied("its worker died")
        return [
            RunResult((Encoded(each.lease.job.encode(), b"sha"),), 0.001) for each in assignments
        ]


class Client:
    """Submits under a key until a response confirms the job; cancels some of them."""

    def __init__(self, store: Store, token: Token, rng: random.Random) -> None:
        self._store, self._token, self._rng = store, token, rng
        self.jobs: dict[str, set[str]] = {}
        self.cancelled: set[str] = set()

    async def run(self, keys: Iterable[int], is_enough: Callable[[], bool]) -> None:
        for key in keys:
            if is_enough():
                return
            await self._submit(f"key{key}")

    async def _submit(self, key: str) -> None:
        answers = self.jobs.setdefault(key, set())
        job = await self._until_told(
            lambda: self._store.jobs.add(self._new(key), waiting_limit=PLENTY)
        )
        answers.add(job.id)
        again = await self._until_told(
            lambda: self._store.jobs.add(self._new(key), waiting_limit=PLENTY)
        )
        answers.add(again.id)
        if self._rng.random() < 0.1:
            self.cancelled.add(job.id)
            await self._until_told(lambda: self._store.jobs.cancel(job.id, actor="ada", now=NOW))

    def _new(self, key: str) -> NewJob:
        seconds = self._rng.choice((0.001, 1.0))
        return new_job(self._token, idempotency_key=key, digest=b"same", est_seconds=seconds)

    async def _until_told(self, ask: Callable[[], Any]) -> Any:
        while True:
            try:
                return await ask()
            except Unavailable:
                await asyncio.sleep(0)


@pytest.fixture(params=["sqlite", "postgres"])
def open_stores(request: pytest.FixtureRequest) -> OpenStores:
    if request.param == "sqlite":
        return two_on_sqlite
    return partial(two_on_postgres, request.getfixturevalue("postgres"))


@pytest.mark.timeout(PATIENCE_S + 60)
async def test_lost_answers_make_no_second_job_no_second_end_and_nothing_runs_for_ever(
    open_stores: OpenStores,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL)  # each lost answer is logged with its traceback
    rng = random.Random(1)
    async with open_stores() as sound:
        told: list[JobChange] = []
        for store in sound:
            store.changes.listen(told.append)
        forgetful = [Forgetful(store._database, rng) for store in sound]
        stores = [Store(f, s.changes) for f, s in zip(forgetful, sound, strict=True)]
        ada = await make_token(sound[0])
        dispatchers = []
        for number, store in enumerate(stores):
            await sound[0].leases.add_runner(f"server{number}", "server", NOW)
            # The pause after a claim that failed, meant for outages, would take most of the time.
            made = Dispatcher(
                store, Echo(rng), ["simulator"], f"server{number}", lambda: NOW, slow_poll_s=0.05
            )
            made.start()
            dispatchers.append(made)
        keys = itertools.count()
        clients = [Client(stores[number % 2], ada, rng) for number in range(CLIENTS)]

        def is_enough() -> bool:
            asked = sum(each.fates["asked"] for each in forgetful)
            is_met = (
                each.fates["not done"] and each.fates["done and denied"] for each in forgetful
            )
            return asked >= OPERATIONS and all(is_met)

        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*(client.run(keys, is_enough) for client in clients))
            jobs = await all_ended(sound[0], clients)
        for made in dispatchers:
            await made.stop(5)
        assert [await sound[0].leases.held(f"server{number}") for number in (0, 1)] == [[], []]
        check_keys(clients, jobs)
        check_ends(told, jobs)
        await check_outcomes(sound[0], jobs, {job for each in clients for job in each.cancelled})


async def all_ended(store: Store, clients: list[Client]) -> dict[str, Job]:
    """Wait until every job in the store has ended, also those that no response confirmed."""
    while True:
        found = await store._database.scan(lambda tx: execute(tx, "select id, state from job"))
        if all(JobState(state).is_final for _, state in found):
            jobs = [await store.jobs.get(id_) for id_, _ in found]
            return {job.id: job for job in jobs if job is not None}
        await asyncio.sleep(0.05)


def check_keys(clients: list[Client], jobs: dict[str, Job]) -> None:
    answered = [ids for client in clients for ids in client.jobs.values()]
    assert {len(ids) for ids in answered} == {1}
    assert sorted(job for ids in answered for job in ids) == sorted(jobs)


def check_ends(told: list[JobChange], jobs: dict[str, Job]) -> None:
    """One end of each job was published, and it is the stored one."""
    ends: dict[str, set[tuple[int, JobState]]] = {}
    for each in told:
        if each.state.is_final:
            ends.setdefault(each.job, set()).add((each.version, each.state))
    assert ends == {job.id: {(job.version, job.state)} for job in jobs.values()}


async def check_outcomes(store: Store, jobs: dict[str, Job], cancelled: set[str]) -> None:
    for job in jobs.values():
        if job.state is JobState.COMPLETED:
            assert await store.jobs.results(job.id) == [Encoded(job.id.encode(), b"sha")]
        elif job.state is JobState.CANCELLED:
            assert job.id in cancelled
        else:
            assert (job.error_code, job.attempts) == ("worker_died", 3)


class Late:
    """A database whose first write has no answer, and is committed just before the second one."""

    def __init__(self, database: Database, *, is_committed: bool = True) -> None:
        self._database = database
        self._is_committed = is_committed
        self._late: list[Callable[[Tx], Any]] = []
        self._n_asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def write(self, operation: Callable[[Tx], Any], *, durable: bool = True) -> Any:
        self._n_asked += 1
        if self._n_asked == 1:
            if self._is_committed:
                self._late.append(operation)
            raise Unavailable("The database did not answer.")
        while self._late:
            await self._database.write(self._late.pop())
        return await self._database.write(operation, durable=durable)


@pytest.mark.parametrize("waiting_limit", [1, PLENTY])
async def test_a_commit_that_comes_late_is_found_when_the_second_write_fails(
    open_stores: OpenStores, waiting_limit: int
) -> None:
    async with open_stores() as (sound, _):
        new = new_job(await make_token(sound))
        store = Store(Late(sound._database), sound.changes)
        job = await retry_until_known(
            partial(store.jobs.add, new, waiting_limit=waiting_limit),
            partial(store.jobs.get, new.id),
        )
        assert job.id == new.id


async def test_a_second_write_that_is_refused_without_the_first_one_stays_refused(
    open_stores: OpenStores,
) -> None:
    async with open_stores() as (sound, _):
        ada = await make_token(sound)
        await sound.jobs.add(new_job(ada), waiting_limit=1)
        new = new_job(ada)
        store = Store(Late(sound._database, is_committed=False), sound.changes)
        with pytest.raises(TooManyRequests):
            await retry_until_known(
                partial(store.jobs.add, new, waiting_limit=1), partial(store.jobs.get, new.id)
            )


WAITS = """
create function wait_for_the_test() returns trigger language plpgsql as
    'begin perform pg_advisory_xact_lock(7); return null; end';
create constraint trigger late after insert on job deferrable initially deferred
    for each row execute function wait_for_the_test()
"""


async def test_a_commit_that_outlasts_its_connection_is_found(postgres: PostgresServer) -> None:
    """PostgreSQL finishes a commit although nobody waits for its answer any more."""
    async with two_on_postgres(postgres) as (store, _):
        new = new_job(await make_token(store))
        await store.jobs.add(new_job(await make_token(store, "ben")), waiting_limit=PLENTY)
        database = store._database
        assert isinstance(database, Postgres)
        with psycopg.connect(**database._address.settings()) as beside:
            beside.execute(WAITS)
            beside.execute("select pg_advisory_lock(7)")
            adding = asyncio.create_task(
                retry_until_known(
                    partial(store.jobs.add, new, waiting_limit=PLENTY),
                    partial(store.jobs.get, new.id),
                )
            )
            await waiting_for_locks(beside, 1)  # the commit
            assert database._writing is not None
            lost = socket.socket(fileno=os.dup(database._writing.pgconn.socket))
            lost.shutdown(socket.SHUT_RDWR)
            lost.close()
            await waiting_for_locks(beside, 2)  # the commit, and the second write behind it
            beside.execute("select pg_advisory_unlock(7)")
            job = await adding
            beside.execute("drop function wait_for_the_test cascade")
        assert job.id == new.id


async def waiting_for_locks(connection: psycopg.Connection[Any], n_wanted: int) -> None:
    """Wait until so many transactions wait for advisory locks."""
    text = (
        "select count(*) from pg_locks join pg_database on pg_database.oid = database"
        " where locktype = 'advisory' and not granted and datname = current_database()"
    )
    async with asyncio.timeout(30):
        while connection.execute(text).fetchone() != (n_wanted,):
            await asyncio.sleep(0.01)
