"""Times until work goes on: after kills, outages of the database and SIGTERM."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from measured.conftest import Record, timed
from support.agents import Lab
from support.held import HeldJob, held_job
from support.ledger import Ledger, ledger
from support.pilots import LivePilot
from support.postgres import PostgresServer, postgres_server
from support.processes import is_alive, workers_of
from support.programs import BELL
from support.server import LiveServer, running_server, server_on
from support.submitters import Submitter, crowd
from support.waiting import until

REPETITIONS = 3
LEASE_S = 2.0
LEASE = ("--lease-s", f"{LEASE_S}")
LEASE_TIME = f"lease {LEASE_S:g} s"
VOIDED_S = 1.5 * LEASE_S + 1
"""Runners renew their leases, and others look, four times per lease time: at worst a lease ends
after 1.5 lease times. A second is for the claim."""
OUTAGES_S = (2.0, 8.0)
"""A pause between attempts to connect that doubles from one second would show in the second."""
WAITING = 20
GRACE_S = 2.0
GRACE = ("--stop-grace-s", f"{GRACE_S}")
SLOTS = 4
CLIENTS = 4
BEATS_S = 4 * LEASE_S


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this module's own, which may be crashed."""
    with postgres_server() as server:
        yield server


Pair = tuple[LiveServer, LiveServer]


@pytest.fixture
def pair(postgres: PostgresServer, tmp_path: Path) -> Iterator[Pair]:
    """Two servers on one database."""
    with (
        postgres.database() as url,
        running_server(tmp_path / "first", *LEASE, database_url=url) as first,
        running_server(tmp_path / "second", *LEASE, database_url=url) as second,
    ):
        yield first, second


def submission(http: httpx.Client, program: dict[str, Any] = BELL) -> httpx.Response:
    body = {"device": "simulator", "program": program, "shots": 10}
    return http.post("/v1/jobs", json=body)


def submit(http: httpx.Client, program: dict[str, Any] = BELL) -> str:
    return str(submission(http, program).raise_for_status().json()["id"])


def await_end(http: httpx.Client, job: str) -> None:
    ended = http.get(f"/v1/jobs/{job}", params={"wait": 60}).raise_for_status().json()
    assert (ended["state"], ended["attempts"]) == ("completed", 0)


def await_another(held: HeldJob, worker: int) -> None:
    """Wait until a job runs in another process than this one."""
    until(lambda: held.pid() != worker, "it runs again", timeout_s=60)


@pytest.mark.timeout(300)
def test_an_outage_of_the_database(
    own_postgres: PostgresServer, tmp_path: Path, record: Record
) -> None:
    with (
        own_postgres.database() as url,
        running_server(tmp_path, database_url=url) as live,
        live.client() as http,
    ):
        job = submit(http)
        for outage_s in OUTAGES_S:
            own_postgres.crash()
            members = [Submitter(live, live.token(), with_keys=False) for _ in range(WAITING)]
            with crowd(*members) as clients:
                threading.Event().wait(outage_s)
                clients.stop()
            assert clients.acknowledged == []
            record("outage: longest wait for a 503", clients.slowest_s, at_most=6, unit="s")
            own_postgres.start()
            with timed(record, "end of an outage: until a new job has ended", at_most=5):
                with timed(record, "end of an outage: until submissions", at_most=5):
                    with timed(record, "end of an outage: until reads", at_most=3):
                        until(lambda: http.get(f"/v1/jobs/{job}").is_success, "reads")
                    until(lambda: submission(http).is_success, "submissions")
                await_end(http, submit(http))


@pytest.mark.timeout(120)
def test_the_exit_in_an_outage_of_the_database(
    own_postgres: PostgresServer, tmp_path: Path, record: Record
) -> None:
    with own_postgres.database() as url:
        live = LiveServer(tmp_path, *GRACE, database_url=url)
        with live.client() as http:
            held = held_job()
            submit(http, held.program)
            held.wait_until_running()
        own_postgres.crash()
        what = f"SIGTERM in an outage, grace {GRACE_S:g} s: until the exit"
        with timed(record, what, at_most=GRACE_S + 10):
            assert live.stop() == 0
        own_postgres.start()


