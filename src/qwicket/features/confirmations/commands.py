"""`qwicket confirm`: answer an assistant whose token asks first, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from qwicket.cli import options
from qwicket.cli.listing import Row, amount_text, json_flag, json_line, print_rows
from qwicket.clients.http import sanitize

if TYPE_CHECKING:
    from typing import Any

    from qwicket.cli.options import Connect


@click.command(short_help="Confirm or refuse a job of an assistant.")
@click.argument("confirmation_id", metavar="ID", required=False)
@click.option("--refuse", is_flag=True, help="Refuse the job.")
@json_flag
@options.server
def confirm(connect: Connect, confirmation_id: str | None, refuse: bool, as_json: bool) -> None:
    """Confirm the job that waits for the answer ID; without ID, list all that wait.

    The assistant may then submit exactly this job, once, within five minutes.
    An assistant's own token, or another one with bounds, cannot answer.
    """
    if confirmation_id is None:
        if refuse:
            raise click.UsageError("--refuse needs ID.")
        with connect() as client:
            found = client.confirmations()
        rows = [Row(each, _cells(each)) for each in found]
        print_rows(rows, ("id", "device", "shots", "credits", "token", "name"), as_json)
        return
    with connect() as client:
        answered = client.answer_confirmation(confirmation_id, is_confirmed=not refuse)
    if as_json:
        click.echo(json_line(answered))
    else:
        click.echo(f"{sanitize(answered['id'])}  {sanitize(answered['state'])}")


def _cells(each: dict[str, Any]) -> tuple[str, ...]:
    cost = "" if each.get("cost") is None else amount_text(each["cost"])
    token = sanitize(each.get("token_name")) or sanitize(each["token"])
    shots = f"{each['shots']:,}"
    return (
        sanitize(each["id"]),
        sanitize(each["device"]),
        shots,
        cost,
        token,
        sanitize(each["name"]),
    )
