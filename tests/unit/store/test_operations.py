"""An operation runs in a transaction of its own, or as a part of another operation."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from qwicket.model.devices import Provider
from qwicket.model.errors import Conflict, LimitExceeded, NotFound
from qwicket.model.limits import StoredLimit
from qwicket.store import quotas
from qwicket.store.accounts import Accounts
from qwicket.store.operations import Operations, write
from qwicket.store.sqlite import SQLiteTx
from support.stores import NOW, make_token, new_job

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwicket.model.accounts import Token
    from qwicket.store import Store
    from qwicket.store.database import Tx

pytestmark = pytest.mark.anyio


class Pairs(Operations):
    @write
    def add(tx: Tx, one: str, two: str) -> None:
        """Add two projects, both or none."""
        for name in (one, two):
            Accounts.add_project(tx, name, 1, NOW)

    @write
    def add_member(tx: Tx, project: str, account: str) -> None:
        Accounts.add_project(tx, project, 1, NOW)
        Accounts.add_member(tx, project, account)


@pytest.mark.both_databases
async def test_operations_within_one_operation_are_one_transaction(store: Store) -> None:
    pairs = Pairs(store._database)
    await pairs.add("alice", "bob")
    with pytest.raises(NotFound, match="no account carol"):
        await pairs.add_member("lab", "carol")
    assert [project.name for project in await store.accounts.projects()] == ["alice", "bob"]


def test_an_operation_has_the_signature_and_text_of_its_function() -> None:
    assert Pairs.add.__name__ == "add"
    assert Pairs.add.__doc__ == "Add two projects, both or none."


@pytest.mark.both_databases
async def test_an_operation_that_never_reads_a_required_row_is_refused_without_it(
    store: Store,
) -> None:
    def refused(tx: Tx) -> None:
        tx.run("provider_add", name="refused")
        tx.require("device_get", lambda: Conflict("no such device"), name="none")

    answers = await asyncio.gather(
        store.devices.add_provider("one"),
        store.devices.add_provider("two"),
        store._database.write(refused),  # last: nothing after it waits for an answer
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [Provider, Provider, Conflict]
    added = {provider.name for provider in await store.devices.providers()}
    assert added & {"one", "two", "refused"} == {"one", "two"}


async def test_amounts_of_one_batch_are_written_as_their_sum(store: Store, ada: Token) -> None:
    traced: list[str] = []
    may_go_on = threading.Event()

    def hold(tx: Tx) -> None:
        assert isinstance(tx, SQLiteTx)
        tx._connection.set_trace_callback(traced.append)
        may_go_on.wait()

    held = asyncio.create_task(store._database.write(hold))
    await asyncio.sleep(0)
    adding = [asyncio.create_task(store.jobs.add(new_job(ada), waiting_limit=10)) for _ in range(5)]
    await asyncio.sleep(0)
    may_go_on.set()
    await asyncio.gather(held, *adding)
    assert sum("insert into program" in text for text in traced) == 5
    assert sum("insert into share" in text for text in traced) == 1
    assert sum("stored_bytes = stored_bytes" in text for text in traced) == 1


@pytest.mark.both_databases
async def test_a_sum_that_is_refused_refuses_its_own_operation_alone(store: Store) -> None:
    ada = await make_token(store)

    def store_bytes(size: int) -> Callable[[Tx], None]:
        return lambda tx: quotas.count_bytes(tx, ada, size, StoredLimit(10))

    answers = await asyncio.gather(
        *(store._database.write(store_bytes(size)) for size in (4, 9, 5, -2, 3)),
        return_exceptions=True,
    )
    refused = [isinstance(each, LimitExceeded) for each in answers]
    assert refused == [False, True, False, False, False]
    (project,) = await store.accounts.projects()
    assert project.stored_bytes == 10