def test_a_killed_worker_process(tmp_path: Path, record: Record) -> None:
    with running_server(tmp_path) as live, live.client() as http:
        for _ in range(REPETITIONS):
            held = held_job()
            job = submit(http, held.program)
            worker = held.wait_until_running()
            with timed(record, "killed worker process: until its job runs again", at_most=1):
                os.kill(worker, signal.SIGKILL)
                await_another(held, worker)
            http.post(f"/v1/jobs/{job}/cancel").raise_for_status()


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("database", "at_most"), [("sqlite", 2), ("postgres", VOIDED_S)])
def test_the_only_server_killed_and_started(
    database: str,
    at_most: float,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    record: Record,
) -> None:
    with server_on(database, request, tmp_path, *LEASE) as live:
        for _ in range(REPETITIONS):
            held = held_job()
            with live.client() as http:
                job = submit(http, held.program)
                worker = held.wait_until_running()
            live.kill()
            live.start()
            what = (
                f"killed server, {database}, {LEASE_TIME}: from its start until its job runs again"
            )
            with timed(record, what, at_most=at_most):
                await_another(held, worker)
            held.release()
            with live.client() as http:
                await_end(http, job)


class Started(NamedTuple):
    """A held job that runs at one of two servers."""

    held: HeldJob
    job: str
    worker: int
    server: LiveServer
    other: LiveServer


def started(first: LiveServer, second: LiveServer) -> Started:
    held = held_job()
    with first.client() as http:
        job = submit(http, held.program)
    worker = held.wait_until_running()
    if worker in workers_of(first.process.pid):
        return Started(held, job, worker, first, second)
    return Started(held, job, worker, second, first)


@pytest.mark.timeout(180)
def test_one_of_two_servers_killed(pair: Pair, record: Record) -> None:
    for _ in range(REPETITIONS):
        held, job, worker, server, other = started(*pair)
        server.kill()
        what = f"killed server of two, {LEASE_TIME}: until its job runs again"
        with timed(record, what, at_most=VOIDED_S):
            await_another(held, worker)
        held.release()
        with other.client(pair[0].token()) as http:
            await_end(http, job)
        server.start()


def test_the_end_of_a_job_at_another_server(pair: Pair, record: Record) -> None:
    for _ in range(REPETITIONS):
        held, job, _, _, other = started(*pair)
        with other.client(pair[0].token()) as http, ThreadPoolExecutor(1) as pool:
            polling = pool.submit(await_end, http, job)
            threading.Event().wait(0.2)  # by then it polls
            what = "end of a job: until a long poll at another server"
            with timed(record, what, at_most=1.5):
                held.release()
                polling.result()


def test_a_cancel_at_another_server(pair: Pair, record: Record) -> None:
    for _ in range(REPETITIONS):
        _, job, worker, _, other = started(*pair)
        with other.client(pair[0].token()) as http:
            what = "cancel at another server: until the job's process is gone"
            with timed(record, what, at_most=5):
                http.post(f"/v1/jobs/{job}/cancel").raise_for_status()
                until(partial(has_ended, worker), "its process is gone")


def has_ended(pid: int) -> bool:
    return not is_alive(pid)


@pytest.mark.timeout(120)
def test_a_killed_agent_and_a_cancelled_job_of_one(tmp_path: Path, record: Record) -> None:
    with (
        running_server(tmp_path / "server", *LEASE) as live,
        Lab(live, tmp_path / "lab") as lab,
        live.client() as http,
    ):

        def await_word(word: str) -> None:
            until(lambda: lab.log()[-1:] and lab.log()[-1][1] == word, word, timeout_s=60)

        agents = [lab.agent()]
        for _ in range(REPETITIONS):
            job = lab.submit(http, shots=60_000)
            await_word("begins")
            agents.append(lab.agent())
            until(lambda: lab.shown(http)["agents"] == 2, "another agent waits", timeout_s=60)
            begun = lab.begun()
            agents.pop(0).kill()
            what = f"killed agent, {LEASE_TIME}: until its job runs at another"
            with timed(record, what, at_most=VOIDED_S):
                until(partial(runs_again, lab, begun), "it runs again", timeout_s=60)
            with timed(record, "cancelled job of an agent: until it is asked to stop", at_most=2):
                http.post(f"/v1/jobs/{job}/cancel").raise_for_status()
                await_word("stops")


