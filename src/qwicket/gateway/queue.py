"""The queue as actors see it: positions, forecasts, progress, estimated run times."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.model.states import JobState
from qwicket.registrations import hook
from qwicket.scheduling import QueuePosition

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from qwicket.gateway.admission import Admission
    from qwicket.gateway.views import DeviceView
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job, Progress
    from qwicket.model.reservations import Window
    from qwicket.scheduling import Crowd, Forecast, Forecaster
    from qwicket.store import Store

MAX_COUNTED: Final = 10_000
"""Completed jobs of a device that are counted: they take 3 ms."""
_HOUR_MS: Final = 3_600_000


class Ahead(NamedTuple):
    """Whose jobs start before a job.

    Attributes:
        same: Number of jobs of its own project.
        known: Numbers of jobs of other projects of which the actor is a member, by project name.
        others: Number of jobs of projects of which the actor is not a member.
        n_projects: Number of the projects that `others` counts.
        own: Positions of all waiting jobs of its own project, from 1.
        n_waiting: Number of all jobs that wait for its device.
    """

    same: int
    known: dict[str, int]
    others: int
    n_projects: int
    own: frozenset[int] = frozenset()
    n_waiting: int = 0


class Queue:
    """Positions, forecasts and progress of jobs.

    Args:
        store: Stores jobs.
        admission: Estimates run times.
        forecaster: Forecasts the queues of devices.
        now_ms: Clock; returns Unix milliseconds.
    """

    def __init__(
        self,
        store: Store,
        admission: Admission,
        forecaster: Forecaster,
        now_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._now_ms = now_ms
        self._admission = admission
        self._forecaster = forecaster

    async def position(self, job: Job) -> QueuePosition | None:
        """Return the position of a waiting job, and why it waits.

        Return None if the job does not wait, is held, or has no forecast.
        """
        if job.state is not JobState.QUEUED or job.is_held:
            return None
        forecast = await self._forecaster.forecast(job.device)
        position = forecast.position_with_interval(job.id)
        if position is None and forecast.crowd is not None:
            position = await self._position_in_crowd(job, forecast, forecast.crowd)
        if position is None:
            return None
        obstacles = tuple([each async for each in self._obstacles(job, forecast)])
        turn = position.turn
        if before := forecast.before.get(job.id):
            # A job that something keeps from starting is not the next one.
            turn = before.text if position.ahead or not obstacles else ""
        return position._replace(obstacles=obstacles, turn=turn)

    async def _position_in_crowd(self, job: Job, forecast: Forecast, crowd: Crowd) -> QueuePosition:
        """Estimate the position of one of very many jobs."""
        rank = await self._store.queues.rank(job)
        ahead = crowd.jobs_before(job.project, job.account, rank)
        start_in_s = forecast.start_in_s
        if start_in_s is not None:  # that of a job after all others
            start_in_s *= ahead / max(1, ahead, forecast.n_waiting)
        text = f"about {ahead:,} jobs start before it by turns"
        return QueuePosition(ahead, start_in_s, turn=text)

    async def _obstacles(self, job: Job, forecast: Forecast) -> AsyncIterator[str]:
        """Yield what keeps a job from starting besides the jobs before it."""
        if forecast.windows:
            why_in_windows = hook("why_in_windows")
            assert why_in_windows is not None  # as there are windows
            now = self._now_ms()
            windows = await why_in_windows(self._store, forecast.windows, job, now)
            # Of a device, others may use the slots that are not reserved.
            if windows and not await self._store.queues.may_start(job.id, now):
                for each in windows:
                    yield each
        if forecast.stopped:
            yield forecast.stopped
        elif why_not := forecast.workers.why_not(job):
            yield why_not

    async def ahead(self, actor: Actor, job: Job) -> Ahead | None:
        """Return whose jobs start before a waiting job, as far as an actor may know.

        Return None if the job does not wait, is held, or has no forecast.
        """
        if job.state is not JobState.QUEUED or job.is_held:
            return None
        forecast = await self._forecaster.forecast(job.device)
        own = forecast.positions.get(job.id)
        if own is None:
            return None
        before = Counter(
            forecast.projects.get(each, "")
            for each, position in forecast.positions.items()
            if position.ahead < own.ahead
        )
        same = before.pop(job.project, 0)
        names = {
            each.id: each.name for each in await self._store.accounts.projects_of(actor.account)
        }
        known = {names[each]: before.pop(each) for each in [*before] if each in names}
        of_project = frozenset(
            position.ahead + 1
            for each, position in forecast.positions.items()
            if forecast.projects.get(each) == job.project
        )
        others, n_projects = before.total(), len(before)
        return Ahead(same, known, others, n_projects, of_project, forecast.n_waiting)

    async def progress(self, job: Job) -> Progress | None:
        """Return the progress that an agent reported for a running job; None without a report."""
        if job.state not in (JobState.RUNNING, JobState.CANCELLING):
            return None
        return await self._store.leases.progress(job.id)

    async def windows(self, actor: Actor, forecast: Forecast) -> list[Window]:
        """Return the reservations and maintenance windows of a forecast, as an actor sees them."""
        if not forecast.windows:
            return []
        shown_windows = hook("shown_windows")
        assert shown_windows is not None  # as there are windows
        now = self._now_ms()
        found = [each for each in forecast.windows if each.until_at > now]
        shown: list[Window] = await shown_windows(self._store, found, actor.account)
        return shown

    async def completed_by_hour(self, device: str) -> dict[int, int]:
        """Return how many of a device's jobs completed in each of the last 24 hours.

        Returns:
            The numbers by the hours' starts in Unix milliseconds, oldest first. If more than
            `MAX_COUNTED` jobs completed, only the last hours, of which all are counted.
        """
        this_hour = self._now_ms() // _HOUR_MS * _HOUR_MS
        hours = range(this_hour - 23 * _HOUR_MS, this_hour + 1, _HOUR_MS)
        found = await self._store.queues.completed_by_hour(device, hours[0], MAX_COUNTED)
        first = hours[0]
        if sum(found.values()) >= MAX_COUNTED:  # the oldest hour may lack jobs
            first = min(min(found) + _HOUR_MS, this_hour)
        return {each: found.get(each, 0) for each in hours if each >= first}

    async def forecast(self, device: str, fresh_s: float = 1.0) -> Forecast:
        """Return the forecast of a device's queue, at most `fresh_s` seconds old."""
        return await self._forecaster.forecast(device, fresh_s)

    def run_time(
        self, view: DeviceView, n_qubits: int, gates: tuple[int, int], shots: int
    ) -> float:
        """Estimate the run time of a job in seconds from its numbers alone.

        Args:
            view: The device.
            n_qubits: Qubits of its circuit.
            gates: Number of gates on one qubit, and of those on two.
            shots: Number of shots.
        """
        return self._admission.run_time(view.device, view.calibration, n_qubits, gates, shots)
