"""How quantum clients behave under faults: `make clients-report` writes the table.

Each client is unmodified, in its pinned version, and runs a Bell pair. What is counted comes from
the journal of the test bed, not from the client.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from qwicket import testing
from qwicket.testing import Cloud
from support import leftovers
from support.bed_client import CLIENTS, Answer, BedClient

ROOT: Final = Path(__file__).parents[1]
REPORT: Final = ROOT / "docs" / "reports" / "clients.md"
PATIENCE_S: Final = 40.0
SUBMISSION: Final = "*jobs*"

FAULTS: Final[Mapping[str, Callable[[Cloud], None]]] = {
    "none": lambda _: None,
    "429 once at the submission": lambda cloud: cloud.fault(
        "status", status=429, retry_after=1, method="POST", path=SUBMISSION, times=1
    ),
    "503 once at the submission": lambda cloud: cloud.fault(
        "status", status=503, method="POST", path=SUBMISSION, times=1
    ),
    "answer to the submission lost": lambda cloud: cloud.fault(
        "lost_answer", method="POST", path=SUBMISSION, times=1
    ),
    "503 once at a poll": lambda cloud: cloud.fault(
        "status", status=503, method="GET", path="*jobs/*", times=1
    ),
    "truncated JSON at a poll": lambda cloud: cloud.fault(
        "truncate", method="GET", path="*jobs/*", times=1
    ),
    "HTML with 503 at a poll": lambda cloud: cloud.fault(
        "html", method="GET", path="*jobs/*", times=1
    ),
    "401 at a poll (expired token)": lambda cloud: cloud.fault(
        "status", status=401, method="GET", path="*jobs/*", times=1
    ),
    "connection cut at a poll": lambda cloud: cloud.fault(
        "cut", method="GET", path="*jobs/*", times=1
    ),
}


def main() -> None:
    leftovers.start_watchdog()
    rows = []
    with testing.server() as cloud, tempfile.TemporaryDirectory() as folder:
        for name in CLIENTS:
            client = BedClient(name, cloud, Path(folder))
            client.run()
            for fault, inject in FAULTS.items():
                cloud.reset()
                inject(cloud)
                began = time.monotonic()
                answer = client.run(PATIENCE_S)
                rows.append(row(name, fault, answer, cloud, time.monotonic() - began))
                sys.stdout.write(rows[-1] + "\n")
                if answer is None:
                    client.kill()
                    client = BedClient(name, cloud, Path(folder))
                    client.run()
            client.close()
    REPORT.write_text(page(rows))


def row(name: str, fault: str, answer: Answer | None, cloud: Cloud, seconds: float) -> str:
    """Return one line of the table."""
    submissions = cloud.requests(method="POST", path=SUBMISSION)
    jobs = sum(len(each.created) for each in submissions)
    if answer is None:
        end = f"no end within {PATIENCE_S:g} s"
    elif answer.counts is not None:
        end = "the result"
    else:
        end = f"`{answer.error.partition(':')[0]}`"
    shows_key = "yes" if answer is not None and cloud.token in answer.error else "no"
    version = ".".join(CLIENTS[name][1].rsplit("_", 2)[1:])
    return (
        f"| {CLIENTS[name][0]} {version} | {fault} | {end}"
        f" | {len(submissions)} | {jobs} | {seconds:.1f} | {shows_key} |"
    )


def page(rows: list[str]) -> str:
    """Return the report."""
    system = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    lines = "\n".join(rows)
    written = f"{datetime.now(UTC):%Y-%m-%d} ({system})"
    return f"""# How clients behave under faults

`make clients-report` wrote this page on {written}.
Each client is unmodified and runs one Bell pair for each line, against the
[test bed](../howto/testing.md). One fault is injected. Submissions and jobs are counted by the
server. Two jobs mean that the client repeated a submission which had been stored.

| client | fault | the program got | submissions | jobs | seconds | key in the error |
|---|---|---|---|---|---|---|
{lines}

An error is no fault of a client: some leave repeats to the program that uses them.
"""


if __name__ == "__main__":
    main()
