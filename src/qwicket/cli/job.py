"""`qwicket job`: show and change jobs, over HTTP; `resolve` and `abandon` also without a server."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, cast

import click

from qwicket.cli import completers, options
from qwicket.cli.commands import Section
from qwicket.cli.draw import draw
from qwicket.cli.job_filters import all_accounts, job_filters, may_select
from qwicket.cli.job_view import job_fields
from qwicket.cli.listing import json_flag, json_line, print_fields
from qwicket.cli.terminal import RewrittenLines, can_rewrite
from qwicket.schema import admin as schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwicket.cli.administration import Administration
    from qwicket.cli.options import Connect
    from qwicket.clients.native import Client, Job
    from qwicket.clients.native.client import Filters, JobAction

F = TypeVar("F", bound="Callable[..., Any]")

_SHOWS_PROGRESS: Final = 200
"""Least number of jobs of which a change shows its progress."""
_MAX_JOBS: Final = 100_000
"""Limit on the account's jobs that one command changes."""
_STATES: Final[dict[JobAction, str]] = {
    "cancel": "draft,queued,running,uncertain",
    "hold": "queued",
    "release": "queued",
    "priority": "queued",
    "requeue": "running",
    "delete": "completed,failed,cancelled",
}
"""States in which an action changes a job: the default of `--state` for one's own jobs."""
_DONE: Final[dict[JobAction, str]] = {
    "cancel": "cancelled",
    "hold": "held",
    "release": "released",
    "priority": "reordered",
    "requeue": "requeued",
    "delete": "deleted",
}


class _Selection(NamedTuple):
    """Jobs by their ids, or all that fit filters."""

    connect: Connect
    ids: tuple[str, ...]
    everybody: bool
    filters: Filters
    dry_run: bool
    yes: bool
    as_json: bool


def _selection(command: F) -> F:
    """Add the argument and the options that select jobs, as one argument `selection`."""

    @functools.wraps(command)
    def with_selection(
        *,
        connect: Connect,
        ids: tuple[str, ...],
        everybody: bool,
        filters: Filters,
        dry_run: bool,
        yes: bool,
        as_json: bool,
        **others: Any,
    ) -> Any:
        has_filters = any(filters.values())
        if has_filters and ids:
            raise click.UsageError("Give ids or filters, not both.")
        if not has_filters and not ids:
            raise click.UsageError("Give the ids of jobs, or a filter such as --device.")
        if dry_run and ids:
            raise click.UsageError("--dry-run needs a filter, such as --device.")
        selection = _Selection(connect, ids, everybody, filters, dry_run, yes, as_json)
        return command(selection=selection, **others)

    for option in reversed(
        (
            click.argument("ids", metavar="ID", nargs=-1, shell_complete=completers.job),
            job_filters,
            click.option("--dry-run", is_flag=True, help="Only count the jobs that fit."),
            click.option("--yes", is_flag=True, help="Do not ask before many jobs are changed."),
            json_flag,
            options.server,
        )
    ):
        with_selection = option(with_selection)
    return cast(F, with_selection)


@click.group(cls=Section, short_help="Show, cancel, hold, draw or delete jobs.")
def job() -> None:
    """Show, cancel, hold, release, reorder, requeue, resolve, abandon or delete jobs."""


job.add_command(draw)


@job.command(short_help="Show a job.")
@click.argument("job_id", metavar="ID", shell_complete=completers.job)
@all_accounts
@click.option(
    "--compiled",
    is_flag=True,
    help="Print a circuit as it was compiled for the lab's device, in OpenQASM 3.",
)
@click.option(
    "--part",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    metavar="N",
    help="With --compiled: number of the circuit, from 0.",
)
@json_flag
@options.server
def show(
    connect: Connect,
    job_id: str,
    everybody: bool,
    compiled: bool,
    part: int,
    as_json: bool,
) -> None:
    """Show the job ID: its state, its position in the queue, its times."""
    with connect() as client:
        found = client.job(job_id, everybody=everybody and may_select(client))
        if compiled:
            text = found.compiled(part)
            record = {"id": found.id, "part": part, "format": "openqasm3", "text": text}
            click.echo(json_line(record) if as_json else text, nl=as_json)
            return
    if as_json:
        click.echo(json_line(found.info))
        return
    print_fields(job_fields(found))


