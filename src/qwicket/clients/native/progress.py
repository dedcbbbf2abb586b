"""Progress display of a wait, on standard error.

A progress bar if rich is installed and standard error is a terminal or a notebook; otherwise one
line per change.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from qwicket.clients.native.views import JobView
    from qwicket.schema.devices import DeviceQueue
    from qwicket.schema.jobs import QueueBody

    Watch = Callable[[JobView], None]

J = TypeVar("J", bound="JobView")


def progress_display(
    progress: bool | Callable[[J], None],
) -> AbstractContextManager[Callable[[J], None] | None]:
    """Return a context manager that yields a function to display a job; None for no display."""
    if callable(progress):
        return nullcontext(progress)
    if not progress:
        return nullcontext()
    if _is_interactive():
        try:
            return _bar()
        except ImportError:
            pass
    return nullcontext(_LineDisplay())


def state_text(job: JobView) -> str:
    """Return the state of a job with its position or progress."""
    if job.state == "queued":
        position = "" if job.queue_position is None else f", position {job.queue_position}"
        starts = start_text(job.body.queue)
        return f"queued{position}" + (f", {starts}" if starts else "")
    if job.state == "running" and job.progress:
        done, text = job.progress
        return f"running, {done:.0%}{f', {text}' if text else ''}"
    return job.state


def _is_interactive() -> bool:
    return sys.stderr.isatty() or "ipykernel" in sys.modules


class _LineDisplay:
    """Write a line when the state, position or progress has changed."""

    def __init__(self) -> None:
        self._last: object = None

    def __call__(self, job: JobView) -> None:
        # Without the expected start, which changes with every response.
        current = (job.state, job.queue_position, job.progress)
        if current != self._last:
            self._last = current
            sys.stderr.write(f"job {job.id}: {state_text(job)}\n")
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
    first_position = 0
    task = progress.add_task("job", total=None)

    def watch(job: JobView) -> None:
        nonlocal first_position
        done: float | None = None
        if job.is_final:
            done = 1.0
        elif job.state == "queued" and job.queue_position is not None:
            first_position = max(first_position, job.queue_position)
            done = 1 - job.queue_position / (first_position + 1)
        elif job.progress is not None:
            done = job.progress[0]
        # Without a total rich shows an indeterminate bar.
        total = None if done is None else 1.0
        progress.update(task, description=state_text(job), completed=done or 0.0, total=total)

    with progress:
        yield watch


def start_text(queue: QueueBody | DeviceQueue | None) -> str:
    """Return the expected start as text, such as `starts in 2 to 5 min`; empty if unknown."""
    if queue is None or queue.starts_in_s is None:
        return ""
    # Older servers send no interval, and no server does while a reservation delays jobs.
    if queue.starts_after_s is None or queue.starts_before_s is None:
        return f"starts in about {duration(queue.starts_in_s)}"
    earliest, latest = duration(queue.starts_after_s), duration(queue.starts_before_s)
    if earliest == latest:
        return f"starts in about {latest}"
    number, unit = earliest.split()
    if latest.endswith(f" {unit}") or number == "0":
        earliest = number
    return f"starts in {earliest} to {latest}"


def duration(seconds: float) -> str:
    """Return a duration as text, in s, min or h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
