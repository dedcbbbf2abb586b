"""Text of jobs: rows of a table, and the properties of one job."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from qwicket.clients.http import sanitize
from qwicket.clients.native.progress import duration, start_text
from qwicket.job_card import slurm_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qwicket.clients.native import Job
    from qwicket.schema.jobs import JobBody

HEADINGS: Final = ("id", "device", "state", "name", "created (UTC)")


def state_text(job: JobBody) -> str:
    """Return the state of a job, with its hold, withheld results, progress, error and forecast.

    Of a waiting job without a forecast, as in lists, it tells how long it has waited.
    """
    texts = [sanitize(job.state)]
    if job.held_by is not None:
        texts.append("held" if job.held_by == "owner" else "held by an administrator")
    elif job.state == "queued" and job.queue is None and (waited := _waited(job)):
        texts.append(f"waits for {waited}")
    if job.results_at is not None:
        texts.append(f"result not before {sanitize(job.results_at)[:16].replace('T', ' ')} UTC")
    if job.queue is not None:
        texts.append(f"position {job.queue.position:,}")
        if starts := start_text(job.queue):
            texts.append(starts)
        # A server of version 1.0 gives one reason.
        texts += map(sanitize, job.queue.reasons or filter(None, [job.queue.reason]))
    if job.progress is not None:
        texts.append(f"{100 * job.progress.done:.0f} % {sanitize(job.progress.text)}".rstrip())
    if job.error is not None:
        texts.append(sanitize(job.error.message))
    return ", ".join(texts)


def _waited(job: JobBody) -> str:
    """Return how long ago a job was submitted, by this machine's clock; empty if it is behind."""
    try:
        seconds = (datetime.now(UTC) - datetime.fromisoformat(job.created_at or "")).total_seconds()
    except ValueError:
        return ""
    return duration(seconds) if seconds > 0 else ""


def print_page(job: Job) -> None:
    """Print the address of a job's page to standard error: scripts read ids and states."""
    click.echo(f"Page: {sanitize(job.url)}", err=True)


def row_cells(job: JobBody) -> tuple[str, ...]:
    """Return the cells of a job's row, under `HEADINGS`."""
    created = sanitize(job.created_at)[:19].replace("T", " ")
    return (sanitize(job.id), sanitize(job.device), state_text(job), sanitize(job.name), created)


def job_fields(job: Job) -> Iterator[tuple[str, str]]:
    """Yield names and values of a job's properties."""
    body = job.body
    yield "job", sanitize(body.id)
    yield "page", sanitize(body.url)
    yield "state", state_text(body)
    for name in ("device", "dialect", "name", "group"):
        if text := sanitize(getattr(body, name)):
            yield name, text
    if body.tags:
        yield "tags", ", ".join(map(sanitize, body.tags))
    for name in ("shots", "circuits", "qubits"):
        if name in job.info:  # a draft has 0 of them; an older server may leave them out
            yield name, f"{getattr(body, name):,}"
    for name in ("created", "queued", "started", "ended"):
        if text := sanitize(getattr(body, f"{name}_at")):
            yield name, text
    for name, said in slurm_rows(body.slurm):
        yield name, sanitize(said)
    if body.choice is not None:
        from qwicket.cli.estimates import choice_fields  # late: msgspec is slow to import

        yield from choice_fields(body.choice)
    if body.attempts:
        yield "failed attempts", f"{body.attempts:,}"
