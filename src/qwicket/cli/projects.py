"""`qwicket project`: manage projects, their members, shares and retention, and export jobs."""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import click

from qwicket.cli import options
from qwicket.cli.commands import Section
from qwicket.cli.listing import Row, json_flag, print_rows
from qwicket.schema import accounts as account_schema
from qwicket.schema import admin as schema

if TYPE_CHECKING:
    from qwicket.cli.administration import Administration

_MAX_DAYS: Final = 36_500
_PAGE: Final = 200
"""Jobs per request: a request that fails is repeated as a whole."""


@click.group(cls=Section)
def project() -> None:
    """Add, change, list and export projects."""


@project.command("add")
@click.argument("name")
@click.option(
    "--shares",
    default=1,
    show_default=True,
    metavar="N",
    help="Weight in the queue; see `project shares`.",
)
@options.administration
def add_project(name: str, shares: int, admin: Administration) -> None:
    """Add the project NAME, without members."""
    body = schema.NewProjectBody(name=name, shares=shares)
    made = admin.post("projects", body=body, of=account_schema.ProjectBody)
    click.echo(f"{made.name}  {_shares(made.shares)}")


@project.command("list")
@json_flag
@options.administration
def list_projects(as_json: bool, admin: Administration) -> None:
    """List all projects with their shares and the size of what they store."""
    rows = [
        Row(
            {
                "name": each.name,
                "shares": each.shares,
                "stored_bytes": each.stored_bytes,
                "retention_days": each.retention_days,
            },
            (
                each.name,
                _shares(each.shares),
                f"{each.stored_bytes / 1e6:.1f} MB",
                f"{each.retention_days:,} days" if each.retention_days else "",
            ),
        )
        for each in admin.get("projects", of=account_schema.ProjectList).projects
    ]
    print_rows(rows, ("name", "shares", "stored", "kept"), as_json)


def _shares(number: int) -> str:
    return f"{number} {'share' if number == 1 else 'shares'}"


@project.command("shares")
@click.argument("name")
@click.argument("shares", type=int)
@options.administration
def set_shares(name: str, shares: int, admin: Administration) -> None:
    """Set the SHARES of the project NAME. Waiting projects share devices in proportion to them."""
    body = schema.ProjectChangeBody(shares=shares)
    admin.patch("projects", name, body=body, of=account_schema.ProjectBody)


@project.command("retention")
@click.argument("name")
@click.argument("days", metavar="DAYS")
@options.administration
def set_retention(name: str, days: str, admin: Administration) -> None:
    """Let the server delete each job of the project NAME DAYS days after its end.

    Its program and result go with it; what it used stays in "qwicket usage". "off" keeps jobs for
    ever. A running server deletes within minutes after that time.
    """
    if days != "off" and not (days.isascii() and days.isdigit() and 1 <= int(days) <= _MAX_DAYS):
        raise click.BadParameter(f"must be 1 to {_MAX_DAYS:,} days, or off.", param_hint="DAYS")
    body = schema.ProjectChangeBody(retention_days=None if days == "off" else int(days))
    admin.patch("projects", name, body=body, of=account_schema.ProjectBody)


@project.command("export")
@click.argument("name", metavar="PROJECT")
@click.argument("folder", metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path))
@options.administration
def export_project(name: str, folder: Path, admin: Administration) -> None:
    """Write all ended jobs of PROJECT to FOLDER: a JSON line and an archive for each.

    The same command continues an export that was interrupted. In Python,
    qwicket.clients.native.read_export(FOLDER) reads it without a server.
    """
    from qwicket.clients.native.exports import write_export

    def fetch(before: int | None, file: IO[bytes]) -> None:
        query = {"limit": str(_PAGE)} | ({} if before is None else {"before": str(before)})
        admin.download("projects", name, "export", query=query, accept="application/zip", file=file)

    try:
        jobs = write_export(folder, name, fetch)
    except OSError as error:
        raise click.ClickException(f"{folder}: {error.strerror}.") from None
    click.echo(f"{name}  {jobs:,} {'job' if jobs == 1 else 'jobs'}  {folder}")


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


@member.command("shares")
@click.argument("project_name", metavar="PROJECT")
@click.argument("account")
@click.argument("shares", type=int)
@options.administration
def set_member_shares(project_name: str, account: str, shares: int, admin: Administration) -> None:
    """Set the SHARES of ACCOUNT in PROJECT: waiting members get its turns in proportion to them."""
    body = schema.MemberChangeBody(shares=shares)
    admin.change("PATCH", "projects", project_name, "members", account, body=body)


@member.command("role")
@click.argument("project_name", metavar="PROJECT")
@click.argument("account")
@click.argument("role", type=options.Choice(["lead", "member", "reader"]))
@options.administration
def set_member_role(project_name: str, account: str, role: str, admin: Administration) -> None:
    """Set the ROLE of ACCOUNT in PROJECT: lead, member or reader.

    A lead also holds, reorders and cancels jobs of the other members. A reader submits no jobs.
    """
    body = {"role": role}
    admin.change("PATCH", "projects", project_name, "members", account, body=body)


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
    """List the accounts in PROJECT with their shares and roles, and the size of what they store."""
    found = admin.get("projects", project_name, "members", of=schema.MemberList)
    rows = [
        Row(
            {
                "name": each.name,
                "shares": each.shares,
                "role": each.role,
                "stored_bytes": each.stored_bytes,
            },
            (each.name, _shares(each.shares), each.role, f"{each.stored_bytes / 1e6:.1f} MB"),
        )
        for each in found.members
    ]
    print_rows(rows, ("account", "shares", "role", "stored"), as_json)
