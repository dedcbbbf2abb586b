"""How quantum clients behave under faults: `make clients-report` writes the tables.

Each client is unmodified, in its pinned version, and runs one job for each line. The numbers come
from the journal of the test bed, not from the client. With names of clients as arguments, only
their lines are renewed; with `--faults TEXT`, only those of faults whose name contains TEXT.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from qwicket import testing
from qwicket.testing import Cloud, Exchange, LeakError
from qwicket.testing.values import FaultKind
from support import leftovers
from support.bed_client import Answer, BedClient, Kind
from support.reported_clients import LEFT_OUT, REPORTED

ROOT: Final = Path(__file__).parents[1]
REPORT: Final = ROOT / "docs" / "reports" / "clients.md"
FIGURES: Final = REPORT.with_suffix(".csv")
TIMEOUT_S: Final = 60.0
DAY_S: Final = 86_400
_ID: Final = re.compile(r"[^/]*\d[^/]*")
_ID_CHARS: Final = 16
_SPEED: Final = 300
_ACCOUNT: Final = "tester"
_BRIEF: Final = "brief"


class Calls(NamedTuple):
    """The requests by which a client makes a job and reads it, with patterns for their paths.

    `n_before` requests match the pattern of reads, too, but upload the job's program. Where one
    path takes calls of several tools, the texts in the bodies distinguish them.
    """

    method: str
    submission: str
    poll_method: str
    poll: str
    n_before: int
    submission_text: str = ""
    poll_text: str = ""


def _status(status: int, *, times: int | None = 1) -> Callable[[Cloud, Calls], None]:
    def inject(cloud: Cloud, calls: Calls) -> None:
        retry_after = 1 if status == 429 else None
        cloud.fault(
            "status",
            status=status,
            retry_after=retry_after,
            times=times,
            method=calls.method,
            path=calls.submission,
            text=calls.submission_text,
        )

    return inject


def _at_a_poll(kind: FaultKind, status: int = 503) -> Callable[[Cloud, Calls], None]:
    def inject(cloud: Cloud, calls: Calls) -> None:
        cloud.fault(
            kind,
            status=status,
            times=1,
            method=calls.poll_method,
            path=calls.poll,
            text=calls.poll_text,
            skip=calls.n_before,
        )

    return inject


def _lose_answer(cloud: Cloud, calls: Calls) -> None:
    cloud.fault(
        "lost_answer",
        method=calls.method,
        path=calls.submission,
        text=calls.submission_text,
        times=1,
    )


def _take_answer(cloud: Cloud, calls: Calls) -> None:
    cloud.fault(
        "html",
        status=502,
        handled=True,
        method=calls.method,
        path=calls.submission,
        text=calls.submission_text,
        times=1,
    )


def _queue_for_an_hour(cloud: Cloud, _: Calls) -> None:
    cloud.scenario("stay_queued", seconds=3600)
    cloud.run_clock(_SPEED)


def _wait_days(days: int) -> Callable[[Cloud, Calls], None]:
    """Let the job wait for days; a second after its submission the clock moves by so much."""

    def inject(cloud: Cloud, _: Calls) -> None:
        cloud.scenario("stay_queued", seconds=days * DAY_S)

        def pass_by() -> None:
            end = time.monotonic() + TIMEOUT_S
            while time.monotonic() < end:
                if any(each.created for each in cloud.requests()):
                    time.sleep(1.0)
                    cloud.advance(days * DAY_S + 1)
                    return
                time.sleep(0.1)

        threading.Thread(target=pass_by, daemon=True).start()

    return inject


HOUR: Final = "an hour in the queue"
LONG_AFTER: Final = "8 days in the queue: access token expired"
EXPIRED: Final = "2 days in the queue: key expired"
TAKEN: Final = "answer to the submission taken by a proxy: 502"
FAULTS: Final[Mapping[str, Callable[[Cloud, Calls], None]]] = {
    "none": lambda *_: None,
    "429 once at the submission": _status(429),
    "503 once at the submission": _status(503),
    "503 at each submission": _status(503, times=None),
    "answer to the submission lost": _lose_answer,
    "503 once at a poll": _at_a_poll("status"),
    "truncated JSON at a poll": _at_a_poll("truncate"),
    "HTML with 200 at a poll": _at_a_poll("html", 200),
    "connection cut at a poll": _at_a_poll("cut"),
    HOUR: _queue_for_an_hour,
    LONG_AFTER: _wait_days(8),
    EXPIRED: _wait_days(2),
    TAKEN: _take_answer,
}
_OF_A_POLL: Final = (
    "503 once at a poll",
    "truncated",
    "HTML",
    "connection cut",
    "8 days",
    "2 days",
)
_OF_HTTP: Final = [*[*FAULTS][1:9], TAKEN]
_OF_THE_CLOCK: Final = ("an hour", "8 days", "2 days")
_SIGNED: Final = "braket"
_RENEWS_BY_CLOCK: Final = "ibm-platform"
"""Dialect whose clients read the expiry of an access token from it, and compare it with their own
clock, which is not the test bed's."""


