"""Commands of a client of a test bed are done once."""

from __future__ import annotations

import pytest

from qwicket.testing import Cloud, TestBedError
from support.bad_server import BadServer, answer, drop, keep_alive, silent


def test_a_slow_command_is_not_repeated() -> None:
    with BadServer(keep_alive(answer(200, None), silent()), answer(200, None)) as server:
        with Cloud(server.url, "secret", timeout_s=0.3) as bed:
            bed.clear()
            with pytest.raises(TestBedError, match="timed out"):
                bed.load("busy-monday")
        paths = [request.path for request in server.requests]
    assert paths == ["/_testing/clear", "/_testing/load"]


def test_a_command_is_repeated_if_the_server_has_closed_the_idle_connection() -> None:
    steps = keep_alive(answer(200, None), drop()), answer(200, None)
    with BadServer(*steps) as server, Cloud(server.url, "secret") as bed:
        bed.clear()
        bed.clear()
        assert (len(server.requests), server.connections) == (2, 2)
