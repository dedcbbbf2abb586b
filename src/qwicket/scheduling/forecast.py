"""When will my job run? An estimate from who waits, what runs, and how long jobs really took.

It plays fair share and the turns of the express slots forward from one look at the queue, at most
once a second for each device. It cannot know who will still come, nor what other devices take of
the same workers: it is an estimate.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.model.shares import cost, weight
from qwicket.model.states import JobState

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from qwicket.model.jobs import Job
    from qwicket.store import Line, Store, WaitingJob

_FRESH_S: Final = 1.0
_FRESHER_S: Final = 0.05
_MOST_JOBS: Final = 5_000
"""Further back no place is told."""
_RATIOS: Final = (0.01, 100.0)
"""Bounds of what measured run times are believed to say about estimates."""


class Place(NamedTuple):
    """Where a job stands: jobs before it, and the seconds until it is expected to start.

    Nobody knows when, where no agent is there that would run it.
    """

    ahead: int
    start_in_s: float | None


class Outlook(NamedTuple):
    """A look at one device's queue.

    Attributes:
        places: Of the jobs that wait, as far back as is looked.
        start_in_s: When a job that comes now would be expected to start in a worker slot; None as
            for a place.
        ratio: Measured run time over estimates, of late.
    """

    places: dict[str, Place]
    start_in_s: float | None
    ratio: float


class Forecast:
    """Forecasts for all devices.

    Args:
        store: The queue.
        now_ms: The clock.
    """

    def __init__(self, store: Store, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._now_ms = now_ms
        self._looks: dict[str, tuple[float, asyncio.Task[Outlook]]] = {}

    async def outlook(self, device: str, fresh_s: float = _FRESH_S) -> Outlook:
        """Return a look at a device's queue that is at most `fresh_s` seconds old."""
        made_at, task = self._looks.get(device, (-_FRESH_S, None))
        now = time.monotonic()
        if task is None or now - made_at >= fresh_s:
            task = asyncio.create_task(self._look(device))
            self._looks[device] = (now, task)
        try:
            return await asyncio.shield(task)
        except Exception:
            self._looks.pop(device, None)
            raise

    async def place(self, device: str, job: str) -> Place | None:
        """Return where a waiting job stands; None when it does not wait, or too far back."""
        return (await self.outlook(device)).places.get(job)

    async def end_in_s(self, job: Job) -> float | None:
        """Return the seconds until a job that waits or runs is expected to end, if that is known.

        For a job that waits and came after the last look, the queue is looked at again if slots are
        busy: it may be one for an express slot.
        """
        outlook = await self.outlook(job.device)
        if job.state is JobState.QUEUED and job.id not in outlook.places and outlook.start_in_s:
            outlook = await self.outlook(job.device, _FRESHER_S)
        if job.started_at is not None and job.state is JobState.RUNNING:
            start_in_s: float | None = (job.started_at - self._now_ms()) / 1000
        else:
            place = outlook.places.get(job.id)
            start_in_s = place.start_in_s if place else outlook.start_in_s
            if start_in_s is not None:
                looked_at, _ = self._looks[job.device]
                start_in_s = max(0.0, start_in_s - (time.monotonic() - looked_at))
        return None if start_in_s is None else start_in_s + job.est_seconds * outlook.ratio

    async def _look(self, device: str) -> Outlook:
        line = await self._store.jobs.line(device, self._now_ms(), limit=_MOST_JOBS)
        slots, express = await self._slots(device)
        return await asyncio.to_thread(foresee, line, slots, self._now_ms(), express)

    async def _slots(self, name: str) -> tuple[int, int]:
        """Return how many jobs of a device run at the same time: in slots, and in express slots."""
        runners = await self._store.leases.runners()
        device = await self._store.devices.get(name)
        if device is not None and device.driver == "agent":
            return sum(runner.slots for runner in runners if runner.device == name), 0
        servers = [runner for runner in runners if runner.kind == "server"]
        slots = max(1, sum(runner.slots for runner in servers))
        return slots, sum(runner.express_slots for runner in servers)


def foresee(line: Line, slots: int, now_ms: int, express_slots: int = 0) -> Outlook:
    """Play the queue forward.

    Args:
        line: Who waits and what runs.
        slots: Tasks that run at the same time; 0 where nobody is there.
        now_ms: Unix time.
        express_slots: Short jobs that run beside them while all of those are busy.
    """
    ratio = _ratio(line)
    busy = [
        # A clock that was set back since makes no job longer.
        max(0.0, job.est_seconds * ratio - max(0, now_ms - job.started_at) / 1000)
        for job in line.running
    ]
    in_turn = _in_turn(line, weight(now_ms, line.epoch))
    if not slots:
        return Outlook({job.id: Place(k, None) for k, job in enumerate(in_turn)}, None, ratio)
    busy.sort()
    free_in = _free_in(busy[-slots:], slots)
    # The express slots have what is left: the shortest of what runs.
    express_in = _free_in(busy[:-slots][-express_slots:] if express_slots else [], express_slots)
    in_express = _in_express(line)
    places: dict[str, Place] = {}
    while True:
        is_express = bool(express_in) and express_in[0] < free_in[0]
        job = _first_left(in_express if is_express else in_turn, places)
        if is_express and job is None:
            express_in = []
            continue
        if job is None:
            return Outlook(places, free_in[0], ratio)
        slot_in = express_in if is_express else free_in
        places[job.id] = Place(len(places), slot_in[0])
        heapq.heapreplace(slot_in, slot_in[0] + job.est_seconds * ratio)


def _free_in(busy: list[float], slots: int) -> list[float]:
    """Return, as a heap, the seconds until each slot is free."""
    free_in = busy + [0.0] * (slots - len(busy))
    heapq.heapify(free_in)
    return free_in


def _first_left(jobs: Iterator[WaitingJob], begun: Container[str]) -> WaitingJob | None:
    return next((job for job in jobs if job.id not in begun), None)


def _in_express(line: Line) -> Iterator[WaitingJob]:
    """Yield short jobs in the order in which the express slots would claim them: by turns."""
    waiting: dict[str, deque[WaitingJob]] = {}
    turns = []
    for job in line.waiting:
        if job.express_turn is None:
            continue
        if job.account not in waiting:
            waiting[job.account] = deque()
            turns.append((job.express_turn, job.account))
        waiting[job.account].append(job)
    accounts = deque(account for _, account in sorted(turns))
    while accounts:
        account = accounts.popleft()
        yield waiting[account].popleft()
        if waiting[account]:
            accounts.append(account)


def _in_turn(line: Line, second: float) -> Iterator[WaitingJob]:
    """Yield the jobs in the order in which fair share would claim them.

    Args:
        line: Who waits.
        second: What a second of use counts now.
    """
    waiting: dict[str, deque[WaitingJob]] = {}
    for job in line.waiting:
        waiting.setdefault(job.project, deque()).append(job)
    shares = {share.project: share.shares for share in line.shares}
    turns = [(share.vtime, share.project) for share in line.shares if share.project in waiting]
    heapq.heapify(turns)
    while turns:
        vtime, project = turns[0]
        job = waiting[project].popleft()
        yield job
        if waiting[project]:
            used = cost(job.est_seconds) * second / shares[project]
            heapq.heapreplace(turns, (vtime + used, project))
        else:
            heapq.heappop(turns)


def _ratio(line: Line) -> float:
    estimated = sum(cost(job.est_seconds) for job in line.recent)
    if not estimated:
        return 1.0
    ran = sum(job.ended_at - job.started_at for job in line.recent) / 1000
    least, most = _RATIOS
    return min(most, max(least, ran / estimated))
