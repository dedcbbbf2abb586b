"""The server's own runner: claims jobs for its devices and hands them to their driver.

One task per device claims; a slot is taken before the claim, so that nothing is claimed that
cannot start at once. It wakes with the commit of a submit and polls slowly beneath.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from qwicket.drivers import Died, NotBegun
from qwicket.model.errors import QwicketError
from qwicket.model.outcomes import Failure
from qwicket.model.states import JobState
from qwicket.store import StaleLease

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from qwicket.drivers import Driver
    from qwicket.model.jobs import Assignment, Completion, Job
    from qwicket.store import Changed, Store

_SLOW_POLL_S: Final = 2.0
_NOT_BEGUN_PAUSE_S: Final = 1.0
_RETRY_S: Final = (0.05, 0.2, 0.5, 1.0, 2.0)

_log = logging.getLogger(__name__)

Run = asyncio.Task["Completion | Failure"]


class Dispatcher:
    """Runs the jobs of some devices with one driver.

    Args:
        store: The queue.
        driver: Does the jobs.
        devices: Names of the devices it serves.
        runner: This runner's id, already known to the store.
        now_ms: The clock.
    """

    def __init__(
        self,
        store: Store,
        driver: Driver,
        devices: Iterable[str],
        runner: str,
        now_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._driver = driver
        self._runner = runner
        self._now_ms = now_ms
        self._slots = asyncio.Semaphore(driver.slots)
        self._wakes = {device: asyncio.Event() for device in devices}
        self._runs: dict[tuple[str, int], Run] = {}
        self._works: set[asyncio.Task[None]] = set()
        self._claimers: list[asyncio.Task[None]] = []
        self._stop_listening: Callable[[], None] = lambda: None
        self._is_stopping = False
        self.stale_results = 0

    def start(self) -> None:
        self._stop_listening = self._store.changes.listen(self._hear)
        self._claimers = [asyncio.create_task(self._claim_for(name)) for name in self._wakes]

    def stop_claiming(self) -> None:
        """Claim no more; what runs goes on."""
        if self._is_stopping:
            return  # a second cancel would interrupt a claimer that gives its claim back
        self._is_stopping = True
        for claimer in self._claimers:
            claimer.cancel()

    def hurry(self) -> None:
        """Give back now what still runs: whoever asked to stop asks again."""
        for run in self._runs.values():
            run.cancel()

    async def stop(self, grace_s: float) -> None:
        """Claim no more; let what runs finish for `grace_s`, then give the rest back uncounted."""
        self.stop_claiming()
        await asyncio.gather(*self._claimers, return_exceptions=True)
        if self._works:
            await asyncio.wait(self._works, timeout=grace_s)
        self.hurry()
        await asyncio.gather(*self._works, return_exceptions=True)
        self._stop_listening()

    def _hear(self, change: Changed) -> None:
        if change.state is JobState.QUEUED and change.device in self._wakes:
            self._wakes[change.device].set()
        elif change.state is JobState.CANCELLING:
            for (job, _fence), run in self._runs.items():
                if job == change.job:
                    run.cancel()

    async def _claim_for(self, device: str) -> None:
        wake = self._wakes[device]
        while True:
            wake.clear()
            await self._slots.acquire()
            assignment = await self._claim(device)
            if assignment is not None:
                self._begin(assignment)
                continue
            self._slots.release()
            try:
                async with asyncio.timeout(_SLOW_POLL_S):
                    await wake.wait()
            except TimeoutError:
                continue

    async def _claim(self, device: str) -> Assignment | None:
        claim = asyncio.ensure_future(
            self._store.leases.claim(device, self._runner, self._now_ms())
        )
        try:
            return await asyncio.shield(claim)
        except asyncio.CancelledError:
            # The claim may have been committed: its job must not stay with a runner that stops.
            assignment = await claim
            if assignment is not None:
                await self._give_back(assignment, "the server stops", blamed=False)
            raise
        except Exception:
            # Whatever it is, this task must live: without it the device would stand still.
            _log.exception("a claim for %s failed", device)
            return None

    def _begin(self, assignment: Assignment) -> None:
        run: Run = asyncio.ensure_future(self._driver.run(assignment))
        lease = assignment.lease
        self._runs[lease.job, lease.fence] = run
        work = asyncio.create_task(self._work(assignment, run))
        self._works.add(work)
        work.add_done_callback(self._works.discard)

    async def _work(self, assignment: Assignment, run: Run) -> None:
        """See one job through, from its claim to its end or release."""
        job, fence = assignment.lease.job, assignment.lease.fence
        try:
            await self._heed_early_cancel(job, run)
            await asyncio.wait([run])
            if _fault(run, NotBegun):
                await asyncio.sleep(_NOT_BEGUN_PAUSE_S)  # the slot cannot work just now either
        finally:
            del self._runs[job, fence]
            self._slots.release()
        if run.cancelled():
            # Asked to stop, or the server stops: the release tells which by the job's state.
            await self._give_back(assignment, "the server stops", blamed=False)
        elif _fault(run, Died):
            await self._give_back(assignment, str(run.exception()), blamed=True)
        elif _fault(run, NotBegun):
            await self._give_back(assignment, str(run.exception()), blamed=False)
        elif run.exception() is not None:
            _log.error("driver failed on job %s", job, exc_info=run.exception())
            text = "The driver failed; the server's log has the cause under the job's id."
            await self._end(assignment, Failure("driver_error", text))
        else:
            await self._end(assignment, run.result())

    async def _heed_early_cancel(self, job: str, run: Run) -> None:
        """Stop a job whose cancel was committed before this runner could listen for it."""
        try:
            present = await self._store.jobs.get(job)
        except QwicketError:
            _log.exception("the state of a claimed job could not be read")
            return
        if present is not None and present.state is JobState.CANCELLING:
            run.cancel()

    async def _end(self, assignment: Assignment, result: Completion | Failure) -> None:
        lease, leases = assignment.lease, self._store.leases
        if isinstance(result, Failure):
            await self._insist(lambda: leases.fail(lease, result, self._now_ms()))
            return
        try:
            await self._insist(lambda: leases.finish(lease, result, self._now_ms()))
        except Exception:
            _log.exception("the result of job %s cannot be stored", lease.job)
            failure = Failure("result_not_stored", "The result could not be stored.")
            await self._insist(lambda: leases.fail(lease, failure, self._now_ms()))

    async def _give_back(self, assignment: Assignment, reason: str, *, blamed: bool) -> None:
        await self._insist(
            lambda: self._store.leases.release(
                assignment.lease, reason, self._now_ms(), blamed=blamed
            )
        )

    async def _insist(self, write: Callable[[], Awaitable[Job]]) -> None:
        """Write until the store takes it: a result in hand is not thrown away for a full disk.

        A stale lease ends it, too: then the word about this job is another runner's, or this
        very write was done although the store said otherwise.
        """
        tries = 0
        while True:
            try:
                await write()
            except StaleLease:
                self.stale_results += 1
                _log.info("a result under a stale lease was refused")
                return
            except QwicketError:
                _log.exception("the store refused a write about a job; trying again")
                if self._is_stopping and tries >= len(_RETRY_S):
                    return
                await asyncio.sleep(_RETRY_S[min(tries, len(_RETRY_S) - 1)])
                tries += 1
            else:
                return


def _fault(run: Run, kind: type[Exception]) -> bool:
    return not run.cancelled() and isinstance(run.exception(), kind)
