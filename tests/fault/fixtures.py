"""Fixtures for tests of servers that are killed, paused and cut off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.postgres import PostgresServer
from support.server import LiveServer, Serve, database_of


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The address of an empty database; None is the embedded one."""
    with database_of(request.param, request) as url:
        yield url


@pytest.fixture
def shared_url(postgres: PostgresServer) -> Iterator[str]:
    """The address of an empty database that several servers can share."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start servers; at the end they must stop in good order and have met nothing unforeseen."""
    with ExitStack() as servers:

        def start(name: str, database_url: str | None, *options: str) -> LiveServer:
            live = LiveServer(tmp_path / name, *options, database_url=database_url)
            servers.callback(_end, live)
            return live

        yield start


def _end(live: LiveServer) -> None:
    if live.process.poll() is None:
        assert live.stop() == 0
    live.assert_calm()
