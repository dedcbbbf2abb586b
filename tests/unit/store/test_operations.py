"""An operation runs in a transaction of its own, or as a part of another operation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from qwicket.model.devices import Provider
from qwicket.model.errors import Conflict, NotFound
from qwicket.store.accounts import Accounts
from qwicket.store.operations import Operations, write
from support.stores import NOW

if TYPE_CHECKING:
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
