"""One-time links on both databases."""

from __future__ import annotations

import asyncio

import pytest

from qwicket.model.errors import Forbidden
from qwicket.store import Store
from qwicket.store.links import Use
from support.store_fixtures import OpenStore
from support.stores import NOW

pytestmark = [pytest.mark.anyio, pytest.mark.both_databases]

LATER = NOW + 1_000


async def test_of_two_links_at_two_servers_one_sets_up(store: Store, open_store: OpenStore) -> None:
    second = open_store()
    stores = store, second
    for number, each in enumerate(stores):
        assert await each.links.add_set_up(bytes([number]), LATER)
    made = await asyncio.gather(
        *(
            each.links.set_up(Use(bytes([number]), "", NOW), f"root-{number}", password_hash="")
            for number, each in enumerate(stores)
        ),
        return_exceptions=True,
    )
    await second.close()
    assert sorted(isinstance(each, Forbidden) for each in made) == [False, True]
    assert len(await store.accounts.all()) == 1
    assert not await store.links.add_set_up(b"third", LATER)


async def test_of_two_uses_of_a_link_at_two_servers_one_sets_the_password(
    store: Store, open_store: OpenStore
) -> None:
    await store.accounts.add("ada", "member", email=None, password_hash=None, now=NOW)
    await store.links.add("password", "ada", b"code", now=NOW, expires_at=LATER)
    second = open_store()
    made = await asyncio.gather(
        *(
            each.links.set_password(Use(b"code", "", NOW), password_hash="hash")
            for each in (store, second)
        ),
        return_exceptions=True,
    )
    await second.close()
    assert sorted(isinstance(each, Forbidden) for each in made) == [False, True]
