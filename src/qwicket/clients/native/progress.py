"""What a wait shows on standard error: the place in the queue, then the run.

A bar of rich where it is installed and somebody looks on; else a line for each change.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from qwicket.clients.native.views import JobView

    Watch = Callable[[JobView], None]

J = TypeVar("J", bound="JobView")


def shown(wanted: bool | Callable[[J], None]) -> AbstractContextManager[Callable[[J], None] | None]:
    """Return what shows a job while the block runs; it gives None when nothing is to be shown."""
    if callable(wanted):
        return nullcontext(wanted)
    if not wanted:
        return nullcontext()
    if _is_watched():
        try:
            return _bar()
        except ImportError:
            pass
    return nullcontext(_Lines())


def words(job: JobView) -> str:
    """Say in a few words how a job stands."""
    if job.state == "queued":
        place = "" if job.place is None else f", place {job.place}"
        starts = job.starts_in_s
        return f"queued{place}" + (
            "" if starts is None else f", starts in about {duration(starts)}"
        )
    if job.state == "running" and job.progress:
        done, text = job.progress
        return f"running, {done:.0%}{f', {text}' if text else ''}"
    return job.state


def _is_watched() -> bool:
    return sys.stderr.isatty() or "ipykernel" in sys.modules


class _Lines:
    """Writes a line whenever what there is to say has changed, but for the expected start."""

    def __init__(self) -> None:
        self._said: object = None

    def __call__(self, job: JobView) -> None:
        says = (job.state, job.place, job.progress)
        if says != self._said:
            self._said = says
            sys.stderr.write(f"job {job.id}: {words(job)}\n")
            sys.stderr.flush()


def _bar() -> AbstractContextManager[Watch]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
    )
    return _running(Progress(*columns, console=Console(stderr=True)))


@contextmanager
def _running(progress: Any) -> Iterator[Watch]:
    first_place = 0
    task = progress.add_task("job", total=None)

    def watch(job: JobView) -> None:
        nonlocal first_place
        done: float | None = None
        if job.is_final:
            done = 1.0
        elif job.state == "queued" and job.place is not None:
            first_place = max(first_place, job.place)
            done = 1 - job.place / (first_place + 1)
        elif job.progress is not None:
            done = job.progress[0]
        # Without a total the bar moves to and fro: something happens, nobody knows how much.
        total = None if done is None else 1.0
        progress.update(task, description=words(job), completed=done or 0.0, total=total)

    with progress:
        yield watch


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
