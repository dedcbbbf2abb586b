"""Compares what clients saw and what the database recorded with the promises.

See docs/explanation/promises.md. Nothing here asks a server.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, NamedTuple

from qwicket.dialects.qbraid.ids import id_of
from qwicket.model.states import FINAL, INITIAL, JobState, allows

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
    """A job as it is in the database at the end."""

    id: str
    account: str
    name: str
    state: str
    attempts: int
    error_code: str
    n_circuits: int


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


def check(
    history: Iterable[Line],
    stored: Iterable[Stored],
    changes: Iterable[Change],
    *,
    with_keys: Iterable[str],
    stuck: Mapping[str, str] | None = None,
) -> Report:
    """Return what is wrong.

    Args:
        history: What the clients saw.
        stored: All jobs, after the end.
        changes: Everything that happened to them, the changes of one job together, in their order.
        with_keys: Clients that submit with idempotency keys, and with names of jobs that begin
            with the client's name.
        stuck: Why jobs were found stuck while the servers ran.
    """
    figures: Counter[str] = Counter()
    findings = [Finding(STUCK, job, text) for job, text in (stuck or {}).items()]
    accepted = _check_answers(history, figures, findings)
    jobs = {job.id: job for job in stored}
    figures["jobs"] = len(jobs)
    for job, client in accepted.items():
        if job not in jobs:
            findings.append(Finding(LOST, job, f"{client} has its id, and it is not stored"))
    figures["accepted"] = len(accepted)
    figures["unacknowledged"] = sum(job not in accepted for job in jobs)
    _check_ends(jobs, accepted, figures, findings)
    _check_names(jobs, {*with_keys}, findings)
    _check_changes(jobs, changes, figures, findings)
    return Report(figures, findings)


def _check_answers(
    history: Iterable[Line], figures: Counter[str], findings: list[Finding]
) -> dict[str, str]:
    """Check results against each other and what is known of them; return the accepted jobs."""
    expected: dict[tuple[str, int], Any] = {}
    accepted: dict[str, str] = {}
    digests: dict[str, str] = {}
    for line in history:
        figures[f"{line.client}: {line.word}"] += 1
        if line.word == "submit":
            expected[line.client, line.number] = line.values[0]
        elif line.word == "accepted":
            job = job_id(line.values[0])
            if job in accepted:
                text = f"{accepted[job]} and {line.client} have the same id for two submissions"
                findings.append(Finding(LOST, job, text))
            accepted[job] = line.client
        elif line.word == "gave up":
            job = job_id(line.values[0])
            findings.append(Finding(STUCK, job, f"{line.client} waited in vain for its result"))
        elif line.word == "answer":
            name, summary, digest = line.values
            job = job_id(name)
            figures["answers"] += 1
            wanted = expected[line.client, line.number]
            if summary != wanted:
                findings.append(Finding(WRONG, job, f"{summary} is not {wanted} ({line.client})"))
            if digests.setdefault(job, digest) != digest:
                findings.append(Finding(DIFFERENT, job, f"{line.client} read two results"))
    return accepted


def _check_ends(
    jobs: Mapping[str, Stored],
    accepted: Mapping[str, str],
    figures: Counter[str],
    findings: list[Finding],
) -> None:
    """Check the last states. A client may give up a job whose program it could not upload."""
    for job in jobs.values():
        is_given_up = job.state in _GIVEN_UP or job.error_code == _EXPIRED
        if is_given_up and job.id not in accepted:
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


def _check_names(jobs: Mapping[str, Stored], with_keys: set[str], findings: list[Finding]) -> None:
    """Check that a submission with a key is one job: its name has the submission's number."""
    first: dict[tuple[str, str], str] = {}
    for job in jobs.values():
        if job.account in with_keys:
            other = first.setdefault((job.account, job.name), job.id)
            if other != job.id:
                findings.append(Finding(DOUBLED, job.id, f"{job.name} is also {other}"))


def _check_changes(
    jobs: Mapping[str, Stored],
    changes: Iterable[Change],
    figures: Counter[str],
    findings: list[Finding],
) -> None:
    seen = set()
    for id, made in itertools.groupby(changes, attrgetter("job")):
        seen.add(id)
        steps: list[Change] = []
        results: list[Change] = []
        for each in made:
            (steps if each.what == "state" else results).append(each)
        _check_steps(id, steps, figures, findings)
        job = jobs.get(id)
        wanted = job.n_circuits if job and job.state == JobState.COMPLETED else 0
        is_stored_once = all(each.after == "stored" for each in results)
        if job and not (is_stored_once and (len(results) == wanted or job.state == "failed")):
            texts = [each.after or "deleted" for each in results]
            findings.append(Finding(TWICE, id, f"{job.state}, and its results were {texts}"))
    findings += [Finding(BAD_STEP, id, "stored, and never added") for id in jobs.keys() - seen]


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
