"""`qwicket budget`: what the jobs of projects may use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from qwicket.cli import options
from qwicket.cli.commands import Section
from qwicket.cli.listing import Row, amount_text, json_flag, minute_of, print_rows, second_of
from qwicket.schema import accounts as account_schema
from qwicket.schema import budgets as schema

if TYPE_CHECKING:
    from qwicket.cli.administration import Administration

_UNITS: Final = ("jobs", "shots", "seconds", "cost")
_PERIODS: Final = ("total", "day", "week", "month")

_AMOUNT: Final = options.FloatRange(0, 10**15)

_period = click.option(
    "--per",
    "period",
    type=options.Choice(_PERIODS),
    help="Period in UTC: a calendar day, an ISO week, a calendar month, or the total. By default,"
    " `set` uses the total, and `clear` every period.",
)
_device = click.option(
    "--device", metavar="D", help="Count only jobs on this device; by default all."
)


_member = click.option(
    "--member",
    metavar="NAME",
    help="Count only the jobs of this member of the project, or, with each, those of each member by"
    " itself; by default the jobs of all members together.",
)


@click.group(cls=Section)
def budget() -> None:
    """Limit what the jobs of a project may use."""


@budget.command("set")
@click.argument("project")
@click.option("--jobs", type=_AMOUNT, metavar="N", help="Number of jobs.")
@click.option("--shots", type=_AMOUNT, metavar="N", help="Shots of all circuits.")
@click.option("--seconds", type=_AMOUNT, metavar="S", help="Run time of the device in seconds.")
@click.option("--cost", type=_AMOUNT, metavar="C", help="Credits; each device has its own cost.")
@_period
@_device
@_member
@options.administration
def set_budget(
    project: str,
    jobs: float | None,
    shots: float | None,
    seconds: float | None,
    cost: float | None,
    period: str | None,
    device: str | None,
    member: str | None,
    admin: Administration,
) -> None:
    """Set what the jobs of PROJECT may use; a lead, with --member, what its members may.

    A budget counts jobs submitted from now on. Setting it again changes the
    amount and keeps what was used.
    """
    given = dict(zip(_UNITS, (jobs, shots, seconds, cost), strict=True))
    wanted = {unit: maximum for unit, maximum in given.items() if maximum is not None}
    if not wanted:
        raise click.UsageError("Give --jobs, --shots, --seconds or --cost.")
    for unit, maximum in wanted.items():
        body = {
            "project": project,
            "device": device,
            "member": member,
            "unit": unit,
            "period": period or "total",
            "maximum": maximum,
        }
        made = admin.put("budgets", body=body, of=account_schema.BudgetBody)
        click.echo("  ".join(cell for cell in _row(made).cells if cell))


@budget.command("show")
@click.argument("project", required=False)
@json_flag
@options.administration
def show_budgets(project: str | None, as_json: bool, admin: Administration) -> None:
    """Show the budgets of PROJECT, or all, and what is left of them."""
    query = {"project": project} if project else None
    rows = [_row(each) for each in admin.get("budgets", query=query, of=schema.BudgetList).budgets]
    headings = ("project", "member", "device", "budget", "period", "used", "left", "")
    print_rows(rows, headings, as_json)


@budget.command("clear")
@click.argument("project")
@click.option("--unit", type=options.Choice(_UNITS), help="Only budgets that count this.")
@_period
@click.option("--device", metavar="D", help="Only budgets of this device.")
@click.option("--member", metavar="NAME", help="Only budgets of this member, or of each.")
@options.administration
def clear_budgets(
    project: str,
    unit: str | None,
    period: str | None,
    device: str | None,
    member: str | None,
    admin: Administration,
) -> None:
    """Remove the budgets of PROJECT. A lead removes those of members, with --member."""
    of_project = {"project": project}
    found = [
        each
        for each in admin.get("budgets", query=of_project, of=schema.BudgetList).budgets
        if unit in (None, each.unit)
        and period in (None, each.period)
        and device in (None, each.device)
        and member in (None, each.member)
    ]
    if not found:
        raise click.ClickException(f"The project {project} has no such budget.")
    # Those of the whole project first: if a lead may not remove them, none is removed.
    for each in sorted(found, key=lambda each: each.member is not None):
        admin.change("DELETE", "budgets", each.id, query=of_project)
    click.echo(f"{len(found)} {'budget' if len(found) == 1 else 'budgets'} removed")


def _row(budget: account_schema.BudgetBody) -> Row:
    record = {
        "id": budget.id,
        "project": budget.project,
        "member": budget.member,
        "device": budget.device,
        "unit": budget.unit,
        "period": budget.period,
        "maximum": budget.maximum,
        "used": budget.used,
        "left": budget.left,
        "ends_at": second_of(budget.ends_at),
    }
    until = f"until {minute_of(budget.ends_at)}" if budget.ends_at else ""
    cells = (
        budget.project,
        f"for {'each member' if budget.member == 'each' else budget.member}"
        if budget.member
        else "",
        budget.device or "all devices",
        f"{amount_text(budget.maximum)} {budget.unit}",
        budget.period,
        f"{amount_text(budget.used)} used",
        f"{amount_text(budget.left)} left",
        until,
    )
    return Row(record, cells)
