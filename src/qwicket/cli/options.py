"""Options and manners that several commands share."""

from __future__ import annotations

import asyncio
import functools
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from qwicket.model.errors import QwicketError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qwicket.gateway.admin import Admin

T = TypeVar("T")


def _default_data_dir() -> Path:
    from qwicket.server.settings import default_data_dir

    return default_data_dir()


data_dir = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=_default_data_dir,
    show_default="~/.local/share/qwicket",
    envvar="QWICKET_DATA_DIR",
    help="Folder of the embedded database.",
)
database_url = click.option(
    "--database-url",
    envvar="QWICKET_DATABASE_URL",
    callback=lambda _context, _option, value: _refuse_database(value),
    expose_value=False,
    metavar="URL",
    help="Database in place of the embedded one; PostgreSQL comes in a later version.",
)


def _refuse_database(url: str | None) -> None:
    if url:
        raise click.UsageError(
            "--database-url is not supported by this version: it keeps everything in the embedded"
            " database of --data-dir."
        )


def as_admin(folder: Path, work: Callable[[Admin], Awaitable[T]]) -> T:
    """Do an administrator's work on a data folder, while a server may run on it.

    Raises:
        click.ClickException: It was refused.
    """
    from qwicket.gateway.admin import Admin
    from qwicket.store import open_sqlite

    async def do() -> T:
        store = open_sqlite(folder)
        try:
            return await work(Admin(store, lambda: time.time_ns() // 1_000_000))
        finally:
            await store.close()

    try:
        return asyncio.run(do())
    except QwicketError as error:
        raise click.ClickException(error.detail) from None
    except OSError as error:
        raise click.ClickException(f"{folder}: {error.strerror}.") from None


def client_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn what the client raises into one line and exit status 1."""

    @functools.wraps(command)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        from qwicket.clients.native import ApiError, ClientError

        try:
            return command(*args, **kwargs)
        except ApiError as error:
            raise click.ClickException(f"{error}\n{error.remedy}".strip()) from None
        except ClientError as error:
            raise click.ClickException(str(error)) from None

    return guarded
