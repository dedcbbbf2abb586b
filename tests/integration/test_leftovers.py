"""Nothing that tests started outlives the test process, however that ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Self

import pytest

from support.agents import TESTS
from support.processes import below, is_alive
from support.waiting import until

pytestmark = pytest.mark.extended

SUITE = """
import os, threading
from pathlib import Path
from typing import Self

import pytest

from support.agents import Lab


@pytest.mark.parametrize("number", range(2))
def test_that_never_ends(number, server, postgres, tmp_path):
    with Lab(server, tmp_path) as lab, postgres.database():
        agent = lab.agent()
        folder = Path(os.environ["STARTED"])
        (folder / "postmaster").write_text(str(postgres.first_pid))
        pids = [os.getpid(), server.process.pid, agent.process.pid]
        (folder / "new").write_text(" ".join(map(str, pids)))
        (folder / "new").rename(folder / str(os.getpid()))
        {end}
"""
WAIT = "threading.Event().wait(150)"
CRASH = "os.abort() if number == 0 else None"


class Run:
    """A pytest process that runs the suite, and is killed at the end of the block."""

    def __init__(self, folder: Path, *options: str, end: str) -> None:
        self.folder = folder
        suite = folder / "test_suite.py"
        suite.write_text(SUITE.replace("{end}", end))
        command = [sys.executable, "-m", "pytest", "-q", "-p", "conftest", "-p", "no:cacheprovider"]
        command += ["-c", str(TESTS.parent / "pyproject.toml"), "--rootdir", str(folder), *options]
        env = {**os.environ, "PYTHONPATH": str(TESTS), "STARTED": str(folder)}
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen([*command, suite], stdout=log, stderr=log, env=env)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(20)

    def started(self, n_processes: int) -> dict[int, list[int]]:
        """Wait for so many test processes; return what each of them has started, by its id."""

        def found() -> dict[int, list[int]]:
            files = [path for path in self.folder.iterdir() if path.name.isdigit()]
            pids = {int(path.name): list(map(int, path.read_text().split())) for path in files}
            return pids if len(pids) == n_processes else {}

        all_pids = until(found, "the tests run", timeout_s=90)
        return {
            owner: [*pids, *(child for pid in pids for child in below(pid))]
            for owner, pids in all_pids.items()
        }

    def postmaster(self) -> int:
        """Return the process of PostgreSQL, which the test processes of a run share."""
        return int((self.folder / "postmaster").read_text())


def are_gone(pids: list[int]) -> bool:
    return not any(map(is_alive, pids))


def test_nothing_outlives_a_test_process_that_is_killed(tmp_path: Path) -> None:
    with Run(tmp_path, end=WAIT) as run:
        (pids,) = run.started(1).values()
        assert len(pids) > 7  # the three, and workers and parsers below the server
        pids.append(run.postmaster())
    until(lambda: are_gone(pids), f"all of {pids} are gone")


def test_nothing_outlives_a_run_that_is_killed_with_its_workers_at_work(tmp_path: Path) -> None:
    with Run(tmp_path, "-n2", end=WAIT) as run:
        pids = [pid for owned in run.started(2).values() for pid in owned]
        pids.append(run.postmaster())
    until(lambda: are_gone(pids), f"all of {pids} are gone")


def test_nothing_outlives_a_worker_that_crashes_in_a_run_that_goes_on(tmp_path: Path) -> None:
    with Run(tmp_path, "-n1", end=CRASH) as run:
        first, _ = run.started(2).values()
        until(lambda: are_gone(first), f"all of {first} are gone")
        assert run.process.wait(90) == pytest.ExitCode.TESTS_FAILED
        until(lambda: are_gone([run.postmaster()]), "the run has stopped PostgreSQL")
    assert "1 failed, 1 passed" in (tmp_path / "log").read_text()
