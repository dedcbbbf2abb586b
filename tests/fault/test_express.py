"""The express slot of a live server: short jobs start while all workers have long ones."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from support.held import held_job
from support.ledger import Ledger, ledger
from support.processes import is_alive, workers_of
from support.programs import BELL
from support.repetitions import databases
from support.server import LiveServer, Serve, server_on
from support.waiting import until

pytestmark = [pytest.mark.extended, pytest.mark.promise]

WORKERS = 2
SHORT_S = 0.05
"""How long a short job of a flood takes, far longer than its submission."""
ENDED = "state = 'completed'"


SignIn = Callable[[LiveServer, str], httpx.Client]


@pytest.fixture(scope="module", params=databases("sqlite"))
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    with server_on(request.param, request, tmp_path_factory.mktemp("express")) as live:
        yield live


@pytest.fixture(autouse=True)
def free_workers(server: LiveServer) -> Iterator[None]:
    """Leave no long job to the next test, whatever became of this one."""
    yield
    server.cancel_unfinished()


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
    jobs = [submit(alice, held_job().program) for _ in range(WORKERS + 1)]
    until(
        lambda: sum(state(alice, job) == "running" for job in jobs) == WORKERS,
        "long jobs have all workers",
        timeout_s=60,
    )
    return jobs


def cancel(http: httpx.Client, jobs: list[str]) -> None:
    for job in jobs:
        http.post(f"/v1/jobs/{job}/cancel")


def express_process(server: LiveServer) -> int:
    """Return the process of the express slot: one for jobs that has the server's own priority.

    Workers have it too until they have begun, so that there must be one alone.
    """
    own = os.getpriority(os.PRIO_PROCESS, server.process.pid)

    def found() -> int | None:
        alive = [pid for pid in workers_of(server.process.pid) if is_alive(pid)]
        of_server = [pid for pid in alive if os.getpriority(os.PRIO_PROCESS, pid) == own]
        return of_server[0] if len(of_server) == 1 and len(alive) > WORKERS else None

    return until(found, "the express slot has a process")


def test_workers_have_less_of_the_processor_than_server_and_express_slot(
    server: LiveServer, sign_in: SignIn
) -> None:
    fill(sign_in(server, "alice"))
    of_server = os.getpriority(os.PRIO_PROCESS, server.process.pid)
    express = express_process(server)
    others = [pid for pid in workers_of(server.process.pid) if pid != express and is_alive(pid)]
    assert len(others) >= WORKERS
    # A higher number is less.
    assert all(os.getpriority(os.PRIO_PROCESS, pid) > of_server for pid in others)
    until(
        lambda: {os.sched_getscheduler(pid) for pid in others} == {os.SCHED_IDLE},
        "workers, which make way in two steps, have taken the second",
    )
    assert os.sched_getscheduler(express) == os.sched_getscheduler(server.process.pid)


def test_short_jobs_end_soon_whatever_the_workers_do(server: LiveServer, sign_in: SignIn) -> None:
    alice = sign_in(server, "alice")
    jobs = fill(alice)
    bob = sign_in(server, "bob")
    before = count(bob, "qwicket_express_runs_total")
    for _ in range(10):
        assert state(bob, submit(bob, BELL), 30) == "completed"
    assert sum(state(alice, job) == "running" for job in jobs) == WORKERS
    assert count(bob, "qwicket_express_runs_total") - before == 10


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
    cancel(alice, jobs)
    assert state(bob, job, 30) == "completed"


def test_a_flood_of_short_jobs_delays_another_accounts_by_a_turn(
    server: LiveServer, sign_in: SignIn
) -> None:
    alice = sign_in(server, "alice")
    fill(alice)
    bob = sign_in(server, "bob")
    flood = [submit(alice, held_job(19, 100, lasts_s=SHORT_S).program) for _ in range(150)]
    assert state(alice, flood[0], 60) == "completed", "the flood runs"
    job = submit(bob, BELL)
    assert state(bob, job, 30) == "completed"
    with ledger(server) as books:
        begun = books.rows(f"select queued_at, started_at from job where id = '{job}'")
        ((queued_at, started_at),) = begun
        before = books.number(
            "select count(*) from job"
            f" where started_at between {queued_at} and {started_at} and id <> '{job}'"
        )
        done = books.number(f"select count(*) from job where id in {tuple(flood)} and {ENDED}")
    assert before <= 6, "one or two turns"
    assert done < len(flood), "the flood was not over"


def test_a_killed_express_process_is_a_dead_worker(server: LiveServer, sign_in: SignIn) -> None:
    fill(sign_in(server, "alice"))
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


def test_an_overrun_ends_in_a_worker_and_keeps_its_account_from_the_express_slot(
    server: LiveServer, sign_in: SignIn
) -> None:
    """The process is paused, so that what was estimated at nothing takes more than two seconds."""
    with ledger(server) as books:
        newest = books.number("select max(seq) from job")
    alice = sign_in(server, "alice")
    jobs = fill(alice)
    # The account that overruns cannot use the slot for a minute, so no other test uses it.
    bob, carol = sign_in(server, "overrunner"), sign_in(server, "carol")
    before = count(bob, "qwicket_express_overruns_total")
    assert state(bob, submit(bob, BELL), 30) == "completed"
    os.kill(express_process(server), signal.SIGSTOP)
    overrunning = submit(bob, BELL)
    until(
        lambda: count(bob, "qwicket_express_overruns_total") == before + 1,
        "it was stopped",
        timeout_s=30,
    )
    next_of_bob, of_carol = submit(bob, BELL), submit(carol, BELL)
    assert state(carol, of_carol, 30) == "completed"
    assert (state(bob, overrunning), state(bob, next_of_bob, 1.0)) == ("queued", "queued")
    cancel(alice, jobs)
    assert state(bob, next_of_bob, 30) == "completed"
    assert read(bob, overrunning, 30)["state"] == "completed"
    with ledger(server) as books:
        assert_overran_once(books, overrunning, newest)


def assert_overran_once(books: Ledger, job: str, newest: int) -> None:
    """Check a job that overran, and that no job after the newest before it was blamed."""
    books.await_end()
    completed = books.rows(f"select attempts from job where {ENDED} and seq > {newest}")
    assert completed == [(0,)] * 4
    ((reason,),) = books.rows(f"select reason from job_event where job = '{job}'")
    assert "time limit of 2 s" in reason
    assert books.number(f"select count(*) from outcome where job = '{job}'") == 1
