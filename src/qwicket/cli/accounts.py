"""`qwicket user` and `qwicket token`: on the data folder, while the server runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import click

from qwicket.cli import options
from qwicket.cli.commands import Section
from qwicket.cli.listing import Row, iso, json_flag, minute, show
from qwicket.model.accounts import Scope

if TYPE_CHECKING:
    from qwicket.model.accounts import Account, Role, Token

_MAX_PASSWORD_BYTES: Final = 8192


@click.group(cls=Section)
def user() -> None:
    """Make, list and disable accounts."""


@user.command("add")
@click.argument("name")
@click.option(
    "--role",
    type=options.Choice(["admin", "member"]),
    default="member",
    show_default=True,
    help="Whether it may make tokens with the scope admin.",
)
@click.option("--email", metavar="E", help="E-mail address, for doors that sign in with one.")
@click.option(
    "--password-stdin", is_flag=True, help="Read a password, one line, from standard input."
)
@options.place
def add_user(
    name: str, role: Role, email: str | None, password_stdin: bool, place: options.Place
) -> None:
    """Make the account NAME, with a project of its own."""
    password = _password() if password_stdin else None
    account = options.as_admin(
        place, lambda admin: admin.add_account(name, role, email=email, password=password)
    )
    click.echo(f"{account.name} ({account.role})")


def _password() -> str:
    """Read one line from standard input, and not a byte more: the rest is for others."""
    buffered = sys.stdin.buffer
    line: bytes = getattr(buffered, "raw", buffered).readline(_MAX_PASSWORD_BYTES)
    try:
        password = line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise click.ClickException("The password is no UTF-8 text.") from None
    if not password:
        raise click.ClickException("There is no password on standard input.")
    return password


@user.command("list")
@json_flag
@options.place
def list_users(as_json: bool, place: options.Place) -> None:
    """List all accounts."""
    accounts = options.as_admin(place, lambda admin: admin.accounts())
    show(map(_account, accounts), ("name", "role", "e-mail", ""), as_json)


def _account(of: Account) -> Row:
    record = {
        "name": of.name,
        "role": of.role,
        "email": of.email,
        "created_at": iso(of.created_at),
        "disabled_at": iso(of.disabled_at),
    }
    return Row(record, (of.name, of.role, of.email, "disabled" if of.disabled_at else ""))


@user.command("disable")
@click.argument("name")
@options.place
def disable_user(name: str, place: options.Place) -> None:
    """Bar the account NAME: its tokens sign in no more."""
    options.as_admin(place, lambda admin: admin.disable_account(name))


@click.group(cls=Section)
def token() -> None:
    """Make, list and revoke tokens."""


@token.command("create")
@click.option("--user", "user_name", required=True, metavar="NAME", help="Whose token it is.")
@click.option("--project", metavar="P", help="Project that its use counts against.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=options.Choice([scope.value for scope in Scope]),
    metavar="S",
    help="What it may do: " + ", ".join(Scope) + ". Repeatable; by default the first three.",
)
@click.option(
    "--device",
    "devices",
    multiple=True,
    metavar="D",
    help="Device that it is for: jobs and groups for any other do not exist for it. Devices"
    " themselves can be listed by every token. Repeatable; by default all.",
)
@click.option(
    "--expires", callback=options.life_s, metavar="TIME", help="Life of the token, such as 90d."
)
@options.place
def create_token(
    user_name: str,
    project: str | None,
    scopes: tuple[str, ...],
    devices: tuple[str, ...],
    expires: int | None,
    place: options.Place,
) -> None:
    """Make a token and print it, once and nothing else."""
    made = options.as_admin(
        place,
        lambda admin: admin.create_token(
            user_name, project=project, scopes=scopes, devices=devices, life_s=expires
        ),
    )
    click.echo(made.secret)


@token.command("list")
@click.option("--user", "user_name", required=True, metavar="NAME", help="Whose tokens.")
@json_flag
@options.place
def list_tokens(user_name: str, as_json: bool, place: options.Place) -> None:
    """List the tokens of an account by id; their secrets are kept nowhere."""
    tokens = options.as_admin(place, lambda admin: admin.tokens(user_name))
    show(map(_token, tokens), ("id", "scopes", "devices", "life", "made with"), as_json)


def _token(of: Token) -> Row:
    record: dict[str, Any] = {
        "id": of.id,
        "scopes": of.scopes,
        "devices": of.devices,
        "created_at": iso(of.created_at),
        "expires_at": iso(of.expires_at),
        "revoked_at": iso(of.revoked_at),
        "parent": of.parent,
    }
    devices = f"only {', '.join(of.devices)}" if of.devices else ""
    return Row(record, (of.id, " ".join(of.scopes), devices, _fate(of), of.parent or ""))


@token.command("revoke")
@click.argument("token_id", metavar="ID")
@options.place
def revoke_token(token_id: str, place: options.Place) -> None:
    """Revoke the token with this ID (see `token list`), and all tokens that were made with it."""
    revoked = options.as_admin(place, lambda admin: admin.revoke_token(token_id))
    if len(revoked) > 1:
        click.echo(f"Tokens made with it, revoked too: {len(revoked) - 1}.")


def _fate(token: Token) -> str:
    if token.revoked_at is not None:
        return f"revoked {minute(token.revoked_at)}"
    if token.expires_at is not None:
        return f"expires {minute(token.expires_at)}"
    return "no expiry"
