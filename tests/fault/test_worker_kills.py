"""`kill -9` of workers: no job is lost or ends twice, and other jobs of a batch are not blamed."""

from __future__ import annotations

import math
import os
import random
import signal
import threading
import time
from collections import Counter
from contextlib import suppress

import httpx
import pytest

from support.ledger import Ledger, ledger
from support.processes import below, busy_worker, is_alive, processor_ns, workers_of
from support.programs import slow
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
BEGUN_NS = 2_000_000
RUNNING = "select count(*) from job where state = 'running'"
QUEUED = "select count(*) from job where state = 'queued'"
MIN_QUEUED = 5
"""A killer that found no busy worker would wait for ever."""
LEASE = ("--lease-s", "2")
MAX_ATTEMPTS = 3


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def kill_all(pids: list[int]) -> None:
    for pid in pids:
        kill(pid)
    until(lambda: not any(map(is_alive, pids)), "they are dead")


def submit(client: httpx.Client, program: dict[str, object]) -> str:
    body = {"program": program, "device": "simulator", "shots": 100, "seed": 1}
    return str(client.post("/v1/jobs", json=body).json()["id"])


@pytest.mark.timeout(runs(300, long=1800))
def test_killed_workers_lose_no_job_and_double_no_result(serve: Serve) -> None:
    rng = random.Random(3)
    server = serve("server", None, *LEASE)
    with server.client() as client, ledger(server) as books:
        jobs: set[str] = set()
        while releases_and_deaths(books) < KILLS:
            while books.number(QUEUED) < MIN_QUEUED:
                jobs.add(submit(client, slow(20, runs(100, long=200))))
            threading.Event().wait(rng.uniform(0, 0.2))
            kill(
                until(
                    lambda: busy_worker(server.process.pid),
                    "a worker computes",
                    timeout_s=60,
                )
            )
            if rng.random() < 0.2:  # or one that warms up, waits, reads
                kill(rng.choice(sorted(below(server.process.pid))))
        books.await_end(timeout_s=300)
        books.assert_each_ended_once(jobs)
        assert_blamed_fairly(books)
        done = books.rows("select id from job where state = 'completed'")
        counts = {
            str(client.get(f"/v1/jobs/{job}/result").json()["parts"][0]["counts"])
            for (job,) in done
        }
    assert len(counts) == 1, "equal seeds give equal counts, also when a job ran twice"


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
        jobs: set[str] = set()
        hits = 0
        while hits < HITS:
            jobs |= replace_killed_workers(server, client, books)
            blockers, mates = fill_the_queue_of_a_device_that_is_off(server, client, books)
            workers = pause_workers(server)
            server.as_admin(lambda admin: admin.turn_on("simulator"))
            # Two slots, and a batch for each.
            until(lambda: books.number(RUNNING) == MATES, "paused workers hold them all")
            batches = claimed_together(books)
            for pid in workers:
                begin_and_pause(pid)
            kill_all(workers)
            books.await_end()
            released = Counter(job for (job,) in books.rows("select job from job_event"))
            given_back = {job for job in mates if released[job]}
            of_batches = [batch for batch in batches if batch <= given_back]
            reasons = books.rows("select reason, count(*) from job_event group by reason")
            assert given_back == set().union(*of_batches), reasons
            assert max(released.values(), default=1) == 1, reasons
            hits += len(of_batches)
            jobs |= blockers | mates
        books.assert_all_completed_uncounted(jobs)


def claimed_together(books: Ledger) -> list[set[str]]:
    """Return the batches that run: a claim starts all its jobs at one time."""
    rows = books.rows("select started_at, id, est_seconds from job where state = 'running'")
    batches: dict[int, set[str]] = {}
    for started_at, job, _ in sorted(rows):
        batches.setdefault(started_at, set()).add(job)
    (estimate_s,) = {estimate_s for _, _, estimate_s in rows}
    full = min(16, math.ceil(BATCH_S / estimate_s))
    assert [len(batch) for batch in batches.values()] == [full, MATES - full]
    return list(batches.values())


def replace_killed_workers(server: LiveServer, client: httpx.Client, books: Ledger) -> set[str]:
    """Submit jobs until each slot has a worker; return them.

    A worker that was killed after its last job is replaced only with the next one.
    """
    jobs: set[str] = set()
    while sum(map(is_alive, workers_of(server.process.pid))) < SLOTS:
        jobs |= {submit(client, slow(20, 60)) for _ in range(SLOTS)}  # too long for one batch
        books.await_end()
    return jobs


def fill_the_queue_of_a_device_that_is_off(
    server: LiveServer, client: httpx.Client, books: Ledger
) -> tuple[set[str], set[str]]:
    """Return the jobs that occupied the workers meanwhile, and those that now wait."""
    workers = pause_workers(server)
    blockers = {submit(client, slow(20, 60)) for _ in range(SLOTS)}
    until(lambda: books.number(RUNNING) == len(blockers), "all workers are busy")
    mates = {submit(client, slow(12, 150)) for _ in range(MATES)}
    server.as_admin(lambda admin: admin.turn_off("simulator", "upkeep"))
    for pid in workers:
        os.kill(pid, signal.SIGCONT)
    until(lambda: books.number(RUNNING) == 0, "the busy ones are done", timeout_s=60)
    assert books.number(QUEUED) == len(mates)
    return blockers, mates


def pause_workers(server: LiveServer) -> list[int]:
    """Pause all workers, so that their jobs last as long as a test needs."""
    workers = workers_of(server.process.pid)
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    return workers


def begin_and_pause(pid: int) -> None:
    """Let a paused worker compute for some milliseconds of its own time, if it has work."""
    spent_ns = processor_ns(pid)
    deadline = time.monotonic() + 0.1
    os.kill(pid, signal.SIGCONT)
    while processor_ns(pid) < spent_ns + BEGUN_NS and time.monotonic() < deadline:
        pass
    os.kill(pid, signal.SIGSTOP)
