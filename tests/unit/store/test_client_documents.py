from __future__ import annotations

import asyncio

import pytest

from qwicket.model.accounts import Token
from qwicket.model.errors import NotFound
from qwicket.model.ids import new_id
from qwicket.store import Store
from support.stores import NOW, make_token

pytestmark = pytest.mark.anyio


async def test_registering_twice_is_one_document(store: Store, ada: Token) -> None:
    made = await asyncio.gather(
        *(
            store.client_documents.register(
                ada.account, "qbraid", "key", b"%d" % n, document=new_id(NOW), now=NOW
            )
            for n in range(5)
        )
    )
    assert len({each.id for each in made}) == 1
    assert await store.client_documents.get(ada.account, "qbraid", "key") == made[0]


@pytest.mark.both_databases
async def test_a_document_is_updated_and_deleted_by_its_key(store: Store, ada: Token) -> None:
    await store.client_documents.register(
        ada.account, "qbraid", "key", b"1", document=new_id(NOW), now=NOW
    )
    changed = await store.client_documents.update(ada.account, "qbraid", "key", b"2", now=NOW + 5)
    assert (changed.body, changed.created_at, changed.updated_at) == (b"2", NOW, NOW + 5)
    assert await store.client_documents.delete(ada.account, "qbraid", "key")
    assert not await store.client_documents.delete(ada.account, "qbraid", "key")
    with pytest.raises(NotFound):
        await store.client_documents.update(ada.account, "qbraid", "key", b"3", now=NOW)


async def test_documents_of_other_accounts_and_dialects_are_others(
    store: Store, ada: Token
) -> None:
    bob = await make_token(store, "bob")
    for account, dialect in ((ada, "qbraid"), (bob, "qbraid"), (ada, "ionq")):
        await store.client_documents.register(
            account.account, dialect, "key", b"", document=new_id(NOW), now=NOW
        )
    assert len(await store.client_documents.page(ada.account, "qbraid")) == 1
    await store.client_documents.delete(ada.account, "qbraid", "key")
    assert await store.client_documents.get(bob.account, "qbraid", "key") is not None


async def test_documents_are_listed_newest_first_and_page_by_seq(store: Store, ada: Token) -> None:
    made = [
        await store.client_documents.register(
            ada.account, "qbraid", str(n), b"", document=new_id(NOW), now=NOW
        )
        for n in range(4)
    ]
    page = await store.client_documents.page(ada.account, "qbraid", limit=2)
    assert page == made[:1:-1]
    assert (
        await store.client_documents.page(ada.account, "qbraid", before=page[-1].seq) == made[1::-1]
    )


@pytest.mark.both_databases
async def test_the_last_so_many_records_of_an_account_and_dialect_are_kept(
    store: Store, ada: Token
) -> None:
    bob = await make_token(store, "bob")

    async def register(account: str, dialect: str, key: str) -> None:
        await store.client_documents.register(
            account, dialect, key, b"", document=new_id(NOW), now=NOW, maximum=3
        )

    for account, dialect in ((bob.account, "qbraid"), (ada.account, "ionq")):
        await register(account, dialect, "other")
    for n in range(5):
        await register(ada.account, "qbraid", str(n))
        await register(ada.account, "qbraid", str(n))  # is one record
    kept = await store.client_documents.page(ada.account, "qbraid")
    assert [record.key for record in kept] == ["4", "3", "2"]
    for account, dialect in ((bob.account, "qbraid"), (ada.account, "ionq")):
        assert len(await store.client_documents.page(account, dialect)) == 1
