"""`qwicket jobs` and `qwicket result`, over HTTP."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from qwicket.cli import completers, options, results
from qwicket.cli.job_filters import job_filters, may_select
from qwicket.cli.job_view import HEADINGS, row_cells
from qwicket.cli.listing import Row, json_flag, json_line, print_rows
from qwicket.clients.http import sanitize

if TYPE_CHECKING:
    from qwicket.cli.options import Connect
    from qwicket.clients.native import Client, Job
    from qwicket.clients.native.client import Filters


@click.command(short_help="List jobs, the newest first.")
@job_filters
@click.option("--waiting", is_flag=True, help="Jobs that wait: --state queued.")
@click.option("--oldest", is_flag=True, help="With --all: the oldest jobs, the oldest first.")
@click.option(
    "--limit",
    default=20,
    show_default=True,
    type=click.IntRange(1, 100_000),
    metavar="N",
    help="Maximum number of jobs to list.",
)
@json_flag
@options.server
def jobs(
    connect: Connect,
    everybody: bool,
    filters: Filters,
    waiting: bool,
    oldest: bool,
    limit: int,
    as_json: bool,
) -> None:
    """List your jobs, or those of everybody, the newest first.

    A lead of a project lists its jobs with --all --project.
    """
    if oldest and not everybody:
        raise click.UsageError("--oldest needs --all.")
    if waiting:
        if filters["state"] is not None:
            raise click.UsageError("Give --waiting or --state, not both.")
        filters["state"] = "queued"
    with connect() as client:
        if everybody and may_select(client, filters):
            found = client.jobs(limit, everybody=True, oldest_first=oldest, **filters)
            rows = [Row(each.info, (*_owner(each), *row_cells(each.body))) for each in found]
            print_rows(rows, ("account", "project", *HEADINGS), as_json)
        else:
            found = client.jobs(limit, **filters)
            print_rows([Row(each.info, row_cells(each.body)) for each in found], HEADINGS, as_json)
        if not found and (device := filters.get("device")):
            _note_unknown(device, client)


def _note_unknown(device: str, client: Client) -> None:
    """Print a note if there is no such device now; jobs of a former device are still listed."""
    from qwicket.model.suggestions import did_you_mean

    names = [each.name for each in client.devices()]
    if device not in names:
        click.echo(f"There is no device {device}.{did_you_mean(device, names)}", err=True)


def _owner(job: Job) -> tuple[str, str]:
    return sanitize(job.info.get("account", "")), sanitize(job.info.get("project", ""))


@click.command(short_help="Show the result of a job.")
@click.argument("job_id", metavar="ID", shell_complete=completers.job)
@json_flag
@options.server
def result(
    connect: Connect,
    job_id: str,
    as_json: bool,
) -> None:
    """Show the result of the job ID: bars, expectation values, or the first samples.

    The command does not wait. The exit status is 1 if the job has not ended, 3 if it failed, 4 if
    it was cancelled. If only some circuits of a job failed, it shows the results of the others.
    """
    from qwicket.clients.native import JobFailed

    with connect() as client:
        found = client.job(job_id)
        if not found.is_final:
            raise click.ClickException(
                f"Job {found.id} is {found.state}. Wait for it with: qwicket watch {found.id}"
            )
        try:
            given = found.result()
        except JobFailed as error:
            if as_json:
                click.echo(
                    json_line(
                        {"id": found.id, "state": found.state, "error": str(error), "parts": []}
                    )
                )
            click.echo(f"Error: {error}", err=True)
        else:
            text = json_line(results.record(found, given)) if as_json else None
            click.echo(text or "\n".join(results.lines(found, given)))
    sys.exit(results.exit_status(found.state))
