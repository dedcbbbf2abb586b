"""`qwicket audit`: what administrators did."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from qwicket.cli import options
from qwicket.cli.commands import Section
from qwicket.cli.listing import Row, json_flag, minute_of, print_rows, second_of
from qwicket.schema import admin as schema

if TYPE_CHECKING:
    from qwicket.cli.administration import Administration

_limit = click.option(
    "--limit",
    type=click.IntRange(1, 1_000),
    default=50,
    show_default=True,
    metavar="N",
    help="Number of rows, from the newest one back.",
)


@click.group(cls=Section)
def audit() -> None:
    """List and verify what administrators did."""


@audit.command("list")
@_limit
@json_flag
@options.administration
def list_acts(limit: int, as_json: bool, admin: Administration) -> None:
    """List acts of administrators, the newest first: who, from where, what and with which values.

    Before and after are the fields of the subject that the act changed.
    """
    found = admin.get("audit", query={"limit": str(limit)}, of=schema.ActList)
    headings = ("number", "time", "who", "from", "what", "of", "with", "before", "after")
    print_rows(map(_row, found.acts), headings, as_json)


def _row(act: schema.ActBody) -> Row:
    record = {name: getattr(act, name) for name in act.__struct_fields__} | {
        "at": second_of(act.at)
    }
    before, after = ({} if each is None else each for each in (act.before, act.after))
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    cells = (
        str(act.number),
        record["at"] or "",
        act.actor,
        act.address or "the database",
        act.action,
        act.subject,
        _values(act.details, list(act.details)),
        *(_values(each, changed) for each in (before, after)),
    )
    return Row(record, cells)


def _values(subject: dict[str, object], names: list[str]) -> str:
    return " ".join(f"{name}={json.dumps(subject[name])}" for name in names if name in subject)


@audit.command("refusals")
@_limit
@json_flag
@options.administration
def list_refusals(limit: int, as_json: bool, admin: Administration) -> None:
    """List refused sign-ins by minute and network address; the newest first."""
    query = {"limit": str(limit)}
    found = admin.get("audit", "refusals", query=query, of=schema.RefusalList)
    rows = [
        Row(
            {"minute": second_of(each.minute), "address": each.address, "number": each.number},
            (minute_of(each.minute), each.address, str(each.number)),
        )
        for each in found.refusals[:limit]  # the server completes the last minute
    ]
    print_rows(rows, ("minute", "address", "refused"), as_json)


@audit.command("verify")
@click.option(
    "--hash",
    "known",
    metavar="HASH",
    help="Hash that an earlier check printed: the act with it must still be there.",
)
@options.administration
def verify(known: str | None, admin: Administration) -> None:
    """Check that no act was changed or removed, and print the number of acts and the last hash.

    With write access to the database, the newest acts could be removed without a trace. So store
    the hash elsewhere, and give it to the next check.
    """
    query = {"hash": known} if known else None
    found = admin.get("audit", "verification", query=query, of=schema.VerificationBody)
    if found.broken_at is not None:
        raise click.ClickException(f"Act {found.broken_at} was changed, or is missing.")
    if not found.has_known:
        raise click.ClickException(f"No act has the hash {known}: acts were removed.")
    click.echo(f"{found.acts} acts  {found.hash}")
