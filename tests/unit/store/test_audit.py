"""The audit: entries in the commit of the act, and a chain that shows what was changed."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from qwicket.model.errors import Conflict
from qwicket.store import Store
from qwicket.store.audit import ActRecorder, chain_hash
from support.stores import NOW

pytestmark = pytest.mark.anyio
SUBJECTS = "account", "device", "member", "project", "provider", "token"


def act(kind: str, *keys: str, action: str = "do", **details: object) -> ActRecorder:
    return ActRecorder(
        at=NOW,
        actor="id-of-chief",
        actor_name="chief",
        address="192.0.2.1",
        action=action,
        kind=kind,
        keys=keys,
        details=details,
    )


async def add(store: Store, name: str) -> None:
    with act("account", name, name=name).recorded():
        await store.accounts.add(name, "member", email=None, password_hash="secret", now=NOW)


async def test_an_act_is_recorded_with_the_subject_before_and_after(store: Store) -> None:
    await add(store, "ada")
    with act("account", "ada", action="change_account", role="admin").recorded():
        await store.accounts.set_role("ada", "admin", NOW)
    second, first = await store.audit.page(10, 10)
    assert first[:7] == (1, NOW, "id-of-chief", "chief", "192.0.2.1", "do", "account/ada")
    assert (json.loads(first.details), first.before) == ({"name": "ada"}, "null")
    assert json.loads(first.after)["role"] == json.loads(second.before)["role"] == "member"
    assert (second.seq, second.action) == (2, "change_account")
    assert json.loads(second.after)["role"] == "admin"
    assert second.hash == chain_hash(first.hash, second)
    assert "secret" not in repr(first)


async def test_what_is_refused_or_only_read_leaves_no_entry(store: Store) -> None:
    await add(store, "ada")
    with pytest.raises(Conflict):
        await add(store, "ada")
    with act("account", "ada").recorded():
        await store.accounts.by_name("ada")
    assert len(await store.audit.page(10, 10)) == 1


async def test_an_act_of_several_writes_is_one_entry(store: Store) -> None:
    with act("account", "ada").recorded():
        for name in ("ada", "bob"):
            await store.accounts.add(name, "member", email=None, password_hash=None, now=NOW)
    assert [entry.seq for entry in await store.audit.page(10, 10)] == [1]


@pytest.mark.both_databases
async def test_each_write_of_an_act_that_changes_its_subject_is_an_entry(store: Store) -> None:
    await add(store, "ada")
    with act("account", "ada", email="ada@example.org", role="admin").recorded():
        await store.accounts.set_email("ada", "ada@example.org")
        await store.accounts.set_role("ada", "admin", NOW)
        await store.accounts.set_role("ada", "admin", NOW)
    third, second, _ = await store.audit.page(10, 10)
    assert json.loads(second.after)["email"] == "ada@example.org"
    assert json.loads(second.after)["role"] == json.loads(third.before)["role"] == "member"
    assert json.loads(third.after)["role"] == "admin"
    assert (await store.audit.verify()).entries == 3


@pytest.mark.both_databases
async def test_writes_outside_of_an_act_are_not_recorded(store: Store) -> None:
    await store.accounts.add("ada", "member", email=None, password_hash=None, now=NOW)
    assert await store.audit.page(10, 10) == []
    assert await store.audit.verify() == (0, b"", None, True)


@pytest.mark.both_databases
@pytest.mark.parametrize("kind", SUBJECTS)
async def test_every_kind_of_subject_can_be_read(store: Store, kind: str) -> None:
    keys = ("class", "ada") if kind == "member" else ("ada",)
    with act(kind, *keys).recorded():
        await store.accounts.add("eve", "member", email=None, password_hash=None, now=NOW)
    (entry,) = await store.audit.page(10, 10)
    assert (entry.subject, entry.before, entry.after) == (
        f"{kind}/{'/'.join(keys)}",
        "null",
        "null",
    )


async def test_the_chain_of_many_entries_is_verified_with_a_known_hash(store: Store) -> None:
    for number in range(5):
        await add(store, f"user-{number}")
    found = await store.audit.page(100, 100)
    assert await store.audit.verify(found[2].hash) == (5, found[0].hash, None, True)
    assert not (await store.audit.verify(b"x" * 32)).has_known_hash


@pytest.mark.parametrize(
    ("tampering", "broken_at"),
    [
        ("update audit set after = '{}' where seq = 2", 2),
        ("update audit set actor_name = 'eve' where seq = 1", 1),
        ("delete from audit where seq = 2", 2),
        ("delete from audit where seq = 1", 1),
        ("update audit set seq = 9 where seq = 3", 3),
    ],
)
async def test_what_is_changed_in_the_database_is_found(
    tmp_path: Path, tampering: str, broken_at: int
) -> None:
    from qwicket.store import open_sqlite

    store = open_sqlite(tmp_path)
    try:
        for number in range(3):
            await add(store, f"user-{number}")
        with sqlite3.connect(tmp_path / "qwicket.db") as connection:
            with pytest.raises(sqlite3.IntegrityError, match="only added"):
                connection.execute(tampering)
            for name in ("audit_update", "audit_delete"):
                connection.execute(f"drop trigger {name}")
            connection.execute(tampering)
        connection.close()
        assert (await store.audit.verify()).broken_at == broken_at
    finally:
        await store.close()


async def test_the_newest_entries_cannot_be_removed_unseen_by_who_noted_a_hash(
    tmp_path: Path,
) -> None:
    from qwicket.store import open_sqlite

    store = open_sqlite(tmp_path)
    try:
        for number in range(3):
            await add(store, f"user-{number}")
        noted = (await store.audit.verify()).hash
        with sqlite3.connect(tmp_path / "qwicket.db") as connection:
            connection.execute("drop trigger audit_delete")
            connection.execute("delete from audit where seq = 3")
        connection.close()
        after = await store.audit.verify(noted)
        assert (after.entries, after.broken_at, after.has_known_hash) == (2, None, False)
    finally:
        await store.close()


@pytest.mark.both_databases
async def test_acts_by_or_about_a_name_are_found(store: Store) -> None:
    for name in ("ada", "eve", "chief"):
        await add(store, name)
    with act("member", "ada", "eve", action="add_member").recorded():
        await store.accounts.add_member("ada", "eve")

    async def found(about: str, action: str = "", before: int = 99, number: int = 9) -> list[int]:
        entries, _ = await store.audit.search(before, about, action, number)
        return [each.seq for each in entries]

    assert await found("eve") == [4, 2]
    assert await found("ad") == await found("member/ada/x") == []
    assert await found("chief") == [4, 3, 2, 1]  # who did it
    assert await found("", "add_member") == [4]
    assert await found("eve", "do") == [2]
    assert await found("", before=3) == [2, 1]
    entries, older = await store.audit.search(99, "", "", 3)
    assert (len(entries), older) == (3, 2)
    assert (await store.audit.search(2, "", "", 3))[1] is None
