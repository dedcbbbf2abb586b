"""`qwicket project`: manage projects, their members and shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from qwicket.cli import options
from qwicket.cli.commands import Section
from qwicket.cli.listing import Row, json_flag, print_rows
from qwicket.schema import accounts as shapes
from qwicket.schema import admin as schema

if TYPE_CHECKING:
    from qwicket.cli.administration import Administration


@click.group(cls=Section)
def project() -> None:
    """Add and list projects, their members and shares."""


@project.command("add")
@click.argument("name")
@click.option(
    "--shares", default=1, show_default=True, metavar="N", help="Shares; see `project shares`."
)
@options.administration
def add_project(name: str, shares: int, admin: Administration) -> None:
    """Add the project NAME, without members."""
    body = schema.NewProjectBody(name=name, shares=shares)
    made = admin.post("projects", body=body, of=shapes.ProjectBody)
    click.echo(f"{made.name}  {made.shares} shares")


@project.command("list")
@json_flag
@options.administration
def list_projects(as_json: bool, admin: Administration) -> None:
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
        for each in admin.get("projects", of=shapes.ProjectList).projects
    ]
    print_rows(rows, ("name", "shares", "stored"), as_json)


@project.command("shares")
@click.argument("name")
@click.argument("shares", type=int)
@options.administration
def set_shares(name: str, shares: int, admin: Administration) -> None:
    """Set the SHARES of the project NAME. Waiting projects share devices in proportion to them."""
    body = schema.ProjectChangeBody(shares=shares)
    admin.patch("projects", name, body=body, of=shapes.ProjectBody)


@project.group("member")
def member() -> None:
    """Add, remove and list the members of a project."""


@member.command("add")
@click.argument("project_name", metavar="PROJECT")
@click.argument("account")
@options.administration
def add_member(project_name: str, account: str, admin: Administration) -> None:
    """Add ACCOUNT to PROJECT: it can submit jobs for the project and read its jobs."""
    admin.change("PUT", "projects", project_name, "members", account)


@member.command("remove")
@click.argument("project_name", metavar="PROJECT")
@click.argument("account")
@options.administration
def remove_member(project_name: str, account: str, admin: Administration) -> None:
    """Remove ACCOUNT from PROJECT, and revoke its tokens for that project."""
    admin.change("DELETE", "projects", project_name, "members", account)


@member.command("list")
@click.argument("project_name", metavar="PROJECT")
@json_flag
@options.administration
def list_members(project_name: str, as_json: bool, admin: Administration) -> None:
    """List the accounts in PROJECT."""
    found = admin.get("projects", project_name, "members", of=schema.MemberList)
    rows = [Row({"name": name}, (name,)) for name in found.accounts]
    print_rows(rows, ("account",), as_json)