class Line(NamedTuple):
    """One line of the figures.

    Attributes:
        client: Name in the report.
        version: Version of its package.
        python: Version of its interpreter.
        fault: Key of `FAULTS`.
        end: `result`, the name of an error, `no end in N s`, or `not run: REASON`.
        submissions: Number of requests that make a job.
        jobs: Number of jobs that they made.
        refused: Number of requests with the response 401 or 403.
        seconds: Time until the end.
        key: Where the key was found: `error`, `trace`, `log`, or empty.
        tried: Other machines that the client tried to reach.
        date: Day of the run in UTC.
    """

    client: str
    version: str
    python: str
    fault: str
    end: str
    submissions: int
    jobs: int
    refused: int
    seconds: float
    key: str
    tried: str
    date: str


def main() -> None:
    leftovers.start_watchdog()
    parser = argparse.ArgumentParser()
    # Without choices=…, for which Python 3.11 refuses an empty list.
    parser.add_argument("clients", nargs="*", metavar="CLIENT", help=", ".join(REPORTED))
    parser.add_argument("--faults", default="", metavar="TEXT")
    asked = parser.parse_args()
    names = asked.clients or [*REPORTED]
    if unknown := {*names} - {*REPORTED}:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    lines = read()
    for name in names:
        versions(REPORTED[name])  # installs it, before the guard refuses connections
        try:
            found = lines_of(name, asked.faults)
        except Exception as error:  # the other clients are independent of this one
            sys.stderr.write(f"{name}: {error!r}\n")
            continue
        again = {each.fault for each in found}
        lines = [each for each in lines if each.client != name or each.fault not in again] + found
        order = [*REPORTED]
        lines.sort(key=lambda each: (order.index(each.client), [*FAULTS].index(each.fault)))
        with FIGURES.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(Line._fields)
            writer.writerows(lines)
        REPORT.write_text(page(lines))


def read() -> list[Line]:
    """Return the lines of the last report."""
    if not FIGURES.exists():
        return []
    with FIGURES.open(newline="") as file:
        rows = msgspec.convert([*csv.DictReader(file)], list[dict[str, str]])
    lines = [msgspec.convert([*row.values()], Line, strict=False) for row in rows]
    return [each for each in lines if each.client in REPORTED and each.fault in FAULTS]


def lines_of(name: str, part: str) -> list[Line]:
    """Run a client through the faults whose name contains `part`, on a test bed of its own."""
    kind, found = REPORTED[name], []
    version, python = versions(kind)
    with testing.server() as cloud, tempfile.TemporaryDirectory() as folder:
        cloud.account(_BRIEF, life_s=DAY_S)
        client = opened(kind, cloud, Path(folder))
        calls = calls_of(client, cloud)
        for fault, inject in FAULTS.items():
            if part not in fault:
                continue
            line = Line(
                *(name, version, python, fault, "", 0, 0, 0, 0.0, "", ", ".join(client.tried)),
                date=f"{datetime.now(UTC):%Y-%m-%d}",
            )
            if why := not_run(kind, calls, fault):
                found.append(line._replace(end=f"not run: {why}"))
                continue
            cloud.reset()
            if fault == EXPIRED:
                client.kill()
                client = opened(kind, cloud, Path(folder), _BRIEF)
                cloud.reset()
            inject(cloud, calls)
            began = time.monotonic()
            answer = client.run(TIMEOUT_S)
            seconds = time.monotonic() - began
            found.append(measured(line, answer, cloud, calls, client, seconds))
            sys.stdout.write(f"{found[-1]}\n")
            sys.stdout.flush()
            if answer is None or answer.counts is None:  # the next line begins anew
                client.kill()
                cloud.reset()
                client = opened(kind, cloud, Path(folder))
        client.kill()
    return found


