"""`qwicket watch`: follow the state of one job, or of all jobs."""

from __future__ import annotations

import queue
import shutil
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NoReturn

import click

from qwicket.cli import completers, results
from qwicket.cli.job_view import HEADINGS, print_page, row_cells, state_text
from qwicket.cli.listing import json_flag, json_line, stdout_is_terminal
from qwicket.cli.options import server
from qwicket.cli.terminal import RewrittenLines, can_rewrite, first_line, grid
from qwicket.clients.http import sanitize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qwicket.cli.options import Connect
    from qwicket.clients.native import Change, Client, Job
    from qwicket.clients.native.views import JobView
    from qwicket.schema.jobs import JobBody

    ChangeQueue = queue.Queue[Change | Exception]

_UNFINISHED: Final = "draft,queued,running,cancelling,uncertain"
_POLL_S: Final = 1.0
"""Longest pause between requests for queue positions: the server forecasts once a second."""
_MAX_JOBS: Final = 500
"""Most jobs that are read at the start, and that the table keeps."""
_MARGIN: Final = 4
"""Lines of a terminal that are not for rows: headings, rule, prompt, and one to spare."""


@click.command(short_help="Follow a job to its end, or all jobs.")
@click.argument("job", required=False, shell_complete=completers.job)
@click.option("--all", "is_all", is_flag=True, help="Follow all jobs of the account.")
@json_flag
@server
def watch(connect: Connect, job: str | None, is_all: bool, as_json: bool) -> None:
    """Show the state of JOB and its place in the queue as they change, until it has ended.

    On a terminal one line is rewritten; elsewhere, and with --json, each change is a line of its
    own. The exit status is 0 when the job completed, 3 when it failed, 4 when it was cancelled.
    With --all, the newest 500 jobs that have not ended and all later changes are shown, until
    Ctrl-C.
    """
    if (job is None) != is_all:
        raise click.UsageError("Name a job, or --all.")
    with connect() as client:
        if job is None:
            _watch_all(client, as_json)
        found = client.job(job)
        if not as_json:
            print_page(found)
        if stdout_is_terminal() and not as_json:
            show_wait(found)
            click.echo(f"{sanitize(found.id)}  {state_text(found.body)}")
        else:
            _print_changes(found, as_json)
        sys.exit(results.exit_status(found.state))


def show_wait(job: Job) -> None:
    """Show the state of a job on one line of a terminal until it ends; then remove the line.

    Without a terminal on standard error, only wait.
    """
    line = RewrittenLines(sys.stderr)

    def show(job: JobView) -> None:
        line.show([first_line(state_text(job.body), shutil.get_terminal_size().columns)])

    if not can_rewrite(sys.stderr):
        job.wait(None)
        return
    try:
        show(job)
        job.wait(None, progress=show)
    finally:
        line.show([])


def _print_changes(job: Job, as_json: bool) -> None:
    printed: object = None

    def print_if_new(job: Job) -> None:
        nonlocal printed
        shown = job.info if as_json else state_text(job.body)
        if shown != printed:
            printed = shown
            _print_change(job, as_json)

    print_if_new(job)
    job.wait(None, progress=print_if_new)


def _watch_all(client: Client, as_json: bool) -> NoReturn:
    since = client.account()["change"]  # read first, so that no change in between is missed
    waiting = client.jobs(_MAX_JOBS, state=_UNFINISHED)
    if can_rewrite(sys.stdout) and not as_json:
        _show_all(client, {each.id: each.body for each in reversed(waiting)}, since)
    for job in reversed(waiting):
        _print_change(job, as_json)
    for change in client.events(since):
        _print_change(change, as_json)
    raise AssertionError("events have no end")


def _print_change(change: Job | Change, as_json: bool) -> None:
    text = f"{_now()}  {sanitize(change.body.id)}  {state_text(change.body)}"
    click.echo(json_line(change.info) if as_json else text)
    sys.stdout.flush()


def _show_all(client: Client, jobs: dict[str, JobBody], since: int) -> NoReturn:
    """Show the jobs that changed last, as many as the terminal has lines for."""
    changes: ChangeQueue = queue.Queue(_MAX_JOBS)
    threading.Thread(target=_receive, args=(client, since, changes), daemon=True).start()
    table = RewrittenLines(sys.stdout)
    while True:
        width, height = shutil.get_terminal_size()
        shown = [*jobs.values()][-max(1, height - _MARGIN) :]
        lines = grid([row_cells(job) for job in reversed(shown)], HEADINGS, width)
        table.show([first_line(line, width) for line in lines[: height - 1]])
        for change in _received(changes):
            jobs.pop(change.job, None)  # so that the last change is the last item
            jobs[change.job] = change.body
        for job in shown:
            if jobs[job.id].state == "queued":
                jobs[job.id] = _read_job(client, job.id) or jobs[job.id]
        for old in list(jobs)[: max(0, len(jobs) - _MAX_JOBS)]:
            del jobs[old]


def _receive(client: Client, since: int, changes: ChangeQueue) -> None:
    try:
        for change in client.events(since):
            changes.put(change)
    except Exception as error:
        changes.put(error)


def _received(changes: ChangeQueue) -> Iterator[Change]:
    """Yield the received changes, waiting at most `_POLL_S` for the first.

    Raises:
        ClientError: The server refuses, or was away for too long.
    """
    with suppress(queue.Empty):
        received = changes.get(timeout=_POLL_S)
        while True:
            if isinstance(received, Exception):
                raise received
            yield received
            received = changes.get_nowait()


def _read_job(client: Client, job: str) -> JobBody | None:
    """Return a job; None if it was deleted, or while the server is away.

    If the server stays away, the stream of changes raises the error.
    """
    from qwicket.clients.native import ApiError, ServerBusy, Unreachable

    try:
        return client.job(job).body
    except (ServerBusy, Unreachable):
        return None
    except ApiError as error:
        if error.status != 404:
            raise
        return None


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
