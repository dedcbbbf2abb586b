"""`qwicket user` and `qwicket token`: accounts, tokens, and the signing key."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

import click
import msgspec

from qwicket.cli import options
from qwicket.cli.commands import Section
from qwicket.cli.listing import (
    Row,
    bounds_text,
    json_flag,
    json_line,
    minute_of,
    print_rows,
    second_of,
)
from qwicket.cli.options import setting
from qwicket.clients.native import ApiError
from qwicket.model.accounts import DEFAULT_SCOPES, Scope
from qwicket.model.bounds import USUAL, USUAL_LIFE_S
from qwicket.model.budgets import PERIODS, UNITS
from qwicket.schema import accounts as account_schema
from qwicket.schema import admin as schema

if TYPE_CHECKING:
    from qwicket.cli.administration import Administration
    from qwicket.model.accounts import JobsOfDeleted, Role

_SHOWN_NAMES: Final = 20
_SHOTS: Final = click.IntRange(0, 10**15)
_CREDITS: Final = options.FloatRange(0, 10**9)
_USUAL_BOUNDS: Final = USUAL.in_credits()


@click.group(cls=Section)
def user() -> None:
    """Add, list, change and delete accounts."""


@user.command("add")
@click.argument("name", required=False)
@click.option(
    "--role",
    type=options.Choice(["admin", "member"]),
    default="member",
    show_default=True,
    help="Role of the account; only an admin can have tokens with the scope admin.",
)
@click.option("--email", metavar="E", help="E-mail address, with which it can sign in, too.")
@click.option(
    "--password-stdin", is_flag=True, help="Read a password from one line of standard input."
)
@click.option(
    "--from",
    "people",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Add many accounts with a token each: CSV with the columns name and email, or a JSON list"
    " of such objects. All are added, or none. Needs --tokens.",
)
@click.option(
    "--tokens",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="With --from: folder for one file with the token of each account, named as the account.",
)
@click.option(
    "--project",
    metavar="P",
    help="With --from: project that they join, and to which the jobs of their tokens count.",
)
@click.option(
    "--below",
    metavar="P",
    help="With --from: project below which each gets a project, to which the jobs of their tokens"
    " count.",
)
@click.option(
    "--budget",
    nargs=3,
    type=(options.Choice(UNITS), options.FloatRange(0, 10**15), options.Choice(PERIODS)),
    metavar="UNIT N PERIOD",
    help="With --below: budget of each of these projects, such as seconds 600 month.",
)
@click.option(
    "--expires",
    callback=options.duration_s,
    metavar="TIME",
    help="With --from: lifetime of the tokens, such as 90d or 12h.",
)
@setting(
    "--no-passwords",
    is_flag=True,
    help="Ask for no password and make no link: the server accepts no passwords.",
)
@json_flag
@options.administration
def add_user(
    name: str | None,
    role: Role,
    email: str | None,
    password_stdin: bool,
    people: Path | None,
    tokens: Path | None,
    project: str | None,
    below: str | None,
    budget: tuple[Any, float, Any] | None,
    expires: int | None,
    no_passwords: bool,
    as_json: bool,
    admin: Administration,
) -> None:
    """Add the account NAME, with a project of its own; or many accounts from a file.

    At a terminal it asks for a password. An account without one gets a link, printed to standard
    error, with which the person sets a password, once and within three days.
    """
    if people is not None:
        if name is not None or email is not None or password_stdin or role != "member":
            raise click.UsageError("--from adds members: use it without NAME and its options.")
        if tokens is None:
            raise click.UsageError("--from needs --tokens DIR.")
        from qwicket.cli.people import add_people

        default = None
        if budget is not None:
            unit, maximum, period = budget
            default = schema.DefaultBudgetBody(unit=unit, maximum=maximum, period=period)
        number = add_people(
            *(people, tokens, admin), project=project, below=below, budget=default, life_s=expires
        )
        made = {"accounts": number, "tokens": str(tokens)}
        text = f"{number} accounts; their tokens are in {tokens}"
        click.echo(json_line(made) if as_json else text)
        return
    if name is None or any(each is not None for each in (tokens, project, below, budget, expires)):
        raise click.UsageError("Give NAME; or --from FILE --tokens DIR for many accounts.")
    password = None
    if password_stdin:
        password = options.stdin_line("password")
    elif sys.stdin.isatty() and not (as_json or no_passwords):
        password = options.ask_password("Password, or nothing for a link", default="") or None
    body = schema.NewAccountBody(name=name, role=role, email=email, password=password)
    account = admin.post("accounts", body=body, of=schema.AdminAccountBody)
    if as_json:
        click.echo(json_line(_account(account).record))
    else:
        click.echo(f"{account.name} ({account.role})")
    if password is None and not no_passwords:
        _print_link(admin, account.name)


def _print_link(admin: Administration, name: str) -> None:
    """Make a link with which a person sets a password, and print it to standard error."""
    try:
        made = admin.post("accounts", name, "password-link", of=schema.PasswordLinkBody)
    except ApiError as error:  # the server accepts no passwords; the account is made anyway
        click.echo(f"There is no link for {name}: {error.detail}", err=True)
        return
    where, url = "", made.url
    if not admin.is_remote:
        parts = urlsplit(url)
        where, url = ", after the server's address", f"{parts.path}?{parts.query}"
    until = minute_of(made.expires_at or "")
    click.echo(f"Link for {made.account}, until {until}{where}: {url}", err=True)


@user.command("import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Change nothing: only say what would change.")
@click.option(
    "--absent",
    type=options.Choice(["keep", "disable"]),
    default="keep",
    show_default=True,
    help="Members of the file's projects whom it does not name: keep them; or disable those who"
    " are in no other project than their own, and remove the others. Leads and administrators"
    " stay.",
)
@click.option("--enable", is_flag=True, help="Enable accounts of the file that are disabled.")
@click.option(
    "--tokens",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Make a token for each new account: a file in this folder, named as the account.",
)
@json_flag
@options.administration
def import_users(
    file: Path,
    dry_run: bool,
    absent: Literal["keep", "disable"],
    enable: bool,
    tokens: Path | None,
    as_json: bool,
    admin: Administration,
) -> None:
    """Make accounts, memberships and budgets like FILE: everything, or nothing.

    FILE is CSV whose first line names its columns: name, and any of email, project, role (lead,
    member or reader of the project), budget (such as "100 jobs per month") and expires (last day of
    the account's token). An empty cell changes nothing. A person has a line for each project.
    The same file can be imported again.
    """
    from qwicket.cli.people import import_people

    found = import_people(
        file, admin, folder=tokens, absent=absent, enable=enable, is_dry_run=dry_run
    )
    print_rows(map(_person_change, found.changes), ("line", "name", "change", "", "", ""), as_json)
    if as_json:
        return
    if found.disabled:
        shown = ", ".join(found.disabled[:_SHOWN_NAMES])
        more = "" if len(found.disabled) <= _SHOWN_NAMES else " and others"
        click.echo(f"Disabled, and not enabled without --enable: {shown}{more}", err=True)
    done = "would be made" if dry_run else "were made"
    if found.number == 1:
        done = done.replace("were", "was")
    noun = "change" if found.number == 1 else "changes"
    click.echo(f"{found.number or 'no'} {noun} {done}", err=True)


def _person_change(change: schema.PersonChangeBody) -> Row:
    record = {
        "line": change.line,
        "name": change.name,
        "change": change.kind,
        "project": change.project,
        "before": change.before,
        "after": change.after,
    }
    line = "" if change.line is None else str(change.line)
    before = f"before: {change.before}" if change.before else ""
    return Row(record, (line, change.name, change.kind, change.project, change.after, before))


@user.command("list")
@click.option("--deleted", is_flag=True, help="Accounts that were deleted and can be restored.")
@json_flag
@options.administration
def list_users(deleted: bool, as_json: bool, admin: Administration) -> None:
    """List all accounts."""
    query = {"deleted": "true"} if deleted else None
    found = admin.get("accounts", query=query, of=schema.AdminAccountList)
    print_rows(map(_account, found.accounts), ("name", "role", "e-mail", ""), as_json)


def _account(account: schema.AdminAccountBody) -> Row:
    record = {
        "name": account.name,
        "role": account.role,
        "email": account.email,
        "created_at": second_of(account.created_at),
        "disabled_at": second_of(account.disabled_at),
        "deleted_at": second_of(account.deleted_at),
    }
    state = "disabled" if account.disabled_at else ""
    if account.deleted_at is not None:
        state = f"deleted {minute_of(account.deleted_at)}"
    return Row(record, (account.name, account.role, account.email, state))


@user.command("disable")
@click.argument("name")
@options.administration
def disable_user(name: str, admin: Administration) -> None:
    """Disable the account NAME: its tokens no longer sign in."""
    _change(admin, name, schema.AccountChangeBody(is_enabled=False))


@user.command("enable")
@click.argument("name")
@options.administration
def enable_user(name: str, admin: Administration) -> None:
    """Enable the account NAME again, with its tokens."""
    _change(admin, name, schema.AccountChangeBody(is_enabled=True))


@user.command("role")
@click.argument("name")
@click.argument("role", type=options.Choice(["admin", "member"]))
@options.administration
def set_role(name: str, role: Role, admin: Administration) -> None:
    """Set the ROLE of the account NAME: admin or member.

    An account that becomes a member loses its tokens with the scopes admin and compute:serve.
    """
    _change(admin, name, schema.AccountChangeBody(role=role))


@user.command("email")
@click.argument("name")
@click.argument("email", required=False)
@options.administration
def set_email(name: str, email: str | None, admin: Administration) -> None:
    """Set the EMAIL address of the account NAME; without EMAIL, remove it."""
    _change(admin, name, schema.AccountChangeBody(email=email))


@user.command("reset")
@click.argument("name")
@click.option(
    "--password-stdin", is_flag=True, help="Read a new password from one line of standard input."
)
@setting("--no-passwords", is_flag=True, help="Make no link: the server accepts no passwords.")
@options.administration
def reset_user(name: str, password_stdin: bool, no_passwords: bool, admin: Administration) -> None:
    """Revoke all tokens of the account NAME, and remove its password or set a new one.

    Without --password-stdin it prints a link to standard error, with which the person sets a
    password, once and within three days.
    """
    password = options.stdin_line("password") if password_stdin else None
    body = schema.ResetBody(password=password)
    account = admin.post("accounts", name, "reset", body=body, of=schema.AdminAccountBody)
    if password is None and account.disabled_at is None and not no_passwords:
        _print_link(admin, account.name)


@user.command("delete")
@click.argument("name")
@click.option(
    "--jobs",
    type=options.Choice(["keep", "remove"]),
    default="keep",
    show_default=True,
    help="After 30 days: keep its jobs without its name, or remove them.",
)
@options.administration
def delete_user(name: str, jobs: JobsOfDeleted, admin: Administration) -> None:
    """Delete the account NAME and cancel its unfinished jobs.

    For 30 days its name stays taken, and `qwicket user restore` brings it back, with its tokens.
    """
    admin.change("DELETE", "accounts", name, query={"jobs": jobs})


@user.command("restore")
@click.argument("name")
@options.administration
def restore_user(name: str, admin: Administration) -> None:
    """Restore the deleted account NAME; `qwicket user list --deleted` has the names."""
    admin.post("accounts", name, "restore", of=schema.AdminAccountBody)


def _change(admin: Administration, name: str, body: schema.AccountChangeBody) -> None:
    admin.patch("accounts", name, body=body, of=schema.AdminAccountBody)


@click.group(cls=Section)
def token() -> None:
    """Create, list and revoke tokens."""


@token.command("create")
@click.option("--user", "user_name", required=True, metavar="NAME", help="Account of the token.")
@click.option("--name", metavar="TEXT", help="What its owner calls it, such as laptop.")
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
    help="Device whose jobs and groups it can access, with the scope admin, too; every token can"
    " list all devices. Repeatable; by default all devices.",
)
@click.option(
    "--expires", callback=options.duration_s, metavar="TIME", help="Lifetime, such as 90d or 12h."
)
@click.option(
    "--aws",
    is_flag=True,
    help="Create a key pair for AWS's clients: print key id and secret, a line each. Joined by a"
    " dot, they are a token with the same rights.",
)
@click.option(
    "--assistant",
    is_flag=True,
    help="Token for an assistant: a bound that is not given is 100,000 shots and 10 credits a day,"
    " and it asks first above 10,000 shots or 1 credit a job; by default it expires in 7 days.",
)
@click.option(
    "--daily-shots", type=_SHOTS, metavar="N", help="Bound: shots that its jobs may use in a day."
)
@click.option(
    "--daily-cost", type=_CREDITS, metavar="C", help="Bound: credits its jobs may cost in a day."
)
@click.option(
    "--ask-above-shots",
    type=_SHOTS,
    metavar="N",
    help="Bound: a person must confirm each job with more shots.",
)
@click.option(
    "--ask-above-cost",
    type=_CREDITS,
    metavar="C",
    help="Bound: a person must confirm each job that costs more credits.",
)
@options.administration
def create_token(
    user_name: str,
    name: str | None,
    project: str | None,
    scopes: tuple[str, ...],
    devices: tuple[str, ...],
    expires: int | None,
    aws: bool,
    assistant: bool,
    admin: Administration,
    **given_bounds: float | None,
) -> None:
    """Create a token and print it. It cannot be shown again.

    A token with bounds may only read, submit and cancel jobs and read devices.
    Bounds count in every dialect.
    """
    bounds = {name: bound for name, bound in given_bounds.items() if bound is not None}
    if assistant:
        bounds = _USUAL_BOUNDS | bounds
        expires = expires or USUAL_LIFE_S
    given = {
        "name": name,
        "project": project,
        "devices": devices,
        "life_s": expires,
        "aws": aws,
        "bounds": bounds,
    }
    body: dict[str, Any] = {name: value for name, value in given.items() if value}
    body["scopes"] = scopes or DEFAULT_SCOPES
    made = admin.post("accounts", user_name, "tokens", body=body, of=account_schema.NewTokenBody)
    if made.aws_key_id is not None:
        click.echo(made.aws_key_id)
    click.echo(made.secret)


@token.command("list")
@click.option("--user", "user_name", required=True, metavar="NAME", help="Account of the tokens.")
@json_flag
@options.administration
def list_tokens(user_name: str, as_json: bool, admin: Administration) -> None:
    """List the tokens of an account by id. Their secrets are not stored."""
    found = admin.get("accounts", user_name, "tokens", of=account_schema.TokenList)
    headings = ("id", "name", "scopes", "devices", "bounds", "life", "made with")
    print_rows(map(_token, found.tokens), headings, as_json)


def _token(token: account_schema.TokenBody) -> Row:
    record: dict[str, Any] = {
        "id": token.id,
        "name": token.name,
        "scopes": token.scopes,
        "devices": token.devices,
        "created_at": second_of(token.created_at),
        "expires_at": second_of(token.expires_at),
        "revoked_at": second_of(token.revoked_at),
        "parent": token.parent,
        "bounds": msgspec.to_builtins(token.bounds),
    }
    devices = f"only {', '.join(token.devices)}" if token.devices else ""
    cells = (token.id, token.name or "", " ".join(token.scopes), devices, bounds_text(token.bounds))
    return Row(record, (*cells, _lifetime(token), token.parent or ""))


@token.command("revoke")
@click.argument("token_id", metavar="ID")
@options.administration
def revoke_token(token_id: str, admin: Administration) -> None:
    """Revoke the token with this ID (see `token list`), and all tokens created with it."""
    revoked = admin.delete("tokens", token_id, of=schema.RevokedBody).tokens
    if len(revoked) > 1:
        click.echo(f"Also revoked, because created with it: {len(revoked) - 1}.")


def _lifetime(token: account_schema.TokenBody) -> str:
    if token.revoked_at is not None:
        return f"revoked {minute_of(token.revoked_at)}"
    if token.expires_at is not None:
        return f"expires {minute_of(token.expires_at)}"
    return "no expiry"


@token.command("rotate-keys", short_help="Void all short-lived access tokens.")
@options.administration
def rotate_keys(admin: Administration) -> None:
    """Replace the key that signs access tokens, and URLs for uploads and downloads.

    What was signed before becomes invalid on all servers. Clients that renew their access tokens
    continue; others must sign in again. API tokens stay valid.
    """
    admin.change("POST", "keys", "rotate")
