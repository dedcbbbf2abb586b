"""`kill -9` of the server during bursts of submissions: each job with a 2xx ends exactly once."""

from __future__ import annotations

import random
import threading

import pytest

from support.held import held_job
from support.ledger import ledger
from support.processes import is_alive
from support.repetitions import databases, runs
from support.server import Serve
from support.submitters import Submitter, crowd
from support.waiting import PROMPT_S, until

pytestmark = pytest.mark.promise

CLIENTS = runs(4, long=8)
KILLS = runs(2, long=30)
LEASE_S = 2.0
WITH_KEYS = {"with keys": True, "without keys": False}
RELEASED = "select job, at from job_event"
CASES = [
    pytest.param(database, with_keys, id=f"{database}-{name}")
    for short, (name, with_keys) in zip(("postgres", "sqlite"), WITH_KEYS.items(), strict=True)
    for database in databases(short)
]


@pytest.mark.timeout(runs(300, long=1800))
@pytest.mark.parametrize(("database_url", "with_keys"), CASES, indirect=["database_url"])
def test_every_acknowledged_job_survives_kills_of_the_server_and_ends_once(
    database_url: str | None, serve: Serve, with_keys: bool
) -> None:
    rng = random.Random(7)
    server = serve("server", database_url, "--lease-s", str(LEASE_S))
    token = server.token()
    members = [Submitter(server, token, with_keys=with_keys) for _ in range(CLIENTS)]
    with crowd(*members) as clients:
        for _ in range(KILLS):
            clients.await_more(6)  # a burst is under way
            threading.Event().wait(rng.uniform(0, 0.3))
            server.kill()
            server.start()
    acknowledged = clients.acknowledged
    assert len(set(acknowledged)) == len(acknowledged)
    assert clients.refusals == []
    with ledger(server) as books:
        books.await_end(timeout_s=runs(120, long=600))
        books.assert_all_completed_uncounted(set(acknowledged))
        if with_keys:
            jobs = {job for (job,) in books.rows("select id from job")}
            assert jobs == set(acknowledged), "a repeated submit made a second job"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("database_url", databases("sqlite"), indirect=True)
def test_a_killed_server_that_comes_back_offers_what_it_ran(
    database_url: str | None, serve: Serve
) -> None:
    server = serve("server", database_url, "--lease-s", str(LEASE_S))
    with ledger(server) as books:
        with server.client() as client:
            held = held_job()
            body = {"program": held.program, "device": "simulator", "shots": 10}
            job = client.post("/v1/jobs", json=body).json()["id"]
            held.wait_until_running()
        server.kill()
        held.release()
        server.start()
        until(lambda: books.rows(RELEASED) != [], "it is offered again")
        ((released, _),) = books.rows(RELEASED)
        assert released == job
        books.await_end()
        books.assert_all_completed_uncounted({job})


def test_no_process_of_a_killed_server_lives_on(serve: Serve) -> None:
    server = serve("server", None)
    children = server.children()
    server.kill()
    until(
        lambda: not any(is_alive(child) for child in children),
        "its workers are gone",
        timeout_s=PROMPT_S,
    )
    server.start()
