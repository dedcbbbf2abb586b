"""What changed, told after each commit to all who wait: long polls, the dispatcher, streams.

Everything here runs on the server's event loop; the store calls `publish` there.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from qwicket.model.states import JobState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class Changed(NamedTuple):
    """A job's row was written and committed."""

    job: str
    version: int
    state: JobState
    device: str


class Changes:
    """The hub: `publish` on one side, `watch` a job or `listen` to all on the other."""

    def __init__(self) -> None:
        self._watches: defaultdict[str, set[Watch]] = defaultdict(set)
        self._listeners: set[Callable[[Changed], None]] = set()
        self._resync_listeners: set[Callable[[], None]] = set()
        self._is_closed = False

    def publish(self, changes: Iterable[Changed]) -> None:
        """Wake everyone whom these changes concern."""
        for change in changes:
            for watch in self._watches.get(change.job, ()):
                watch.wake()
            for listener in tuple(self._listeners):
                listener(change)

    def listen(self, listener: Callable[[Changed], None]) -> Callable[[], None]:
        """Call `listener` (quick, on the loop) for every change; returns how to stop it."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def resync(self) -> None:
        """Make everyone look again: changes that other servers made may have been missed."""
        for watches in self._watches.values():
            for watch in watches:
                watch.wake()
        for listener in tuple(self._resync_listeners):
            listener()

    def on_resync(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` (quick, on the loop) at each `resync`; returns how to stop it."""
        self._resync_listeners.add(listener)
        return lambda: self._resync_listeners.discard(listener)

    @contextmanager
    def watch(self, job: str) -> Iterator[Watch]:
        """Watch one job. Begin before reading its row, so that no change falls in between."""
        watch = Watch(self)
        self._watches[job].add(watch)
        try:
            yield watch
        finally:
            self._watches[job].discard(watch)
            if not self._watches[job]:
                del self._watches[job]

    def close(self) -> None:
        """Wake every watch for good: the server stops and long polls answer what they have."""
        self._is_closed = True
        for watches in self._watches.values():
            for watch in watches:
                watch.wake()

    @property
    def is_closed(self) -> bool:
        return self._is_closed


class Watch:
    """One waiter's view of one job."""

    def __init__(self, hub: Changes) -> None:
        self._hub = hub
        self._event = asyncio.Event()

    def wake(self) -> None:
        self._event.set()

    async def changed(self, timeout_s: float) -> bool:
        """Wait for the next change; False when `timeout_s` passed or the server stops."""
        if self._hub.is_closed or timeout_s <= 0:
            return False
        try:
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return not self._hub.is_closed
