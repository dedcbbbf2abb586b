"""`qwicket status`: the state of an installation, for those who operate it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from msgspec import to_builtins

from qwicket.cli import options
from qwicket.cli.listing import json_flag, json_line, minute_of, print_fields
from qwicket.schema import admin as schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qwicket.cli.administration import Administration


@click.command(short_help="Show what waits, failed or is away, and the size of the data.")
@json_flag
@options.administration
def status(as_json: bool, admin: Administration) -> None:
    """Show what waits, what failed or is away, and the size of the data.

    What waits for each device, and since when; what failed in the last hour; which devices at other
    clouds and of labs are away; workers; the database, its disk, and its last backup.
    """
    found = admin.get("overview", of=schema.OverviewBody)
    if as_json:
        click.echo(json_line(to_builtins(found)))
    else:
        print_fields(_fields(found))


def _fields(found: schema.OverviewBody) -> Iterator[tuple[str, str]]:
    yield "version", found.version
    yield "waiting", _waiting(found)
    for queue in found.queues:
        off = "" if queue.is_on else ", off"
        oldest = f", oldest {_age(found, queue.oldest_at)}" if queue.oldest_at else ""
        counts = f"{queue.waiting:,} waiting{oldest}, {queue.running:,} running{off}"
        yield f"  {queue.device}", counts
    yield "slots", _slots(found)
    n_failed = sum(each.number for each in found.failed)
    yield "failed in 1 h", f"{n_failed:,}"
    for failed in found.failed:
        yield f"  {failed.device}", f"{failed.number:,} {failed.code}"
    yield "sign-ins refused in 1 h", f"{found.refused_sign_ins:,}"
    for each in found.elsewhere:
        seen = f"last seen {minute_of(each.last_seen_at)}" if each.last_seen_at else "never seen"
        yield f"elsewhere {each.device}", "there" if each.is_there else f"away, {seen}"
    yield "database", f"{found.database}, {_size(found)}"
    if found.disk_free_bytes is not None and found.disk_bytes:
        share = found.disk_free_bytes / found.disk_bytes
        yield "disk", f"{_gigabytes(found.disk_free_bytes)} free ({100 * share:.0f} %)"
    backup = "none is known"
    if found.backed_up_at is not None:
        backup = f"{_age(found, found.backed_up_at)} ago, {minute_of(found.backed_up_at)}"
    yield "last backup", backup


def _waiting(found: schema.OverviewBody) -> str:
    number = sum(each.waiting for each in found.queues)
    oldest = f", oldest {_age(found, found.oldest_at)}" if found.oldest_at else ""
    return f"{number:,}{oldest}"


def _slots(found: schema.OverviewBody) -> str:
    kinds = [each.kind for each in found.runners if each.device is None]
    counted = ", ".join(
        f"{kinds.count(kind)} {kind}{'' if kinds.count(kind) == 1 else 's'}"
        for kind in dict.fromkeys(sorted(kinds))
    )
    cluster = ""
    if found.cluster is not None:
        state = "connected" if found.cluster.is_connected else "its scheduler was lost"
        cluster = f"; cluster: {found.cluster.slots} slots, {state}"
    return f"{found.slots:,}{f' of {counted}' if counted else ''}{cluster}"


def _size(found: schema.OverviewBody) -> str:
    free = found.database_free_bytes
    unused = f", {_gigabytes(free)} of it unused (qwicket compact)" if free else ""
    return f"{_gigabytes(found.database_bytes)}{unused}"


def _gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:,.2f} GB"


def _age(found: schema.OverviewBody, at: str | None) -> str:
    """Return how long before the overview a time was, in its two largest units."""
    now = datetime.fromisoformat(found.at).astimezone(UTC)
    seconds = max(0, int((now - datetime.fromisoformat(at or found.at)).total_seconds()))
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
