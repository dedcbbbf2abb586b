"""`qwicket account`: your account, its password, its sessions at the pages, and preferences."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click

from qwicket.cli import options
from qwicket.cli.commands import Section
from qwicket.cli.listing import (
    Row,
    amount_text,
    bounds_text,
    json_flag,
    json_line,
    minute_of,
    print_fields,
    print_rows,
)
from qwicket.cli.options import server
from qwicket.clients.http import sanitize
from qwicket.clients.native.wire import convert
from qwicket.schema.accounts import AccountBody, SessionBody

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qwicket.cli.options import Connect


_PRESENT: Final = {"day": " today", "week": " this week", "month": " this month"}


def _account_fields(account: AccountBody) -> Iterator[tuple[str, str]]:
    """Yield names and values of the properties of an account and its token."""
    token = account.token
    yield "account", f"{sanitize(account.name)} ({sanitize(account.role)})"
    yield "e-mail", sanitize(account.email)
    yield "project", sanitize(token.project)
    yield "token", sanitize(token.id)
    yield "scopes", " ".join(map(sanitize, token.scopes))
    yield "devices", " ".join(map(sanitize, token.devices)) or "all"
    yield "bounds", bounds_text(token.bounds)
    yield "expires", sanitize(token.expires_at)[:16].replace("T", " ") or "never"
    for each in account.budgets:
        amounts = f"{amount_text(each.left)} of {amount_text(each.maximum)} {sanitize(each.unit)}"
        when = _PRESENT.get(each.period, "")
        where = f" on {sanitize(each.device)}" if each.device else ""
        where += " for you" if each.member else ""
        yield "budget", f"{sanitize(each.project)}: {amounts} left{when}{where}"


@click.group(
    cls=Section,
    invoke_without_command=True,
    short_help="Show and manage your account.",
)
@json_flag
@server
@click.pass_context
def account(context: click.Context, connect: Connect, as_json: bool) -> None:
    """Show the account, project, scopes, devices and expiry of your token.

    With a command: change the password of the account, list and end its sessions at the pages, or
    set what you prefer there.
    """
    if context.invoked_subcommand is not None:
        return
    with connect() as client:
        found, where = client.account(), client.url
    if as_json:
        click.echo(json_line(found))
    else:
        print_fields((("server", where), *_account_fields(convert(found, AccountBody))))


@account.command("password", short_help="Change your password.")
@click.option(
    "--password-stdin",
    is_flag=True,
    help="Read the present and the new password from two lines of standard input.",
)
@server
def change_password(connect: Connect, password_stdin: bool) -> None:
    """Change your password. All sessions at the pages end; tokens stay valid."""
    if password_stdin:
        old, new = options.stdin_line("password"), options.stdin_line("new password")
    elif sys.stdin.isatty():
        old = click.prompt("Present password", hide_input=True)
        new = options.ask_password("New password")
    else:
        raise click.UsageError("There is no terminal to ask at: use --password-stdin.")
    with connect() as client:
        client.change_password(old, new)


@account.command("sessions", short_help="List your sessions at the pages.")
@json_flag
@server
def list_sessions(connect: Connect, as_json: bool) -> None:
    """List the sessions at the pages with browser, address and last use, the newest first."""
    with connect() as client:
        found = client.sessions()
    rows = [_session(each, convert(each, SessionBody)) for each in found]
    print_rows(rows, ("id", "since", "last use", "address", "browser"), as_json)


def _session(record: dict[str, object], session: SessionBody) -> Row:
    at = [minute_of(each) if each else "" for each in (session.created_at, session.used_at)]
    texts = (session.id, *at, session.address or "", session.browser or "")
    return Row(record, tuple(map(sanitize, texts)))


@account.command("end-session", short_help="End a session at the pages.")
@click.argument("session_id", metavar="ID")
@server
def end_session(connect: Connect, session_id: str) -> None:
    """End the session ID (see `account sessions`), on all servers at once."""
    with connect() as client:
        client.end_session(session_id)


@account.command("prefer", short_help="Set the theme and time zone of the pages.")
@click.option("--theme", type=options.Choice(["light", "dark", "browser"]), help="Colours.")
@click.option("--time-zone", metavar="ZONE", help="Such as Europe/Vienna, or UTC.")
@server
def prefer(connect: Connect, theme: str | None, time_zone: str | None) -> None:
    """Set the theme and the time zone of the pages. What is left out stays."""
    changes: dict[str, str | None] = {}
    if theme is not None:
        changes["theme"] = None if theme == "browser" else theme
    if time_zone is not None:
        changes["time_zone"] = time_zone
    if not changes:
        raise click.UsageError("Give --theme or --time-zone.")
    with connect() as client:
        found = client.set_preferences(**changes)
    theme, zone = found.get("theme") or "browser", found.get("time_zone") or "UTC"
    print_fields((("theme", sanitize(theme)), ("time zone", sanitize(zone))))
