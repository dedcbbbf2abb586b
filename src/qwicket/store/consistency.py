"""Checks that the rows of a database agree with each other.

Only a fault of the disk, a change by hand or an error of this program breaks a rule that is not
marked as harmless. The checks only read, in one snapshot and bounded memory.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.store.sqlite import SQLiteTx, named_statements
from qwicket.store.sqlite import reading as reading_sqlite

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from qwicket.store.database import Tx

_RANGE: Final = 2_000
"""Jobs that one statement checks."""
_RESULTS: Final = 16
"""Small results that one statement reads; each has up to 1 MiB."""
_EXAMPLES: Final = 3
"""Rows that a problem names."""

_RESTORE: Final = "Stop the servers and restore the last backup (docs/howto/backup.md)."
_BY_SERVER: Final = "A running server corrects it within a minute (--maintenance-interval-s)."
_AT_START: Final = "A server corrects it at its next start."
_UNTIL_RELEASED: Final = (
    "A running server queues them again within a minute (--maintenance-interval-s)."
)

FILE_FAULTS: Final = "faults in the file"

Report = Callable[[int, int], None]
"""Called with the `seq` of the last checked job and of the newest job."""


class LeaseHolder(NamedTuple):
    """A runner that holds leases: `beat` counts its heartbeats, `jobs` its leases."""

    id: str
    kind: str
    beat: int
    jobs: int


class Problem(NamedTuple):
    """A rule that rows break.

    Attributes:
        found: What is wrong.
        number: How many rows.
        examples: Some of them, mostly ids of jobs.
        remedy: Action to take.
        is_harmless: Whether the rows are only left over, so that no job is affected.
    """

    found: str
    number: int
    examples: tuple[str, ...]
    remedy: str
    is_harmless: bool = False


class _Rule(NamedTuple):
    statement: str
    found: str
    remedy: str
    is_harmless: bool = False


_OF_JOBS: Final = (
    _Rule("check_runs_without_lease", "running jobs have no lease", _RESTORE),
    _Rule("check_lease_without_run", "jobs that do not run have a runner's lease", _RESTORE),
    _Rule("check_lease_without_runner", "leases have a runner that is gone", _UNTIL_RELEASED),
    _Rule("check_no_program", "jobs have lost their program", _RESTORE),
    _Rule("check_no_result", "completed jobs have lost results", _RESTORE),
    _Rule("check_result_too_early", "jobs that have not ended have results", _RESTORE),
    _Rule("check_no_share", "queued jobs are missing in the fair queue's records", _BY_SERVER),
)
_OF_ALL: Final = (
    _Rule(
        "check_share_without_job", "records of the fair queue name work that is gone", _BY_SERVER
    ),
    _Rule("waiting_wrong", "projects have a wrong number of waiting jobs", _AT_START),
    _Rule("check_upload_size", "uploads do not have their size", _RESTORE),
    _Rule("check_upload_without_draft", "uploads are left over", _BY_SERVER, is_harmless=True),
)


@contextlib.contextmanager
def reading(folder: Path, database_url: str | None) -> Iterator[Tx]:
    """Yield a transaction that reads one snapshot of a database.

    Its schema, which is not checked, must be that of this version.

    Raises:
        Unavailable: The database cannot be read.
    """
    if database_url is None:
        with reading_sqlite(folder / "qwicket.db") as file:
            yield SQLiteTx(file, named_statements())
        return
    from qwicket.store import postgres

    with postgres.reading(database_url) as connection:
        yield postgres.read_only(connection)


def file_problems(path: Path) -> Iterator[Problem]:
    """Yield what SQLite finds wrong in a file: damaged pages and indexes, orphans.

    Raises:
        Unavailable: The file cannot be read.
    """
    with reading_sqlite(path) as connection:
        found = [str(row[0]) for row in connection.execute("pragma integrity_check(100)")]
        if found != ["ok"]:
            lines = tuple(" ".join(line.split())[:100] for line in found[:_EXAMPLES])
            yield Problem(FILE_FAULTS, len(found), lines, _RESTORE)
            return
        orphans = Counter(
            f"{table} without its {parent}"
            for table, _, parent, _ in connection.execute("pragma foreign_key_check")
        )
        for name, number in orphans.items():
            yield Problem(f"orphaned rows: {name}", number, (), _RESTORE)


def problems(
    tx: Tx, report: Report = lambda *_: None, *, jobs_at_once: int = _RANGE
) -> Iterator[Problem]:
    """Yield the rules that rows break.

    Args:
        tx: A transaction that reads one snapshot; see `reading`.
        report: Receives the progress.
        jobs_at_once: Jobs that one statement checks.
    """
    found: dict[_Rule, _Examples] = {rule: _Examples() for rule in _OF_JOBS}
    wrong_hashes = _Examples()
    sizes: Counter[str] = Counter()
    last = _number(tx, "check_last_seq")
    for after in range(0, last, jobs_at_once):
        upto = min(last, after + jobs_at_once)
        for rule in _OF_JOBS:
            found[rule].add(row[0] for row in tx.all(rule.statement, after=after, upto=upto))
        for project, size in tx.all("check_job_bytes", after=after, upto=upto):
            sizes[project] += int(size)
        wrong_hashes.add(_wrong_results(tx, after, upto))
        report(upto, last)
    for project, size in tx.all("check_group_bytes"):
        sizes[project] += int(size)
    wrong_hashes.add(_wrong_large_results(tx))
    for rule in _OF_ALL:
        found[rule] = _Examples()
        found[rule].add(row[0] for row in tx.all(rule.statement))
    for rule, some in found.items():
        if some.count:
            yield Problem(rule.found, some.count, tuple(some.first), rule.remedy, rule.is_harmless)
    if wrong_hashes.count:
        text = "results are not what was stored: their hash is wrong"
        yield Problem(text, wrong_hashes.count, tuple(wrong_hashes.first), _RESTORE)
    yield from _wrong_sums(tx, sizes)
    if left := tx.all("blob_orphans"):
        text = "large results were begun and not finished; a running server may be at it"
        yield Problem(text, len(left), (), _AT_START, is_harmless=True)


def lease_holders(tx: Tx) -> list[LeaseHolder]:
    """Return the runners that hold leases."""
    return [LeaseHolder(*row) for row in tx.all("check_holders")]


class _Examples:
    """Number of wrong rows, and the first ones."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[str] = []

    def add(self, rows: Iterable[str]) -> None:
        for row in rows:
            self.count += 1
            if len(self.first) < _EXAMPLES:
                self.first.append(row)


