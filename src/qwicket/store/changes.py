"""Publishes changes after each commit to all waiters: long polls, the dispatcher, streams.

All but `record` runs on the server's event loop; the store calls `publish` there.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.model.states import JobState
from qwicket.store import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from qwicket.circuits.outcomes import PartResult
    from qwicket.model.jobs import Job
    from qwicket.store.database import Row, Tx

# Defaults of the arguments of `Changes`.
_MAX_REMEMBERED: Final = 1_024
_REMEMBERED_S: Final = 0.1
"""Long enough for clients that read a job directly after its submission."""


class JobChange(NamedTuple):
    """A written row of a job; published after the commit."""

    job: str
    version: int
    state: JobState
    device: str
    row: Job | None = None
    """The job as it was written, if this server wrote it."""
    keeps_state: bool = False
    """Whether the state is as before: only the name or tags changed, or the end of an exam showed
    the results of a job that had not completed. It is no event."""
    results: Sequence[PartResult] | None = None
    """Results of the job, if this change ended it and they are small."""
    written_at: int = 0
    """When this server wrote it, in Unix milliseconds; 0 if another server did."""
    is_start: bool = False
    """Whether a runner of this server took the job with its submission. It was queued before, as
    version 1, which has no change of its own."""


class Changes:
    """Publish and subscribe hub: `publish` changes, `watch` one job, or `listen` to all.

    Args:
        max_remembered: Limit on remembered jobs; at it, all are forgotten before the next one.
        remembered_s: Time for which a job is remembered as it was written.
    """

    def __init__(
        self, *, max_remembered: int = _MAX_REMEMBERED, remembered_s: float = _REMEMBERED_S
    ) -> None:
        self._max_remembered = max_remembered
        self._remembered_s = remembered_s
        self._watches: defaultdict[str, set[Watch]] = defaultdict(set)
        self._account_watches: defaultdict[str, set[Watch]] = defaultdict(set)
        self._listeners: dict[JobState, list[Callable[[JobChange], None]]] = {
            state: [] for state in JobState
        }
        self._resync_listeners: set[Callable[[], None]] = set()
        self._remembered: dict[str, tuple[float, JobChange]] = {}
        self._is_closed = False

    def publish(self, changes: Iterable[JobChange]) -> None:
        """Wake all watches and listeners that these changes concern."""
        for change in changes:
            self._remember(change)
            for watch in self._watches.get(change.job, ()):
                if change.state.is_final or not watch.awaits_end:
                    watch.wake(change)
            for watch in self._watches.get(change.device, ()):
                watch.wake()
            if self._account_watches:
                for watch in self._concerned(change):
                    watch.wake()
            for listener in tuple(self._listeners[change.state]):
                listener(change)

    def _remember(self, change: JobChange) -> None:
        """Remember an unfinished job as written, for requests about to wait for its end."""
        if change.row is None or change.state.is_final:
            self._remembered.pop(change.job, None)
            return
        if len(self._remembered) >= self._max_remembered:
            self._remembered.clear()
        self._remembered[change.job] = time.monotonic(), change

    def _recall(self, job: str) -> JobChange | None:
        at, change = self._remembered.get(job, (0.0, None))
        return change if time.monotonic() - at < self._remembered_s else None

    def _concerned(self, change: JobChange) -> Iterable[Watch]:
        """Return the watches of the account of a change; all watches if the account is unknown."""
        if change.row is not None:
            return self._account_watches.get(change.row.account, ())
        return chain.from_iterable(self._account_watches.values())

    def listen(
        self, listener: Callable[[JobChange], None], *states: JobState
    ) -> Callable[[], None]:
        """Call `listener` (quick, on the loop) for each change to one of some states.

        Args:
            listener: The function.
            states: The states; by default all.

        Returns:
            A function that ends this.
        """
        chosen = [self._listeners[state] for state in states or JobState]
        for listeners in chosen:
            listeners.append(listener)

        def stop() -> None:
            for listeners in chosen:
                if listener in listeners:
                    listeners.remove(listener)

        return stop

    def resync(self) -> None:
        """Make all waiters read again, because changes of other servers may have been missed."""
        self._remembered.clear()
        self._wake_all()
        for listener in tuple(self._resync_listeners):
            listener()

    def _wake_all(self) -> None:
        for watches in chain(self._watches.values(), self._account_watches.values()):
            for watch in watches:
                watch.wake()

    def on_resync(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` (quick, on the loop) at each `resync`; return a function to stop."""
        self._resync_listeners.add(listener)
        return lambda: self._resync_listeners.discard(listener)

    @contextmanager
    def watch(self, job: str, *, awaits_end: bool = False) -> Iterator[Watch]:
        """Watch one job. Begin before reading its row, so that no change falls in between.

        With `awaits_end` only its end wakes the waiter.
        """
        with self._watched(self._watches, job) as watch:
            watch.latest = self._recall(job)
            watch.awaits_end = awaits_end
            yield watch

    @contextmanager
    def watch_device(self, device: str) -> Iterator[Watch]:
        """Watch all jobs of a device. No name of a device equals an id that `watch` takes."""
        with self._watched(self._watches, device) as watch:
            yield watch

    @contextmanager
    def watch_account(self, account: str) -> Iterator[Watch]:
        """Watch all jobs of an account. It may also wake for jobs of other accounts."""
        with self._watched(self._account_watches, account) as watch:
            yield watch

    @contextmanager
    def _watched(self, all_: defaultdict[str, set[Watch]], key: str) -> Iterator[Watch]:
        watch = Watch(self)
        all_[key].add(watch)
        try:
            yield watch
        finally:
            all_[key].discard(watch)
            if not all_[key]:
                del all_[key]

    @property
    def watches(self) -> int:
        """Number of watches: long polls, streams, agents that wait for a job."""
        return sum(map(len, chain(self._watches.values(), self._account_watches.values())))

    def close(self) -> None:
        """Wake every watch for good, so that long polls respond while the server stops."""
        self._is_closed = True
        self._wake_all()

    @property
    def is_closed(self) -> bool:
        return self._is_closed


