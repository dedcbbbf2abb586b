"""The server's own runner: claims jobs for its devices and passes them to a driver.

Tiny jobs are claimed with their submission if no other job waits for their device, and begin when a
slot is free (see `store.backlog`). All others wait in the queue of their device, which has an
asyncio task that claims them. A submission's commit wakes it. It takes a slot before it claims, so
that each claimed job starts at once; only tiny ones are claimed ahead, for the backlog. Another
task claims short jobs for the express slots while all other slots are busy. Another compares the
leases held here with those in the store. Only the slow poll runs on a timer: it wakes the others if
it finds work for them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.circuits.outcomes import RunResult
from qwicket.drivers import (
    ExpressOverrun,
    JobNotStarted,
    ProcessDied,
    RetrySeparately,
    StoppedRemotely,
    Unresolved,
)
from qwicket.model.errors import QwicketError
from qwicket.model.failures import Failure
from qwicket.model.jobs import TINY_S, Capacity
from qwicket.model.states import JobState
from qwicket.scheduling.forward_log import RETRY_PAUSES_S, StoredForwardLog, log_failure
from qwicket.scheduling.slots import Slots
from qwicket.store import Backlog, Claim, Claimable, StaleLease

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
    from typing import Any

    from qwicket.drivers import Driver
    from qwicket.model.jobs import Assignment, Job, Lease, NewJob
    from qwicket.store import JobChange, Store

_STOPPING_REASON: Final = "the server stops"
_NO_LIMIT: Final = Capacity()
_NOT_STARTED_PAUSE_S: Final = 1.0
_CLAIM_PAUSE_S: Final = 0.2
BACKLOG_S: Final = 0.1
"""Seconds for which the backlog waits for any slot: 20 times the longest estimate of a tiny job.
Then the jobs that run have taken longer than they should, and the backlog is queued again."""
EXPRESS_DELAY_S: Final = 0.02
"""Seconds without a free worker slot after which a short job goes to an express slot.