@job.command(short_help="Cancel jobs.")
@_selection
def cancel(selection: _Selection) -> None:
    """Cancel the jobs ID, or all that fit. Running ones are requested to stop."""
    _change(selection, "cancel")


@job.command(short_help="Keep waiting jobs from starting.")
@_selection
def hold(selection: _Selection) -> None:
    """Keep the waiting jobs ID, or all that fit, from starting until they are released.

    Only an administrator can release a job that an administrator holds with --all. A lead of a
    project gives --all --project.
    """
    _change(selection, "hold")


@job.command(short_help="Let held jobs start.")
@_selection
def release(selection: _Selection) -> None:
    """Let the held jobs ID, or all that fit, start."""
    _change(selection, "release")


@job.command(short_help="Change the priority of waiting jobs.")
@click.option(
    "--to",
    "priority",
    required=True,
    type=click.IntRange(-100, 100),
    metavar="N",
    help="From -100 to 100. A project's jobs with a higher priority run first.",
)
@_selection
def priority(selection: _Selection, priority: int) -> None:
    """Change the priority of the waiting jobs ID, or of all that fit, within their project."""
    _change(selection, "priority", priority)


@job.command(short_help="Queue running jobs again.")
@_selection
def requeue(selection: _Selection) -> None:
    """Take the running jobs ID, or all that fit, from their workers and queue them again.

    Only administrators can do this.
    """
    _change(selection._replace(everybody=True), "requeue")


@job.command(short_help="Resolve a job that another cloud may have.")
@click.argument("job_id", metavar="ID")
@click.option("--sent-as", metavar="THEIRS", help="Id of the job at the other cloud.")
@click.option("--not-sent", is_flag=True, help="The other cloud has no such job: send it again.")
@options.administration
def resolve(job_id: str, sent_as: str | None, not_sent: bool, admin: Administration) -> None:
    """Resolve the uncertain job ID: state whether the other cloud has it.

    The job's events say where to look, and for what. Only administrators can do this.
    """
    if (sent_as is None) != not_sent:
        raise click.UsageError("Give either --sent-as or --not-sent.")
    body = schema.ResolveJobBody(sent_as=sent_as)
    admin.change("POST", "jobs", job_id, "resolve", body=body)


@job.command(short_help="End a job at another cloud as failed.")
@click.argument("job_id", metavar="ID")
@options.administration
def abandon(job_id: str, admin: Administration) -> None:
    """End the job ID, which is or may be at another cloud, as failed.

    The server no longer asks that cloud about the job. Use this for a cloud that does not come
    back, or for a device whose file is gone. Only administrators can do this.
    """
    admin.change("POST", "jobs", job_id, "abandon")


@job.command(short_help="Delete jobs that have ended.")
@_selection
def delete(selection: _Selection) -> None:
    """Delete the ended jobs ID, or all that fit, with their programs and results."""
    _change(selection, "delete")


def _change(selection: _Selection, action: JobAction, priority: int | None = None) -> None:
    with selection.connect() as client:
        # A requeue is for administrators alone: the server refuses other tokens.
        everybody = selection.everybody and (
            action == "requeue" or may_select(client, selection.filters)
        )
        if selection.ids:
            for each in selection.ids:
                _change_one(client.job(each, everybody=everybody), action, priority, selection)
        elif everybody:
            _change_all(client, selection, action, priority)
        else:
            _change_own(client, selection, action, priority)


def _change_one(job: Job, action: JobAction, priority: int | None, selection: _Selection) -> None:
    if action == "delete":
        _delete_one(job, selection)
        return
    had_ended = job.is_final
    if not (action == "cancel" and had_ended):
        _do(job, action, priority)
    remark = "  it had ended before: nothing was cancelled" if had_ended else ""
    if not remark and action == "cancel" and job.state in ("completed", "failed"):
        remark = "  it ended before it could be cancelled"
    if selection.as_json:
        click.echo(json_line({"id": job.id, "state": job.state}))
    else:
        state = "held" if job.body.held_by else job.state
        click.echo(f"{job.id}  {state}{remark}")