class Watch:
    """What one waiter knows about a job, or about the jobs of a device or an account.

    Attributes:
        latest: The last change, if it contains the watched job; None if the job must be read.
        awaits_end: Whether changes to states that are not final wake nobody.
    """

    awaits_end = False

    def __init__(self, hub: Changes) -> None:
        self._hub = hub
        self._event = asyncio.Event()
        self.latest: JobChange | None = None

    def wake(self, change: JobChange | None = None) -> None:
        self.latest = change if change is not None and change.row is not None else None
        self._event.set()

    async def changed(self, timeout_s: float) -> bool:
        """Wait for a change since the last call; False after `timeout_s` or if the server stops."""
        if self._hub.is_closed or timeout_s <= 0:
            return False
        try:
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return not self._hub.is_closed


def record(
    tx: Tx,
    row: Row,
    now: int,
    *,
    keeps_state: bool = False,
    results: Sequence[PartResult] | None = None,
) -> Job:
    """Return a written row as a job, and publish the change, with `results` if given."""
    job = rows.job(row)
    publish(tx, job, now, keeps_state=keeps_state, results=results)
    return job


def publish(
    tx: Tx,
    job: Job,
    now: int,
    *,
    keeps_state: bool = False,
    results: Sequence[PartResult] | None = None,
    is_start: bool = False,
) -> None:
    """Publish the change of a job after the commit, with `results` if given.

    If the results of a completed job are withheld, the change contains no row, so that waiters
    must read the job, which is then shown as running.
    """
    if job.is_withheld:
        change = JobChange(job.id, job.version, JobState.RUNNING, job.device, written_at=now)
    else:
        shown = (job.id, job.version, job.state, job.device)
        change = JobChange(*shown, job, keeps_state, results, now, is_start)
    tx.changed(change)
