"""Jobs that match a filter."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from msgspec import structs

from qwicket.model.errors import LimitExceeded, NotFound
from qwicket.model.jobs import JobQuery
from qwicket.vendors.ibm.dialect import projects, wire
from qwicket.vendors.ibm.dialect.jobs import JobRow
from qwicket.vendors.ibm.dialect.names import DIALECT
from qwicket.vendors.ibm.limits import IBMLimits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from qwicket.gateway import Gateway
    from qwicket.model.accounts import Actor
    from qwicket.vendors.ibm.dialect.filters import Filter

_ROWS_BETWEEN_YIELDS: Final = 20
_FIRST_PAGE_JOBS: Final = 200
_MAX_MATCHED_ON_LOOP: Final = 200
"""More jobs are matched in a thread."""
_NO_VENDOR_FIELDS: Final = wire.VendorFields(kind="")


async def find_jobs(
    gateway: Gateway, actor: Actor, filter_: Filter, project: str | None
) -> list[JobRow]:
    """Return at most `list_page` jobs that match a filter, in its order, newest first by default.

    Raises:
        LimitExceeded: The filter matches so few jobs that too many would be read.
    """
    limits = gateway.limits
    names = await projects.names(gateway, actor)
    query = filter_.narrow(JobQuery(dialect=DIALECT, project=project))
    wanted = min(filter_.limit or limits.requests.list_page, limits.requests.list_page)
    found: list[JobRow] = []
    n_to_skip, size, n_read = filter_.skip, max(_FIRST_PAGE_JOBS, wanted + filter_.skip), 0
    while len(found) < wanted:
        if n_read >= limits.of(IBMLimits).filter_jobs:
            raise LimitExceeded(
                f"filter: it was applied to {n_read:,} jobs (limit filter_jobs); narrow it by"
                " creationDate, status, name, tags or backend.name.",
                field="filter",
            )
        # Pages grow: the fewer jobs match, the more are read at once.
        size = min(limits.requests.list_page, 2 * size if n_read else size)
        page = await gateway.jobs.page(actor, structs.replace(query, limit=size))
        n_read += len(page)
        rows = [JobRow(job, _NO_VENDOR_FIELDS, names.get(job.project, job.project)) for job in page]
        if filter_.needs_vendor_fields:
            rows = await _with_vendor_fields(gateway, rows)
        matching = await _matching(filter_, rows)
        found += matching[n_to_skip : n_to_skip + wanted - len(found)]
        n_to_skip = max(0, n_to_skip - len(matching))
        if len(page) < size:
            break
        position = {"after" if query.oldest_first else "before": page[-1].seq}
        query = structs.replace(query, **position)
    return found if filter_.needs_vendor_fields else await _with_vendor_fields(gateway, found)


async def yielding_to_loop(rows: list[JobRow]) -> AsyncIterator[JobRow]:
    """Yield rows, and let other requests run in between: callers read the database for each row."""
    for number, row in enumerate(rows):
        if number % _ROWS_BETWEEN_YIELDS == _ROWS_BETWEEN_YIELDS - 1:
            await asyncio.sleep(0)
        yield row


async def _with_vendor_fields(gateway: Gateway, rows: list[JobRow]) -> list[JobRow]:
    """Return rows with their vendor fields, without jobs that were deleted meanwhile."""
    found = []
    async for row in yielding_to_loop(rows):
        with suppress(NotFound):
            document = await gateway.jobs.vendor_fields(row.job)
            found.append(row._replace(vendor_fields=wire.vendor_fields(document)))
    return found


async def _matching(filter_: Filter, rows: list[JobRow]) -> list[JobRow]:
    """Return the rows that match the filter; many are matched in a thread."""

    def matching() -> list[JobRow]:
        return [row for row in rows if filter_.where.holds(row)]

    return matching() if len(rows) <= _MAX_MATCHED_ON_LOOP else await asyncio.to_thread(matching)
