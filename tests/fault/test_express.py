"""The express slot of a live server: short jobs start although every worker has a long one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.ledger import Ledger, ledger
from support.processes import children_of, is_alive
from support.programs import BELL, slow
from support.server import LiveServer, Serve
from support.waiting import until

WORKERS = 2
LONG = slow(25, 4_000)
"""Minutes, and 832 MiB by estimate."""
SHORT = slow(18, 100)
"""Tens of milliseconds."""
SOON_S = 5.0
"""A Bell pair takes milliseconds; a worker would be free after minutes."""


SignIn = Callable[[LiveServer, str], httpx.Client]


@pytest.fixture
def sign_in() -> Iterator[SignIn]:
    """Return clients of accounts, closed at the end."""
    with ExitStack() as clients:
        yield lambda server, name: clients.enter_context(server.client(server.token(name)))


def submit(http: httpx.Client, program: dict[str, Any], device: str = "simulator") -> str:
    body = {"program": program, "device": device, "shots": 10, "seed": 1}
    made = http.post("/v1/jobs", json=body)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def read(http: httpx.Client, job: str, wait_s: float = 0) -> dict[str, Any]:
    found: dict[str, Any] = http.get(f"/v1/jobs/{job}", params={"wait": wait_s}).json()
    return found


def state(http: httpx.Client, job: str, wait_s: float = 0) -> str:
    return str(read(http, job, wait_s)["state"])


def count(http: httpx.Client, metric: str) -> float:
    lines = http.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{metric} "))


def fill(alice: httpx.Client) -> list[str]:
    """Give every worker a long job, with one more waiting; return these jobs."""
    jobs = [submit(alice, LONG) for _ in range(WORKERS + 1)]
    until(
        lambda: sum(state(alice, job) == "running" for job in jobs) == WORKERS,
        "long jobs have all workers",
        timeout_s=60,
    )
    return jobs


def free(alice: httpx.Client, jobs: list[str]) -> None:
    for job in jobs:
        alice.post(f"/v1/jobs/{job}/cancel")


def express_process(server: LiveServer) -> int:
    """Return the process of the express slot: one for jobs that has the server's own priority."""

    own = os.getpriority(os.PRIO_PROCESS, server.process.pid)

    def found() -> int | None:
        for pid in children_of(server.process.pid):
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            is_for_jobs = b"qwicket.engines" in command
            if is_for_jobs and os.getpriority(os.PRIO_PROCESS, pid) == own and is_alive(pid):
                return pid
        return None

    return until(found, "the express slot has a process", timeout_s=30)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_workers_have_less_of_the_processor_than_server_and_express_slot(
    serve: Serve, sign_in: SignIn, database_url: str | None
) -> None:
    server = serve("server", database_url)
    alice = sign_in(server, "alice")
    jobs = fill(alice)
    priorities = [
        os.getpriority(os.PRIO_PROCESS, pid)
        for pid in children_of(server.process.pid)
        if b"qwicket.engines" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    of_server = os.getpriority(os.PRIO_PROCESS, server.process.pid)
    assert priorities.count(of_server) == 1
    assert sum(each > of_server for each in priorities) >= WORKERS  # higher is less
    free(alice, jobs)


def test_short_jobs_end_soon_whatever_the_workers_do(
    serve: Serve, sign_in: SignIn, database_url: str | None
) -> None:
    server = serve("server", database_url)
    alice = sign_in(server, "alice")
    jobs = fill(alice)
    bob = sign_in(server, "bob")
    for _ in range(10):
        began = time.monotonic()
        job = submit(bob, BELL)
        assert state(bob, job, SOON_S) == "completed"
        assert time.monotonic() - began < SOON_S
    assert sum(state(alice, job) == "running" for job in jobs) == WORKERS
    assert count(bob, "qwicket_express_runs_total") == 10
    free(alice, jobs)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_without_an_express_slot_short_jobs_wait(
    serve: Serve, sign_in: SignIn, database_url: str | None
) -> None:
    server = serve("server", database_url, "--express-slots", "0")
    alice = sign_in(server, "alice")
    jobs = fill(alice)
    bob = sign_in(server, "bob")
    job = submit(bob, BELL)
    assert state(bob, job, 1.0) == "queued"
    free(alice, jobs)
    assert state(bob, job, 30) == "completed"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_flood_of_short_jobs_delays_another_accounts_by_a_turn(
    serve: Serve, sign_in: SignIn, database_url: str | None
) -> None:
    server = serve("server", database_url)
    alice = sign_in(server, "alice")
    jobs = fill(alice)
    bob = sign_in(server, "bob")
    flood = [submit(alice, SHORT) for _ in range(150)]
    with ledger(server) as books:
        done = "select count(*) from job where state = 'completed'"
        until(lambda: books.number(done) > 3, "the flood runs", timeout_s=60)
        before = books.number(done)
        job = submit(bob, BELL)
        assert state(bob, job, 30) == "completed"
        assert books.number(done) - before <= 6, "one or two turns, and what ends while we look"
        assert books.number(done) < len(flood)
    free(alice, jobs + flood)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_killed_express_process_is_a_dead_worker(
    serve: Serve, sign_in: SignIn, database_url: str | None
) -> None:
    server = serve("server", database_url)
    alice = sign_in(server, "alice")
    jobs = fill(alice)
    bob = sign_in(server, "bob")
    assert state(bob, submit(bob, BELL), 30) == "completed"
    victim = express_process(server)
    os.kill(victim, signal.SIGSTOP)
    job = submit(bob, BELL)
    until(lambda: state(bob, job) == "running", "it is in the express slot")
    os.kill(victim, signal.SIGKILL)
    found = read(bob, job, 30)
    assert found["state"] == "completed"
    assert found["attempts"] in {0, 1}, "0 when the process was killed before it read the job"
    assert express_process(server) != victim
    free(alice, jobs)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_overrun_ends_in_a_worker_and_keeps_its_account_from_the_express_slot(
    serve: Serve, sign_in: SignIn, database_url: str | None
) -> None:
    """The process is paused, so that what was estimated at nothing takes more than two seconds."""
    server = serve("server", database_url)
    alice = sign_in(server, "alice")
    jobs = fill(alice)
    bob, carol = sign_in(server, "bob"), sign_in(server, "carol")
    assert state(bob, submit(bob, BELL), 30) == "completed"
    os.kill(express_process(server), signal.SIGSTOP)
    overrunning = submit(bob, BELL)
    until(
        lambda: count(bob, "qwicket_express_overruns_total") == 1,
        "it was stopped",
        timeout_s=30,
    )
    next_of_bob, of_carol = submit(bob, BELL), submit(carol, BELL)
    assert state(carol, of_carol, 30) == "completed"
    assert (state(bob, overrunning), state(bob, next_of_bob, 1.0)) == ("queued", "queued")
    free(alice, jobs)
    assert state(bob, next_of_bob, 30) == "completed"
    assert read(bob, overrunning, 30)["state"] == "completed"
    with ledger(server) as books:
        assert_overran_once(books, overrunning)


def assert_overran_once(books: Ledger, job: str) -> None:
    books.await_end()
    completed = books.rows("select attempts from job where state = 'completed'")
    assert set(completed) == {(0,)}
    ((reason,),) = books.rows(f"select reason from job_event where job = '{job}'")
    assert "time limit of 2 s" in reason
    assert books.number(f"select count(*) from outcome where job = '{job}'") == 1
