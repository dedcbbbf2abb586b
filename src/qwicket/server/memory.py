"""Memory of the server process: short garbage collections, and free pages returned."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sized

_M_ARENA_MAX: Final = -8
"""Number of the setting in glibc's malloc.h."""
_YOUNG_AFTER_S: Final = 0.25
_COLLECT_EVERY_S: Final = 10.0
_QUICK_BLOCKS: Final = 100_000
"""Memory blocks allocated since the start, up to which a full collection takes at most 10 ms. An
idle server that has shown each page has 80,000. Blocks are counted instead of objects, because
`gc.get_objects` took 40 ms with 240,000."""


def use_one_malloc_arena() -> None:
    """Make all threads allocate from one heap, if the C library is glibc.

    By default glibc gives threads heaps of their own, up to eight per core, and each stays as large
    as the largest body ever parsed in it: after the abuse suite a server held 160 MiB, not 95.
    Python's threads seldom allocate at the same time, so they do not wait longer with one heap.
    """
    with contextlib.suppress(AttributeError, OSError):  # another C library has no such setting
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def tune_garbage_collector() -> None:
    """Exclude start-up objects from garbage collections, and keep collections short.

    A collection visits its objects in the event loop's thread. One of 50,000 young objects took
    19 to 25 ms, a full one with 4,096 connections open 70 to 90 ms. So a collection starts after
    2,500 new objects, and `Collector` does most full ones. Reference counts free nearly
    all garbage.

    Python counts new objects minus freed ones, and the freed ones may be old. Where each request
    leaves objects while as many old ones go, 50,000 young objects had come together at a count of
    2,500. So `Collector` also collects young objects, by time.
    """
    gc.freeze()
    gc.set_threshold(2_500, 3, 2_000)
    gc.enable()  # `qwicket serve` disabled it


class Collector:
    """Collects garbage in the event loop's thread, and never for long."""

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None

    def expect_objects(self) -> None:
        """Collect young objects soon. An idle server, which has none, is not woken up for it."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_YOUNG_AFTER_S, self._collect_young)

    def _collect_young(self) -> None:
        self._timer = None
        gc.collect(1)

    async def collect_periodically(self, connections: Sized) -> None:
        """Collect garbage every 10 s if it is quick or nobody is connected; free unused pages.

        Runs until it is cancelled.

        Args:
            connections: The open connections.
        """
        try:
            trim = ctypes.CDLL(None).malloc_trim
        except (AttributeError, OSError):  # another C library has no `malloc_trim`
            trim = None
        maximum = sys.getallocatedblocks() + _QUICK_BLOCKS
        while True:
            await asyncio.sleep(_COLLECT_EVERY_S)
            if not connections or sys.getallocatedblocks() <= maximum:
                gc.collect()
            if trim is not None:
                await asyncio.to_thread(trim, 0)