def runs_again(lab: Lab, begun: int) -> bool:
    return lab.begun() > begun


@pytest.mark.timeout(120)
def test_a_killed_worker_on_another_machine(tmp_path: Path, record: Record) -> None:
    with (
        running_server(tmp_path / "server", "--workers", "0", *LEASE) as live,
        live.client() as http,
        ExitStack() as stack,
    ):

        def pilot() -> LivePilot:
            made = LivePilot(live, tmp_path / "pilots")
            stack.callback(made.kill)
            until(made.workers, "its process has started", timeout_s=60)
            return made

        pilots = [pilot()]
        for _ in range(REPETITIONS):
            held = held_job()
            job = submit(http, held.program)
            worker = held.wait_until_running()
            pilots.append(pilot())
            pilots.pop(0).kill()
            what = f"killed `qwicket worker`, {LEASE_TIME}: until its job runs at another"
            with timed(record, what, at_most=VOIDED_S):
                await_another(held, worker)
            held.release()
            await_end(http, job)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_heartbeats_under_load(
    database: str, request: pytest.FixtureRequest, tmp_path: Path, record: Record
) -> None:
    """A server that has not looked for half a lease time assumes that it missed heartbeats."""
    with (
        server_on(database, request, tmp_path / "server", *LEASE) as live,
        Lab(live, tmp_path / "lab") as lab,
        live.client() as http,
        ledger(live) as books,
        ExitStack() as stack,
    ):
        lab.agent()
        lab.submit(http, shots=60_000)
        until(lab.begun, "the agent runs a job", timeout_s=60)
        stack.callback(LivePilot(live, tmp_path / "pilots").kill)
        kinds = "select count(distinct kind) from runner"
        until(lambda: books.number(kinds) == 3, "all are there", timeout_s=60)
        members = [Submitter(live, live.token(), with_keys=False) for _ in range(CLIENTS)]
        with crowd(*members) as clients:
            clients.await_more(1)
            pauses = longest_pauses(books)
    for kind, pause_s in pauses.items():
        what = f"heartbeats of {kind}s under load, {database}: longest pause in lease times"
        record(what, pause_s / LEASE_S, at_most=0.5, unit="")


def longest_pauses(books: Ledger) -> dict[str, float]:
    """Return the longest time between two heartbeats of each kind of runner, in seconds."""
    seen: dict[str, tuple[int, float]] = {}
    longest_s = dict.fromkeys(("server", "agent", "pilot"), 0.0)
    end = time.monotonic() + BEATS_S
    while (now := time.monotonic()) < end:
        for kind, beat in books.rows("select kind, beat from runner"):
            before, since = seen.setdefault(kind, (beat, now))
            longest_s[kind] = max(longest_s[kind], now - since)
            if beat != before:
                seen[kind] = beat, now
        threading.Event().wait(0.01)
    return longest_s


def test_the_exit_of_an_idle_server(tmp_path: Path, record: Record) -> None:
    for number in range(REPETITIONS):
        live = LiveServer(tmp_path / f"{number}")
        live.children()
        with timed(record, "SIGTERM of an idle server: until the exit", at_most=10):
            assert live.stop() == 0


@pytest.mark.timeout(120)
def test_the_exit_of_a_busy_server(tmp_path: Path, record: Record) -> None:
    """All slots have long jobs, others wait, and clients poll those that run."""
    live = LiveServer(tmp_path, "--workers", f"{SLOTS}", *GRACE)
    what = f"SIGTERM of a busy server, grace {GRACE_S:g} s"
    with live.client() as http, ThreadPoolExecutor(SLOTS) as pool:
        held = [held_job() for _ in range(SLOTS)]
        jobs = [submit(http, each.program) for each in held]
        for each in held:
            each.wait_until_running()
        for _ in range(10 * SLOTS):
            submit(http, held_job().program)
        polls = [pool.submit(http.get, f"/v1/jobs/{job}", params={"wait": 60}) for job in jobs]
        threading.Event().wait(1)  # by then they wait
        with timed(record, f"{what}: until the exit", at_most=GRACE_S + 10):
            with timed(record, f"{what}: until long polls are answered", at_most=10):
                live.process.terminate()
                assert {each.result().status_code for each in polls} == {200}
            assert live.process.wait(60) == 0
