"""Compares what clients saw and what the database recorded with the promises.

See SECURITY.md. Nothing here asks a server. What is compared lies in a temporary
file of SQLite, so that a check takes no more memory for more jobs.
"""

from __future__ import annotations

import itertools
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, NamedTuple

from qwicket.model.states import FINAL, INITIAL, JobState, allows
from qwicket.vendors.qbraid.dialect.ids import id_of

LOST: Final = "lost"
TWICE: Final = "ended twice"
STUCK: Final = "stuck"
DIFFERENT: Final = "answered twice differently"
WRONG: Final = "wrong result"
DOUBLED: Final = "doubled"
BAD_STEP: Final = "step that the state table does not have"
BAD_END: Final = "failed or cancelled without a reason"
KINDS: Final = (LOST, TWICE, STUCK, DIFFERENT, WRONG, DOUBLED, BAD_STEP, BAD_END)
MAX_ATTEMPTS: Final = 3
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_FINAL: Final = frozenset(state.value for state in FINAL)
_GIVEN_UP: Final = frozenset({JobState.DRAFT.value, JobState.CANCELLED.value})
"""States of a draft that nobody uploads: some clients cancel it themselves."""
_EXPIRED: Final = "draft_expired"
"""Error code of a draft that nobody uploaded in time; it has failed."""


class Line(NamedTuple):
    """A line of a client's history; `clients.loop` describes the words and values."""

    client: str
    word: str
    number: int
    at: float
    values: tuple[Any, ...] = ()


class Stored(NamedTuple):
    """A job as it is in the database at the end; `content` is a digest of its program."""

    id: str
    account: str
    name: str
    state: str
    attempts: int
    error_code: str
    n_circuits: int
    content: str = ""


class Change(NamedTuple):
    """What the database recorded: a change of a job's state, or of one of its results."""

    job: str
    what: str
    before: str
    after: str


class Finding(NamedTuple):
    """A broken promise."""

    kind: str
    job: str
    text: str


class Report(NamedTuple):
    """The result of a check.

    Attributes:
        figures: Numbers that are no promises, by name.
        findings: The broken promises.
    """

    figures: Counter[str]
    findings: list[Finding]

    def count(self, kind: str) -> int:
        return sum(each.kind == kind for each in self.findings)


def read(folder: Path) -> Iterator[Line]:
    """Yield the lines of the histories in a folder; the name of a file is that of its client."""
    for path in sorted(folder.glob("*.jsonl")):
        with path.open() as file:
            for text in file:
                word, number, at, *values = json.loads(text)
                yield Line(path.stem, word, number, at, tuple(values))


def job_id(text: str) -> str:
    """Return the id in the database of the job that a dialect calls so."""
    found = _UUID.search(text)
    return found[0] if found else id_of(text) or text


_SCRATCH: Final = """
create table submitted (client, number, wanted, primary key (client, number)) without rowid;
create table accepted (job, client);
create table answered (job, client, number, summary, digest);
create table gave_up (job, client);
create table job (
    id primary key, account, name, state, attempts, error_code, n_circuits, content
) without rowid;
create table changed (job primary key) without rowid;
create index accepted_by_job on accepted (job);
create index answered_by_job on answered (job);
"""
_QUERIES: Final = (
    (
        LOST,
        "select job, client || ' has its id, and it is not stored' from accepted"
        " where job not in (select id from job)",
    ),
    (
        LOST,
        "select job, group_concat(client, ' and ') || ' have the same id for two submissions'"
        " from accepted group by job having count(*) > 1",
    ),
    (STUCK, "select job, client || ' waited in vain for its result' from gave_up"),
    (
        WRONG,
        "select job, summary || ' is not ' || coalesce(wanted, 'known') || ' (' || client || ')'"
        " from answered left join submitted using (client, number) where summary is not wanted",
    ),
    (
        DIFFERENT,
        "select job, max(client) || ' read two results' from answered"
        " group by job having min(digest) <> max(digest)",
    ),
    (
        DOUBLED,
        "select max(id), max(account) || ' submitted it once, and it is also ' || min(id) from job"
        " where account in (select value from json_each(?))"
        " group by account, name, content having count(*) > 1",
    ),
)
"""What is wrong with a job, by the rows of a query: its id, and a text."""


def check(
    history: Iterable[Line],
    stored: Iterable[Stored],
    changes: Iterable[Change],
    *,
    distinct: Iterable[str],
    stuck: Mapping[str, str] | None = None,
) -> Report:
    """Return what is wrong; each iterable is read once.

    Args:
        history: What the clients saw.
        stored: All jobs, after the end.
        changes: Everything that happened to them, the changes of one job together, in their order.
        distinct: Clients of which each submission has a name or a program of its own, and which
            must not become two jobs.
        stuck: Why jobs were found stuck while the servers ran.
    """
    figures: Counter[str] = Counter()
    findings = [Finding(STUCK, job, text) for job, text in (stuck or {}).items()]
    with closing(sqlite3.connect("")) as scratch:
        scratch.executescript(_SCRATCH)
        _note_history(scratch, history, figures)
        scratch.executemany("insert into job values (?, ?, ?, ?, ?, ?, ?, ?)", stored)
        for kind, sql in _QUERIES:
            values = [json.dumps([*distinct])] if kind == DOUBLED else []
            findings += [Finding(kind, *row) for row in scratch.execute(sql, values)]
        _check_ends(scratch, figures, findings)
        _check_changes(scratch, changes, figures, findings)
    return Report(figures, findings)


