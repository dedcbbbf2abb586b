"""Jobs that match a filter."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from msgspec import structs

from qwicket.dialects.ibm import projects, wire
from qwicket.dialects.ibm.jobs import JobRow
from qwicket.dialects.ibm.limits import IBMLimits
from qwicket.dialects.ibm.names import DIALECT
from qwicket.model.errors import LimitExceeded, NotFound
from qwicket.model.jobs import JobQuery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from qwicket.dialects.ibm.filters import Filter
    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor

_ROWS_PER_TURN: Final = 20
_SCAN: Final = 200
"""Jobs that are matched on the event loop; more are matched in a thread."""
_NOTHING: Final = wire.VendorFields(kind="")


async def find_jobs(
    gateway: Gateway, actor: Actor, asked: Filter, project: str | None
) -> list[JobRow]:
    """Return the jobs of a list with their vendor fields.

    Raises:
        LimitExceeded: The filter matches so few jobs that too many would be read.
    """
    limits = gateway.limits
    names = await projects.names(gateway, actor)
    query = asked.narrow(JobQuery(dialect=DIALECT, project=project))
    wanted = min(asked.limit or limits.requests.list_page, limits.requests.list_page)
    found: list[JobRow] = []
    n_to_skip, size, n_read = asked.skip, max(_SCAN, wanted + asked.skip), 0
    while len(found) < wanted:
        if n_read >= limits.of(IBMLimits).filter_jobs:
            raise LimitExceeded(
                f"filter: it was applied to {n_read} jobs (limit filter_jobs); narrow it by"
                " creationDate, status, name, tags or backend.name.",
                field="filter",
            )
        # Pages grow: the fewer jobs match, the more are read at once.
        size = min(limits.requests.list_page, 2 * size if n_read else size)
        page = await gateway.jobs.page(actor, structs.replace(query, limit=size))
        n_read += len(page)
        rows = [JobRow(job, _NOTHING, names.get(job.project, job.project)) for job in page]
        if asked.needs_vendor_fields:
            rows = await _with_vendor_fields(gateway, rows)
        matching = await _matching(asked, rows)
        found += matching[n_to_skip : n_to_skip + wanted - len(found)]
        n_to_skip = max(0, n_to_skip - len(matching))
        if len(page) < size:
            break
        query = structs.replace(query, before=page[-1].seq, after=page[-1].seq)
    return found if asked.needs_vendor_fields else await _with_vendor_fields(gateway, found)


async def in_turns(rows: list[JobRow]) -> AsyncIterator[JobRow]:
    """Yield rows, and let other requests run in between: each row needs reads of the database."""
    for number, row in enumerate(rows):
        if number % _ROWS_PER_TURN == _ROWS_PER_TURN - 1:
            await asyncio.sleep(0)
        yield row


async def _with_vendor_fields(gateway: Gateway, rows: list[JobRow]) -> list[JobRow]:
    """Return rows with their vendor fields, without jobs that were deleted meanwhile."""
    found = []
    async for row in in_turns(rows):
        with suppress(NotFound):
            document = await gateway.jobs.vendor_fields(row.job)
            found.append(row._replace(vendor_fields=wire.vendor_fields(document)))
    return found


async def _matching(asked: Filter, rows: list[JobRow]) -> list[JobRow]:
    """Return the rows that match the filter; many are matched in a thread."""

    def matching() -> list[JobRow]:
        return [row for row in rows if asked.where.holds(row)]

    return matching() if len(rows) <= _SCAN else await asyncio.to_thread(matching)
