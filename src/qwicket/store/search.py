"""Lists of jobs: the statement and the parameters for a query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import structs

from qwicket.model.limits import INT64_MAX
from qwicket.model.states import NOT_COMPLETED, NOT_ENDED, JobState
from qwicket.store import rows

if TYPE_CHECKING:
    from qwicket.model.jobs import Job, JobQuery
    from qwicket.store.database import Tx


def page(tx: Tx, query: JobQuery) -> list[Job]:
    """Return jobs newest first, or oldest."""
    if query.offset is not None:
        name = "job_search_rising" if query.oldest_first else "job_search"
        return [rows.job(row) for row in tx.all(name, **parameters(query))]
    after, before = query.after, INT64_MAX if query.before is None else query.before
    if query.dialect is None:
        after = max(after, _before_time(tx, query.account, query.created_from))
        before = min(before, _before_time(tx, query.account, query.created_to + 1) + 1)
    return _newest(tx, _statements(query), query, before=before, after=after)


def page_of_all(tx: Tx, query: JobQuery) -> list[Job]:
    """Return jobs of all accounts, newest first; or of one account."""
    if query.account:
        return page(tx, query)
    before = INT64_MAX if query.before is None else query.before
    names = ("job_list_of_all", "job_list_of_all_not_ended", "job_list_of_all_not_completed")
    return _newest(tx, _of_states(query, *names), query, before=before)


def parameters(query: JobQuery) -> dict[str, Any]:
    """Return the parameters of a search."""
    return structs.asdict(query) | {
        "states": rows.filter_text(query.states),
        "tags": rows.from_texts(query.tags),
        "since": query.created_from,
        "until": query.created_to,
        "devices": rows.filter_text(query.devices),
    }


def _newest(tx: Tx, names: list[str], query: JobQuery, **bounds: int) -> list[Job]:
    """Return the jobs that several statements find, in the order of each of them."""
    given = parameters(query) | bounds
    found = [rows.job(row) for name in names for row in tx.all(name, **given)]
    if len(names) > 1:
        found.sort(key=lambda job: job.seq, reverse=True)
    return found[: query.limit]


def _statements(query: JobQuery) -> list[str]:
    if query.dialect is not None:
        return ["job_list_of_dialect_rising" if query.oldest_first else "job_list_of_dialect"]
    if query.group is not None:
        return ["job_list_of_group"]
    return _of_states(query, "job_list", "job_list_not_ended", "job_list_not_completed")


def _of_states(query: JobQuery, all_: str, not_ended: str, not_completed: str) -> list[str]:
    """Return which of three statements read the fewest jobs: most jobs are completed."""
    if not query.states or JobState.COMPLETED in query.states:
        return [all_]
    classes = {not_ended: NOT_ENDED, not_completed: NOT_COMPLETED}
    return [name for name, of in classes.items() if not set(of).isdisjoint(query.states)]


def _before_time(tx: Tx, account: str, at: int) -> int:
    """Return the last `seq` that an account created before a time.

    Creation times rise with `seq`, so a binary search finds it without an index by time.
    """
    if at <= 0:
        return 0
    if at > INT64_MAX:
        return INT64_MAX - 1
    low, high = 0, (tx.one("job_last_seq", account=account) or (None,))[0] or 0
    while low < high:
        middle = (low + high) // 2
        row = tx.one("job_made_after", account=account, seq=middle)
        if row is None or row[1] >= at:
            high = middle
        else:
            low = row[0]
    return int(low)
