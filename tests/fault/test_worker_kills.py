"""`kill -9` of workers: no job is lost or ends twice, and other jobs of a batch are not blamed."""

from __future__ import annotations

import math
import os
import random
import signal
import threading
from collections import Counter
from contextlib import suppress
from functools import partial

import httpx
import pytest

from support.held import HeldJob, held_job
from support.ledger import Ledger, ledger
from support.processes import below, is_alive
from support.repetitions import runs
from support.server import LiveServer, Serve
from support.waiting import until

pytestmark = pytest.mark.promise

KILLS = runs(4, long=300)
HITS = runs(1, long=30)
SLOTS = 2
MATES = 24
"""Jobs for two batches, one for each slot: the first is full, the second takes the rest."""
BATCH_S = 0.02
"""Total estimate that fills a batch, of at most 16 jobs."""
RUNNING = "select count(*) from job where state = 'running'"
QUEUED = "select count(*) from job where state = 'queued'"
MIN_QUEUED = 5
"""A killer that found no running job would wait for ever."""
LEASE = ("--lease-s", "2")
MAX_ATTEMPTS = 3


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def submit(client: httpx.Client, program: dict[str, object]) -> str:
    body = {"program": program, "device": "simulator", "shots": 100, "seed": 1}
    return str(client.post("/v1/jobs", json=body).json()["id"])


@pytest.mark.timeout(runs(300, long=1800))
def test_killed_workers_lose_no_job_and_double_no_result(serve: Serve) -> None:
    rng = random.Random(3)
    server = serve("server", None, *LEASE)
    with server.client() as client, ledger(server) as books:
        jobs: set[str] = set()
        held: list[HeldJob] = []
        while releases_and_deaths(books) < KILLS:
            while books.number(QUEUED) < MIN_QUEUED:
                held.append(held_job())
                jobs.add(submit(client, held[-1].program))
            victim = until(lambda: running(held), "a job runs", timeout_s=60)
            worker = victim.wait_until_running()
            if rng.random() < 0.5:  # it is killed while it returns its result, or soon after that
                victim.release()
                held.remove(victim)
                threading.Event().wait(rng.uniform(0, 0.05))
            kill(worker)
            if rng.random() < 0.2:  # or one that warms up, waits, reads
                kill(rng.choice(sorted(below(server.process.pid))))
        for each in held:
            each.release()
        books.await_end(timeout_s=300)
        books.assert_each_ended_once(jobs)
        assert_blamed_fairly(books)
        done = books.rows("select id from job where state = 'completed'")
        counts = {
            str(client.get(f"/v1/jobs/{job}/result").json()["parts"][0]["counts"])
            for (job,) in done
        }
    assert len(counts) == 1, "equal seeds give equal counts, also when a job ran twice"


def running(held: list[HeldJob]) -> HeldJob | None:
    """Return a held job that runs."""
    return next((each for each in held if (pid := each.pid()) and is_alive(pid)), None)


def releases_and_deaths(books: Ledger) -> int:
    """Return how often a job was released or failed because its worker died."""
    return books.number("select count(*) from job_event")


def assert_blamed_fairly(books: Ledger) -> None:
    """Only a job's own deaths fail it, and only the third."""
    for state, attempts in books.rows("select state, attempts from job"):
        assert (state == "failed") == (attempts == MAX_ATTEMPTS)
    assert books.rows("select distinct error_code from job where state = 'failed'") in (
        [],
        [("worker_died",)],
    )


@pytest.mark.timeout(runs(180, long=1800))
def test_mates_of_a_killed_batch_end_once_each_and_are_not_blamed(serve: Serve) -> None:
    """Tiny jobs travel together: a worker that dies with some in hand gives all of them back."""
    server = serve("server", None, *LEASE, "--express-slots", "0")
    with server.client() as client, ledger(server) as books:
        jobs, killed = set(), Counter[str]()
        for _ in range(HITS):
            blockers, mates = claim_in_two_batches(server, client, books)
            batches = claimed_together(books)
            workers = [
                until(partial(begun, [mates[job] for job in batch]), "it has begun")
                for batch in batches
            ]
            for worker in workers:
                kill(worker)
            for each in mates.values():
                each.release()
            books.await_end()
            jobs |= blockers | mates.keys()
            killed.update(mates.keys())
        given_back = Counter(job for (job,) in books.rows("select job from job_event"))
        assert given_back == killed, books.rows("select reason from job_event")
        books.assert_all_completed_uncounted(jobs)


def begun(held: list[HeldJob]) -> int | None:
    """Return the worker in which one of these has begun."""
    return next(filter(None, (each.pid() for each in held)), None)


def claimed_together(books: Ledger) -> list[set[str]]:
    """Return the batches that run: the first jobs fill one task, the others are in the next."""
    rows = books.rows("select id, est_seconds from job where state = 'running' order by seq")
    (estimate_s,) = {estimate_s for _, estimate_s in rows}
    full = min(16, math.ceil(BATCH_S / estimate_s))
    ids = [job for job, _ in rows]
    return [set(ids[:full]), set(ids[full:])]


def claim_in_two_batches(
    server: LiveServer, client: httpx.Client, books: Ledger
) -> tuple[set[str], dict[str, HeldJob]]:
    """Submit tiny jobs that both slots claim at one moment.

    Returns:
        The jobs that kept the slots busy meanwhile, and the tiny ones by their ids.
    """
    held_before = [held_job() for _ in range(SLOTS)]
    blockers = {submit(client, each.program) for each in held_before}
    for each in held_before:
        each.wait_until_running()
    held = [held_job(12, 150) for _ in range(MATES)]
    mates = {submit(client, each.program): each for each in held}
    server.as_admin(lambda admin: admin.turn_off("simulator", "upkeep"))
    for each in held_before:
        each.release()
    until(lambda: books.number(RUNNING) == 0, "the blockers are done", timeout_s=60)
    assert books.number(QUEUED) == MATES
    server.as_admin(lambda admin: admin.turn_on("simulator"))
    until(lambda: books.number(RUNNING) == MATES, "both slots have a batch")
    return blockers, mates
