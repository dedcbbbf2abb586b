"""Lists of jobs: the statement and the parameters for a query."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec import structs

from qwicket.model.limits import INT64_MAX
from qwicket.model.states import NOT_COMPLETED, NOT_ENDED, JobState
from qwicket.store import rows

if TYPE_CHECKING:
    from qwicket.model.jobs import Job, JobQuery
    from qwicket.store.database import Tx


_MAX_LABEL_CHARS: Final = 255
"""Characters after which `job_label` cuts tags and names, for PostgreSQL's index."""


class _Lists(NamedTuple):
    """Names of statements that list jobs: all of them, or those of one index."""

    all: str
    not_ended: str
    not_completed: str
    withheld: str
    labelled: str


_OF_ACCOUNT: Final = _Lists(
    *("job_list", "job_list_not_ended", "job_list_not_completed"),
    *("job_list_withheld", "job_list_labelled"),
)
_OF_ALL: Final = _Lists(
    *("job_list_of_all", "job_list_of_all_not_ended", "job_list_of_all_not_completed"),
    *("job_list_of_all_withheld", "job_list_of_all_labelled"),
)
_TALLIES: Final = _Lists(
    *("job_tally_list", "job_tally_list_not_ended", "job_tally_list_not_completed"),
    *("job_tally_list_withheld", "job_tally_list_labelled"),
)


def page(tx: Tx, query: JobQuery) -> list[Job]:
    """Return jobs newest first, or oldest first if the query asks for it."""
    if query.offset is not None:
        name = "job_search_rising" if query.oldest_first else "job_search"
        return [rows.job(row) for row in tx.all(name, **parameters(query))]
    return _newest(tx, _statements(query), query, **_bounds(tx, query))


def page_with_vendor_fields(tx: Tx, query: JobQuery) -> list[tuple[Job, bytes | None]]:
    """Return jobs of a dialect with their vendor fields, newest first."""
    given = parameters(query) | _bounds(tx, query)
    found = tx.all("job_list_of_dialect_with_vendor_fields", **given)
    return [(rows.job(row[:-1]), row[-1]) for row in found]


def tally(tx: Tx, query: JobQuery) -> Counter[JobState]:
    """Return the number of the newest jobs of an account by state.

    Each statement counts up to the limit of the query, so if the sum reaches it, jobs may be left
    out. The query must not name a dialect or group.
    """
    given = parameters(query) | _bounds(tx, query)
    found: Counter[JobState] = Counter()
    for name in _fewest(query, _TALLIES):
        for state, number in tx.all(name, **given):
            found[JobState(state)] += number
    return found


def page_of_all(tx: Tx, query: JobQuery) -> list[Job]:
    """Return jobs of all accounts, newest first; or of one account."""
    if query.account:
        return page(tx, query)
    before = INT64_MAX if query.before is None else query.before
    return _newest(tx, _fewest(query, _OF_ALL), query, before=before)


def parameters(query: JobQuery) -> dict[str, Any]:
    """Return the parameters of the statements for a query."""
    return structs.asdict(query) | {
        "states": rows.filter_text(query.states),
        "tags": rows.from_texts(query.tags),
        "label": _label(query),
        "since": query.created_from,
        "until": query.created_to,
        "devices": rows.filter_text(query.devices),
    }


def _bounds(tx: Tx, query: JobQuery) -> dict[str, int]:
    """Return the bounds between which the `seq` of a query's jobs is, both excluded.

    Without a dialect they include the query's times, which those statements do not read.
    """
    after, before = query.after, INT64_MAX if query.before is None else query.before
    if query.dialect is None:
        after = max(after, _before_time(tx, query.account, query.created_from))
        before = min(before, _before_time(tx, query.account, query.created_to + 1) + 1)
    return {"after": after, "before": before}


def _newest(tx: Tx, names: list[str], query: JobQuery, **bounds: int) -> list[Job]:
    """Return the jobs that one or several statements find; those of several, newest first."""
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
    return _fewest(query, _OF_ACCOUNT)


def _fewest(query: JobQuery, lists: _Lists) -> list[str]:
    """Return the statements that read the fewest jobs; most are completed and have no label."""
    if query.states and JobState.COMPLETED not in query.states:
        classes = {
            lists.not_ended: NOT_ENDED,
            lists.not_completed: NOT_COMPLETED,
            lists.withheld: (JobState.RUNNING,),
        }
        return [name for name, of in classes.items() if not set(of).isdisjoint(query.states)]
    return [lists.all if _label(query) is None else lists.labelled]


def _label(query: JobQuery) -> str | None:
    """Return the label in `job_label` of the query's first tag, else of its name, else None."""
    if query.tags:
        return f"tag:{query.tags[0][:_MAX_LABEL_CHARS]}"
    return f"name:{query.name[:_MAX_LABEL_CHARS]}" if query.name else None


def _before_time(tx: Tx, account: str, at: int) -> int:
    """Return the `seq` of the last job that an account created before a time; 0 without one.

    Creation times rise with `seq`, so a binary search finds the job without an index by time.
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
