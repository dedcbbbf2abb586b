"""Pilots that are killed, paused or cut off, and servers under them: each job ends exactly once."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.cutting_proxy import PHASES, Cut, CuttingProxy
from support.held import held_job
from support.kills import Kills
from support.ledger import ledger
from support.pilots import LivePilot
from support.processes import below, is_alive
from support.programs import BELL
from support.repetitions import databases, kills, runs
from support.server import LiveServer, Serve
from support.waiting import PROMPT_S, until

pytestmark = pytest.mark.promise

PILOTS = 2
KILLS = kills(3)
LEASE = ("--workers", "0", "--lease-s", "2")
RUNNING = "select count(*) from job where state = 'running'"


@contextmanager
def pilots(server: LiveServer, folder: Path, number: int = PILOTS) -> Iterator[list[LivePilot]]:
    """Yield pilots, which are killed at the end; those that are added to the list, too."""
    started = [LivePilot(server, folder) for _ in range(number)]
    try:
        yield started
    finally:
        for each in started:
            each.kill()


def submit(client: httpx.Client, program: Any = BELL) -> str:
    body = {"device": "simulator", "program": program, "shots": 100}
    sent = client.post("/v1/jobs", json=body)
    assert sent.status_code == 201, sent.text
    return str(sent.json()["id"])


def load(client: httpx.Client) -> set[str]:
    """Submit tiny jobs and one that runs for a moment."""
    return {submit(client) for _ in range(20)} | {submit(client, held_job(lasts_s=0.2).program)}


@pytest.mark.timeout(runs(300, long=3600))
@pytest.mark.parametrize("database_url", databases("sqlite"), indirect=True)
def test_jobs_of_killed_pilots_run_elsewhere_and_end_exactly_once(
    database_url: str | None, serve: Serve, tmp_path: Path
) -> None:
    rng = random.Random(7)
    server = serve("server", database_url, *LEASE)
    with (
        pilots(server, tmp_path / "pilots") as live,
        server.client() as client,
        ledger(server) as books,
    ):
        jobs, killed = set(), Kills("pilot: `kill -9`")
        for _ in range(KILLS):
            jobs |= load(client)
            until(lambda: books.number(RUNNING) > 0, "jobs run")
            threading.Event().wait(rng.uniform(0, 0.3))
            victim = rng.choice(live)
            processes = victim.children()
            victim.kill()
            killed.await_end(processes)
            live[live.index(victim)] = LivePilot(server, tmp_path / "pilots")
        books.await_end(timeout_s=120)
        killed.record(books, jobs)
        books.assert_all_completed_uncounted(jobs)


@pytest.mark.extended
@pytest.mark.timeout(runs(300, long=3600))
@pytest.mark.parametrize("database_url", databases("postgres"), indirect=True)
def test_pilots_outlive_kills_of_the_server_and_each_job_ends_exactly_once(
    database_url: str | None, serve: Serve, tmp_path: Path
) -> None:
    rng = random.Random(8)
    server = serve("server", database_url, *LEASE)
    with pilots(server, tmp_path / "pilots") as live, ledger(server) as books:
        jobs, killed = set(), Kills("server below pilots: `kill -9`, started again")
        for _ in range(KILLS):
            with server.client() as client:
                jobs |= load(client)
            threading.Event().wait(rng.uniform(0, 0.5))
            processes = below(server.process.pid)
            server.kill()
            killed.await_end(processes)
            server.start()
        books.await_end(timeout_s=120)
        killed.record(books, jobs)
        books.assert_all_completed_uncounted(jobs)
        assert [each.stop() for each in live] == [0, 0]


@pytest.mark.extended
@pytest.mark.timeout(180)
@pytest.mark.parametrize("database_url", databases("sqlite"), indirect=True)
def test_a_network_cut_at_any_phase_loses_no_job_and_doubles_none(
    database_url: str | None, serve: Serve, tmp_path: Path
) -> None:
    server = serve("server", database_url, *LEASE)
    with (
        CuttingProxy(server.url) as proxy,
        pilots(server, tmp_path / "pilots", 0) as live,
        server.client() as client,
        ledger(server) as books,
    ):
        live.append(LivePilot(server, tmp_path / "pilots", url=proxy.url))
        jobs = {submit(client)}
        books.await_end()
        for verb, (phase, (way, at)) in product(("/pull", "/results"), PHASES.items()):
            proxy.plan(Cut(way, at, verb))
            jobs |= {submit(client) for _ in range(3)}
            books.await_end()
            until(proxy.has_cut.is_set, f"the network was cut at the {phase} of {verb}")
        books.assert_all_completed_uncounted(jobs)


@pytest.mark.extended
@pytest.mark.timeout(120)
@pytest.mark.parametrize("database_url", databases("sqlite"), indirect=True)
def test_a_pilot_that_slept_past_its_lease_stops_what_it_lost(
    database_url: str | None, serve: Serve, tmp_path: Path
) -> None:
    server = serve("server", database_url, *LEASE)
    with (
        pilots(server, tmp_path / "pilots", 1) as (sleeper,),
        server.client() as client,
        ledger(server) as books,
    ):
        held = held_job()
        job = submit(client, held.program)
        worker = held.wait_until_running()
        sleeper.pause()
        until(lambda: books.number(RUNNING) == 0, "it is offered again")
        client.post(f"/v1/jobs/{job}/cancel")
        sleeper.resume()
        until(lambda: not is_alive(worker), "it ends what it lost", timeout_s=2 * PROMPT_S)
        after = submit(client)
        assert client.get(f"/v1/jobs/{after}?wait=60").json()["state"] == "completed"
        assert client.get(f"/v1/jobs/{job}").json()["state"] == "cancelled"