def _wrong_results(tx: Tx, after: int, upto: int) -> Iterator[str]:
    """Yield job and part of small results that do not match their hashes."""
    seq, part = after + 1, -1
    while True:
        rows = tx.all("check_results", after=seq, part=part, upto=upto, limit=_RESULTS)
        for _, job, number, body, sha256 in rows:
            if hashlib.sha256(body).digest() != sha256:
                yield f"{job}, part {number}"
        if len(rows) < _RESULTS:
            return
        seq, _, part, *_ = rows[-1]


def _wrong_large_results(tx: Tx) -> Iterator[str]:
    """Yield a job of each large result that is incomplete or changed."""
    sha256 = b""
    while row := tx.one("check_large_result", after=sha256):
        sha256 = bytes(row[0])
        digest = hashlib.sha256()
        for part in itertools.count():
            chunk = tx.one("check_chunk", sha256=sha256, part=part)
            if chunk is None:
                break
            digest.update(chunk[0])
        if digest.digest() != sha256:
            (job,) = tx.all("check_job_of_large_result", sha256=sha256)
            yield job[0]


def _wrong_sums(tx: Tx, sizes: Counter[str]) -> Iterator[Problem]:
    wrong = [
        f"{name} has {sizes[project]:,} bytes, not {stored:,}"
        for project, name, stored in tx.all("check_project_bytes")
        if stored != sizes[project]
    ]
    if wrong:
        text = "projects have a wrong sum of stored bytes"
        yield Problem(text, len(wrong), tuple(wrong[:_EXAMPLES]), _AT_START)


def _number(tx: Tx, name: str) -> int:
    row = tx.one(name)
    return int(row[0]) if row else 0
