from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from qwicket.gateway import ttl_cache
from qwicket.gateway.ttl_cache import TTLCache

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
    known = TTLCache(shelf.read)
    assert [await known.get("a"), await known.get("a")] == [1, 1]
    assert shelf.reads == 1


async def test_a_moment_is_a_tenth_of_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """As SECURITY.md promises of revoked tokens."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(ttl_cache, "time", SimpleNamespace(monotonic=lambda: clock.now))
    shelf = Shelf()
    known = TTLCache(shelf.read)
    for clock.now, value, reads in ((1_000.0, 1, 1), (1_000.09, 1, 1), (1_000.11, 2, 2)):
        assert await known.get("a") == value
        assert shelf.reads == reads
        shelf.values["a"] = 2


async def test_what_is_not_there_is_looked_for_each_time() -> None:
    shelf = Shelf()
    known = TTLCache(shelf.read)
    assert await known.get("b") is None
    shelf.values["b"] = 3
    assert await known.get("b") == 3


async def test_what_is_forgotten_is_read_again() -> None:
    shelf = Shelf()
    known = TTLCache(shelf.read)
    await known.get("a")
    known.invalidate("a")
    known.invalidate("never known")
    await known.get("a")
    assert shelf.reads == 2


async def test_it_holds_a_bounded_number() -> None:
    shelf = Shelf()
    shelf.values = {str(k): k for k in range(100)}
    known = TTLCache(shelf.read, max_entries=10)
    for key in shelf.values:
        await known.get(key)
    assert len(known._known) <= 10


async def test_what_is_forgotten_by_its_value_is_read_again() -> None:
    shelf = Shelf()
    shelf.values["b"] = 2
    known = TTLCache(shelf.read)
    assert [await known.get("a"), await known.get("b")] == [1, 2]
    known.invalidate_where(lambda value: value == 2)
    assert [await known.get("a"), await known.get("b")] == [1, 2]
    assert shelf.reads == 3


async def test_what_was_read_before_it_was_forgotten_is_not_remembered() -> None:
    shelf = Shelf()
    known: TTLCache[str, int]

    async def slow_read(key: str) -> int | None:
        value = await shelf.read(key)
        if shelf.reads == 1:
            known.invalidate(key)  # while the read is under way
        return value

    known = TTLCache(slow_read)
    await known.get("a")
    await known.get("a")
    assert shelf.reads == 2


class SlowShelf(Shelf):
    """Reads that end when a test lets them."""

    def __init__(self) -> None:
        super().__init__()
        self.may_end = asyncio.Event()

    async def read(self, key: str) -> int | None:
        found = await super().read(key)
        await self.may_end.wait()
        if found == 0:
            raise OSError("nothing can be read")
        return found


async def test_many_who_ask_at_once_make_one_read() -> None:
    shelf = SlowShelf()
    known = TTLCache(shelf.read)
    asked = [asyncio.create_task(known.get("a")) for _ in range(20)]
    await asyncio.sleep(0)
    asked[7].cancel()
    shelf.may_end.set()
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(found.pop(7), asyncio.CancelledError)
    assert found == [1] * 19
    assert shelf.reads == 1


async def test_when_who_reads_gives_up_another_reads_for_all() -> None:
    shelf = SlowShelf()
    known = TTLCache(shelf.read)
    asked = [asyncio.create_task(known.get("a")) for _ in range(20)]
    await asyncio.sleep(0)
    asked[0].cancel()
    await asyncio.sleep(0)
    shelf.may_end.set()
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1:] == [1] * 19
    assert shelf.reads == 2


async def test_a_read_that_waits_for_nothing_delays_no_other() -> None:
    """A client may close its side right after its request: what is answered at once arrives."""
    step = TTLCache(Shelf().read).get("a")
    with pytest.raises(StopIteration) as ended:
        step.send(None)
    assert ended.value.value == 1


async def test_a_read_that_failed_fails_for_all_who_asked_and_is_not_remembered() -> None:
    shelf = SlowShelf()
    shelf.values["a"] = 0
    known = TTLCache(shelf.read)
    asked = [asyncio.create_task(known.get("a")) for _ in range(3)]
    await asyncio.sleep(0)
    shelf.may_end.set()
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(each) for each in found] == [OSError] * 3
    shelf.values["a"] = 5
    assert await known.get("a") == 5


async def test_who_asks_after_it_was_forgotten_does_not_get_what_was_being_read() -> None:
    shelf = SlowShelf()
    known = TTLCache(shelf.read)
    ways: list[Callable[[], None]] = [
        lambda: known.invalidate("a"),
        lambda: known.invalidate_where(lambda _: False),
    ]
    for forget in ways:
        shelf.may_end.clear()
        before, n_reads = shelf.values["a"], shelf.reads
        early = asyncio.create_task(known.get("a"))
        while shelf.reads == n_reads:
            await asyncio.sleep(0)
        shelf.values["a"] += 1
        forget()
        late = asyncio.create_task(known.get("a"))
        await asyncio.sleep(0)
        shelf.may_end.set()
        assert (await early, await late) == (before, before + 1)
        assert await known.get("a") == before + 1
        known.invalidate("a")
