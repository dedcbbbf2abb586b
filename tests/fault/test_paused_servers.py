"""A server that is paused beyond its lease and continues: its results are refused."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import psycopg
import pytest

from support import raw
from support.held import held_job
from support.ledger import Ledger, ledger
from support.programs import BELL
from support.repetitions import runs
from support.server import LiveServer, Serve
from support.submitters import Submitter, crowd
from support.waiting import PROMPT_S, until

pytestmark = [pytest.mark.extended, pytest.mark.promise]

PAUSES = runs(2, long=100)
GROUPS = runs(1, long=20)
LEASE_S = 2.0
INSERT_S = 0.02
STALE = "a result under a stale lease was refused"


def pair(serve: Serve, url: str) -> tuple[LiveServer, LiveServer]:
    options = ("--lease-s", str(LEASE_S))
    return serve("first", url, *options), serve("second", url, *options)


def runners_of(servers: Sequence[LiveServer], books: Ledger) -> dict[str, LiveServer]:
    """Return which server each runner is, the first to start first."""
    rows = books.rows("select id from runner order by started_at, id")
    return {runner: server for (runner,), server in zip(rows, servers, strict=True)}


def test_clients_that_connect_to_a_paused_server_are_served_after_the_pause(serve: Serve) -> None:
    live = serve("server", None)
    with ExitStack() as stack:
        live.pause()
        clients = [stack.enter_context(raw.connect(live.url, timeout_s=10)) for _ in range(500)]
        live.resume()
        for each in clients:
            each.sendall(raw.head("GET /livez"))
        assert {raw.answer(each).status_code for each in clients} == {200}


@pytest.mark.timeout(runs(180, long=1800))
def test_what_a_paused_server_finishes_after_its_lease_is_refused(
    shared_url: str, serve: Serve
) -> None:
    servers = pair(serve, shared_url)
    token = servers[0].token()
    with ledger(servers[0]) as books:
        runners = runners_of(servers, books)
        refused = dict.fromkeys(runners, 0)
        jobs: set[str] = set()
        while sum(refused.values()) < PAUSES:
            held = held_job()
            body = {"program": held.program, "device": "simulator", "shots": 10}
            with servers[len(jobs) % 2].client(token) as client:
                job = client.post("/v1/jobs", json=body).json()["id"]
            jobs.add(job)
            held.wait_until_running()
            ((runner,),) = books.rows(f"select runner from lease where job = '{job}'")
            runners[runner].pause()
            held.release()
            (other,) = set(servers) - {runners[runner]}
            with other.client(token) as client:
                ended = client.get(f"/v1/jobs/{job}", params={"wait": 60}).json()
            assert (ended["state"], ended["attempts"]) == ("completed", 0)
            assert books.number(f"select version from job where id = '{job}'") == 5, "it ran twice"
            refused[runner] += 1
            runners[runner].resume()
            await_refusals(runners[runner], refused[runner])
            until(
                lambda: books.number("select count(*) from runner") == 2,
                "it is back",
                timeout_s=PROMPT_S,
            )
        books.assert_all_completed_uncounted(jobs)
        reasons = books.rows("select reason, count(*) from job_event group by reason")
        assert reasons == [("its runner is dead", PAUSES)]


def await_refusals(server: LiveServer, number: int) -> None:
    until(
        lambda: server.log.read_text().count(STALE) == number,
        "its word is refused",
        timeout_s=PROMPT_S,
    )


@pytest.mark.timeout(runs(180, long=1800))
def test_a_server_that_stops_in_the_middle_of_a_group_delays_others_by_its_idle_time_alone(
    shared_url: str, serve: Serve
) -> None:
    rng = random.Random(17)
    first, second = pair(serve, shared_url)
    token = first.token()
    members = [Submitter(first, token, with_keys=True) for _ in range(3)]
    with (
        slow_inserts(shared_url),
        crowd(*members) as clients,
        second.client(token) as client,
        ledger(first) as books,
    ):
        body = {"program": BELL, "device": "simulator", "shots": 10}
        acknowledged = set()
        for _ in range(GROUPS):
            session = until(lambda: paused_with_the_lock(first, books, rng), "it stands in a group")
            answer = client.post("/v1/jobs", json=body)
            assert answer.status_code == 201, answer.text
            assert session not in idle_lock_holders(books)
            gone = f"select not exists (select 1 from pg_stat_activity where pid = {session})"

            def has_ended(gone: str = gone) -> bool:
                return books.rows(gone) == [(True,)]

            until(has_ended, "its session was ended", timeout_s=PROMPT_S)
            acknowledged.add(answer.json()["id"])
            first.resume()
            clients.await_more(1)
        clients.stop()
        books.await_end()
        acknowledged |= set(clients.acknowledged)
        books.assert_all_completed_uncounted(acknowledged)
        assert books.number("select count(*) from job") == len(acknowledged)


@contextmanager
def slow_inserts(url: str) -> Iterator[None]:
    """Make the database take its time in the middle of a group, so that pauses fall there."""
    with psycopg.connect(url, autocommit=True) as database:
        database.execute(
            "create function slowly() returns trigger language plpgsql as"
            f" $$ begin perform pg_sleep({INSERT_S}); return new; end $$"
        )
        database.execute(
            "create trigger slowly before insert on job for each row execute function slowly()"
        )
        yield
        database.execute("drop function slowly cascade")


def paused_with_the_lock(server: LiveServer, books: Ledger, rng: random.Random) -> int | None:
    """Stop a busy server at a random instant; let it go on unless that was within a group.

    Returns:
        The session that holds the write lock, and goes on holding it.
    """
    threading.Event().wait(rng.uniform(0, 0.05))
    server.pause()
    threading.Event().wait(2 * INSERT_S)
    before = idle_lock_holders(books)
    threading.Event().wait(0.05)
    for session in before & idle_lock_holders(books):
        return session
    server.resume()
    return None


def idle_lock_holders(books: Ledger) -> set[int]:
    rows = books.rows(
        "select pid from pg_stat_activity join pg_locks using (pid)"
        " where locktype = 'advisory' and granted and state = 'idle in transaction'"
        " and datname = current_database()"
    )
    return {session for (session,) in rows}


def test_a_server_whose_session_was_ended_while_it_stood_still_goes_on_by_itself(
    shared_url: str, serve: Serve
) -> None:
    server = serve("server", shared_url, "--lease-s", str(LEASE_S))
    with server.client() as client, psycopg.connect(shared_url, autocommit=True) as database:
        held = held_job()
        body = {"program": held.program, "device": "simulator", "shots": 10}
        first = client.post("/v1/jobs", json=body).json()["id"]
        held.wait_until_running()
        server.pause()
        database.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'qwicket' and datname = current_database()"
        )
        server.resume()
        held.release()
        second = client.post("/v1/jobs", json=body).json()["id"]
        for job in (first, second):
            ended = client.get(f"/v1/jobs/{job}", params={"wait": 30}).json()
            assert (ended["state"], ended["attempts"]) == ("completed", 0)
