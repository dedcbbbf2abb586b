"""An idle server wakes up seldom, and writes nothing but its heartbeat, on both databases."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from measured.conftest import Record
from support.postgres import PostgresServer
from support.processes import user_ticks, wake_ups
from support.server import LiveServer
from support.waiting import until

WINDOW_S = 10.0
"""A heartbeat comes four times in the default lease of 45 s, so at most once in this."""
START_S = 4.0
"""A server that has just started does its first round of periodic work, and polls once."""
QUIET_S = 1.0
"""On a busy machine the start lasts longer. It is over when nothing is committed for so long."""
SETTLE_S = 0.5
"""The request that reads the metrics has threads of its own."""
MOMENT_S = 0.05
"""Threads that wake up in the same moment count once. They pass the interpreter's lock to each
other, for which they wake up several times more, and more often on a busy machine."""
MAX_WAKE_UPS = 2.0
"""A second. A thread that looks three times a second whether there is work is above it; a server
needs less than one."""


class Spent(NamedTuple):
    """What a server did in `WINDOW_S`."""

    commits_before: float
    commits: float
    wake_ups: int


@pytest.fixture(scope="module")
def spent(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer
) -> Iterator[list[Spent]]:
    """What a server on each database did. No browser, client or agent asks it for anything."""
    with ExitStack() as stack:
        servers = []
        for url in (None, stack.enter_context(postgres.database())):
            options = ("--maintenance-interval-s", "600")  # no second round within the window
            live = LiveServer(tmp_path_factory.mktemp("idle"), *options, database_url=url)
            stack.callback(live.stop)
            servers.append(live)
        time.sleep(START_S)
        until(lambda: have_started(servers), "the start is over", timeout_s=60)
        yield spent_in_a_window(servers)


def spent_in_a_window(servers: list[LiveServer]) -> list[Spent]:
    commits_before = [commits(live) for live in servers]
    time.sleep(SETTLE_S)
    wakes = moments_awake([live.process.pid for live in servers], WINDOW_S - SETTLE_S)
    return [
        Spent(before, commits(live) - before, awake)
        for live, before, awake in zip(servers, commits_before, wakes, strict=True)
    ]


def moments_awake(pids: list[int], seconds: float) -> list[int]:
    """Return for each process in how many moments it, or a child of it, woke up."""
    awake = [0] * len(pids)
    before = [*map(wake_ups, pids)]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(MOMENT_S)
        now = [*map(wake_ups, pids)]
        awake = [n + (a != b) for n, a, b in zip(awake, before, now, strict=True)]
        before = now
    return awake


def have_started(servers: list[LiveServer]) -> bool:
    """Return whether workers and parsers did nothing for a moment, and nothing was committed."""
    children = [child for live in servers for child in live.children()]

    def done() -> list[float]:
        idle = [(wake_ups(child), user_ticks(child)) for child in children]
        return [*(each for pair in idle for each in pair), *map(commits, servers)]

    before = done()
    time.sleep(QUIET_S)
    return before == done()


def commits(live: LiveServer) -> float:
    text = httpx.get(f"{live.url}/metrics", timeout=60).raise_for_status().text
    (count,) = (
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "qwicket_commit_operations_count"
    )
    return count


def test_an_idle_server_waits_for_events_and_commits_at_most_its_heartbeat(
    spent: list[Spent], record: Record
) -> None:
    assert min(each.commits_before for each in spent) > 0, "commits are counted"
    assert min(each.wake_ups for each in spent) > 0, "wake-ups are counted"
    for database, each in zip(("SQLite", "PostgreSQL"), spent, strict=True):
        record(f"idle server on {database}: commits in 10 s", each.commits, at_most=1, unit="")
        awake = each.wake_ups / (WINDOW_S - SETTLE_S)
        record(f"idle server on {database}: wake-ups", awake, at_most=MAX_WAKE_UPS, unit="/s")
