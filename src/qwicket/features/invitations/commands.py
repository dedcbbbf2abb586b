"""`qwicket invitation`: people create their own accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import click
import msgspec

from qwicket.cli import options
from qwicket.cli.commands import Section
from qwicket.cli.listing import Row, json_flag, json_line, minute_of, print_rows
from qwicket.schema import invitations as schema

if TYPE_CHECKING:
    from qwicket.cli.administration import Administration

_HEADINGS: Final = ("id", "project", "role", "used", "of", "until")

_project = click.option(
    "--project", metavar="P", help="Only of this project; leads of a project give theirs."
)


@click.group(cls=Section, short_help="Invite people to create an account.")
def invitation() -> None:
    """Add, list and remove invitations, with which people create their own accounts."""


@invitation.command("add", short_help="Invite people to create an account.")
@click.option(
    "--project",
    metavar="P",
    help="Project that they join; by default only their own.",
)
@click.option(
    "--role",
    type=options.Choice(["member", "reader"]),
    default="member",
    show_default=True,
    help="What they may do in the project.",
)
@click.option(
    "--uses",
    default=1,
    show_default=True,
    type=click.IntRange(1, 10_000),
    metavar="N",
    help="Number of accounts that the invitation can create.",
)
@click.option(
    "--expires",
    "life_s",
    default="7d",
    show_default=True,
    callback=options.duration_s,
    metavar="DURATION",
    help="Time until it ends, such as 7d or 12h; at most 366d.",
)
@json_flag
@options.administration
def add(
    project: str | None, role: str, uses: int, life_s: int, as_json: bool, admin: Administration
) -> None:
    """Make an invitation; print the address of its page, which contains its code.

    People who open the page create an account, or join the project with the account they have.
    Without --url or --profile only a path is printed: put the server's address before it. Leads of
    a shared project invite to it, with --project.
    """
    body = {"project": project, "uses": uses, "life_s": life_s}
    if role != "member":  # servers of version 1.0 know no roles
        body["role"] = role
    made = admin.post("invitations", body=body, of=schema.CreatedInvitationBody)
    url = made.url
    if not admin.is_remote:
        parts = urlsplit(url)
        url = f"{parts.path}?{parts.query}"
    record = msgspec.to_builtins(made) | {"url": url}
    click.echo(json_line(record) if as_json else url)


@invitation.command("list", short_help="List invitations.")
@_project
@json_flag
@options.administration
def list_invitations(project: str | None, as_json: bool, admin: Administration) -> None:
    """List the valid invitations, the newest first."""
    query = {"project": project} if project else None
    found = admin.get("invitations", query=query, of=schema.InvitationList).invitations
    rows = [
        Row(
            msgspec.to_builtins(each),
            (
                each.id,
                each.project or "",
                each.role if each.project else "",
                f"{each.used:,}",
                f"{each.uses:,}",
                minute_of(each.expires_at or ""),
            ),
        )
        for each in found
    ]
    print_rows(rows, _HEADINGS, as_json)


@invitation.command("remove", short_help="Delete an invitation.")
@click.argument("invitation_id", metavar="ID")
@_project
@options.administration
def remove(invitation_id: str, project: str | None, admin: Administration) -> None:
    """Delete the invitation ID. The accounts that it has created stay."""
    query = {"project": project} if project else None
    admin.change("DELETE", "invitations", invitation_id, query=query)
