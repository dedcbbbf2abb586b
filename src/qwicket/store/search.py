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


_SEARCHED: Final = 50_000
"""Newest jobs that a search for a text reads: 100,000 would take 200 ms."""


class _Lists(NamedTuple):
    """Names of statements that list jobs: all of them, or those of one index."""

    all: str
    not_ended: str
    not_completed: str
    withheld: str
    labelled: str


class _List(NamedTuple):
    """A statement that lists jobs, and its parameters."""

    name: str
    given: dict[str, Any]


_OF_ACCOUNT: Final = _Lists(
    *("job_list", "job_list_not_ended", "job_list_not_completed"),
    *("job_list_withheld", "job_list_labelled"),
)
_OF_ALL: Final = _Lists(
    *("job_list_of_all", "job_list_of_all_not_ended", "job_list_of_all_not_completed"),
    *("job_list_of_all_withheld", "job_list_of_all_labelled"),
)


def page(tx: Tx, query: JobQuery) -> list[Job]:
    """Return jobs newest first, or oldest first if the query asks for it."""
    if query.offset is not None:
        return _jobs(tx, [_List("job_search", parameters(query))], query)
    return _jobs(tx, _of_account(tx, query), query)


def page_with_vendor_fields(tx: Tx, query: JobQuery) -> list[tuple[Job, bytes | None]]:
    """Return jobs of a dialect with their vendor fields, newest first."""
    given = parameters(query) | _bounds(tx, query)
    found = tx.all("job_list_of_dialect_with_vendor_fields", **given)
    return [(rows.job(row[:-1]), row[-1]) for row in found]


def tally(tx: Tx, query: JobQuery) -> Counter[JobState]:
    """Return the number of the newest jobs of an account by state.

    The count stops above the limit of the query, so if the sum exceeds it, jobs may be left out.
    """
    return _tally(tx, _of_account(tx, query), query.limit)


def page_of_all(tx: Tx, query: JobQuery) -> list[Job]:
    """Return jobs of all accounts, or of the account and the projects that the query names."""
    return _jobs(tx, _of_all(tx, query), query)


def tally_of_all(tx: Tx, query: JobQuery) -> Counter[JobState]:
    """Return the number of jobs as `tally` does, of those that `page_of_all` lists."""
    return _tally(tx, _of_all(tx, query), query.limit)


def parameters(query: JobQuery) -> dict[str, Any]:
    """Return the parameters of the statements for a query."""
    projects = query.projects if query.project is None else (query.project,)
    return structs.asdict(query) | {
        "states": rows.filter_text(query.states),
        "tags": rows.from_texts(query.tags),
        "label": _label(query),
        "since": query.created_from,
        "until": query.created_to,
        "devices": rows.filter_text(query.devices),
        "projects": rows.filter_text(projects),
    }


def _of_account(tx: Tx, query: JobQuery) -> list[_List]:
    """Return the statements that find the jobs of an account."""
    given = parameters(query) | _bounds(tx, query)
    if query.dialect is not None:
        return [_List("job_list_of_dialect", given)]
    if query.group is not None:
        return [_List("job_list_of_group", given)]
    return [_List(name, given) for name in _fewest(query, _OF_ACCOUNT)]


def _of_all(tx: Tx, query: JobQuery) -> list[_List]:
    """Return the statements that find the jobs of all accounts, or of one, or of projects."""
    if query.account:
        return _of_account(tx, query)
    before = INT64_MAX if query.before is None else query.before
    names = _fewest(query, _OF_ALL)
    projects = sorted(query.projects) if query.project is None else [query.project]
    found = [_List(name, parameters(query) | {"before": before}) for name in names]
    if projects and names == [_OF_ALL.all]:
        found = [
            _List("job_list_of_project", found[0].given | {"project": each}) for each in projects
        ]
    of_project = "job_bound_of_project" if found[0].name == "job_list_of_project" else None
    for each in found:
        given = {"project": each.given["project"], "searched": _SEARCHED // len(found)}
        bound = _searched(tx, query, of_project or "job_bound_of_all", given)
        each.given["after"] = max(query.after, bound)
    return found


def _bounds(tx: Tx, query: JobQuery) -> dict[str, int]:
    """Return the bounds between which the `seq` of a query's jobs is, both excluded.

    Without a dialect they include the query's times, which those statements do not read.
    """
    after, before = query.after, INT64_MAX if query.before is None else query.before
    end = INT64_MAX
    if query.dialect is None:
        after = max(after, _before_time(tx, query.account, query.created_from))
        end = _before_time(tx, query.account, query.created_to + 1) + 1
    given = {"account": query.account, "before": end, "searched": _SEARCHED}
    after = max(after, _searched(tx, query, "job_bound_of_account", given))
    return {"after": after, "before": min(before, end)}


def _searched(tx: Tx, query: JobQuery, name: str, given: dict[str, Any]) -> int:
    """Return a `seq` up to which a search for a text reads no jobs; 0 for other lists."""
    row = tx.one(name, **given) if query.text else None
    return max(0, row[0] - 1) if row and row[0] is not None else 0


def _jobs(tx: Tx, lists: list[_List], query: JobQuery) -> list[Job]:
    """Return the jobs that statements find; those of several, in the order of the query."""
    order = "_rising" if query.oldest_first else ""
    found = [rows.job(row) for name, given in lists for row in tx.all(name + order, **given)]
    if len(lists) > 1:
        found.sort(key=lambda job: job.seq, reverse=not query.oldest_first)
    return found[: query.limit]


def _tally(tx: Tx, lists: list[_List], limit: int) -> Counter[JobState]:
    found: Counter[JobState] = Counter()
    for name, given in lists:
        if found.total() > limit:
            break
        for state, number in tx.all(f"{name}_by_state", **given):
            found[JobState(state)] += number
    return found


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
