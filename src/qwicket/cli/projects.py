"""`qwicket project`: what use is counted against, who belongs to it, how much it gets."""

from __future__ import annotations

import click

from qwicket.cli import options
from qwicket.cli.commands import Section
from qwicket.cli.listing import Row, json_flag, show


@click.group(cls=Section)
def project() -> None:
    """Make and list projects, their members and shares."""


@project.command("add")
@click.argument("name")
@click.option("--shares", default=1, show_default=True, metavar="N", help="See `project shares`.")
@options.place
def add_project(name: str, shares: int, place: options.Place) -> None:
    """Make the project NAME, without members."""
    made = options.as_admin(place, lambda admin: admin.add_project(name, shares=shares))
    click.echo(f"{made.name}  {made.shares} shares")


@project.command("list")
@json_flag
@options.place
def list_projects(as_json: bool, place: options.Place) -> None:
    """List all projects, their shares, and the bytes of their programs and results."""
    rows = [
        Row(
            {"name": each.name, "shares": each.shares, "stored_bytes": each.stored_bytes},
            (
                each.name,
                f"{each.shares} {'share' if each.shares == 1 else 'shares'}",
                f"{each.stored_bytes / 1e6:.1f} MB",
            ),
        )
        for each in options.as_admin(place, lambda admin: admin.projects())
    ]
    show(rows, ("name", "shares", "stored"), as_json)


@project.command("shares")
@click.argument("name")
@click.argument("shares", type=int)
@options.place
def set_shares(name: str, shares: int, place: options.Place) -> None:
    """Give the project NAME so many SHARES: twice another's, twice the time when both wait."""
    options.as_admin(place, lambda admin: admin.set_shares(name, shares))


@project.group("member")
def member() -> None:
    """Add, remove and list the members of a project."""


@member.command("add")
@click.argument("project_name", metavar="PROJECT")
@click.argument("account")
@options.place
def add_member(project_name: str, account: str, place: options.Place) -> None:
    """Let ACCOUNT submit for PROJECT and read its jobs."""
    options.as_admin(place, lambda admin: admin.add_member(project_name, account))


@member.command("remove")
@click.argument("project_name", metavar="PROJECT")
@click.argument("account")
@options.place
def remove_member(project_name: str, account: str, place: options.Place) -> None:
    """Take ACCOUNT out of PROJECT; its tokens for that project are revoked."""
    options.as_admin(place, lambda admin: admin.remove_member(project_name, account))


@member.command("list")
@click.argument("project_name", metavar="PROJECT")
@json_flag
@options.place
def list_members(project_name: str, as_json: bool, place: options.Place) -> None:
    """List the accounts in PROJECT."""
    names = options.as_admin(place, lambda admin: admin.members(project_name))
    show([Row({"name": name}, (name,)) for name in names], ("account",), as_json)
