"""What only PostgreSQL can be asked: several servers, lost connections, secrets in addresses."""

from __future__ import annotations

import asyncio
import logging
import shutil
import socket
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from qwicket.model.errors import InvalidRequest, TooManyRequests, Unavailable
from qwicket.model.jobs import JobQuery
from qwicket.model.states import JobState
from qwicket.store import JobChange, Store, open_postgres
from qwicket.store.database import Tx
from support.postgres import PostgresServer
from support.stores import NOW, PLENTY, add_job, execute, make_token, new_job

pytestmark = pytest.mark.anyio


@pytest.fixture
def url(postgres: PostgresServer) -> Iterator[str]:
    with postgres.database() as address:
        yield address


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    store = open_postgres(url)
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    async with opened(url) as one:
        yield one


def end_sessions(url: str) -> None:
    """End every other session of the database, as a restart of the server does."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )


class BreakingWay:
    """A way to the database that breaks, once, at bytes that pass in one direction."""

    def __init__(self, url: str) -> None:
        given = psycopg.conninfo.conninfo_to_dict(url)
        self._folder = Path(tempfile.mkdtemp(prefix="qwicket-way-"))
        self._target = f"{given['host']}/.s.PGSQL.5432"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._folder / ".s.PGSQL.5432"))
        self._listener.listen()
        self._fatal: tuple[bytes, str] | None = None
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.has_broken = threading.Event()
        self.url = psycopg.conninfo.make_conninfo(url, host=str(self._folder))

    def __enter__(self) -> BreakingWay:
        self._start(self._serve)
        return self

    def _start(self, work: Callable[..., None], *given: object) -> None:
        thread = threading.Thread(target=work, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def __exit__(self, *_: object) -> None:
        for end in (self._listener, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for end in (self._listener, *self._ends):
            end.close()
        shutil.rmtree(self._folder)

    def break_at(self, text: bytes, direction: str) -> None:
        self._fatal = text, direction

    def _serve(self) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                near, _ = self._listener.accept()
                far = socket.socket(socket.AF_UNIX)
                self._ends += [near, far]
                far.connect(self._target)
                self._start(self._carry, near, far, "to the server")
                self._start(self._carry, far, near, "back")

    def _carry(self, source: socket.socket, sink: socket.socket, direction: str) -> None:
        with suppress(OSError):
            while piece := source.recv(1 << 16):
                if self._fatal and self._fatal[1] == direction and self._fatal[0] in piece:
                    self._fatal = None
                    self.has_broken.set()
                    break
                sink.sendall(piece)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


async def heard(store: Store, wanted: Callable[[JobChange], bool]) -> None:
    """Wait until the store publishes a change."""
    event = asyncio.Event()
    stop = store.changes.listen(lambda change: event.set() if wanted(change) else None)
    async with asyncio.timeout(30):
        await event.wait()
    stop()


async def listens(store: Store) -> None:
    """Wait until a store that was just opened hears others."""
    event = asyncio.Event()
    stop = store.changes.on_resync(event.set)
    async with asyncio.timeout(30):
        await event.wait()
    stop()


async def test_servers_receive_the_changes_of_the_others(url: str) -> None:
    async with opened(url) as one, opened(url) as two:
        await listens(two)
        ada = await make_token(one)
        waiting = asyncio.create_task(
            heard(two, lambda change: change.state is JobState.QUEUED and change.version == 1)
        )
        await asyncio.sleep(0)
        job = await add_job(one, ada)
        await waiting
        with one.changes.watch(job.id) as watch:
            await two.jobs.cancel(job.id, actor="ada", now=NOW)
            assert await watch.changed(10)


async def test_a_long_burst_of_changes_reaches_the_others_whole(url: str) -> None:
    async with opened(url) as one, opened(url) as two:
        await listens(two)
        ada = await make_token(one)
        told: set[str] = set()
        two.changes.listen(lambda change: told.add(change.job))
        jobs = await asyncio.gather(*(add_job(one, ada) for _ in range(300)))
        async with asyncio.timeout(30):
            while told != {job.id for job in jobs}:
                await asyncio.sleep(0.01)


async def test_a_server_does_not_receive_its_own_changes_twice(url: str) -> None:
    async with opened(url) as store, opened(url) as other:
        await listens(store)
        told: list[JobChange] = []
        store.changes.listen(told.append)
        job = await add_job(store, await make_token(store))
        await other.jobs.cancel(job.id, actor="ada", now=NOW)  # comes after the echo would
        async with asyncio.timeout(30):
            while len(told) < 2:
                await asyncio.sleep(0.01)
        assert [change.version for change in told] == [1, 2]


async def test_equal_keys_at_two_servers_at_once_make_one_job(url: str) -> None:
    async with opened(url) as one, opened(url) as two:
        ada = await make_token(one)
        jobs = await asyncio.gather(
            *(
                add_job(each, ada, idempotency_key=f"key {number}", digest=b"same")
                for number in range(20)
                for each in (one, two, one, two)
            )
        )
        assert len({job.id for job in jobs}) == 20
        assert len(await one.jobs.page(JobQuery(account=ada.account, limit=100))) == 20


async def test_two_servers_claim_each_job_once_and_times_stay_unique(url: str) -> None:
    async with opened(url) as one, opened(url) as two:
        ada = await make_token(one)
        jobs = await asyncio.gather(*(add_job(each, ada) for _ in range(50) for each in (one, two)))
        assert len({job.created_at for job in jobs}) == 100
        assert len({job.change for job in jobs}) == 100
        claims = await asyncio.gather(
            *(each.leases.claim("simulator", "r", NOW) for _ in range(60) for each in (one, two))
        )
        taken = [assignment.lease.job for claim in claims for assignment in claim.taken]
        assert sorted(taken) == sorted(job.id for job in jobs)


async def test_a_lost_connection_is_made_anew_without_anybody_noticing(
    url: str, store: Store
) -> None:
    ada = await make_token(store)
    for _ in range(3):
        end_sessions(url)
        job = await add_job(store, ada)
        end_sessions(url)
        assert await store.jobs.get(job.id) == job
    assert store.is_alive


async def test_after_a_lost_connection_everyone_looks_again(url: str) -> None:
    async with opened(url) as store:
        await listens(store)
        again = asyncio.create_task(listens(store))
        await asyncio.sleep(0)
        end_sessions(url)
        await again


async def test_a_commit_whose_answer_is_lost_says_so_and_is_done(url: str, store: Store) -> None:
    ada = await make_token(store)

    def end_own_session_at_commit(tx: Any) -> None:
        commit = tx.commit

        def cut() -> None:
            commit()
            tx._connection.close()
            raise psycopg.OperationalError("the answer is lost")

        tx.commit = cut

    begun, goes_on = threading.Event(), threading.Event()
    first = asyncio.ensure_future(store._database.write(lambda _: pause(begun, goes_on)))
    await asyncio.to_thread(begun.wait, 10)
    group = asyncio.gather(
        store._database.write(end_own_session_at_commit),
        add_job(store, ada, idempotency_key="k", digest=b"d"),
        return_exceptions=True,
    )
    await asyncio.sleep(0)
    goes_on.set()
    await first
    assert [type(result) for result in await group] == [Unavailable, Unavailable]
    again = await add_job(store, ada, idempotency_key="k", digest=b"d")
    assert await store.jobs.page(JobQuery(account=ada.account)) == [again]


async def test_a_network_that_breaks_before_the_commit_is_not_noticed(url: str) -> None:
    with BreakingWay(url) as way:
        async with opened(way.url) as store:
            ada = await make_token(store)
            way.break_at(b'{"mark": 1}', "to the server")
            job = await add_job(store, ada, vendor_fields=b'{"mark": 1}')
            assert way.has_broken.is_set()
            assert await store.jobs.page(JobQuery(account=ada.account)) == [job]


async def test_a_network_that_breaks_at_the_commit_makes_one_job(url: str) -> None:
    with BreakingWay(url) as way:
        async with opened(way.url) as store:
            ada = await make_token(store)
            way.break_at(b"COMMIT\0", "back")
            with pytest.raises(Unavailable):
                await add_job(store, ada, idempotency_key="k", digest=b"d")
            (kept,) = await store.jobs.page(JobQuery(account=ada.account))
            assert await add_job(store, ada, idempotency_key="k", digest=b"d") == kept


async def test_a_network_that_breaks_with_the_last_writes_leaves_all_or_nothing(url: str) -> None:
    with BreakingWay(url) as way:
        async with opened(way.url) as store:
            job = await add_job(store, await make_token(store))
            way.break_at(b"cancel requested", "to the server")  # the commit goes with it
            with pytest.raises(Unavailable):
                await store.jobs.cancel(job.id, actor="ada", now=NOW)
            assert await store.jobs.get(job.id) == job
            assert await store.jobs.events(job.id) == []
            cancelled = await store.jobs.cancel(job.id, actor="ada", now=NOW)
            assert cancelled is not None
            assert cancelled.state is JobState.CANCELLED


async def test_a_paused_writer_loses_the_lock(url: str, store: Store) -> None:
    begun, goes_on = threading.Event(), threading.Event()

    def stand(tx: Tx) -> None:
        tx.one("epoch_get")
        begun.set()
        goes_on.wait(60)

    standing = asyncio.ensure_future(store._database.write(stand))
    assert await asyncio.to_thread(begun.wait, 10)
    async with opened(url) as other:
        async with asyncio.timeout(30):
            await make_token(other)  # waits for the lock, but no longer than 3 s
    goes_on.set()
    with pytest.raises(Unavailable):
        await standing
    await make_token(store, "bob")


async def test_a_statement_that_takes_too_long_is_ended(store: Store) -> None:
    with pytest.raises(Unavailable):
        await store._database.scan(lambda tx: execute(tx, "select pg_sleep(60)"))


async def test_slow_lists_delay_no_read_by_key(store: Store) -> None:
    begun = threading.Semaphore(0)

    def slow(tx: Tx) -> None:
        begun.release()
        execute(tx, "select pg_sleep(60)")

    lists = [asyncio.ensure_future(store._database.scan(slow)) for _ in range(20)]
    assert await asyncio.to_thread(begun.acquire, timeout=10)
    assert await store.accounts.token_owner(b"none") is None
    assert not any(each.done() for each in lists)
    for each in lists:
        each.cancel()
    await asyncio.gather(*lists, return_exceptions=True)


async def test_reads_cannot_write(store: Store) -> None:
    with pytest.raises(Unavailable) as refused:
        await store._database.read(lambda tx: tx.run("epoch_put", at=1))
    assert isinstance(refused.value.__cause__, psycopg.errors.ReadOnlySqlTransaction)


async def test_text_that_the_database_cannot_keep_is_the_callers_fault(store: Store) -> None:
    with pytest.raises(InvalidRequest, match="NUL"):
        await store.devices.get("a\0b")


async def test_a_database_of_a_newer_version_is_refused(url: str, store: Store) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("insert into schema_version values (99)")
    try:
        with pytest.raises(Unavailable, match="newer version"):
            open_postgres(url)
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("delete from schema_version where number = 99")


async def test_servers_that_start_together_make_the_tables_once(postgres: PostgresServer) -> None:
    postgres.run("create database together")
    url = psycopg.conninfo.make_conninfo(postgres.url, dbname="together")
    stores = await asyncio.gather(*(asyncio.to_thread(open_postgres, url) for _ in range(4)))
    await make_token(stores[0])
    for store in stores:
        await store.close()
    postgres.run("drop database together")


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ada:hush@127.0.0.1:1/none",
        "postgresql://ada:hush@127.0.0.1:port/none",
        "host=127.0.0.1 port=1 user=ada password=hush",
        "no address at all: hush",
    ],
)
def test_a_password_is_in_no_message(address: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(Unavailable) as refused:
        open_postgres(address)
    error: BaseException | None = refused.value
    while error is not None:
        assert "hush" not in f"{error!r} {error}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    assert "hush" not in caplog.text


async def test_session_options_of_the_address_are_kept(url: str) -> None:
    mine = psycopg.conninfo.make_conninfo(url, options="-c work_mem=1234kB")
    async with opened(mine) as store:
        shown = await store._database.write(lambda tx: execute(tx, "show work_mem"))
        assert shown == [("1234kB",)]


async def test_refusals_in_a_group_leave_their_neighbours_and_the_connection_be(
    url: str, store: Store
) -> None:
    ada, bob = await make_token(store), await make_token(store, "bob")
    sessions = sessions_of(url)
    found = await in_one_group(
        store,
        *(lambda: store.jobs.add(new_job(ada), waiting_limit=3) for _ in range(6)),
        lambda: store.jobs.add(new_job(bob), waiting_limit=3),
    )
    assert [isinstance(each, TooManyRequests) for each in found] == [
        *[False] * 3,
        *[True] * 3,
        False,
    ]
    assert len(await store.jobs.page(JobQuery(account=ada.account))) == 3
    assert len(await store.jobs.page(JobQuery(account=bob.account))) == 1
    assert sessions <= sessions_of(url)  # none was given up


async def test_changes_of_one_batch_are_published_in_the_order_of_their_versions(
    store: Store,
) -> None:
    ada = await make_token(store)
    told: list[JobChange] = []
    store.changes.listen(told.append)
    new = new_job(ada)
    await in_one_group(
        store,
        lambda: store.jobs.add(new, waiting_limit=PLENTY),
        lambda: store.jobs.cancel(new.id, actor="ada", now=NOW),
    )
    assert [(each.version, each.state) for each in told] == [
        (1, JobState.QUEUED),
        (2, JobState.CANCELLED),
    ]


def pause(begun: threading.Event, goes_on: threading.Event) -> None:
    """Hold the writer up, as an operation, so that the next ones come into one group."""
    begun.set()
    goes_on.wait(10)


async def in_one_group(
    store: Store, *operations: Callable[[], Coroutine[Any, Any, Any]]
) -> list[Any]:
    """Run operations that the writer takes together, in this order."""
    begun, goes_on = threading.Event(), threading.Event()
    first = asyncio.ensure_future(store._database.write(lambda _: pause(begun, goes_on)))
    assert await asyncio.to_thread(begun.wait, 10)
    all_ = asyncio.gather(*(each() for each in operations), return_exceptions=True)
    await asyncio.sleep(0)
    goes_on.set()
    await first
    return list(await all_)


def sessions_of(url: str) -> set[int]:
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute(
            "select pid from pg_stat_activity where application_name = 'qwicket'"
            " and datname = current_database()"
        )
        return {pid for (pid,) in rows}


async def test_bytes_are_kept_as_they_come(url: str, store: Store) -> None:
    ada = await make_token(store)
    job = await add_job(store, ada, source=b" " * 100_000)
    with psycopg.connect(url) as connection:
        kept = "select pg_column_size(source) from program where job = %s"
        assert connection.execute(kept, (job.id,)).fetchone() == (100_000,)
    assert (await store.jobs.program(job.id)).source == b" " * 100_000