def opened(kind: Kind, cloud: Cloud, folder: Path, account: str = _ACCOUNT) -> BedClient:
    """Start a client that can reach only this machine, and let it run a job."""
    guard = cloud.guard()
    with contextlib.suppress(LeakError), guard:
        client = BedClient(kind, cloud, folder, account=account)
        answer = client.run()
    assert answer is not None
    assert answer.counts is not None, answer.trace
    client.tried = sorted({leak.host for leak in guard.leaks})
    return client


def calls_of(client: BedClient, cloud: Cloud) -> Calls:
    """Return what a client calls, from a run without faults."""
    cloud.reset()
    client.answer()
    entries = cloud.requests()
    made, *others = [each for each in entries if each.created]
    entered = others[-1] if others else made  # some make a job and bring its program afterwards
    later = [each for each in entries if each.number > entered.number]
    reads = [each for each in later if {*each.jobs} & {*made.created}]
    if not reads:
        return Calls(made.method, pattern(made), "", "", 0, tool(made))
    method, path = reads[0].method, pattern(reads[0])
    before = [each for each in entries if made.number < each.number < entered.number]
    n_before = sum(each.method == method and fnmatchcase(each.path, path) for each in before)
    texts = tool(made), tool(reads[0])
    return Calls(made.method, pattern(made), method, path, n_before, *texts)


def tool(exchange: Exchange) -> str:
    """Return the name of the tool that a request calls; empty for other requests."""
    try:
        message = msgspec.json.decode(exchange.body)
        return str(message["params"]["name"]) if message["jsonrpc"] == "2.0" else ""
    except (msgspec.DecodeError, LookupError, TypeError):
        return ""


def pattern(exchange: Exchange) -> str:
    """Return the path of a request with `*` for ids and for the account."""
    parts = exchange.path.split("/")
    return "/".join("*" if _is_own(part) else part for part in parts)


def _is_own(part: str) -> bool:
    return part == _ACCOUNT or (len(part) >= _ID_CHARS and _ID.fullmatch(part) is not None)


def not_run(kind: Kind, calls: Calls, fault: str) -> str:
    """Return why a fault is not tried with a client, or an empty text."""
    if fault.startswith(_OF_A_POLL) and not calls.poll:
        return "it does not wait for jobs"
    if fault.startswith(_OF_THE_CLOCK) and kind.dialect == _SIGNED:
        return "its signatures contain the time"
    if fault in (HOUR, LONG_AFTER) and kind.dialect == _RENEWS_BY_CLOCK:
        return "it renews its access token by its own clock"
    return ""


def measured(
    line: Line, answer: Answer | None, cloud: Cloud, calls: Calls, client: BedClient, seconds: float
) -> Line:
    """Return a line with the results of a run."""
    submissions = cloud.requests(
        method=calls.method, path=calls.submission, text=calls.submission_text
    )
    entries = cloud.requests()
    refused = [each for each in entries if each.status in (401, 403)]
    if line.fault in _OF_HTTP and not any(each.fault for each in entries):
        return line._replace(end="not run: it sends no such request")
    if answer is None:
        end = f"no end in {TIMEOUT_S:g} s"
    else:
        end = "result" if answer.counts is not None else answer.error.partition(":")[0]
    secrets = [
        secret
        for name in (_ACCOUNT, _BRIEF)
        for secret in (cloud.account(name).token, cloud.account(name).aws_secret)
    ]
    texts = {
        "error": answer.error if answer else "",
        "trace": answer.trace if answer else "",
        "log": client.log.read_text(errors="replace"),
    }
    key = next((where for where, text in texts.items() for s in secrets if s in text), "")
    return line._replace(
        end=end,
        submissions=len(submissions),
        jobs=sum(len(each.created) for each in submissions),
        refused=len(refused),
        seconds=round(seconds, 1),
        key=key,
    )


