"""`qwicket share`: who else may read a job, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from qwicket.cli import completers, options
from qwicket.cli.commands import Section
from qwicket.cli.listing import Row, json_flag, json_line, print_rows
from qwicket.clients.http import sanitize

if TYPE_CHECKING:
    from qwicket.cli.options import Connect


@click.group(cls=Section, short_help="Let others read a job.")
def share() -> None:
    """Let other accounts, or all who have a link, read a job; list and end this."""


@share.command("add", short_help="Let others read a job.")
@click.argument("job_id", metavar="ID", shell_complete=completers.job)
@click.option("--with", "account", metavar="NAME", help="Account that may read the job.")
@click.option("--link", is_flag=True, help="Make a link to the job and its result for anyone.")
@click.option(
    "--expires",
    callback=options.duration_s,
    metavar="TIME",
    help="With --link: lifetime of the link, such as 12h or 30d; by default 7d, at most 365d.",
)
@json_flag
@options.server
def add(
    connect: Connect,
    job_id: str,
    account: str | None,
    link: bool,
    expires: int | None,
    as_json: bool,
) -> None:
    """Let another account read the job ID, or anyone who has its link. Neither can change it.

    An account can read the job with its program, result and events. A link shows the job and its
    result, and is printed only here. "qwicket share remove" ends both.
    """
    if (account is None) == (not link):
        raise click.UsageError("Give either --with NAME or --link.")
    if expires is not None and not link:
        raise click.UsageError("--expires needs --link.")
    with connect() as client:
        job = client.job(job_id)
        if account is not None:
            made = job.share_with(account)
        else:
            made = job.share_link() if expires is None else job.share_link(expires)
    if as_json:
        click.echo(json_line(made))
    else:
        click.echo(sanitize(made["url"]) if link else f"{sanitize(made['id'])}  {_reader(made)}")


@share.command("list", short_help="List who else may read your jobs.")
@click.argument("job_id", metavar="ID", required=False, shell_complete=completers.job)
@json_flag
@options.server
def list_shares(connect: Connect, job_id: str | None, as_json: bool) -> None:
    """List the shares of your jobs, or of the job ID, the oldest first."""
    with connect() as client:
        found = client.shares() if job_id is None else client.job(job_id).shares()
    rows = [Row(each, _cells(each)) for each in found]
    print_rows(rows, ("id", "job", "reader", "expires"), as_json)


@share.command("remove", short_help="End a share of a job.")
@click.argument("share_id", metavar="SHARE")
@options.server
def remove(connect: Connect, share_id: str) -> None:
    """End the share SHARE: its account or link can no longer read the job."""
    with connect() as client:
        client.unshare(share_id)


def _reader(share: dict[str, Any]) -> str:
    return sanitize(share.get("account")) or "link"


def _cells(share: dict[str, Any]) -> tuple[str, ...]:
    expires = sanitize(share.get("expires_at"))[:16].replace("T", " ")
    return (sanitize(share["id"]), sanitize(share["job"]), _reader(share), expires)
