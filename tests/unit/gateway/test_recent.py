from __future__ import annotations

import pytest

from qwicket.gateway import recent
from qwicket.gateway.recent import Recent

pytestmark = pytest.mark.anyio


class Shelf:
    """What is read, and how often."""

    def __init__(self) -> None:
        self.values = {"a": 1}
        self.reads = 0

    async def read(self, key: str) -> int | None:
        self.reads += 1
        return self.values.get(key)


async def test_what_was_just_read_is_not_read_again() -> None:
    shelf = Shelf()
    known = Recent(shelf.read)
    assert [await known.get("a"), await known.get("a")] == [1, 1]
    assert shelf.reads == 1


async def test_after_a_moment_it_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf()
    known = Recent(shelf.read)
    assert await known.get("a") == 1
    shelf.values["a"] = 2
    assert await known.get("a") == 1
    monkeypatch.setattr(recent, "RECENT_S", 0.0)
    assert await known.get("a") == 2


async def test_what_is_not_there_is_looked_for_each_time() -> None:
    shelf = Shelf()
    known = Recent(shelf.read)
    assert await known.get("b") is None
    shelf.values["b"] = 3
    assert await known.get("b") == 3


async def test_what_is_forgotten_is_read_again() -> None:
    shelf = Shelf()
    known = Recent(shelf.read)
    await known.get("a")
    known.forget("a")
    known.forget("never known")
    await known.get("a")
    assert shelf.reads == 2


async def test_it_holds_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "_MOST", 10)
    shelf = Shelf()
    shelf.values = {str(k): k for k in range(100)}
    known = Recent(shelf.read)
    for key in shelf.values:
        await known.get(key)
    assert len(known._known) <= 10


async def test_what_is_forgotten_by_its_value_is_read_again() -> None:
    shelf = Shelf()
    shelf.values["b"] = 2
    known = Recent(shelf.read)
    assert [await known.get("a"), await known.get("b")] == [1, 2]
    known.forget_where(lambda value: value == 2)
    assert [await known.get("a"), await known.get("b")] == [1, 2]
    assert shelf.reads == 3


async def test_what_was_read_before_it_was_forgotten_is_not_remembered() -> None:
    shelf = Shelf()
    known: Recent[str, int]

    async def slow_read(key: str) -> int | None:
        value = await shelf.read(key)
        if shelf.reads == 1:
            known.forget(key)  # while the read is under way
        return value

    known = Recent(slow_read)
    await known.get("a")
    await known.get("a")
    assert shelf.reads == 2