def page(lines: list[Line]) -> str:
    """Return the report."""
    by_client = {
        name: [each for each in lines if each.client == name]
        for name in REPORTED
        if any(each.client == name for each in lines)
    }
    summary = "\n".join(_summary(name, found) for name, found in by_client.items())
    details = "\n".join(_detail(each) for each in lines)
    left_out = "\n".join(f"| {name} | {why} |" for name, why in LEFT_OUT.items())
    dates = " and ".join(sorted({each.date for each in lines}))
    heads = ["client", "version", "submissions at most", "doubles a job", "ends with an error"]
    heads += [f"no end in {TIMEOUT_S:g} s", "key is in", "tried"]
    return f"""# How clients behave under faults

`make clients-report` wrote this page. The runs are of {dates}.
The figures are in [clients.csv](clients.csv).

Each client is unmodified, in the version shown, and runs one small job for each line, against the
[test bed](../howto/testing.md). One fault is injected. Submissions and jobs are counted by the
server. A client has {TIMEOUT_S:g} s. The programs are in
[tests/support/bed_clients](../../tests/support/bed_clients); some set the interval of polls,
otherwise the clients have their default settings.

An error need not be a fault of the client: some leave it to the program to submit again. A vendor's
own server may recognize a repeated submission, even if its documentation does not say so.

## Summary

| {" | ".join(heads)} |
|---|---|---|---|---|---|---|---|
{summary}

Numbers are those of the faults below.

- *submissions at most*: how often one submission was sent, in any of the lines.
- *doubles a job*: after a lost answer, or one that a proxy took, the client submits again, so that
  the job exists twice. Equal jobs can be wanted, so the server cannot tell
  ([decision 17](../decisions/0017-ibms-clients.md)). Users can look at the list of jobs before a
  second run, and give each job a name or tag. Operators can keep the time limits of their proxy
  above those of the server.
- *key is in*: the token or secret of the account was in the `error`, its `trace`, or the `log`.
- *tried*: other machines that the client tried to reach, although it had the test bed's address.

## Each fault

An hour and days pass on the test bed's clock ({_SPEED} × for the hour, at once for days). In fault
12 the key lives one day, so it has expired after two. In fault 11 the key has no end, and access
tokens have expired after eight days: a client without a 401 has none, or one that lives longer.

| client | fault | the program got | submissions | jobs | 401 and 403 | seconds |
|---|---|---|---|---|---|---|
{details}

## Not in these tables

| client | reason |
|---|---|
{left_out}
"""


def _summary(name: str, lines: list[Line]) -> str:
    run = [each for each in lines if not each.end.startswith("not run")]
    number = {fault: n for n, fault in enumerate(FAULTS, 1)}
    failed = [each for each in run if each.end != "result" and not each.end.startswith("no end")]
    endless = [each for each in run if each.end.startswith("no end")]
    return (
        " | ".join(
            [
                f"| {name}",
                lines[0].version,
                str(max(each.submissions for each in run)),
                "yes" if any(each.jobs > 1 for each in run) else "no",
                ", ".join(str(number[each.fault]) for each in failed) or "-",
                ", ".join(str(number[each.fault]) for each in endless) or "-",
                ", ".join(sorted({each.key for each in run} - {""})) or "-",
                lines[0].tried or "-",
            ]
        )
        + " |"
    )


def _detail(line: Line) -> str:
    number = [*FAULTS].index(line.fault) + 1
    cells = [line.client, f"{number} {line.fault}"]
    if line.end.startswith("not run"):
        return f"| {' | '.join([*cells, line.end, '', '', '', ''])} |"
    end = line.end if " " in line.end or line.end == "result" else f"`{line.end}`"
    counted = (line.submissions, line.jobs, line.refused, line.seconds)
    return f"| {' | '.join([*cells, end, *map(str, counted)])} |"


def versions(kind: Kind) -> tuple[str, str]:
    """Return the versions of a client and of its interpreter."""
    code = (
        "import platform\n"
        "try:\n    from importlib.metadata import version\n"
        "except ImportError:\n"
        "    from pkg_resources import get_distribution\n"
        "    version = lambda name: get_distribution(name).version\n"
        f"print(version({kind.package!r}), platform.python_version())"
    )
    words = [str(kind.python), "-W", "ignore", "-c", code]
    version, python = subprocess.check_output(words, text=True).split()
    return version, python


if __name__ == "__main__":
    main()
