"""The backlog: tiny jobs that this server's runner has claimed, and that have not begun.

The runner *offers* to take a new job. The statement that stores the job accepts the offer if no
other job waits for the device, and no administrator or reservation holds it. Then the job is
claimed in the commit of its submission, and is in the backlog until a slot is free. Tiny jobs that
had to wait in the queue follow as soon as there is room, so that the queue becomes empty again. To
its owner a job in the backlog waits: before it is cancelled, held or reordered, it is *withdrawn*.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.model.jobs import TINY_S, Assignment, Lease
from qwicket.model.random_bits import random_bits
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from qwicket.model.jobs import NewJob

TASK_S: Final = 0.02
"""Total estimate at which a task is full, because its first result waits for the last."""
TASK_OPERATIONS: Final = 100_000
"""Operations at which a task is full, because one message sends all its circuits to a worker."""


class _Taken(NamedTuple):
    """A job in the backlog, and when it was taken (monotonic clock)."""

    assignment: Assignment
    at: float


class Backlog:
    """The backlog of a server, which is closed until its runner opens it."""

    def __init__(self) -> None:
        self._runner: str | None = None
        self._may_take: Callable[[NewJob], bool] = lambda _: False
        self._on_return: Callable[[], None] = lambda: None
        self._offers: dict[str, tuple[NewJob, Lease]] = {}
        self._jobs: dict[str, _Taken] = {}
        self._withdrawn: set[str] = set()

    def open(
        self, runner: str, may_take: Callable[[NewJob], bool], on_return: Callable[[], None]
    ) -> None:
        """Offer to take new jobs from now on.

        Args:
            runner: Id of the runner.
            may_take: Whether it would begin a new job soon.
            on_return: Called when a withdrawn job has come back.
        """
        self._runner, self._may_take, self._on_return = runner, may_take, on_return

    def close(self) -> None:
        """Offer nothing any more. Jobs whose submission is under way may still come."""
        self._may_take = lambda _: False

    def __len__(self) -> int:
        """Return the number of jobs, with those that are offered to be taken."""
        return len(self._jobs) + len(self._offers)

    def __contains__(self, job: str) -> bool:
        return job in self._jobs

    @property
    def leases(self) -> list[Lease]:
        """The leases of the jobs in it."""
        return [each.assignment.lease for each in self._jobs.values()]

    @property
    def oldest_at(self) -> float | None:
        """When the oldest job was taken (monotonic clock); None without jobs."""
        return next(iter(self._jobs.values())).at if self._jobs else None

    def is_in_flight(self, job: str) -> bool:
        """Return whether a statement that runs now gives or takes the lease of a job."""
        return job in self._offers or job in self._withdrawn

    def offer(self, new: NewJob) -> Lease | None:
        """Offer to take a new job with its submission, if it is tiny and belongs to no exam.

        `end_offer` must follow when the statement that stores the job has ended.

        Returns:
            The lease that it would get; None if there is no offer.
        """
        if (
            self._runner is None
            or new.est_seconds > TINY_S
            or new.state is not JobState.QUEUED
            or new.error is not None
            or new.exam_waiting is not None
            or new.withheld_until is not None
            or not self._may_take(new)
        ):
            return None
        lease = Lease(job=new.id, fence=1, nonce=f"{random_bits(128):032x}", runner=self._runner)
        self._offers[new.id] = new, lease
        return lease

    def end_offer(self, job: str) -> None:
        """Forget an offer, unless it was accepted."""
        self._offers.pop(job, None)

    def take(self, job: str) -> bool:
        """Add a job that was stored under an offer; return False if there is no such offer."""
        offered = self._offers.pop(job, None)
        if offered is None:
            return False
        new, lease = offered
        assignment = Assignment(
            lease=lease,
            device=new.device,
            state=JobState.RUNNING,
            attempts=0,
            est_bytes=new.est_bytes,
            est_seconds=new.est_seconds,
            n_operations=new.n_ops_1q + new.n_ops_2q,
            circuits=new.circuits,
            options=new.options,
        )
        self._jobs[job] = _Taken(assignment, time.monotonic())
        return True

    def add(self, claimed: Iterable[Assignment]) -> None:
        """Add tiny jobs that waited in the queue."""
        now = time.monotonic()
        self._jobs.update((each.lease.job, _Taken(each, now)) for each in claimed)

    def next_task(self, maximum: int) -> list[Assignment]:
        """Remove the first jobs, as many as one task runs, and return them."""
        seconds, operations, n_jobs = 0.0, 0, 0
        for each in self._jobs.values():
            if n_jobs == maximum or seconds >= TASK_S or operations >= TASK_OPERATIONS:
                break
            n_jobs += 1
            seconds += each.assignment.est_seconds
            operations += each.assignment.n_operations
        jobs = list(self._jobs)[:n_jobs]
        return [self._jobs.pop(job).assignment for job in jobs]

    def remove(self, jobs: Iterable[str]) -> list[Lease]:
        """Remove some jobs, and return the leases of those that were in it."""
        found = [self._jobs.pop(job, None) for job in jobs]
        return [each.assignment.lease for each in found if each is not None]

    def clear(self) -> list[Lease]:
        """Remove all jobs, and return their leases."""
        return self.remove(tuple(self._jobs))

    @contextmanager
    def withdrawn(self, jobs: Iterable[str]) -> Iterator[list[Lease]]:
        """Withdraw those of some jobs that are in it; they come back if the block fails.

        The value of the `with` statement is their leases, which the block must give back.
        """
        found = {job: self._jobs.pop(job) for job in jobs if job in self._jobs}
        self._withdrawn.update(found)
        try:
            yield [each.assignment.lease for each in found.values()]
        except BaseException:
            if found:
                self._jobs.update(found)
                self._on_return()
            raise
        finally:
            self._withdrawn.difference_update(found)
