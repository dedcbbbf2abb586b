"""Checks of `qwicket doctor --deep`: the whole database is read, and nothing is changed."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

from qwicket.cli.findings import Finding
from qwicket.cli.terminal import RewrittenLines, can_rewrite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qwicket.cli.options import DataLocation
    from qwicket.store.consistency import LeaseHolder, Problem

_POLL_S: Final = 0.25
"""Interval at which heartbeats are read."""


def findings(
    location: DataLocation, *, is_served: bool | None, lease_s: float
) -> Iterator[Finding]:
    """Yield the findings about the rows of a database.

    Args:
        location: Folder or database.
        is_served: Whether a server uses the folder; None is unknown, for PostgreSQL.
        lease_s: Lease time of the servers: a runner (a server, agent or pilot) without a heartbeat
            for so long is dead.

    Raises:
        Unavailable: The database cannot be read.
    """
    from qwicket.store import backup, consistency

    folder, url = location.data_dir, location.database_url
    if url is None and not (folder / backup.FILE).exists():
        return  # the check of the database reports that there is none
    contents = backup.read_postgres(url) if url else backup.read(folder / backup.FILE)
    n_found = 0
    if url is None:
        for problem in consistency.file_problems(folder / backup.FILE):
            n_found += 1
            yield _finding(problem)
            if problem.found == consistency.FILE_FAULTS:
                return  # other checks of a damaged file prove nothing
    with consistency.reading(folder, url) as tx:
        began, holders = time.monotonic(), consistency.lease_holders(tx)
        for problem in consistency.problems(tx, _progress()):
            n_found += 1
            yield _finding(problem)
    n_jobs = sum(each.jobs for each in holders)
    if n_jobs and is_served is False:
        text = f"{n_jobs} jobs ran when the last server ended; the next one queues them again"
        yield Finding("rows", "ok", text)
    elif n_jobs:
        for holder in _silent(location, holders, began + lease_s):
            n_found += 1
            text = f"{holder.kind} {holder.id} holds {holder.jobs} jobs, without a heartbeat"
            remedy = "A running server queues them again after the lease time (--lease-s)."
            yield Finding("rows", "wrong", f"{text} for {lease_s:g} s", remedy)
    if not n_found:
        yield Finding("rows", "ok", f"{contents.jobs:,} jobs: their rows agree")


def _finding(problem: Problem) -> Finding:
    examples = "; ".join(problem.examples)
    more = "; …" if problem.number > len(problem.examples) else ""
    shown = f" ({examples}{more})" if examples else ""
    return Finding(
        "rows",
        "warning" if problem.is_harmless else "wrong",
        f"{problem.number:,} {problem.found}{shown}",
        problem.remedy,
    )


def _silent(
    location: DataLocation, holders: list[LeaseHolder], deadline: float
) -> list[LeaseHolder]:
    """Return the runners that keep their leases and show no heartbeat until a deadline.

    Heartbeats are read at least once, even if the checks of the rows have outlasted the deadline.
    """
    from qwicket.store import consistency

    silent, is_over = holders, False
    while silent and not is_over:
        time.sleep(_POLL_S)
        is_over = time.monotonic() >= deadline
        with consistency.reading(location.data_dir, location.database_url) as tx:
            beats = {each.id: each.beat for each in consistency.lease_holders(tx)}
        silent = [each for each in silent if beats.get(each.id) == each.beat]
    return silent


def _progress() -> Callable[[int, int], None]:
    """Return a function that shows the progress on a terminal, and elsewhere nothing."""
    if not can_rewrite(sys.stderr):
        return lambda *_: None
    lines = RewrittenLines(sys.stderr)
    return lambda done, total: lines.show([f"{done:,} of {total:,} rows of jobs checked"])
