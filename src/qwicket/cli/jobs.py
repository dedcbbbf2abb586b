"""`qwicket jobs`, `job`, `result`, `cancel` and `delete`, over HTTP."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from qwicket.cli import completers, options, results
from qwicket.cli.job_view import HEADINGS, cells, job_fields
from qwicket.cli.listing import Row, json_flag, json_line, print_fields, print_rows
from qwicket.clients.http import sanitized

if TYPE_CHECKING:
    from qwicket.cli.options import Connect
    from qwicket.clients.native import Job
    from qwicket.clients.native.client import Filters


@click.command(short_help="List jobs, the newest first.")
@click.option(
    "--all",
    "everybody",
    is_flag=True,
    help="Jobs of all accounts, with an administrator's token; with another token your own.",
)
@click.option("--account", metavar="NAME", help="With --all: jobs of this account.")
@click.option("--project", metavar="P", help="With --all: jobs of this project.")
@click.option("--state", metavar="S", help="State, or several separated by commas.")
@click.option("--device", metavar="D", shell_complete=completers.device, help="Name of the device.")
@click.option("--dialect", metavar="DIALECT", help="Submitted in this dialect, such as ionq.")
@click.option("--group", metavar="ID", help="Id of the group.")
@click.option("--name", metavar="NAME", help="Name of the job.")
@click.option("--tag", "tags", multiple=True, metavar="T", help="Tag of the job. Repeatable.")
@click.option(
    "--since", callback=options.life_s, metavar="TIME", help="Maximum age, such as 12h or 3d."
)
@click.option(
    "--limit",
    default=20,
    show_default=True,
    type=click.IntRange(1, 100_000),
    metavar="N",
    help="Most jobs to list.",
)
@json_flag
@options.server
def jobs(
    connect: Connect,
    everybody: bool,
    account: str | None,
    project: str | None,
    state: str | None,
    device: str | None,
    dialect: str | None,
    group: str | None,
    name: str | None,
    tags: tuple[str, ...],
    since: int | None,
    limit: int,
    as_json: bool,
) -> None:
    """List your jobs, or those of everybody, the newest first."""
    if not everybody and (account or project):
        raise click.UsageError("--account and --project need --all.")
    begin = datetime.now(UTC) - timedelta(seconds=since) if since else None
    filters: Filters = {
        "state": state,
        "device": device,
        "dialect": dialect,
        "group": group,
        "name": name,
        "tag": tags,
        "created_from": begin.isoformat(timespec="seconds") if begin else None,
    }
    with connect() as client:
        if everybody and "admin" in client.account()["token"]["scopes"]:
            filters |= {"account": account, "project": project}
            found = client.jobs(limit, everybody=True, **filters)
            rows = [Row(each.info, (_owner(each), *cells(each.body))) for each in found]
            print_rows(rows, ("account", *HEADINGS), as_json)
            return
        found = client.jobs(limit, **filters)
    print_rows([Row(each.info, cells(each.body)) for each in found], HEADINGS, as_json)


def _owner(job: Job) -> str:
    return sanitized(job.info.get("account", ""))


@click.command(short_help="Show a job.")
@click.argument("job_id", metavar="ID", shell_complete=completers.job)
@click.option(
    "--compiled",
    is_flag=True,
    help="Print the circuit as compiled for its lab's device, in OpenQASM 3.",
)
@click.option(
    "--part",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    metavar="N",
    help="Number of the circuit to print, from 0.",
)
@json_flag
@options.server
def job(
    connect: Connect,
    job_id: str,
    compiled: bool,
    part: int,
    as_json: bool,
) -> None:
    """Show the job ID: its state, its position in the queue, its times."""
    with connect() as client:
        found = client.job(job_id)
        if compiled:
            text = found.compiled(part)
            record = {"id": found.id, "part": part, "format": "openqasm3", "text": text}
            click.echo(json_line(record) if as_json else text, nl=as_json)
            return
    if as_json:
        click.echo(json_line(found.info))
        return
    print_fields(job_fields(found))


@click.command(short_help="Show the result of a job.")
@click.argument("job_id", metavar="ID", shell_complete=completers.job)
@json_flag
@options.server
def result(
    connect: Connect,
    job_id: str,
    as_json: bool,
) -> None:
    """Show the result of the job ID: counts as bars, or the first samples.

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


@click.command(short_help="Cancel a job.")
@click.argument("job_id", metavar="ID", shell_complete=completers.job)
@json_flag
@options.server
def cancel(
    connect: Connect,
    job_id: str,
    as_json: bool,
) -> None:
    """Cancel the job ID: a waiting job at once; a running job is requested to stop."""
    with connect() as client:
        job = client.job(job_id)
        had_ended = job.is_final
        found = job.cancel()
    remark = "  it had ended before: nothing was cancelled" if had_ended else ""
    if not remark and found.state in ("completed", "failed"):
        remark = "  it ended before it could be cancelled"
    click.echo(
        json_line({"id": found.id, "state": found.state})
        if as_json
        else f"{found.id}  {found.state}{remark}"
    )


@click.command(short_help="Delete a job that has ended.")
@click.argument("job_id", metavar="ID", shell_complete=completers.job)
@options.server
def delete(connect: Connect, job_id: str) -> None:
    """Delete the job ID with its program and its result. The job must have ended."""
    with connect() as client:
        client.job(job_id).delete()
