"""When jobs on a list start or end, and their places in the queues of their devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.model.states import JobState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.model.jobs import Job
    from qwicket.pages.handlers import Handlers

_MAX_FORECASTS: Final = 5
"""Devices of one list whose queues are forecast: each takes up to 5,000 waiting jobs."""
_ALL_BLOCKS: Final = 12
"""Waiting jobs up to which the drawing of a queue has all of them."""


class Place(NamedTuple):
    """What is expected of a job that has not ended.

    Attributes:
        text: Its place in the queue of its device, to follow its state; may be empty.
        starts_at: Expected start in Unix milliseconds, of a waiting job.
        ends_in_s: Expected time until its end, of a running job.
    """

    text: str = ""
    starts_at: float | None = None
    ends_in_s: float | None = None


async def places(pages: Handlers, jobs: Sequence[Job]) -> dict[str, Place]:
    """Return the places of jobs by id, without those of which nothing is known."""
    queue, now = pages.gateway.queue, pages.gateway.now_ms()
    active = [job for job in jobs if job.state in (JobState.QUEUED, JobState.RUNNING)]
    devices = [*dict.fromkeys(job.device for job in active)][:_MAX_FORECASTS]
    forecasts = {device: await queue.forecast(device) for device in devices}
    found = {}
    for job in active:
        forecast = forecasts.get(job.device)
        if job.is_held:
            found[job.id] = Place(" by you" if job.held_by == "owner" else "")
        elif forecast is None:
            continue
        elif job.state is JobState.RUNNING and job.started_at is not None:
            ends_at = job.started_at + 1000 * forecast.run_times.expected_s(job.est_seconds)
            found[job.id] = Place(ends_in_s=(ends_at - now) / 1000 if ends_at > now else None)
        elif (position := forecast.positions.get(job.id)) is not None:
            text = f", {ordinal(position.ahead + 1)} of {forecast.n_waiting:,}"
            starts_in_s = position.start_in_s
            found[job.id] = Place(text, None if starts_in_s is None else now + 1000 * starts_in_s)
    return found


def blocks(n_waiting: int, position: int) -> list[int]:
    """Return the positions that the drawing of a queue has, with 0 for those left out.

    They are all of a short queue; else the first two, five around a position, and the last.
    """
    if n_waiting <= _ALL_BLOCKS:
        return [*range(1, n_waiting + 1)]
    low = max(1, min(position - 2, n_waiting - 4))
    found, last = list[int](), 0
    for each in sorted({1, 2, *range(low, low + 5), n_waiting}):
        found += [0, each] if each > last + 1 else [each]
        last = each
    return found


def ordinal(number: int) -> str:
    """Return 1st, 2nd, 3rd, 4th and so on."""
    last = 0 if number % 100 in (11, 12, 13) else number % 10
    return f"{number:,}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(last, 'th') }"