def _delete_one(job: Job, selection: _Selection) -> None:
    job.delete()
    if selection.as_json:
        click.echo(json_line({"id": job.id, "state": "deleted"}))


def _do(job: Job, action: JobAction, priority: int | None) -> None:
    if action == "priority":
        assert priority is not None
        job.prioritize(priority)
    else:
        getattr(job, action)()


def _change_all(
    client: Client, selection: _Selection, action: JobAction, priority: int | None
) -> None:
    """Change jobs of all accounts, as an administrator, or of a project, as a lead of it."""
    filters = selection.filters
    found = client.change_jobs(action, priority=priority, dry_run=True, **filters)
    number = found["number"]
    if _is_wanted(number, found["ids"], action, selection):
        watch = _progress(number, _DONE[action])
        done = client.change_jobs(action, priority=priority, watch=watch, **filters)
        _print(done["number"], done["ids"], action, selection, _DONE[action])


def _change_own(
    client: Client, selection: _Selection, action: JobAction, priority: int | None
) -> None:
    """Change jobs of the account, one by one."""
    from qwicket.clients.native import ApiError

    filters = selection.filters
    filters = {**filters, "state": filters.get("state") or _STATES[action]}
    found = [job for job in client.jobs(_MAX_JOBS, **filters) if _is_changed_by(action, job)]
    if not _is_wanted(len(found), [job.id for job in found], action, selection):
        return
    ids: list[str] = []
    watch = _progress(len(found), _DONE[action])
    for job in found:
        watch(len(ids))
        try:
            _do(job, action, priority)
        except ApiError as error:
            if error.status not in (403, 404, 409):
                raise
            if not selection.as_json:
                click.echo(f"{job.id}  {error}", err=True)
        else:
            ids.append(job.id)
    _print(len(ids), ids, action, selection, _DONE[action])


def _progress(number: int, done: str) -> Callable[[int], None]:
    """Return a function that shows on a terminal how many of some jobs were changed."""
    if number < _SHOWS_PROGRESS or not can_rewrite(sys.stderr):
        return lambda _: None
    lines = RewrittenLines(sys.stderr)
    return lambda so_far: lines.show([f"{so_far:,} of {_jobs(number)} {done}"])


def _is_changed_by(action: JobAction, job: Job) -> bool:
    """Return whether an action would change a job, of those whose state allows it.

    A job that has ended is deleted, and else not changed; a held one is not held again, and only a
    held one is released.
    """
    is_held = job.body.held_by is not None
    if action == "delete" or job.is_final:
        return action == "delete" and job.is_final
    if action == "hold":
        return not is_held
    return action != "release" or is_held


def _is_wanted(number: int, ids: list[str], action: JobAction, selection: _Selection) -> bool:
    """Ask whether to change the jobs that fit. For none, or a dry run, print their number instead.

    Raises:
        click.UsageError: Standard input is no terminal, and --yes is not given.
        click.Abort: The answer is no.
    """
    if selection.dry_run or not number:
        _print(number, ids, action, selection, f"to be {_DONE[action]}")
        return False
    if not selection.yes:
        if not sys.stdin.isatty():
            raise click.UsageError(f"{_jobs(number)} fit. Give --yes to change them all.")
        click.confirm(f"{_jobs(number)} will be {_DONE[action]}. Go on?", abort=True, err=True)
    return True


def _print(
    number: int, ids: list[str], action: JobAction, selection: _Selection, done: str
) -> None:
    if selection.as_json:
        record = {"action": action, "dry_run": selection.dry_run, "number": number, "ids": ids}
        click.echo(json_line(record))
    else:
        click.echo(f"{_jobs(number)} {done}")


def _jobs(number: int) -> str:
    return f"{number:,} {'job' if number == 1 else 'jobs'}"
