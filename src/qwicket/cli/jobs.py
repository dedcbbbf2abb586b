"""`qwicket jobs`, `job`, `result` and `cancel`, over HTTP (QWICKET_URL, QWICKET_TOKEN)."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

import click

from qwicket.cli import options, results
from qwicket.cli.listing import Row, json_flag, one_line, show
from qwicket.cli.seen import HEADS, seen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qwicket.cli.seen import Body
    from qwicket.clients.native import Client

UNFINISHED: Final = "draft,queued,running,cancelling,uncertain"
_PAGE: Final = 500


@click.command(short_help="List your jobs, the newest first.")
@click.option("--state", metavar="S", help="In this state, or one of several with commas between.")
@click.option("--device", metavar="D", help="Of this device.")
@click.option("--door", metavar="DOOR", help="Submitted through this door, such as ionq.")
@click.option("--group", metavar="ID", help="Of this group.")
@click.option("--name", metavar="NAME", help="Of this name.")
@click.option("--tag", "tags", multiple=True, metavar="T", help="Bearing this tag. Repeatable.")
@click.option(
    "--since", callback=options.life_s, metavar="TIME", help="Not older than 12h, 3d or the like."
)
@click.option(
    "--limit",
    default=20,
    show_default=True,
    type=click.IntRange(1, 100_000),
    metavar="N",
    help="How many at most.",
)
@json_flag
@options.client_errors
def jobs(
    state: str | None,
    device: str | None,
    door: str | None,
    group: str | None,
    name: str | None,
    tags: tuple[str, ...],
    since: int | None,
    limit: int,
    as_json: bool,
) -> None:
    """List your jobs, the newest first."""
    from qwicket.clients.native import connect

    begin = datetime.now(UTC) - timedelta(seconds=since) if since else None
    wishes = {
        "state": state,
        "device": device,
        "door": door,
        "group": group,
        "name": name,
        "tag": tags,
        "created_from": begin.isoformat(timespec="seconds") if begin else None,
    }
    asked = {key: value for key, value in wishes.items() if value}
    with connect() as client:
        found = listed(client, asked, limit)
    show([Row(each, seen(each).cells) for each in found], HEADS, as_json)


@click.command(short_help="Show a job.")
@click.argument("id")
@json_flag
@options.client_errors
def job(id: str, as_json: bool) -> None:  # noqa: A002 - the argument's name for people
    """Show what the server says of the job ID: its state, its place in the queue, its times."""
    from qwicket.clients.native import connect

    with connect() as client:
        body = read(client, id)
    if as_json:
        click.echo(one_line(body))
        return
    facts = list(seen(body).facts())
    width = max(len(name) for name, _ in facts)
    click.echo("\n".join(f"{name.ljust(width)}  {value}" for name, value in facts))


@click.command(short_help="Show what a job gave.")
@click.argument("id")
@json_flag
@options.client_errors
def result(id: str, as_json: bool) -> None:  # noqa: A002 - the argument's name for people
    """Show what the job ID gave: counts as bars, or the first samples.

    It does not wait: the exit status is 1 when the job has not ended, 3 when it failed and 4 when
    it was cancelled; what is there of a job of many circuits is shown nonetheless.
    """
    from qwicket.clients.native import JobFailed, connect

    with connect() as client:
        found = client.job(id)
        if not found.is_final:
            raise click.ClickException(f"Job {found.id} is {found.state}: see qwicket watch.")
        try:
            given = found.result()
        except JobFailed as error:
            if as_json:
                click.echo(
                    one_line(
                        {"id": found.id, "state": found.state, "error": str(error), "parts": []}
                    )
                )
            click.echo(f"Error: {error}", err=True)
        else:
            text = one_line(results.record(found, given)) if as_json else None
            click.echo(text or "\n".join(results.lines(found, given)))
    sys.exit(results.outcome(found.state))


@click.command(short_help="Cancel a job.")
@click.argument("id")
@json_flag
@options.client_errors
def cancel(id: str, as_json: bool) -> None:  # noqa: A002 - the argument's name for people
    """Cancel the job ID: at once when it waits; when it runs it is asked to stop."""
    from qwicket.clients.native import connect

    with connect() as client:
        found = client.job(id).cancel()
    click.echo(
        one_line({"id": found.id, "state": found.state})
        if as_json
        else f"{found.id}  {found.state}"
    )


def path(id: str) -> str:  # noqa: A002 - the field's own word
    return f"/v1/jobs/{quote(id, safe='')}"


def read(client: Client, id: str) -> Body:  # noqa: A002 - the field's own word
    return client.job(id).info


def listed(client: Client, asked: Mapping[str, str | Sequence[str]], limit: int) -> list[Body]:
    """Return the newest jobs of a list, page by page."""
    from qwicket.clients.native.wire import JobsBody

    found: list[Body] = []
    before: dict[str, int] = {}
    while len(found) < limit:
        here = {**asked, **before, "limit": min(_PAGE, limit - len(found))}
        page = client._transport.get(f"/v1/jobs?{urlencode(here, doseq=True)}", JobsBody)
        found += page.jobs
        if page.next is None:
            break
        before = {"before": page.next}
    return found
