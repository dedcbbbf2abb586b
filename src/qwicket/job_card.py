"""The card of a job as HTML, which pages and notebooks show.

All values are escaped, and cut at 300 characters. The id links to the page of the job.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qwicket.schema.jobs import JobBody, SlurmBody

_MAX_CHARS: Final = 300


def job_card(job: JobBody, *, cell: str = "") -> str:
    """Return the card of a job: a table of names and values, without the empty ones.

    Args:
        job: The job as the API describes it.
        cell: HTML attributes of each cell, with a space before and not escaped here, such as
            ' style="…"'. For notebooks; pages have a style sheet.
    """
    shown = [("Job", _id(job)), *((name, _text(value)) for name, value in _rows(job))]
    lines = [
        f'<tr><th scope="row"{cell}>{name}</th><td{cell}>{text}</td></tr>'
        for name, text in shown
        if text
    ]
    return f'<table class="job-card">{"".join(lines)}</table>'


def slurm_rows(slurm: SlurmBody | None) -> Iterator[tuple[str, str]]:
    """Yield the name and the value of what a job's client says of Slurm."""
    if slurm is not None:
        named = {"job": slurm.job, "account": slurm.account}
        said = ", ".join(f"{name} {value}" for name, value in named.items() if value)
        yield "Slurm, as its client says", said


def _id(job: JobBody) -> str:
    if job.url is None or not job.url.startswith(("http://", "https://")):
        return _text(job.id)
    return f'<a href="{escape(job.url)}">{_text(job.id)}</a>'


def _rows(job: JobBody) -> Iterator[tuple[str, Any]]:
    yield "Name", job.name
    yield "State", "held" if job.held_by else job.state
    if job.progress:
        yield "Progress", f"{100 * job.progress.done:.3g} % {job.progress.text}".rstrip()
    if job.queue:
        yield "Position", job.queue.position
        yield "Starts in", _start(job)
        yield "Waits for", job.queue.reason
    if job.error:
        yield "Error", f"{job.error.message} ({job.error.code})"
    yield "Device", job.device
    yield "Tags", " ".join(job.tags)
    yield "Circuits", job.circuits or ""
    yield "Qubits", job.qubits or ""
    yield "Shots", job.shots or ""
    yield "Priority", job.priority or ""
    yield "Cost in credits", "" if job.cost is None else f"{job.cost:.6g}"
    yield "Dialect", job.dialect
    yield "Runner", job.runner
    yield from slurm_rows(job.slurm)
    for name in ("created", "started", "ended"):
        yield f"{name.capitalize()} (UTC)", _time(getattr(job, f"{name}_at"))


def _start(job: JobBody) -> str:
    queue = job.queue
    if queue is None or queue.starts_in_s is None:
        return "unknown"
    about = f"about {_seconds(queue.starts_in_s)}"
    if queue.starts_after_s is None or queue.starts_before_s is None:
        return about
    between = f"{_seconds(queue.starts_after_s)} to {_seconds(queue.starts_before_s)}"
    return f"{about} (80 %: {between})"


def _seconds(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def _time(at: str | None) -> str:
    return (at or "")[:19].replace("T", " ")


def _text(value: object) -> str:
    text = "" if value is None else str(value)
    return escape(text if len(text) <= _MAX_CHARS else f"{text[: _MAX_CHARS - 1]}…")