def _note_history(
    scratch: sqlite3.Connection, history: Iterable[Line], figures: Counter[str]
) -> None:
    for line in history:
        figures[f"{line.client}: {line.word}"] += 1
        if line.word == "submit":
            wanted = _canonical(line.values[0])
            values: tuple[object, ...] = (line.client, line.number, wanted)
            scratch.execute("insert into submitted values (?, ?, ?)", values)
        elif line.word == "accepted":
            figures["accepted"] += 1
            values = (job_id(line.values[0]), line.client)
            scratch.execute("insert into accepted values (?, ?)", values)
        elif line.word == "gave up":
            values = (job_id(line.values[0]), line.client)
            scratch.execute("insert into gave_up values (?, ?)", values)
        elif line.word == "answer":
            figures["answers"] += 1
            name, summary, digest = line.values
            values = (job_id(name), line.client, line.number, _canonical(summary), digest)
            scratch.execute("insert into answered values (?, ?, ?, ?, ?)", values)


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _check_ends(
    scratch: sqlite3.Connection, figures: Counter[str], findings: list[Finding]
) -> None:
    """Check the last states. A client may give up a job whose program it could not upload."""
    sql = "select *, id in (select job from accepted) from job"
    for *values, is_accepted in scratch.execute(sql):
        job = Stored(*values)
        figures["jobs"] += 1
        figures["unacknowledged"] += not is_accepted
        is_given_up = job.state in _GIVEN_UP or job.error_code == _EXPIRED
        if is_given_up and not is_accepted:
            figures["given up before its upload"] += 1
            continue
        figures[job.state] += 1
        if job.state not in _FINAL:
            findings.append(Finding(STUCK, job.id, f"{job.state} after the end ({job.account})"))
        elif job.state == JobState.CANCELLED:
            findings.append(Finding(BAD_END, job.id, "cancelled, and nobody asked for it"))
        elif job.state == JobState.FAILED and job.attempts < MAX_ATTEMPTS:
            text = f"failed after {job.attempts} attempts: {job.error_code} ({job.account})"
            findings.append(Finding(BAD_END, job.id, text))


def _check_changes(
    scratch: sqlite3.Connection,
    changes: Iterable[Change],
    figures: Counter[str],
    findings: list[Finding],
) -> None:
    for id, made in itertools.groupby(changes, attrgetter("job")):
        scratch.execute("insert into changed values (?)", [id])
        steps: list[Change] = []
        results: list[Change] = []
        for each in made:
            (steps if each.what == "state" else results).append(each)
        _check_steps(id, steps, figures, findings)
        row = scratch.execute("select state, n_circuits from job where id = ?", [id]).fetchone()
        if row is None:
            continue
        state, n_circuits = row
        wanted = n_circuits if state == JobState.COMPLETED else 0
        is_stored_once = all(each.after == "stored" for each in results)
        if not (is_stored_once and (len(results) == wanted or state == JobState.FAILED)):
            texts = [each.after or "deleted" for each in results]
            findings.append(Finding(TWICE, id, f"{state}, and its results were {texts}"))
    unknown = scratch.execute("select id from job where id not in (select job from changed)")
    findings += [Finding(BAD_STEP, id, "stored, and never added") for (id,) in unknown]


def _check_steps(
    id: str, steps: list[Change], figures: Counter[str], findings: list[Finding]
) -> None:
    state = ""
    ends = 0
    for each in steps:
        figures["released"] += each.after == "queued" and each.before == "running"
        if each.after == "":
            findings.append(Finding(LOST, id, f"deleted when it was {each.before}"))
            return
        after = JobState(each.after)
        is_allowed = after in INITIAL if not each.before else allows(JobState(each.before), after)
        if each.before != state or not is_allowed:
            findings.append(Finding(BAD_STEP, id, f"{state!r}: {each.before!r} to {each.after!r}"))
        state = each.after
        ends += each.after in _FINAL
    if ends > 1:
        findings.append(Finding(TWICE, id, " ".join(each.after for each in steps)))


class StuckWatch:
    """Finds leases that outlast a dead runner, while something could have ended them.

    A runner's death is noticed within the lease time, by a server that runs and reads the database
    for so long without a break. Every job here takes far less.

    Args:
        limit_s: Longest time for which a job may stay under one lease: the lease time and 5 s.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._since: dict[tuple[str, int, str], float] = {}
        self.found: dict[str, str] = {}
        self.longest_s = 0.0

    def observe(self, now_s: float, held: set[tuple[str, int, str]], served_since_s: float) -> None:
        """Note the leases at one moment.

        Args:
            now_s: Monotonic time.
            held: Job, fence and runner of each lease.
            served_since_s: Since when a server has run and reached the database without a break.
        """
        self._since = {each: self._since.get(each, now_s) for each in held}
        for (job, _, runner), since_s in self._since.items():
            waited_s = now_s - max(since_s, served_since_s)
            self.longest_s = max(self.longest_s, waited_s)
            if waited_s > self._limit_s:
                self.found[job] = f"under one lease of {runner} for {waited_s:.1f} s"
