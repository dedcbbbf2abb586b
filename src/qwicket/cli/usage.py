"""`qwicket usage`: what the jobs of projects have used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import click

from qwicket.cli import options
from qwicket.cli.listing import Row, amount_text, json_flag, print_rows
from qwicket.schema import budgets as schema

if TYPE_CHECKING:
    from datetime import datetime

    from qwicket.cli.administration import Administration

_UNITS: Final = ("jobs", "shots", "seconds", "cost")


@click.command()
@click.option(
    "--by",
    default="project,device",
    show_default=True,
    metavar="NAMES",
    help="What the lines are grouped by: some of project, account, device and day.",
)
@click.option(
    "--from",
    "first",
    type=options.Day(),
    metavar="DAY",
    help="First day in UTC, such as 2026-11-01.",
)
@click.option("--to", "last", type=options.Day(), metavar="DAY", help="Last day in UTC.")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values with a heading.")
@json_flag
@options.administration
def usage(
    by: str,
    first: datetime | None,
    last: datetime | None,
    as_csv: bool,
    as_json: bool,
    admin: Administration,
) -> None:
    """Show what jobs have used, by project, account, device or day.

    A job counts on the day on which it ended, if it ran. Deleted jobs count, too. Those that ended
    under version 1.0.0 have no account.
    """
    if as_csv and as_json:
        raise click.UsageError("Give --csv or --json, not both.")
    query = {"by": by}
    for name, day in (("from", first), ("to", last)):
        if day is not None:
            query[name] = day.date().isoformat()
    found = admin.get("usage", query=query, of=schema.UseList).usage
    names = by.split(",")
    columns = (*names, *_UNITS)
    rows = [_usage_row(each, names) for each in found]
    if as_csv:
        from qwicket.pages.formats import csv_line  # late: other commands write no CSV

        for cells in (columns, *([row.record[name] for name in columns] for row in rows)):
            click.echo(csv_line(cells, end="\n"), nl=False)
    else:
        print_rows(rows, columns, as_json)


def _usage_row(use: schema.UseBody, names: list[str]) -> Row:
    record = {name: getattr(use, name) for name in (*names, *_UNITS)}
    cells = [cast("str", record[name]) for name in names]
    cells += [
        f"{use.jobs:,} {'job' if use.jobs == 1 else 'jobs'}",
        f"{use.shots:,} shots",
        f"{use.seconds:,.3f} s",
        f"{amount_text(use.cost)} credits",
    ]
    return Row(record, cells)
