"""`qwicket user` and `qwicket token`: manage accounts and tokens in the database."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import click

from qwicket.cli import options
from qwicket.cli.commands import Section
from qwicket.cli.listing import Row, iso_time, json_flag, print_rows, time_to_minute
from qwicket.model.accounts import Scope

if TYPE_CHECKING:
    from qwicket.model.accounts import Account, Role, Token

_MAX_PASSWORD_BYTES: Final = 8192


@click.group(cls=Section)
def user() -> None:
    """Add, list and disable accounts."""


@user.command("add")
@click.argument("name")
@click.option(
    "--role",
    type=options.Choice(["admin", "member"]),
    default="member",
    show_default=True,
    help="Role of the account; only an admin can have tokens with the scope admin.",
)
@click.option("--email", metavar="E", help="E-mail address, for dialects that sign in with one.")
@click.option(
    "--password-stdin", is_flag=True, help="Read a password from one line of standard input."
)
@options.data_location
def add_user(
    name: str, role: Role, email: str | None, password_stdin: bool, location: options.DataLocation
) -> None:
    """Add the account NAME, with a project of its own."""
    password = _password() if password_stdin else None
    account = options.as_admin(
        location, lambda admin: admin.add_account(name, role, email=email, password=password)
    )
    click.echo(f"{account.name} ({account.role})")


def _password() -> str:
    """Read one line of standard input, unbuffered: the rest belongs to later commands."""
    buffered = sys.stdin.buffer
    line: bytes = getattr(buffered, "raw", buffered).readline(_MAX_PASSWORD_BYTES)
    try:
        password = line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise click.ClickException("The password is not UTF-8 text.") from None
    if not password:
        raise click.ClickException("There is no password on standard input.")
    return password


@user.command("list")
@json_flag
@options.data_location
def list_users(as_json: bool, location: options.DataLocation) -> None:
    """List all accounts."""
    accounts = options.as_admin(location, lambda admin: admin.accounts())
    print_rows(map(_account, accounts), ("name", "role", "e-mail", ""), as_json)


def _account(of: Account) -> Row:
    record = {
        "name": of.name,
        "role": of.role,
        "email": of.email,
        "created_at": iso_time(of.created_at),
        "disabled_at": iso_time(of.disabled_at),
    }
    return Row(record, (of.name, of.role, of.email, "disabled" if of.disabled_at else ""))


@user.command("disable")
@click.argument("name")
@options.data_location
def disable_user(name: str, location: options.DataLocation) -> None:
    """Disable the account NAME: its tokens no longer sign in."""
    options.as_admin(location, lambda admin: admin.disable_account(name))


@click.group(cls=Section)
def token() -> None:
    """Create, list and revoke tokens."""


@token.command("create")
@click.option("--user", "user_name", required=True, metavar="NAME", help="Account of the token.")
@click.option("--project", metavar="P", help="Project of its jobs; by default the account's own.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=options.Choice([scope.value for scope in Scope]),
    metavar="S",
    help="Permission: " + ", ".join(Scope) + ". Repeatable; by default the first three.",
)
@click.option(
    "--device",
    "devices",
    multiple=True,
    metavar="D",
    help="Device whose jobs and groups it can access; every token can list all devices."
    " Repeatable; by default all devices.",
)
@click.option(
    "--expires", callback=options.life_s, metavar="TIME", help="Lifetime, such as 90d or 12h."
)
@options.data_location
def create_token(
    user_name: str,
    project: str | None,
    scopes: tuple[str, ...],
    devices: tuple[str, ...],
    expires: int | None,
    location: options.DataLocation,
) -> None:
    """Create a token and print it. It cannot be shown again."""
    made = options.as_admin(
        location,
        lambda admin: admin.create_token(
            user_name, project=project, scopes=scopes, devices=devices, life_s=expires
        ),
    )
    click.echo(made.secret)


@token.command("list")
@click.option("--user", "user_name", required=True, metavar="NAME", help="Account of the tokens.")
@json_flag
@options.data_location
def list_tokens(user_name: str, as_json: bool, location: options.DataLocation) -> None:
    """List the tokens of an account by id. Their secrets are not stored."""
    tokens = options.as_admin(location, lambda admin: admin.tokens(user_name))
    print_rows(map(_token, tokens), ("id", "scopes", "devices", "life", "made with"), as_json)


def _token(of: Token) -> Row:
    record: dict[str, Any] = {
        "id": of.id,
        "scopes": of.scopes,
        "devices": of.devices,
        "created_at": iso_time(of.created_at),
        "expires_at": iso_time(of.expires_at),
        "revoked_at": iso_time(of.revoked_at),
        "parent": of.parent,
    }
    devices = f"only {', '.join(of.devices)}" if of.devices else ""
    return Row(record, (of.id, " ".join(of.scopes), devices, _lifetime(of), of.parent or ""))


@token.command("revoke")
@click.argument("token_id", metavar="ID")
@options.data_location
def revoke_token(token_id: str, location: options.DataLocation) -> None:
    """Revoke the token with this ID (see `token list`), and all tokens created with it."""
    revoked = options.as_admin(location, lambda admin: admin.revoke_token(token_id))
    if len(revoked) > 1:
        click.echo(f"Also revoked, because created with it: {len(revoked) - 1}.")


def _lifetime(token: Token) -> str:
    if token.revoked_at is not None:
        return f"revoked {time_to_minute(token.revoked_at)}"
    if token.expires_at is not None:
        return f"expires {time_to_minute(token.expires_at)}"
    return "no expiry"
