"""`qwicket usage`: what the jobs of projects have used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import click

from qwicket.cli import options
from qwicket.cli.listing import Row, amount_text, json_flag, print_rows
from qwicket.schema import budgets as schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from qwicket.cli.administration import Administration

F = TypeVar("F", bound="Callable[..., Any]")

_UNITS: Final = ("jobs", "shots", "seconds", "cost")


def days(command: F) -> F:
    """Add the options of a range of days, as `first` and `last`."""
    last = click.option("--to", "last", type=options.Day(), metavar="DAY", help="Last day in UTC.")
    first = click.option(
        "--from",
        "first",
        type=options.Day(),
        metavar="DAY",
        help="First day in UTC, such as 2026-11-01.",
    )
    return first(last(command))


def print_csv(columns: Sequence[str], records: Iterable[Mapping[str, Any]]) -> None:
    """Print a heading and a line for each record, as comma-separated values."""
    from qwicket.pages.formats import csv_line  # late: other commands write no CSV

    for cells in (columns, *([each[name] for name in columns] for each in records)):
        click.echo(csv_line(cells, end="\n"), nl=False)


@click.command()
@click.option(
    "--by",
    default="project,device",
    show_default=True,
    metavar="NAMES",
    help="What the lines are grouped by: some of project, account, device, day, slurm_account and"
    " slurm_job.",
)
@days
@click.option(
    "--project",
    metavar="P",
    help="Only this project and those below it; a lead of a project gives it.",
)
@click.option("--tree", is_flag=True, help="Count the use of a project for those above it, too.")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values with a heading.")
@json_flag
@options.administration
def usage(
    by: str,
    first: datetime | None,
    last: datetime | None,
    project: str | None,
    tree: bool,
    as_csv: bool,
    as_json: bool,
    admin: Administration,
) -> None:
    """Show what jobs have used: by project, account, device, day.

    A job counts on the day on which it ended, if it ran. Deleted jobs count, too. Those that ended
    under version 1.0.0 have no account. Names of Slurm are those that clients gave, unchecked.
    """
    if as_csv and as_json:
        raise click.UsageError("Give --csv or --json, not both.")
    query = {"by": by, **({"project": project} if project else {})}
    if tree:
        query["tree"] = "true"
    for name, day in (("from", first), ("to", last)):
        if day is not None:
            query[name] = day.date().isoformat()
    found = admin.get("usage", query=query, of=schema.UseList).usage
    names = by.split(",")
    columns = (*names, *_UNITS)
    rows = [_usage_row(each, names) for each in found]
    if as_csv:
        print_csv(columns, [row.record for row in rows])
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