A task of several tiny jobs is estimated to take about as long. While such tasks follow each other,
a short job is better claimed for a worker slot, together with others in one commit."""

_log = logging.getLogger(__name__)

Key = tuple[str, int]
"""A job's id and its lease's fencing token."""


class Express(NamedTuple):
    """Slots for short jobs beside the driver's own.

    Attributes:
        driver: Runs these jobs, and raises `ExpressOverrun` when one exceeds its time or memory.
        max_estimate_s: Seconds below which the estimated run time of an express job must be.
        barred_s: Seconds for which an account is barred after one of its jobs overran.
    """

    driver: Driver
    max_estimate_s: float
    barred_s: float


class _Run(NamedTuple):
    """A task of the driver: one job, or several tiny ones.

    Attributes:
        task: Runs the jobs, and ends with their results or an error of the driver.
        forward_log: Records how far the job was forwarded, if its driver forwards jobs.
        forwards: Whether the driver sends its jobs to another cloud.
        is_express: Whether it occupies an express slot.
        is_tiny: Whether all its jobs are tiny.
    """

    task: asyncio.Task[list[RunResult]]
    forward_log: StoredForwardLog
    forwards: bool
    is_express: bool = False
    is_tiny: bool = False

    def stop(self) -> None:
        """Cancel on behalf of the user: local work at once, forwarded work through its vendor."""
        self.forward_log.cancel_asked.set()
        if not self.forwards:
            self.task.cancel()

    def raised(self, kind: type[Exception]) -> bool:
        return not self.task.cancelled() and isinstance(self.task.exception(), kind)


class Dispatcher:
    """Runs the jobs of some devices with one driver.

    Args:
        store: The queue.
        driver: Runs the jobs.
        devices: Names of the devices it serves.
        runner: This runner's id, already registered in the store.
        now_ms: Clock; returns Unix milliseconds.
        express: Slots for short jobs, if any.
        capacity: Memory and time of a slot; larger and longer jobs wait for other runners.
        slow_poll_s: Seconds between two polls for work that no notification announced.
        backlog_s: Seconds for which the backlog waits for any slot.

    Attributes:
        stale_results: Number of results and releases that were refused because of a stale lease.
        express_runs: Number of jobs that started in an express slot.
        express_overruns: Number of jobs that exceeded the time or memory of an express slot.
    """

    def __init__(
        self,
        store: Store,
        driver: Driver,
        devices: Iterable[str],
        runner: str,
        now_ms: Callable[[], int],
        express: Express | None = None,
        *,
        capacity: Capacity = _NO_LIMIT,
        slow_poll_s: float = 2.0,
        backlog_s: float = BACKLOG_S,
    ) -> None:
        self._store = store
        self._driver = driver
        self._runner = runner
        self._now_ms = now_ms
        self._slots = Slots(lambda: driver.slots)
        self._n_slots = driver.slots
        self._n_busy = 0
        self._n_long = 0
        """Number of slots that run other than tiny jobs."""
        self._slot_changed_at = 0.0
        """When a job last began or ended in a slot (monotonic clock)."""
        self._takes_tiny = driver.jobs_per_task > 1
        self._backlog = store.backlog if self._takes_tiny else Backlog()
        self._slot_for_backlog: asyncio.Task[None] | None = None
        self._begins_soon = False
        self._overdue: asyncio.TimerHandle | None = None
        self._express = express
        self._capacity = capacity
        self._slow_poll_s = slow_poll_s
        self._backlog_s = backlog_s
        self._express_slots = asyncio.Semaphore(express.driver.slots if express else 0)
        self._express_wake = asyncio.Event()
        self._wakes = {device: asyncio.Event() for device in devices}
        self._compare_wake = asyncio.Event()
        self._runs: dict[Key, _Run] = {}
        self._held: set[Key] = set()
        self._claims = _Claims()
        self._cancelled_early: set[str] = set()
        self._supervising: set[asyncio.Task[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._stop_listening: list[Callable[[], None]] = []
        self._is_stopping = False
        self._reserves_slots = False
        self.stale_results = 0
        self.express_runs = 0
        self.express_overruns = 0

    def start(self) -> None:
        """Start the tasks that claim jobs and compare leases, on the running event loop."""
        changes = self._store.changes
        self._stop_listening = [
            changes.listen(self._on_queued, JobState.QUEUED),
            changes.listen(self._on_start, JobState.RUNNING),
            changes.listen(self._on_cancelling, JobState.CANCELLING),
            changes.on_resync(self._resync),
        ]
        self._tasks = [asyncio.create_task(self._claim_for(name)) for name in self._wakes]
        self._tasks.append(asyncio.create_task(self._compare_repeatedly()))
        self._tasks.append(asyncio.create_task(self._poll_slowly()))
        if self._express is not None and self._express.driver.slots:
            self._tasks.append(asyncio.create_task(self._claim_for_express(self._express)))
        if self._takes_tiny:
            self._backlog.open(self._runner, self._may_take, self._begin_soon)
        self._compare_wake.set()

    def serve(self, device: str) -> None:
        """Serve one more device, whose jobs the driver runs."""
        if device not in self._wakes and not self._is_stopping:
            self._wakes[device] = asyncio.Event()
            self._tasks.append(asyncio.create_task(self._claim_for(device)))

    def resize(self) -> None:
        """Use the number of slots that the driver has now."""
        self._n_slots = self._driver.slots
        self._slots.resize()
        self._express_wake.set()  # without a worker, short jobs go to the express slot

    def stop_claiming(self) -> None:
        """Stop claiming. Running jobs continue."""
        if self._is_stopping:
            return  # a second cancel would interrupt a task that is releasing its claim
        self._is_stopping = True
        self._backlog.close()
        self._give_back(self._backlog.clear())
        if self._slot_for_backlog is not None:
            self._tasks.append(self._slot_for_backlog)
        for task in self._tasks:
            task.cancel()

    def release_running(self) -> None:
        """Cancel and release the jobs that still run, as `stop` does after its grace time."""
        for run in self._runs.values():
            run.task.cancel()

    async def stop(self, grace_s: float) -> None:
        """Stop claiming, wait for running jobs, then release the rest without counting an attempt.

        Args:
            grace_s: Seconds to wait for running jobs. Jobs at other clouds are released at once.
        """
        self.stop_claiming()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._driver.forwards:
            self.release_running()  # they continue at their cloud and are adopted later
        if self._supervising:
            await asyncio.wait(self._supervising, timeout=grace_s)
        self.release_running()
        await asyncio.gather(*self._supervising, return_exceptions=True)
        for stop in self._stop_listening:
            stop()
        if self._overdue is not None:
            self._overdue.cancel()

    def _on_queued(self, change: JobChange) -> None:
        if change.device in self._wakes:
            self._wakes[change.device].set()
            if self._may_be_short(change):
                self._express_wake.set()
            if change.version > 1 and self._has(change.job):
                self._compare_wake.set()  # it was requeued, so its run here has lost its lease

    def _has(self, job: str) -> bool:
        return job in self._backlog or any(job == running for running, _fence in self._runs)

    def _on_start(self, change: JobChange) -> None:
        """Begin a job that was claimed with its submission, as soon as a slot is free."""
        if not change.is_start or change.row is None or change.row.runner != self._runner:
            return
        if not self._backlog.take(change.job):
            self._compare_wake.set()  # its lease is not known here any more
            return
        self._begin_soon()

    def _may_take(self, new: NewJob) -> bool:
        """Return whether a new tiny job would begin soon if it is claimed with its submission."""
        return (
            new.device in self._wakes
            and self._room() > 0
            and new.est_bytes <= self._capacity.memory_bytes
            and new.est_seconds <= self._capacity.seconds
        )

    def _room(self) -> int:
        """Return how many tiny jobs begin soon: a task in each free slot, and the next one."""
        n_free = self._n_slots - self._n_busy
        if n_free <= 0:
            is_stuck = time.monotonic() >= self._slot_changed_at + self._backlog_s
            if is_stuck or self._n_long >= self._n_slots:
                return 0
        n_tasks = self._n_slots + max(0, n_free)
        return n_tasks * self._driver.jobs_per_task - len(self._backlog)

    def _begin_soon(self) -> None:
        if not self._begins_soon:  # once for all jobs of a commit, which share tasks
            self._begins_soon = True
            asyncio.get_running_loop().call_soon(self._begin_taken)

    def _begin_taken(self) -> None:
        """Begin jobs of the backlog while slots are free; then wait for its turn to take one."""
        self._begins_soon = False
        if self._is_stopping:
            self._give_back(self._backlog.clear())
        while self._backlog.oldest_at is not None and self._slots.take_if_free():
            self._begin(self._next_task(), self._driver)
        if self._backlog.oldest_at is not None and self._slot_for_backlog is None:
            self._slot_for_backlog = asyncio.create_task(self._await_slot())
        if self._overdue is None:
            self._watch_backlog()

    async def _await_slot(self) -> None:
        await self._slots.acquire()
        self._slot_for_backlog = None
        if self._backlog.oldest_at is None:
            self._slots.release()
        else:
            self._begin(self._next_task(), self._driver)
            self._begin_soon()

    def _watch_backlog(self) -> None:
        """Give back the backlog when it has waited for too long for any slot."""
        self._overdue, oldest_at = None, self._backlog.oldest_at
        if oldest_at is None:
            return
        left_s = max(oldest_at, self._slot_changed_at) + self._backlog_s - time.monotonic()
        if left_s > 0:
            loop = asyncio.get_running_loop()
            self._overdue = loop.call_later(left_s, self._watch_backlog)
        else:
            self._give_back(self._backlog.clear())

    def _give_back(self, leases: list[Lease]) -> None:
        """Queue jobs of the backlog again, which have not begun."""
        if leases:
            self._held.difference_update((each.job, each.fence) for each in leases)
            giving_back = asyncio.create_task(
                self._retry_write(lambda: self._store.leases.give_back(leases, self._now_ms()))
            )
            self._supervising.add(giving_back)
            giving_back.add_done_callback(self._supervising.discard)

    def _on_cancelling(self, change: JobChange) -> None:
        self._give_back(self._backlog.remove([change.job]))
        if not self._claims.is_quiet:
            self._cancelled_early.add(change.job)  # a claim in flight may include this job
        for (job, _fence), run in self._runs.items():
            if job == change.job:
                run.stop()

    def _may_be_short(self, change: JobChange) -> bool:
        """Return whether a queued job may be short enough for an express slot."""
        express, job = self._express, change.row
        return express is not None and (job is None or job.est_seconds < express.max_estimate_s)

    def _resync(self) -> None:
        for wake in self._wakes.values():
            wake.set()
        self._express_wake.set()
        self._compare_wake.set()

    async def _claim_for(self, device: str) -> None:
        wake = self._wakes[device]
        while True:
            await wake.wait()
            wake.clear()
            claim = await self._claim_next(device)
            if self._claims.is_quiet:
                self._cancelled_early.clear()
            if not claim.is_last:
                wake.set()

    async def _poll_slowly(self) -> None:
        """Wake the other tasks periodically, if there is work that no notification announced.

        The poll only reads, because a claim that finds nothing would cost a write transaction. Jobs
        at other clouds whose runners are dead are adopted here, too.
        """
        while True:
            try:
                if self._driver.forwards:
                    await self._adopt_unattended()
                claimable = await self._store.leases.claimable(self._now_ms())
            except Exception as error:
                log_failure("the queue could not be read", error)
                claimable = Claimable(set(), None)
            for device in claimable.devices & self._wakes.keys():
                self._wakes[device].set()
                self._express_wake.set()
            self._reserves_slots = claimable.reserves_slots
            await asyncio.sleep(claimable.pause_s(self._now_ms(), self._slow_poll_s))
            if self._held or len(self._backlog):  # a lost lease is not always announced
                self._compare_wake.set()

    async def _adopt_unattended(self) -> None:
        """Adopt the jobs at other clouds whose runners are dead, also while no slot is free.

        Jobs that are at their cloud end there whether or not the cloud takes new jobs. Each adopted
        job takes a slot, so new jobs wait until fewer than the driver's slots are in use. A job
        that is absent from its cloud waits its turn as well, before its driver sends it.
        """
        for device in await self._store.forwards.unattended_devices() & self._wakes.keys():
            while True:
                claim = await self._claim(
                    self._claim_unattended(device), device, self._wakes[device]
                )
                if not claim.taken:
                    break
                self._slots.take()
                self._begin(claim.taken, self._driver)

    async def _claim_for_express(self, express: Express) -> None:
        """Claim short jobs while all worker slots stay busy."""
        wake = self._express_wake
        while True:
            await wake.wait()
            wake.clear()
            await self._express_slots.acquire()
            if not await self._slots_stay_busy():
                self._express_slots.release()  # a worker slot takes the waiting jobs
                continue
            claiming = self._store.leases.claim_express(
                self._wakes.keys(), self._runner, self._now_ms()
            )
            claim = await self._claim(claiming, "the express slot", wake)
            if claim.taken:
                self.express_runs += 1
                self._begin(claim.taken, express.driver, is_express=True)
                wake.set()
            else:
                self._express_slots.release()

    async def _slots_stay_busy(self) -> bool:
        """Return True when all slots were busy for `EXPRESS_DELAY_S`, False when a slot is free."""
        while self._n_busy >= self._driver.slots:
            left_s = self._slot_changed_at + EXPRESS_DELAY_S - time.monotonic()
            if left_s <= 0:
                return True
            await asyncio.sleep(left_s)
        return False

    async def _claim(
        self, claiming: Coroutine[Any, Any, Claim], claimant: str, wake: asyncio.Event
    ) -> Claim:
        """Await a claim; after an error return one without jobs, and set `wake` for another try.

        Args:
            claiming: Call of the store that claims.
            claimant: Device or slot that claims, for the log.
            wake: Event that wakes the calling task.
        """
        claim = asyncio.ensure_future(claiming)
        try:
            with self._claims:
                claimed = await asyncio.shield(claim)
                self._held.update(map(_key, claimed.taken))
                return claimed
        except asyncio.CancelledError:
            # The claim may have been committed. Its jobs must not stay with a runner that stops.
            for each in (await claim).taken:
                await self._release(each, _STOPPING_REASON, counts_as_attempt=False)
            raise
        except Exception as error:
            # This task must survive any error, because without it nothing claims for the device. If
            # the claim was committed despite the error, the next comparison finds and releases it.
            log_failure(f"a claim for {claimant} failed", error)
            self._compare_wake.set()
            await asyncio.sleep(_CLAIM_PAUSE_S)
            wake.set()  # else waiting jobs would wait for the slow poll
            return Claim([], is_last=True)

    async def _claim_next(self, device: str) -> Claim:
        """Claim the next job when a slot is free, and as many tiny ones as soon begin.

        While no slot is free, tiny jobs are claimed for the backlog alone. So the queue becomes
        empty again, and the next jobs are claimed with their submission.
        """
        wake = self._wakes[device]
        if self._takes_tiny and self._room() > 0 and not self._slots.has_free:
            claiming = self._claim_from(device, self._room(), only_tiny=True)
            claim = await self._claim(claiming, device, wake)
            if claim.taken:
                self._add_to_backlog(claim.taken)
                return claim
        await self._slots.acquire()
        maximum = max(self._driver.jobs_per_task, self._room()) if self._takes_tiny else 1
        claim = await self._claim(self._claim_from(device, maximum), device, wake)
        taken = claim.taken
        if len(taken) > 1:
            self._add_to_backlog(taken)
            taken = self._next_task()
        if taken:
            self._begin(taken, self._driver)
        else:
            self._slots.release()
        self._express_wake.set()
        return claim

    def _add_to_backlog(self, claimed: list[Assignment]) -> None:
        """Let claimed jobs wait for a slot, except those that were cancelled meanwhile."""
        self._backlog.add(claimed)
        self._give_back(self._backlog.remove(self._cancelled_early))
        self._begin_soon()

    async def _claim_from(self, device: str, maximum: int, *, only_tiny: bool = False) -> Claim:
        return await self._store.leases.claim(
            device,
            self._runner,
            self._now_ms(),
            maximum=maximum,
            n_tasks=-(-maximum // self._driver.jobs_per_task),
            capacity=self._capacity,
            only_tiny=only_tiny,
        )

    def _next_task(self) -> list[Assignment]:
        """Take the jobs of one task out of the backlog."""
        taken = self._backlog.next_task(self._driver.jobs_per_task)
        self._held.update(map(_key, taken))
        return taken

    async def _claim_unattended(self, device: str) -> Claim:
        adopted = await self._store.forwards.claim_unattended(device, self._runner)
        return Claim([] if adopted is None else [adopted], is_last=adopted is None)

    def _begin(
        self, assignments: list[Assignment], driver: Driver, *, is_express: bool = False
    ) -> None:
        forward_log = StoredForwardLog(self._store, assignments[0].lease, self._now_ms, self._slots)
        task = asyncio.ensure_future(driver.run(assignments, forward_log))
        is_tiny = all(each.est_seconds <= TINY_S for each in assignments)
        run = _Run(task, forward_log, driver.forwards, is_express, is_tiny)
        if not is_express:
            self._n_busy += 1
            self._n_long += not is_tiny
            self._slot_changed_at = time.monotonic()
        self._runs.update((_key(each), run) for each in assignments)
        supervision = asyncio.create_task(self._supervise(assignments, run))
        if not self._cancelled_early.isdisjoint(each.lease.job for each in assignments):
            run.stop()
        self._supervising.add(supervision)
        supervision.add_done_callback(self._supervising.discard)

    async def _supervise(self, assignments: Sequence[Assignment], run: _Run) -> None:
        """Wait for a run, free its slot, and end or release each of its jobs."""
        try:
            await asyncio.wait([run.task])
            if run.raised(JobNotStarted):
                await asyncio.sleep(_NOT_STARTED_PAUSE_S)  # a retry at once would fail the same way
        finally:
            for each in assignments:
                del self._runs[_key(each)]
            if not run.is_express:
                self._n_busy -= 1
                self._n_long -= not run.is_tiny
                self._slot_changed_at = time.monotonic()
                self._slots.release()
                self._begin_soon()
        try:
            if not await self._end_together(assignments, run):
                await asyncio.gather(
                    *(self._close(each, run, index) for index, each in enumerate(assignments))
                )
        finally:
            if run.is_express:  # only now, after the account of an overrun job is barred
                self._express_slots.release()
            if self._reserves_slots:  # jobs outside the reservation may use the freed slot
                for wake in self._wakes.values():
                    wake.set()

    async def _end_together(self, assignments: Sequence[Assignment], run: _Run) -> bool:
        """End the jobs of a task in one operation; return False if each must be ended alone."""
        task = run.task
        if len(assignments) == 1 or task.cancelled() or task.exception() is not None:
            return False
        leases = [each.lease for each in assignments]
        try:
            ended = list(zip(leases, task.result(), strict=True))
            await self._store.leases.finish_all(ended, self._now_ms())
        except Exception as error:  # each alone, which shows whose fault it is
            _log.debug("results could not be stored together: %r", error)
            return False
        self._held.difference_update(map(_key, assignments))
        return True

    async def _close(self, assignment: Assignment, run: _Run, index: int) -> None:
        try:
            await self._end_or_release(assignment, run, index)
        finally:
            self._held.discard(_key(assignment))

    async def _end_or_release(self, assignment: Assignment, run: _Run, index: int) -> None:
        task, lease = run.task, assignment.lease
        if task.cancelled():
            # Cancelling one job of a task cancels all. The store ends the job whose state is
            # `cancelling` and queues the others again.
            reason = _STOPPING_REASON if self._is_stopping else "stopped together with another job"
            await self._release(assignment, reason, counts_as_attempt=False)
        elif run.raised(StoppedRemotely):
            await self._retry_write(
                lambda: self._store.leases.cancel_stopped(lease, self._now_ms())
            )
        elif run.raised(Unresolved):
            text, forwards = str(task.exception()), self._store.forwards
            await self._retry_write(lambda: forwards.leave_to_person(lease, text, self._now_ms()))
        elif run.raised(StaleLease):  # while it was being sent, it was abandoned, or taken over
            self._count_stale()
        elif run.raised(ExpressOverrun):
            await self._end_overrun(lease, str(task.exception()))
        elif run.raised(ProcessDied):
            await self._release(assignment, str(task.exception()), counts_as_attempt=True)
        elif run.raised(JobNotStarted) or run.raised(RetrySeparately):
            await self._release(assignment, str(task.exception()), counts_as_attempt=False)
        elif task.exception() is not None:
            _log.error("the driver failed", exc_info=task.exception(), extra={"job": lease.job})
            text = "The driver reported an error; see the server's log under the job's id."
            await self._end(assignment, RunResult(Failure("driver_error", text), 0.0))
        else:
            await self._end(assignment, task.result()[index])

    async def _end(self, assignment: Assignment, result: RunResult) -> None:
        lease, leases = assignment.lease, self._store.leases
        try:
            await self._retry_write(lambda: leases.finish(lease, result, self._now_ms()))
        except Exception:
            _log.exception("a result cannot be stored", extra={"job": lease.job})
            failure = Failure("result_not_stored", "The result could not be stored.")
            failed = RunResult(failure, result.seconds)
            await self._retry_write(lambda: leases.finish(lease, failed, self._now_ms()))

    async def _release(
        self, assignment: Assignment, reason: str, *, counts_as_attempt: bool
    ) -> None:
        lease = assignment.lease
        await self._retry_write(
            lambda: self._store.leases.release(
                lease, reason, self._now_ms(), counts_as_attempt=counts_as_attempt
            )
        )

    async def _end_overrun(self, lease: Lease, reason: str) -> None:
        """Queue a job for a worker slot, and bar its account from the express slots for a while."""
        assert self._express is not None
        self.express_overruns += 1
        barred_ms = int(1000 * self._express.barred_s)
        requeue_overrun = self._store.leases.requeue_overrun

        async def write() -> Job:
            now = self._now_ms()
            return await requeue_overrun(lease, reason, now, barred_until=now + barred_ms)

        await self._retry_write(write)

    async def _retry_write(self, write: Callable[[], Awaitable[object]]) -> None:
        """Retry a write until the store accepts it, so that a full disk loses no result.

        While the server stops, the retries end after the last of `RETRY_PAUSES_S`.
        A stale lease also ends the retries: another runner has the job, or an earlier attempt was
        committed although its response was lost.
        """
        tries = 0
        while True:
            try:
                await write()
            except StaleLease:
                self._count_stale()
                return
            except QwicketError as error:
                log_failure("a write about a job failed and is retried", error)
                if self._is_stopping and tries >= len(RETRY_PAUSES_S):
                    return
                await asyncio.sleep(RETRY_PAUSES_S[min(tries, len(RETRY_PAUSES_S) - 1)])
                tries += 1
            else:
                return

    def _count_stale(self) -> None:
        self.stale_results += 1
        _log.info("a result under a stale lease was refused")

    async def _compare_repeatedly(self) -> None:
        while True:
            await self._compare_wake.wait()
            self._compare_wake.clear()
            try:
                await self._compare_leases()
            except Exception as error:
                log_failure("the leases held here could not be compared with the store", error)
                self._compare_wake.set()
                await asyncio.sleep(RETRY_PAUSES_S[-1])

    async def _compare_leases(self) -> None:
        """Stop cancelled and lost runs; release leases in the store that are unknown here."""
        was_quiet, n_begun = self._claims.is_quiet, self._claims.n_begun
        runs, known = tuple(self._runs.items()), set(self._held)
        waiting = self._backlog.leases
        known.update((each.job, each.fence) for each in waiting)
        stored = await self._store.leases.held(self._runner)
        leases = {(each.lease.job, each.lease.fence): each for each in stored}
        for lease in waiting:
            held = leases.get((lease.job, lease.fence))
            if held is None:
                self._backlog.remove([lease.job])  # another has the job by now, or it was queued
            elif held.state is JobState.CANCELLING:
                self._give_back(self._backlog.remove([lease.job]))
        for key, run in runs:
            held = leases.get(key)
            if held is None:
                run.task.cancel()  # lease lost, so the store would refuse the result
            elif held.state is JobState.CANCELLING:
                run.stop()
        # A claim in flight meanwhile may have leases in the store that are not yet known here.
        if was_quiet and n_begun == self._claims.n_begun:
            known.update(self._held, ((each.job, each.fence) for each in self._backlog.leases))
            for key in leases.keys() - known:
                if not self._backlog.is_in_flight(key[0]):
                    await self._release_unknown_claim(leases[key].lease)

    async def _release_unknown_claim(self, lease: Lease) -> None:
        reason = "its claim was committed, but the response was lost"
        await self._retry_write(
            lambda: self._store.leases.release(
                lease, reason, self._now_ms(), counts_as_attempt=False
            )
        )


class _Claims:
    """Counts claims in flight, whose jobs are in the store before they are known here.

    Attributes:
        n_begun: Number of claims begun so far.
    """

    def __init__(self) -> None:
        self._n_pending = 0
        self.n_begun = 0

    def __enter__(self) -> None:
        self._n_pending += 1
        self.n_begun += 1

    def __exit__(self, *_: object) -> None:
        self._n_pending -= 1

    @property
    def is_quiet(self) -> bool:
        return not self._n_pending


def _key(assignment: Assignment) -> Key:
    return assignment.lease.job, assignment.lease.fence
