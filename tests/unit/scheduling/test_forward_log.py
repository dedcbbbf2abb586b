"""The record of a forwarded job, on a store that fails for a while."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from qwicket.model.errors import Conflict, NotFound, QwicketError, StorageFull, Unavailable
from qwicket.scheduling.forward_log import StoredForwardLog
from qwicket.scheduling.slots import Slots
from qwicket.store import StaleLease, Store
from support.stores import NOW, add_job, make_token, open_new_sqlite

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_new_sqlite(tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
async def log(store: Store) -> StoredForwardLog:
    """Return the log of a claimed job."""
    await add_job(store, await make_token(store))
    await store.leases.add_runner("server", "server", NOW)
    (assignment,) = (await store.leases.claim("simulator", "server", NOW)).taken
    return StoredForwardLog(store, assignment.lease, lambda: NOW, Slots(lambda: 1))


@pytest.fixture
def fail(store: Store, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[QwicketError]]:
    """Return a function that makes the store fail, and returns the errors still to come."""

    def make(*errors: QwicketError) -> list[QwicketError]:
        coming = [*errors]
        record: Callable[..., Awaitable[Any]] = store.forwards.record_intent

        async def reluctant(*arguments: object) -> Any:
            if coming:
                raise coming.pop(0)
            return await record(*arguments)

        # A database that is away for a moment cannot be had at will.
        monkeypatch.setattr(store.forwards, "record_intent", reluctant)
        return coming

    return make


async def test_a_record_is_written_again_until_the_database_takes_it(
    log: StoredForwardLog,
    fail: Callable[..., list[QwicketError]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    coming = fail(Unavailable(), StorageFull())
    assert (await log.record_intent("mark", "there")).marker == "mark"
    assert not coming
    assert caplog.text.count("is retried: ") == 2
    assert "Traceback" not in caplog.text
    await log.record_sent("vendor-1")
    assert await log.is_held()


@pytest.mark.parametrize("final", [StaleLease(), Conflict("taken"), NotFound("gone")])
async def test_an_answer_of_the_database_is_final(
    log: StoredForwardLog, fail: Callable[..., list[QwicketError]], final: QwicketError
) -> None:
    coming = fail(final, Unavailable())
    with pytest.raises(type(final)):
        await log.record_intent("mark", "there")
    assert len(coming) == 1


async def test_a_log_whose_lease_is_lost_is_not_held(store: Store, log: StoredForwardLog) -> None:
    await store.leases.void_runner("server", NOW)
    assert not await log.is_held()
