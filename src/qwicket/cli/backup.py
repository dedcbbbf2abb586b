"""`qwicket backup`, `restore` and `compact`: the data in one file, and back; its free space."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qwicket.cli import options
from qwicket.cli.listing import time_to_minute
from qwicket.cli.terminal import RewrittenLines, can_rewrite
from qwicket.folders import AWS_MASTER_FILE

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwicket.store.backup import Contents


@click.command(short_help="Copy the data into one file, also while servers run.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--check",
    is_flag=True,
    help="Write nothing; only check that the data can be read and that its schema is known. FILE is"
    " ignored, and may be left out.",
)
@click.option(
    "--note",
    is_flag=True,
    help="Write nothing; only note that a backup was made by other means, such as pg_dump, for"
    " `qwicket status` and the overview of administrators.",
)
@options.data_location
def backup(file: Path | None, check: bool, note: bool, location: options.DataLocation) -> None:
    """Copy the embedded database into FILE, which must not exist yet.

    Servers may run, and are not delayed. FILE is checked before it appears under its name. Only you
    can read it: it contains signing keys and hashes of passwords, but not aws-master-keys.

    With --database-url the command prints a pg_dump command instead, without the password.
    """
    from qwicket.store import backup as store

    url = location.database_url
    if check:
        if url:
            _show(_or_click_error(lambda: store.read_postgres(url)), "The database")
        else:
            database = location.data_dir / store.FILE
            _show(_or_click_error(lambda: store.read(database)), str(database))
    elif note:
        _note(location, None)
    elif file is None:
        raise click.UsageError("FILE is missing: name the file to write, or add --check.")
    elif url:
        _print_command("pg_dump", ["--format=custom"], url, f"--file={file}")
    else:
        contents = _or_click_error(lambda: store.back_up(location.data_dir, file, _progress()))
        _show(contents, str(file))
        # A newer version must not migrate the database only because of a note.
        if not _or_click_error(lambda: store.missing_migrations(location.data_dir, None)):
            try:
                _note(location, file.stat().st_size)
            except (click.ClickException, OSError) as error:
                reason = error.message if isinstance(error, click.ClickException) else error
                click.echo(f"The overview does not know of this backup: {reason}", err=True)
        master_file = location.data_dir / AWS_MASTER_FILE
        if master_file.exists():
            # Kept apart from the backup, because with both anyone can sign as any key pair's owner.
            click.echo(
                f"Copy {master_file} to another place, too: key pairs of AWS's clients need it, and"
                " the backup does not contain it.",
                err=True,
            )


@click.command(short_help="Put the data of a backup into a folder.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--check",
    is_flag=True,
    help="Restore nothing; only check FILE, or with --database-url the database after pg_restore.",
)
@click.option(
    "--replace",
    is_flag=True,
    help="Replace a database that exists. The old one stays beside it as qwicket.db.TIME.old.",
)
@options.data_location
def restore(file: Path, check: bool, replace: bool, location: options.DataLocation) -> None:
    """Put the backup FILE into the folder --data-dir, which no server may use meanwhile.

    Jobs submitted after the backup are lost. Jobs that ran during it are queued again when a server
    starts. Tokens revoked after the backup are valid again.

    With --database-url the command prints a pg_restore command instead, without the password.
    """
    from qwicket.store import backup as store

    if url := location.database_url:
        if check:
            _show(_or_click_error(lambda: store.read_postgres(url)), "The database")
        else:
            pg_options = ["--clean", "--if-exists"] if replace else []
            pg_options += ["--single-transaction", "--no-owner"]
            _print_command("pg_restore", pg_options, url, str(file))
    elif check:
        _show(_or_click_error(lambda: store.verify(file)), str(file))
    else:
        folder = location.data_dir
        done = _or_click_error(
            lambda: store.restore(file, folder, replace=replace, report=_progress())
        )
        _show(done.contents, str(folder / store.FILE))
        if done.former:
            click.echo(f"The former database is now {done.former}.")


@click.command(short_help="Give the free space in the embedded database back to the disk.")
@options.data_location
def compact(location: options.DataLocation) -> None:
    """Give the free space in the embedded database back to the disk.

    New rows use what deleted jobs leave, so this is for a disk that is nearly full. No server may
    use the folder meanwhile. It needs free space for a copy of what is left.
    """
    from qwicket.store import backup as store

    if location.database_url:
        raise click.UsageError(
            "PostgreSQL's autovacuum frees space for new rows; VACUUM FULL returns it to the disk."
        )
    before, after = _or_click_error(lambda: store.compact(location.data_dir))
    file = location.data_dir / store.FILE
    click.echo(f"{file}: {after / 1e6:,.1f} MB, before {before / 1e6:,.1f} MB")


def _note(location: options.DataLocation, size_bytes: int | None) -> None:
    """Note in the audit that a backup was made."""
    from qwicket.cli.administration import Administration
    from qwicket.schema.admin import BackupBody

    Administration(location).change("POST", "backups", body=BackupBody(size_bytes=size_bytes))


def _or_click_error(work: Callable[[], options.T]) -> options.T:
    """Return the result of `work`; its errors end the command with their text."""
    from qwicket.model.errors import QwicketError

    try:
        return work()
    except QwicketError as error:
        raise click.ClickException(error.detail) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}.") from None


def _show(contents: Contents, name: str) -> None:
    newest_at = contents.newest_at
    newest = "" if newest_at is None else f"; the newest job is of {time_to_minute(newest_at)}"
    click.echo(
        f"{name}: {contents.accounts} accounts, {contents.jobs} jobs ({contents.unfinished} not"
        f" ended), schema {contents.schema}{newest}"
    )


def _progress() -> Callable[[float], None]:
    """Return a function that shows the copied fraction on a terminal, and elsewhere nothing."""
    if not can_rewrite(sys.stderr):
        return lambda _: None
    lines = RewrittenLines(sys.stderr)
    return lambda fraction: lines.show([f"{100 * fraction:.0f} % copied"])


def _print_command(program: str, pg_options: list[str], url: str, file: str) -> None:
    """Print a command of PostgreSQL, whose tools take arguments, such as `file`, after options.

    A file that it writes is for its owner alone, as that of `qwicket backup` is.
    """
    from qwicket.store.backup import without_password

    address = _or_click_error(lambda: without_password(url))
    line = shlex.join([program, *pg_options, f"--dbname={address}", file])
    click.echo(line if program == "pg_restore" else f"umask 077 && {line}")
    click.echo(
        "Run this line; PostgreSQL's tools read the password from ~/.pgpass or PGPASSWORD.",
        err=True,
    )
