"""Scheduling for pilots: workers on other machines, and labs' agents.

A worker pulls the jobs of simulated devices; an agent those of one device of a lab.

A pilot keeps one pull open: a long poll that returns jobs to run and directives about those it
holds, and counts as its heartbeat. The pilot sends results in other requests, whose responses also
carry new jobs, so that a busy pilot makes one request for several jobs.

Requests are numbered. A claim is stored with the number of its request, and each pull says up to
which number the pilot awaits no response. So the server releases a claim whose response was lost,
but not one whose response is still on its way, in whatever order requests arrive.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.model.errors import QwicketError, Unavailable
from qwicket.model.jobs import Capacity, Directive
from qwicket.model.states import JobState
from qwicket.store import Claimable, StaleLease

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence

    from qwicket.circuits.outcomes import RunResult
    from qwicket.model.jobs import Assignment, Job, Lease, Progress, Runner
    from qwicket.store import HeldLease, JobChange, Store, Watch

_MAX_TASK_JOBS: Final = 16
"""Limit on tiny jobs in one task; if their process dies, all of them run again."""
_RESPONSE_BYTES: Final = 8 << 20
"""Bytes of circuits from which on a response carries no further task."""
_UNDELIVERED: Final = "its worker disconnected before it received the claim"
_NO_PROGRESS: Final[Mapping[str, Progress]] = MappingProxyType({})

_log = logging.getLogger(__name__)

Directives = dict[tuple[str, int], Directive]
"""Directives by job id and fencing token."""


class Offer(NamedTuple):
    """What a pilot can take now.

    Attributes:
        request: Number of its request.
        tasks: Number of tasks that it can start; a task is one job, or several tiny ones.
        tiny_tasks: Number of tasks of tiny jobs that it takes beside them, to run next.
        capacity: Memory and time for each task.
        devices: Names of the devices whose jobs it takes.
        is_of_lab: Whether it is an agent's: each task is one job, and each claim is flushed to
            disk, because a machine must not run a job twice after a power cut.
    """

    request: int
    tasks: int
    tiny_tasks: int
    capacity: Capacity
    devices: Collection[str]
    is_of_lab: bool = False

    def fits(self, job: Job | None) -> bool:
        """Return whether the pilot can run a job; True for None, an unknown job."""
        return job is None or (
            job.est_bytes <= self.capacity.memory_bytes
            and job.est_seconds <= self.capacity.seconds
            and self.capacity.projects.has(job.project)
        )


class Pulled(NamedTuple):
    """Tasks to run, each a list of jobs, and directives."""

    tasks: list[list[Assignment]]
    directives: Directives


class _Pull:
    """An open pull.

    Attributes:
        offer: What its pilot can take.
        stopping: Ids of the jobs that its pilot is stopping already.
        watch: Wakes the pull.
        devices: Devices that may have a job for the pilot.
        directives: Directives to the pilot.
        must_poll: Whether the pull must read which devices have waiting jobs.
    """

    def __init__(self, offer: Offer, stopping: Collection[str], watch: Watch) -> None:
        self.offer = offer
        self.stopping = stopping
        self.watch = watch
        self.devices: set[str] = set()
        self.directives: Directives = {}
        self.must_poll = True

    def takes(self, device: str, job: Job | None) -> bool:
        """Return whether to wake the pull for a job, unless it was woken for the device already."""
        offer = self.offer
        return (
            offer.tasks > 0
            and device in offer.devices
            and device not in self.devices
            and offer.fits(job)
        )


class PilotScheduler:
    """Assigns jobs to pilots and stores their results.

    Args:
        store: The queue.
        now_ms: Clock; returns Unix milliseconds.
        lease_s: Lease time of runners.
        slow_poll_s: Seconds between two polls for work that no notification announced.

    Attributes:
        pull_s: Longest wait of a pull in seconds, and time within which the next one is due.
        stale_results: Number of results and releases that were refused because of a stale lease.
    """

    def __init__(
        self,
        store: Store,
        now_ms: Callable[[], int],
        *,
        lease_s: float,
        slow_poll_s: float = 2.0,
    ) -> None:
        self._store = store
        self._now_ms = now_ms
        self._slow_poll_s = slow_poll_s
        self._pulls: dict[str, _Pull] = {}
        self._turns = count()
        self._last_poll = Claimable(set(), None)
        self._tasks: set[asyncio.Task[None]] = set()
        self.pull_s = lease_s / 4
        self.stale_results = 0
        store.changes.listen(self._on_queued, JobState.QUEUED)
        store.changes.listen(self._on_cancelling, JobState.CANCELLING)
        store.changes.on_resync(self._resync)

    async def pull(
        self,
        pilot: Runner,
        offer: Offer,
        known: Sequence[Lease],
        stopping: Collection[str],
        settled: int,
        wait_s: float,
        is_gone: Callable[[], Awaitable[bool]],
        *,
        progress: Mapping[str, Progress] = _NO_PROGRESS,
        maximum: int | None = None,
    ) -> Pulled:
        """Return jobs and directives for a pilot; neither after `wait_s`.

        Args:
            pilot: The pilot.
            offer: What it can take.
            known: Leases that it reports to hold.
            stopping: Ids of the jobs that it is stopping already.
            settled: Number of the request up to which it awaits no response.
            wait_s: Seconds to wait for jobs or directives.
            is_gone: Returns whether the client has disconnected.
            progress: Reported progress by job.
            maximum: Limit on pilots, or on the agents of its device.

        Raises:
            LimitExceeded: There are too many pilots.
            Unavailable: The server is stopping.
        """
        self._end_pull(pilot.id)  # an older one belongs to a broken connection
        with self._store.changes.watch(f"jobs for {pilot.id}") as watch:
            pull = self._pulls[pilot.id] = _Pull(offer, stopping, watch)
            try:
                held = await self._store.leases.renew(
                    pilot, frozenset(known), settled, self._now_ms(), progress, maximum=maximum
                )
                pull.directives |= _directives(held, known, stopping)
                return await self._wait(pilot.id, pull, time.monotonic() + wait_s, is_gone)
            finally:
                if self._pulls.get(pilot.id) is pull:
                    del self._pulls[pilot.id]

    async def _wait(
        self, pilot: str, pull: _Pull, deadline: float, is_gone: Callable[[], Awaitable[bool]]
    ) -> Pulled:
        while not self._store.changes.is_closed:
            if self._pulls.get(pilot) is not pull or await is_gone():
                return Pulled([], {})
            tasks = await self._claim_for(pilot, pull)
            if tasks and await is_gone():
                await self._give_back(tasks)
                return Pulled([], {})
            left_s = deadline - time.monotonic()
            if tasks or pull.directives or left_s <= 0:
                return Pulled(tasks, pull.directives)
            # A pull that takes no tasks need not poll, so `_last_poll` may be old. If its time for
            # the next poll had passed, this loop would not pause.
            takes_tasks = pull.offer.tasks > 0
            poll_s = self._slow_poll_s
            if takes_tasks:
                poll_s = self._last_poll.pause_s(self._now_ms(), poll_s)
            is_woken = await pull.watch.changed(min(left_s, poll_s))
            pull.must_poll = pull.must_poll or not is_woken
        raise Unavailable("The server is stopping.", retry_after_s=1.0)

    def _end_pull(self, pilot: str) -> None:
        """End the pull of a pilot, if one is open."""
        if (pull := self._pulls.pop(pilot, None)) is not None:
            pull.watch.wake()

    async def report(
        self,
        pilot: str,
        results: Sequence[tuple[Lease, RunResult]],
        releases: Sequence[tuple[Lease, str, bool]],
        offer: Offer,
    ) -> tuple[dict[str, JobState | None], list[list[Assignment]]]:
        """Store results, queue released jobs again, and return what to run next.

        Args:
            pilot: Id of the pilot.
            results: Results by lease.
            releases: Leases that it gives back, the reason, and whether this counts as an attempt.
            offer: What it can take now.

        Returns:
            The state of each job, None where the lease was not the newest; and the tasks.
        """
        leases, now = self._store.leases, self._now_ms()
        writes = [self._written(lease, leases.finish(lease, each, now)) for lease, each in results]
        writes += [
            self._written(
                lease, leases.release(lease, reason, now, counts_as_attempt=counts_as_attempt)
            )
            for lease, reason, counts_as_attempt in releases
        ]
        states, tasks = await asyncio.gather(
            asyncio.gather(*writes), self._claim(pilot, offer, None)
        )
        return dict(states), tasks

    async def leave(self, pilot: str) -> list[Job]:
        """Delete a pilot that leaves, and queue its jobs again."""
        self._end_pull(pilot)
        return await self._store.leases.void_runner(pilot, self._now_ms(), "its worker left")

    async def stale(self, leases: Iterable[Lease]) -> set[Lease]:
        """Return those that are not the newest of their jobs, or are another's."""
        found = {each for each in leases if not await self._store.leases.holds(each)}
        self._count_stale(len(found))
        return found

    async def _written(self, lease: Lease, write: Awaitable[Job]) -> tuple[str, JobState | None]:
        try:
            return lease.job, (await write).state
        except StaleLease:
            self._count_stale(1)
            return lease.job, None

    def _count_stale(self, number: int) -> None:
        if number:
            self.stale_results += number
            _log.info("%d results under stale leases were refused", number)

    async def _claim_for(self, pilot: str, pull: _Pull) -> list[list[Assignment]]:
        """Claim from the devices for which a pull was woken."""
        devices = None if pull.must_poll else set(pull.devices)
        pull.must_poll = False
        pull.devices.clear()
        return await self._claim(pilot, pull.offer, devices)

    async def _claim(
        self, pilot: str, offer: Offer, devices: Collection[str] | None
    ) -> list[list[Assignment]]:
        """Claim tasks from the devices in turn; None stands for all devices with waiting jobs."""
        maximum = offer.tasks + offer.tiny_tasks
        if not maximum:
            return []
        leases, now = self._store.leases, self._now_ms()
        if devices is None:
            self._last_poll = await leases.claimable(now)
            devices = self._last_poll.devices
        turns = self._in_turn(set(devices) & set(offer.devices))
        tasks: list[list[Assignment]] = []
        n_bytes = 0
        while turns and len(tasks) < maximum and n_bytes < _RESPONSE_BYTES:
            device = turns.popleft()
            claim = await leases.claim(
                device,
                pilot,
                now,
                maximum=1 if offer.is_of_lab else _MAX_TASK_JOBS,
                durable=offer.is_of_lab,
                capacity=offer.capacity,
                only_tiny=len(tasks) >= offer.tasks,
                request=offer.request,
            )
            if claim.taken:
                tasks.append(claim.taken)
                n_bytes += sum(len(each.circuits) for each in claim.taken)
                if not claim.is_last:
                    turns.append(device)
        for device in turns:  # other pilots may take the jobs that are left
            self._notify(device)
        return tasks

    def _in_turn(self, devices: Collection[str]) -> deque[str]:
        """Return devices in an order that begins with a different one each time."""
        ordered = deque(sorted(devices))
        ordered.rotate(next(self._turns))
        return ordered

    async def _give_back(self, tasks: Iterable[Sequence[Assignment]]) -> None:
        for assignment in (job for task in tasks for job in task):
            try:
                await self._store.leases.release(
                    assignment.lease, _UNDELIVERED, self._now_ms(), counts_as_attempt=False
                )
            except QwicketError as error:  # the next pull releases it
                _log.warning("an undelivered claim was not released: %s", error)

    def _on_queued(self, change: JobChange) -> None:
        if self._pulls:
            self._notify(change.device, change.row)

    def _on_cancelling(self, change: JobChange) -> None:
        if self._pulls:
            task = asyncio.create_task(self._send_stop(change.job))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _notify(self, device: str, job: Job | None = None) -> None:
        """Wake the pull that has waited longest of those that can take a job."""
        pull = next((each for each in self._pulls.values() if each.takes(device, job)), None)
        if pull is not None:
            pull.devices.add(device)
            pull.watch.wake()

    async def _send_stop(self, job: str) -> None:
        """Send the pilot that holds a job a directive to stop it, if its pull is open here."""
        try:
            held = await self._store.leases.held_by(job)
        except QwicketError as error:  # its next pull reads the state
            _log.warning("the runner of a cancelled job could not be read: %s", error)
            return
        pull = self._pulls.get(held.runner) if held else None
        # Its pilot may know: the pull before this one has read the same change in the database.
        if held is not None and pull is not None and job not in pull.stopping:
            pull.directives[job, held.fence] = Directive.STOP
            pull.watch.wake()

    def _resync(self) -> None:
        for pull in self._pulls.values():
            pull.must_poll = True
            pull.watch.wake()


def _directives(
    held: Sequence[HeldLease], known: Sequence[Lease], stopping: Collection[str]
) -> Directives:
    stored = {each.lease: each.state for each in held}
    lost = {(each.job, each.fence): Directive.LOST for each in known if each not in stored}
    stop = {
        (lease.job, lease.fence): Directive.STOP
        for lease, state in stored.items()
        if state is JobState.CANCELLING and lease.job not in stopping
    }
    return lost | stop
