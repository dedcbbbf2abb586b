"""An idle server opens no write transaction but its heartbeat's, on both databases."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.postgres import PostgresServer
from support.server import LiveServer

WINDOW_S = 10.0
"""A heartbeat comes four times in the default lease of 45 s, so at most once in this."""
START_S = 4.0
"""A server that has just started does its first round of periodic work, and polls once."""


@pytest.fixture
def idle(tmp_path: Path, postgres: PostgresServer) -> Iterator[list[LiveServer]]:
    """A server on each database. No browser, client or agent asks it for anything."""
    with ExitStack() as stack:
        servers = []
        for name, url in (("sqlite", None), ("postgres", stack.enter_context(postgres.database()))):
            live = LiveServer(tmp_path / name, database_url=url)
            stack.callback(live.stop)
            servers.append(live)
        yield servers


def commits(live: LiveServer) -> float:
    text = httpx.get(f"{live.url}/metrics").raise_for_status().text
    (count,) = (
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "qwicket_commit_operations_count"
    )
    return count


def test_an_idle_server_commits_at_most_its_heartbeat(idle: list[LiveServer]) -> None:
    time.sleep(START_S)
    before = [commits(live) for live in idle]
    time.sleep(WINDOW_S)
    made = [commits(live) - then for live, then in zip(idle, before, strict=True)]
    assert max(made) <= 1, made
    assert min(before) > 0, "commits are counted"
