"""Two servers on one PostgreSQL: one queue, and the same state of each job at both."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from support.held import held_job
from support.ledger import Ledger, ledger
from support.postgres import PostgresServer
from support.processes import is_alive
from support.programs import BELL
from support.repetitions import IS_LONG, runs
from support.server import LiveServer, Serve, running_server
from support.submitters import Submitter, crowd
from support.waiting import PROMPT_S, until

pytestmark = pytest.mark.promise

JOBS = runs(200, long=10_000)
POLLS = runs(4, long=100)
HELD = runs(6, long=8)
"""Jobs when a server is killed: both slots of both have one."""
CLIENTS = 4
LEASE_S = 2.0
MAINTENANCE_S = 60.0
OPTIONS = ("--lease-s", str(LEASE_S), "--express-slots", "0")


@pytest.fixture(scope="module")
def servers(
    postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[LiveServer, LiveServer]]:
    """Two servers that run through all tests. Each test leaves only completed jobs."""
    first, second = (tmp_path_factory.mktemp(name) for name in ("first", "second"))
    with (
        postgres.database() as url,
        running_server(first, *OPTIONS, database_url=url) as one,
        running_server(second, *OPTIONS, database_url=url) as another,
    ):
        yield one, another


@contextmanager
def clients_of(
    servers: tuple[LiveServer, LiveServer],
) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    token = servers[0].token()
    with servers[0].client(token) as first, servers[1].client(token) as second:
        yield first, second


@pytest.fixture
def clients(
    servers: tuple[LiveServer, LiveServer],
) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    with clients_of(servers) as opened:
        yield opened


@pytest.fixture
def books(servers: tuple[LiveServer, LiveServer]) -> Iterator[Ledger]:
    with ledger(servers[0]) as opened:
        yield opened


def submit(client: httpx.Client, program: dict[str, object] = BELL) -> str:
    body = {"program": program, "device": "simulator", "shots": 10}
    answer = client.post("/v1/jobs", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def runner_of(books: Ledger, job: str) -> str | None:
    rows = books.rows(f"select runner from lease where job = '{job}'")
    return rows[0][0] if rows else None


def server_of(
    runner: str, servers: tuple[LiveServer, LiveServer], books: Ledger
) -> tuple[LiveServer, LiveServer]:
    """Return the server that is this runner, and the other one."""
    rows = books.rows("select id from runner order by started_at, id")
    position = rows.index((runner,))
    return servers[position], servers[1 - position]


@pytest.mark.timeout(runs(180, long=1800))
def test_jobs_sent_to_both_are_claimed_once_and_end_once(
    servers: tuple[LiveServer, LiveServer], books: Ledger
) -> None:
    token = servers[0].token()
    members = [
        Submitter(server, token, with_keys=True, maximum=JOBS // (2 * CLIENTS))
        for server in servers
        for _ in range(CLIENTS)
    ]
    holders: set[str] = set()

    def all_are_submitted() -> bool:
        holders.update(runner for (runner,) in books.rows("select runner from lease"))
        return not any(each.is_alive() for each in members)

    with crowd(*members) as submitters:
        until(all_are_submitted, "all are submitted", timeout_s=runs(60, long=600))
    books.await_end(timeout_s=runs(60, long=600))
    acknowledged = submitters.acknowledged
    assert len(set(acknowledged)) == len(acknowledged) == JOBS
    assert submitters.refusals == []
    books.assert_all_completed_uncounted(set(acknowledged))
    # Only a job that had not begun may be claimed again, while the machine is busy.
    assert books.rows("select distinct reason from job_event") in ([], [("it had not begun",)])
    assert len(holders - {None}) == 2, "both did their part"


def test_a_long_poll_ends_when_the_other_server_ends_the_job(
    clients: tuple[httpx.Client, httpx.Client], books: Ledger
) -> None:
    for number in range(POLLS):
        here, there = clients[number % 2], clients[1 - number % 2]
        held, kept = held_job(), held_job()
        job, other = submit(here, held.program), submit(here, kept.program)
        with ThreadPoolExecutor(2) as pool:
            waiting = pool.submit(there.get, f"/v1/jobs/{other}", params={"wait": 28})
            awaited = pool.submit(there.get, f"/v1/jobs/{job}", params={"wait": 30})
            held.wait_until_running()
            held.release()
            assert awaited.result().json()["state"] == "completed"
            assert not waiting.done(), "without a notification this one ends first"
            here.post(f"/v1/jobs/{other}/cancel")
            assert waiting.result().json()["state"] == "cancelled"
        assert here.delete(f"/v1/jobs/{other}").status_code == 204


@pytest.mark.timeout(120)
def test_a_cancel_through_the_other_server_stops_the_process_that_computes(
    servers: tuple[LiveServer, LiveServer],
    clients: tuple[httpx.Client, httpx.Client],
    books: Ledger,
) -> None:
    for _ in range(runs(1, long=20)):
        cancel_through_the_other(servers, clients, books)
    assert books.rows("select job from lease") == []


def cancel_through_the_other(
    servers: tuple[LiveServer, LiveServer],
    clients: tuple[httpx.Client, httpx.Client],
    books: Ledger,
) -> None:
    held = held_job()
    job = submit(clients[0], held.program)
    worker = held.wait_until_running()
    runner = runner_of(books, job)
    assert runner is not None
    _, other = server_of(runner, servers, books)
    asked = clients[servers.index(other)]
    asked.post(f"/v1/jobs/{job}/cancel")
    ended = asked.get(f"/v1/jobs/{job}", params={"wait": 20}).json()
    assert ended["state"] == "cancelled"
    until(lambda: not is_alive(worker), "the process is gone")
    assert books.rows(f"select job from outcome where job = '{job}'") == []
    assert asked.delete(f"/v1/jobs/{job}").status_code == 204


@pytest.mark.timeout(runs(120, long=300))
def test_what_a_killed_server_ran_is_offered_again_and_ends_on_the_other(
    shared_url: str, serve: Serve
) -> None:
    servers = serve("first", shared_url, *OPTIONS), serve("second", shared_url, *OPTIONS)
    with clients_of(servers) as clients, ledger(servers[0]) as books:
        kill_one(servers, clients, books)


def kill_one(
    servers: tuple[LiveServer, LiveServer],
    clients: tuple[httpx.Client, httpx.Client],
    books: Ledger,
) -> None:
    (dead,) = until(lambda: duty_holders(books), "one of them has the duty", timeout_s=PROMPT_S)
    victim, survivor = server_of(dead, servers, books)
    held = [held_job() for _ in range(HELD)]
    jobs = {submit(clients[number % 2], each.program) for number, each in enumerate(held)}
    leases = f"select count(*) from lease where runner = '{dead}'"
    until(lambda: books.number(leases) == 2, "both its slots work", timeout_s=60)
    victim.kill()
    for each in held:
        each.release()
    until(lambda: books.number(leases) == 0, "its jobs are offered again")
    books.await_end()
    books.assert_all_completed_uncounted(jobs)
    assert books.rows("select reason, actor from job_event") == [("its runner is dead", dead)] * 2
    ((alive,),) = books.rows("select id from runner")
    if IS_LONG:  # the next round of maintenance comes within a minute
        until(
            lambda: duty_holders(books) == [alive],
            "it does the maintenance",
            timeout_s=2 * MAINTENANCE_S,
        )
    assert survivor.process.poll() is None


def duty_holders(books: Ledger) -> list[str]:
    return [holder for (holder,) in books.rows("select holder from duty")]
