"""Checks of `qwicket doctor` of the database: its age, its clock, its tokens and its key pairs."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import click
from msgspec import structs

from qwicket.cli import options
from qwicket.cli.findings import MAX_OFFSET_S, TIMEOUT_S, TRIAL_S, Finding
from qwicket.cli.listing import time_to_minute
from qwicket.cli.serve import check_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qwicket.cli.options import DataLocation
    from qwicket.gateway.admin import Admin
    from qwicket.model.accounts import Account, Token

_SOON_MS: Final = 7 * 86_400_000
"""Tokens that expire within this time are reported."""


def check_database(location: DataLocation) -> Iterator[Finding]:
    if location.database_url:
        where = urlsplit(location.database_url)
        name = f"PostgreSQL at {where.hostname or 'this machine'}{where.path}"
    else:
        path = location.data_dir / "qwicket.db"
        if is_absent(location):
            yield Finding("database", "ok", "No database yet: qwicket serve creates it.")
            return
        name = f"SQLite, {path.stat().st_size / 1e6:,.1f} MB"
        if text := corruption(path):
            remedy = "Stop the server and put back the last backup."
            yield Finding("database", "wrong", f"{name}: {text}", remedy)
            return
    if is_empty(location):
        yield Finding("database", "ok", f"{name}: empty; qwicket serve creates its tables.")
        return
    if is_older(location):
        text = f"{name}: it is of an older version, so nothing else in it was checked"
        yield Finding("database", "warning", text, "Back up; qwicket serve then migrates it.")
        return
    accounts, tokens, newest_ms = options.as_admin(location, _accounts_tokens_and_newest_time)
    yield Finding("database", "ok", f"{name}; it can be read")
    yield _clock(newest_ms)
    yield from _tokens(accounts, tokens)


def is_absent(location: DataLocation) -> bool:
    """Return whether a folder has no database yet."""
    return not location.database_url and not (location.data_dir / "qwicket.db").exists()


def is_empty(location: DataLocation) -> bool:
    """Return whether a database has no tables yet."""
    from qwicket.store import statements
    from qwicket.store.sqlite import SQL_FRAGMENTS

    return _missing_migrations(location) == len(statements.migrations(SQL_FRAGMENTS))


def is_older(location: DataLocation) -> bool:
    """Return whether a database lacks migrations, which opening it would apply."""
    return _missing_migrations(location) > 0


def _missing_migrations(location: DataLocation) -> int:
    from qwicket.model.errors import QwicketError
    from qwicket.store import backup

    try:
        return backup.missing_migrations(location.data_dir, location.database_url)
    except QwicketError as error:
        raise click.ClickException(error.detail) from None


def corruption(path: Path) -> str:
    """Return the first fault that SQLite itself finds in a database within `TRIAL_S`, or ""."""
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=TIMEOUT_S)
        ) as connection:
            deadline = time.monotonic() + TRIAL_S
            connection.set_progress_handler(lambda: time.monotonic() > deadline, 100_000)
            (text,) = connection.execute("pragma quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        # Interrupted: a large database was checked for `TRIAL_S` without a finding.
        return "" if "interrupted" in str(error) else str(error)
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if text == "ok" else str(text)


async def _accounts_tokens_and_newest_time(
    admin: Admin,
) -> tuple[list[Account], dict[str, list[Token]], int]:
    accounts = await admin.accounts()
    tokens = {each.name: await admin.tokens(each.name) for each in accounts}
    made = [each.created_at for each in accounts]
    made += [token.created_at for each in tokens.values() for token in each]
    return accounts, tokens, max(made, default=0)


def _clock(newest_ms: int) -> Finding:
    ahead_s = newest_ms / 1000 - time.time()
    if ahead_s > MAX_OFFSET_S:
        text = f"it is {ahead_s:,.0f} s before the last stored time: it was set back"
        remedy = "Set the clock, and let NTP keep it: timedatectl set-ntp true"
        return Finding("clock", "wrong", text, remedy)
    return Finding("clock", "ok", f"{time_to_minute(_now_ms())}; no stored time is later")


def _tokens(accounts: list[Account], tokens: dict[str, list[Token]]) -> Iterator[Finding]:
    now_ms = _now_ms()
    active = [each for each in accounts if not each.disabled_at]
    live = {
        each.name: [token for token in tokens[each.name] if _is_live(token, now_ms)]
        for each in active
    }
    n_live = sum(map(len, live.values()))
    text = f"{n_live} valid, of {len(active)} accounts"
    if not active:
        remedy = "qwicket user add NAME, then qwicket token create --user NAME"
        yield Finding("tokens", "warning", "There is no account yet.", remedy)
    elif not n_live:
        remedy = f"qwicket token create --user {active[0].name}"
        yield Finding("tokens", "warning", text, remedy)
    else:
        yield Finding("tokens", "ok", text)
    for name, each in live.items():
        for token in each:
            if token.expires_at is not None and token.expires_at < now_ms + _SOON_MS:
                remedy = f"qwicket token create --user {name} --expires 90d"
                text = f"{token.id} of {name} expires {time_to_minute(token.expires_at)}"
                yield Finding("tokens", "warning", text, remedy)


def check_key_pairs(location: DataLocation, context: click.Context) -> Iterator[Finding]:
    """Report a lost or invalid file of master keys; without key pairs none is needed."""
    from qwicket.model.accounts import master_key_name

    settings, _refused = check_settings(context)
    folder, url = location.data_dir, location.database_url
    file = structs.replace(settings, data_dir=folder, database_url=url).master_file
    is_readable = not is_absent(location) and not is_older(location)
    if file is not None and file.exists():
        if text := _fault_of_keys(file, location if is_readable else None):
            remedy = "Correct the file, or put it back from its copy."
            yield Finding("key pairs", "wrong", text, remedy)
        return
    name = master_key_name()
    if is_readable and options.with_store(
        location, lambda store: store.accounts.find_server_key(name)
    ):
        text = f"{file or 'their file of master keys'} is not there: none of AWS's clients works"
        remedy = "Put it back from its copy: backups do not contain it (--aws-master-file)."
        yield Finding("key pairs", "wrong", text, remedy)


def _fault_of_keys(file: Path, location: DataLocation | None) -> str:
    """Return why a server refuses a file of master keys, or "".

    Args:
        file: The file.
        location: Database whose keys they must be; None if it cannot be read yet.
    """
    from qwicket.gateway.key_pairs import KeyPairs, read_masters
    from qwicket.model.errors import QwicketError

    try:
        read_masters(file)
        if location is not None:
            options.with_store(location, lambda store: KeyPairs(store, file, _now_ms).check())
    except QwicketError as error:
        return error.detail
    except click.ClickException as error:
        return error.message
    return ""


def check_device_names(location: DataLocation, context: click.Context) -> Iterator[Finding]:
    """Report device files whose device has the name of a lab's."""
    from qwicket.devices.files import load_folder
    from qwicket.model.errors import InvalidRequest

    settings, _refused = check_settings(context)
    if settings.device_dir is None or is_absent(location) or is_older(location):
        return
    try:
        files = load_folder(settings.device_dir)
    except InvalidRequest:  # a finding about the settings already
        return
    stored = options.with_store(location, lambda store: store.devices.all())
    of_labs = {device.name for device in stored if device.driver == "agent"}
    for path, file in files.items():
        if file.name in of_labs:
            text = f"--device-dir: {path}: the name {file.name} belongs to a device of a lab"
            yield Finding("devices", "wrong", text, "Give the device another name.")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _is_live(token: Token, now_ms: int) -> bool:
    return token.revoked_at is None and (token.expires_at is None or token.expires_at > now_ms)
