"""Simulates the queue of a device with reservations or maintenance windows, for forecasts.

Express slots are left out, as they serve few jobs while one project has the device.
"""

from __future__ import annotations

import heapq
from collections import deque
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from qwicket.model.fair_share import charge_s

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from qwicket.store import QueueState, WaitingJob


class ReservedStarts(NamedTuple):
    """Expected starts in seconds from now.

    Attributes:
        jobs: Start of each waiting job, in the order of the starts.
        next_s: Start of a job submitted now for a project without a reservation.
        own_s: By the id of a window: start of a job submitted now for one of the projects that the
            window permits; meaningless for a maintenance window, which permits none.
    """

    jobs: dict[str, float]
    next_s: float
    own_s: dict[str, float]


def simulate(
    state: QueueState,
    estimates: Mapping[str, float],
    free_in: Sequence[float],
    now_ms: int,
    weight_per_s: float,
) -> ReservedStarts:
    """Simulate fair share until every waiting job has started.

    Args:
        state: Waiting and running jobs, with their expected run times.
        estimates: Estimated run times of the waiting jobs, without correction. By these, the store
            decides whether a job would run into a window.
        free_in: Seconds until each worker slot is free; at least one slot.
        now_ms: Unix time in milliseconds.
        weight_per_s: Present weight of one second of use (`model/fair_share.py`).
    """
    return _Simulation(state, estimates, free_in, now_ms, weight_per_s).run()


class _Simulation:
    """Simulation that sets jobs aside while a window keeps them from starting.

    Otherwise each start would look through all jobs that wait for the end of the window.
    """

    def __init__(
        self,
        state: QueueState,
        estimates: Mapping[str, float],
        free_in: Sequence[float],
        now_ms: int,
        weight_per_s: float,
    ) -> None:
        self._state = state
        self._estimates = estimates
        self._free_in = list(free_in)
        heapq.heapify(self._free_in)
        self._n_slots = len(free_in)
        self._now_ms = now_ms
        self._weight_per_s = weight_per_s
        self._shares = {share.project: share.shares for share in state.shares}
        self._vtimes = {share.project: share.vtime for share in state.shares}
        self._waiting: dict[str, deque[WaitingJob]] = {}
        for job in state.waiting:
            self._waiting.setdefault(job.project, deque()).append(job)
        self._turns = [(self._vtimes.get(each, 0.0), each) for each in self._waiting]
        heapq.heapify(self._turns)
        # Jobs, or None for all jobs of a project, with the time at which they may start; numbered,
        # so that jobs keep their order.
        self._aside: list[tuple[float, int, str, WaitingJob | None]] = []
        self._numbers = count()
        self._running = [(each.remaining_s(now_ms), each.project) for each in state.running]

    def run(self) -> ReservedStarts:
        starts: dict[str, float] = {}
        left = {each.id: self._n_waiting(each.projects) for each in self._state.windows}
        own_s = {window: self._free_in[0] for window, number in left.items() if not number}
        while self._turns or self._aside:
            at_s = self._free_in[0]
            self._return_due(at_s)
            job = self._next(at_s)
            if job is None:  # windows delay all jobs: go on to the first possible start
                if self._aside:
                    heapq.heapreplace(self._free_in, max(at_s, self._aside[0][0]))
                continue
            starts[job.id] = at_s
            end_s = at_s + job.est_seconds
            self._running.append((end_s, job.project))
            heapq.heapreplace(self._free_in, end_s)
            for window in self._state.windows:
                if window.permits(job.project):
                    left[window.id] -= 1
                    if not left[window.id]:
                        own_s[window.id] = self._free_in[0]
        return ReservedStarts(starts, self._first_start(self._free_in[0]), own_s)

    def _n_waiting(self, projects: Collection[str]) -> int:
        return sum(len(self._waiting.get(project, ())) for project in projects)

    def _next(self, at_s: float) -> WaitingJob | None:
        """Remove and return the job that fair share starts at a time, if one may start then."""
        while self._turns:
            vtime, project = heapq.heappop(self._turns)
            jobs = self._waiting[project]
            until_s = self._delayed_until(project, 0.0, at_s)
            if until_s is not None:
                self._set_aside(until_s, project, None)
                continue
            while jobs:
                job = jobs.popleft()
                until_s = self._delayed_until(project, self._estimates[job.id], at_s)
                if until_s is not None:
                    self._set_aside(until_s, project, job)
                    continue
                used = charge_s(job.est_seconds) * self._weight_per_s / self._shares.get(project, 1)
                self._vtimes[project] = vtime + used
                if jobs:
                    heapq.heappush(self._turns, (vtime + used, project))
                return job
        return None

    def _set_aside(self, until_s: float, project: str, job: WaitingJob | None) -> None:
        heapq.heappush(self._aside, (until_s, next(self._numbers), project, job))

    def _return_due(self, at_s: float) -> None:
        """Put back, in their former order, the jobs and projects that were set aside until now."""
        self._running = [each for each in self._running if each[0] > at_s]
        due = []
        while self._aside and self._aside[0][0] <= at_s:
            due.append(heapq.heappop(self._aside))
        for _, _, project, job in reversed(due):
            waiting = self._waiting[project]
            if job is None or not waiting:
                heapq.heappush(self._turns, (self._vtimes.get(project, 0.0), project))
            if job is not None:
                waiting.appendleft(job)

    def _delayed_until(self, project: str, run_s: float, at_s: float) -> float | None:
        """Return the earliest time (s) at which windows may let a job start; None without delay."""
        at_ms = self._now_ms + 1000 * at_s
        for window in self._state.windows:
            if window.permits(project) or not window.last_start(run_s) <= at_ms < window.until_at:
                continue
            until_s = (window.until_at - self._now_ms) / 1000
            if window.slots is None:
                return until_s
            ends = [
                end_s
                for end_s, other in self._running
                if end_s > at_s and not window.permits(other)
            ]
            if len(ends) + window.slots >= self._n_slots:
                return min([until_s, *ends])
        return None

    def _first_start(self, at_s: float) -> float:
        """Return when a job of a project without a reservation starts, once a slot is free."""
        while (until_s := self._delayed_until("", 0.0, at_s)) is not None:
            at_s = until_s
        return at_s
