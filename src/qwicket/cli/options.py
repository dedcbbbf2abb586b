"""Options and manners that several commands share."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qwicket.gateway.admin import Admin

T = TypeVar("T")
F = TypeVar("F", bound="Callable[..., Any]")


def setting(flag: str, *names: str, **attributes: Any) -> Callable[[F], F]:
    """Return an option that the environment and `qwicket.toml` can set, too."""
    variable = "QWICKET_" + flag.removeprefix("--").replace("-", "_").upper()
    return click.option(flag, *names, envvar=variable, show_envvar=True, **attributes)


def _default_data_dir() -> Path:
    from qwicket.server.settings import default_data_dir

    return default_data_dir()


def _refuse_database(_context: click.Context, _option: click.Parameter, url: str | None) -> None:
    if url:
        raise click.UsageError(
            "--database-url is not supported by this version: it keeps everything in the embedded"
            " database of --data-dir."
        )


data_dir = setting(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=_default_data_dir,
    show_default="~/.local/share/qwicket",
    metavar="DIR",
    help="Folder of the embedded database.",
)
database_url = setting(
    "--database-url",
    callback=_refuse_database,
    expose_value=False,
    metavar="URL",
    help="Database in place of the embedded one; PostgreSQL comes in a later version.",
)


def as_admin(folder: Path, work: Callable[[Admin], Awaitable[T]]) -> T:
    """Do an administrator's work on a data folder, while a server may run on it.

    Raises:
        click.ClickException: It was refused, or the folder cannot be used.
    """
    import asyncio
    import logging
    import time

    from qwicket.gateway.admin import Admin
    from qwicket.model.errors import QwicketError
    from qwicket.store import open_sqlite

    async def do() -> T:
        store = open_sqlite(folder)
        try:
            return await work(Admin(store, lambda: time.time_ns() // 1_000_000))
        finally:
            await store.close()

    # The store logs what went wrong with a traceback; here one line says it.
    log = logging.getLogger("qwicket")
    if not log.hasHandlers():
        log.addHandler(logging.NullHandler())
    try:
        return asyncio.run(do())
    except QwicketError as error:
        raise click.ClickException(error.detail) from None
    except OSError as error:
        raise click.ClickException(f"{folder}: {error.strerror}.") from None


def client_errors(command: Callable[..., T]) -> Callable[..., T]:
    """Turn what the client raises into one line and exit status 1."""

    @functools.wraps(command)
    def guarded(*args: Any, **kwargs: Any) -> T:
        from qwicket.clients.native import ApiError, ClientError

        try:
            return command(*args, **kwargs)
        except ApiError as error:
            raise click.ClickException(f"{error} {error.remedy}") from None
        except ClientError as error:
            raise click.ClickException(str(error)) from None

    return guarded
