"""Options that select jobs, of `qwicket jobs` and `qwicket job`."""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from qwicket.cli import completers, options

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwicket.clients.native import Client
    from qwicket.clients.native.client import Filters

F = TypeVar("F", bound="Callable[..., Any]")

all_accounts = click.option(
    "--all",
    "everybody",
    is_flag=True,
    help="Jobs of all accounts; needs an administrator's token. With another token: your own, or"
    " with --project those of a project that you lead.",
)


def may_select(client: Client, filters: Filters | None = None) -> bool:
    """Return whether to select jobs of all accounts: of a project, or as an administrator.

    The server checks who leads the project.

    Raises:
        click.UsageError: The filters name an account alone, and the token is not an
            administrator's. Ignoring the account would select jobs that the user did not ask for.
    """
    if filters is not None and filters.get("project"):
        return True
    if "admin" in client.account()["token"]["scopes"]:
        return True
    if filters is not None and filters.get("account"):
        raise click.UsageError(
            "--account needs an administrator's token, or --project with a project that you lead."
        )
    return False


def job_filters(command: F) -> F:
    """Add options that select jobs; the command receives them as `everybody` and `filters`."""

    @functools.wraps(command)
    def with_filters(
        *,
        everybody: bool,
        account: str | None,
        project: str | None,
        tags: tuple[str, ...],
        since: int | None,
        **others: Any,
    ) -> Any:
        if not everybody and (account or project):
            raise click.UsageError("--account and --project need --all.")
        begin = datetime.now(UTC) - timedelta(seconds=since) if since else None
        filters: Filters = {
            "state": others.pop("state"),
            "device": others.pop("device"),
            "dialect": others.pop("dialect"),
            "group": others.pop("group"),
            "name": others.pop("name"),
            "tag": tags,
            "created_from": begin.isoformat(timespec="seconds") if begin else None,
        }
        if everybody:
            filters |= {"account": account, "project": project}
        return command(everybody=everybody, filters=filters, **others)

    for option in reversed(
        (
            all_accounts,
            click.option("--account", metavar="NAME", help="With --all: jobs of this account."),
            click.option(
                "--project",
                metavar="P",
                help="With --all: jobs of this project and of those below it.",
            ),
            click.option("--state", metavar="S", help="State, or several separated by commas."),
            click.option(
                "--device",
                metavar="D",
                shell_complete=completers.device,
                help="Name of the device.",
            ),
            click.option(
                "--dialect", metavar="DIALECT", help="Submitted by this API, such as native."
            ),
            click.option("--group", metavar="ID", help="Id of the group."),
            click.option("--name", metavar="NAME", help="Name of the job."),
            click.option(
                "--tag",
                "tags",
                multiple=True,
                metavar="T",
                help="Tag of the job. Repeatable: jobs with all of them.",
            ),
            click.option(
                "--since",
                callback=options.duration_s,
                metavar="TIME",
                help="Submitted in the last 12h, 3d or so.",
            ),
        )
    ):
        with_filters = option(with_filters)
    return cast(F, with_filters)
