"""PostgreSQL stops and starts again: servers report it, wait, and continue without help."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from psycopg import conninfo

from support.held import HeldJob, held_job
from support.ledger import UNFINISHED, ledger
from support.postgres import PostgresServer, postgres_server
from support.programs import BELL
from support.repetitions import runs
from support.server import LiveServer, Serve, run_cli
from support.submitters import Submitter, crowd
from support.waiting import PROMPT_S, until

pytestmark = pytest.mark.extended

CLIENTS = runs(4, long=8)
JOBS = runs(12, long=128)
"""Of each outage."""
OUTAGES = runs(2, long=8)
PATIENCE_S = 30.0
"""Longer no client waits for its 503."""
WATCHED_S = runs(3, long=6)
OUTAGE_S = runs(8, long=19)
"""Attempts to connect whose pauses double from one second fall at 1, 3, 7, 15 and 31 s."""
WAITING = runs(20, long=40)
GRACE_S = runs(2, long=20)


@pytest.fixture(scope="module")
def crashable() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def mortal(crashable: PostgresServer) -> Iterator[PostgresServer]:
    """A PostgreSQL server of this module's own, which may be crashed."""
    yield crashable
    crashable.start()


@pytest.mark.timeout(runs(300, long=1800))
def test_jobs_end_uncounted_while_the_database_comes_and_goes(
    mortal: PostgresServer, serve: Serve
) -> None:
    rng = random.Random(13)
    with mortal.database() as url:
        server = serve("server", url, "--lease-s", "2")
        token = server.token()
        acknowledged: set[str] = set()
        for _ in range(OUTAGES):
            held = held_job()
            with crowd(*submitters(server, token, held)) as clients:
                clients.await_more(JOBS // 10 + 1)
                assert jobs_in_flight(server)
                mortal.crash()
                held.release()
                until(
                    lambda: not is_ready(server), "it says that it is not ready", timeout_s=PROMPT_S
                )
                threading.Event().wait(rng.uniform(0.5, runs(2, long=20)))
                mortal.start()
                until(lambda: is_ready(server), "it is ready again")
                threading.Event().wait(rng.uniform(0.5, runs(1, long=20)))
                clients.join()
            acknowledged |= set(clients.acknowledged)
            assert clients.slowest_s < PATIENCE_S
            assert all("Retry-After" in answer.headers for answer in clients.refusals)
        with ledger(server) as books:
            books.await_end(timeout_s=300)
            books.assert_all_completed_uncounted(acknowledged)
            assert books.number("select count(*) from job") == len(acknowledged)
        assert len(acknowledged) == OUTAGES * CLIENTS * (JOBS // CLIENTS)
        server.stop()


def submitters(server: LiveServer, token: str, held: HeldJob) -> list[Submitter]:
    maximum = JOBS // CLIENTS
    return [
        Submitter(server, token, with_keys=True, program=held.program, maximum=maximum)
        for _ in range(CLIENTS)
    ]


def jobs_in_flight(server: LiveServer) -> int:
    with ledger(server) as books:
        return books.number(f"select count(*) from job where {UNFINISHED}")


def is_ready(server: LiveServer) -> bool:
    answer = httpx.get(f"{server.url}/readyz", timeout=PATIENCE_S, trust_env=False)
    assert answer.status_code in {200, 503}
    return answer.status_code == 200


@pytest.mark.timeout(120)
def test_submits_and_reads_in_an_outage_are_refused_and_work_after_it(
    mortal: PostgresServer, serve: Serve
) -> None:
    """However long it lasted: waiting times between tries to connect must not grow with it."""
    with mortal.database() as url:
        server = serve("server", url)
        with server.client() as client:
            body = {"program": BELL, "device": "simulator", "shots": 10}
            job = client.post("/v1/jobs", json=body).json()["id"]
            mortal.crash()
            crashed = time.monotonic()
            members = [Submitter(server, server.token(), with_keys=False) for _ in range(WAITING)]
            with crowd(*members) as clients:
                while time.monotonic() < crashed + WATCHED_S:
                    answer = client.get(f"/v1/jobs/{job}")
                    assert answer.status_code == 503
                    assert "Retry-After" in answer.headers
                clients.stop()
            assert clients.acknowledged == []
            assert len(clients.refusals) >= len(members)
            assert all("Retry-After" in answer.headers for answer in clients.refusals)
            assert clients.slowest_s < PATIENCE_S
            threading.Event().wait(crashed + OUTAGE_S - time.monotonic())
            mortal.start()
            until(lambda: client.get(f"/v1/jobs/{job}").status_code == 200, "reads")
            until(
                lambda: client.post("/v1/jobs", json=body).status_code == 201,
                "submits",
                timeout_s=PROMPT_S,
            )
        server.stop()


@pytest.mark.timeout(120)
def test_a_server_stops_in_an_outage_and_its_jobs_run_afterwards(
    mortal: PostgresServer, serve: Serve
) -> None:
    with mortal.database() as url:
        server = serve("server", url, "--lease-s", "2", "--stop-grace-s", f"{GRACE_S}")
        with server.client() as client:
            held = held_job()
            body = {"program": held.program, "device": "simulator", "shots": 10}
            jobs = [client.post("/v1/jobs", json=body).json()["id"] for _ in range(6)]
            held.wait_until_running()
            mortal.crash()
            assert server.stop() == 0
            held.release()
            mortal.start()
            server.start()
        with ledger(server) as books:
            books.await_end()
            books.assert_all_completed_uncounted(set(jobs))
        server.stop()


@pytest.mark.timeout(180)
def test_a_standby_is_promoted_and_takes_over_without_a_lost_or_doubled_job(serve: Serve) -> None:
    with postgres_server() as primary, primary.standby() as standby:
        hosts = f"{primary.data},{standby.folder}"
        both = conninfo.make_conninfo(primary.url, host=hosts, target_session_attrs="read-write")
        server = serve("server", both, "--lease-s", "2")
        checked = run_cli("backup", "--check", "--database-url", both)
        assert checked.returncode == 0, checked.stderr
        held = held_job()
        with crowd(*submitters(server, server.token(), held)) as clients:
            clients.await_more(JOBS // 10 + 1)
            primary.crash()
            standby.promote()
            held.release()
            clients.join()
        with ledger(server) as books:
            books.await_end()
            books.assert_all_completed_uncounted(set(clients.acknowledged))
            assert books.number("select count(*) from job") == len(clients.acknowledged)
        assert server.stop() == 0
