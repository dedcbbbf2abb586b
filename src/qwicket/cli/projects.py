"""`qwicket project`: manage projects, their members and shares."""

from __future__ import annotations

import click

from qwicket.cli import options
from qwicket.cli.commands import Section
from qwicket.cli.listing import Row, json_flag, print_rows


@click.group(cls=Section)
def project() -> None:
    """Add and list projects, their members and shares."""


@project.command("add")
@click.argument("name")
@click.option(
    "--shares", default=1, show_default=True, metavar="N", help="Shares; see `project shares`."
)
@options.data_location
def add_project(name: str, shares: int, location: options.DataLocation) -> None:
    """Add the project NAME, without members."""
    made = options.as_admin(location, lambda admin: admin.add_project(name, shares=shares))
    click.echo(f"{made.name}  {made.shares} shares")


@project.command("list")
@json_flag
@options.data_location
def list_projects(as_json: bool, location: options.DataLocation) -> None:
    """List all projects with their shares and the size of their programs and results."""
    rows = [
        Row(
            {"name": each.name, "shares": each.shares, "stored_bytes": each.stored_bytes},
            (
                each.name,
                f"{each.shares} {'share' if each.shares == 1 else 'shares'}",
                f"{each.stored_bytes / 1e6:.1f} MB",
            ),
        )
        for each in options.as_admin(location, lambda admin: admin.projects())
    ]
    print_rows(rows, ("name", "shares", "stored"), as_json)


@project.command("shares")
@click.argument("name")
@click.argument("shares", type=int)
@options.data_location
def set_shares(name: str, shares: int, location: options.DataLocation) -> None:
    """Set the SHARES of the project NAME. Waiting projects share devices in proportion to them."""
    options.as_admin(location, lambda admin: admin.set_shares(name, shares))


@project.group("member")
def member() -> None:
    """Add, remove and list the members of a project."""


@member.command("add")
@click.argument("project_name", metavar="PROJECT")
@click.argument("account")
@options.data_location
def add_member(project_name: str, account: str, location: options.DataLocation) -> None:
    """Add ACCOUNT to PROJECT: it can submit jobs for the project and read its jobs."""
    options.as_admin(location, lambda admin: admin.add_member(project_name, account))


@member.command("remove")
@click.argument("project_name", metavar="PROJECT")
@click.argument("account")
@options.data_location
def remove_member(project_name: str, account: str, location: options.DataLocation) -> None:
    """Remove ACCOUNT from PROJECT, and revoke its tokens for that project."""
    options.as_admin(location, lambda admin: admin.remove_member(project_name, account))


@member.command("list")
@click.argument("project_name", metavar="PROJECT")
@json_flag
@options.data_location
def list_members(project_name: str, as_json: bool, location: options.DataLocation) -> None:
    """List the accounts in PROJECT."""
    names = options.as_admin(location, lambda admin: admin.members(project_name))
    print_rows([Row({"name": name}, (name,)) for name in names], ("account",), as_json)
