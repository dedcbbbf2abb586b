"""`qwicket watch`: where a job stands, or all jobs, as it changes."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NoReturn

import click

from qwicket.cli import results
from qwicket.cli.jobs import UNFINISHED, listed, path, read
from qwicket.cli.listing import grid, is_terminal, json_flag, one_line
from qwicket.cli.options import client_errors
from qwicket.cli.seen import HEADS, seen
from qwicket.clients.http import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qwicket.cli.seen import Body, Seen
    from qwicket.cli.stream import Stream
    from qwicket.clients.native import Client

_LOOK_S: Final = 1.0
"""How often the place of a waiting job is asked for: forecasts are made once a second."""
_MOST: Final = 500
_MARGIN: Final = 4
"""Lines of a terminal that a table needs beside its rows, and the prompt."""


@click.command(short_help="Follow a job to its end, or all jobs.")
@click.argument("job", required=False)
@click.option("--all", "is_all", is_flag=True, help="Follow all jobs of the account.")
@json_flag
@client_errors
def watch(job: str | None, is_all: bool, as_json: bool) -> None:
    """Show the state of JOB and its place in the queue as they change, until it has ended.

    On a terminal one line is rewritten; elsewhere, and with --json, each change is a line of its
    own. The exit status is 0 when the job completed, 3 when it failed, 4 when it was cancelled.
    With --all, jobs that have not ended are shown with all that change, until Ctrl-C.
    """
    from qwicket.clients.native import connect

    if (job is None) != is_all:
        raise click.UsageError("Name a job, or --all.")
    with connect() as client:
        if job is None:
            _watch_all(client, as_json)
        is_live = is_terminal() and not as_json
        state = show_wait(client, job) if is_live else _print_changes(client, job, as_json)
        if is_live:
            click.echo(f"{job}  {state}")
        sys.exit(results.outcome(state))


def show_wait(client: Client, job: str) -> str:
    """Show on a terminal how a job fares until it has ended; return its last state."""
    from rich.console import Console
    from rich.text import Text

    state = ""
    with Console(stderr=True).status("") as status:
        for _, now in _follow(client, job):
            state = now.state
            status.update(Text(now.standing))
    return state


def _print_changes(client: Client, job: str, as_json: bool) -> str:
    state = said = ""
    for body, now in _follow(client, job):
        if as_json or now.standing != said:
            _print_change(body, as_json)
        state, said = now.state, now.standing
    return state


def _follow(client: Client, job: str) -> Iterator[tuple[Body, Seen]]:
    """Yield a job as it changes, to its end; with its place while it waits."""
    from qwicket.cli.stream import Stream

    body = read(client, job)
    now = seen(body)
    yield body, now
    with Stream(client, f"{path(job)}/stream") as stream:
        while not now.is_final:
            news = stream.next(_LOOK_S)
            if news is None:  # places and progress are not told by streams
                news = _asked(client, job) or body
            elif seen(news).version <= now.version:
                continue
            if news != body:
                body, now = news, seen(news)
                yield body, now


def _asked(client: Client, job: str) -> Body | None:
    """Return a job; None while the server is away: the stream tells when that is for too long."""
    from qwicket.clients.native import ServerBusy, Unreachable

    try:
        return read(client, job)
    except (ServerBusy, Unreachable):
        return None


def _watch_all(client: Client, as_json: bool) -> NoReturn:
    from qwicket.cli.stream import Stream

    with Stream(client, "/v1/events") as stream:
        stream.wait_until_open()  # what changes from now on is told
        waiting = listed(client, {"state": UNFINISHED}, _MOST)
        if is_terminal() and not as_json:
            _show_all(client, stream, {seen(each).id: each for each in reversed(waiting)})
        for body in reversed(waiting):
            _print_change(body, as_json)
        while True:
            news = stream.next(_LOOK_S)
            if news is not None:
                _print_change(news, as_json)


def _print_change(body: Body, as_json: bool) -> None:
    job = seen(body)
    click.echo(one_line(body) if as_json else f"{_now()}  {plain(job.id)}  {job.standing}")
    sys.stdout.flush()


def _show_all(client: Client, stream: Stream, jobs: dict[str, Body]) -> NoReturn:
    """Keep a table of the jobs that changed last, as long as the terminal is high."""
    from rich.console import Console
    from rich.live import Live

    console = Console()
    with Live(console=console, auto_refresh=False) as live:
        while True:
            shown = [seen(body) for body in jobs.values()][-max(1, console.height - _MARGIN) :]
            live.update(grid((job.cells for job in reversed(shown)), HEADS), refresh=True)
            news = stream.next(_LOOK_S)
            while news is not None:
                job = seen(news)
                jobs.pop(job.id, None)  # what changed last stands last
                jobs[job.id] = news
                news = stream.next(0)
            for job in shown:
                if seen(jobs[job.id]).state == "queued":
                    jobs[job.id] = _asked(client, job.id) or jobs[job.id]
            for old in list(jobs)[: max(0, len(jobs) - _MOST)]:
                del jobs[old]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
