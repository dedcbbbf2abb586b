"""Websockets without a token do not keep out clients that have one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from support import ibm
from support.server import LiveServer
from support.waiting import PROMPT_S, until

UNSIGNED = 5


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    limits = ("--limit", "sockets=3", "--limit", f"unsigned_sockets={UNSIGNED}")
    live = LiveServer(tmp_path_factory.mktemp("sockets"), *limits)
    yield live
    assert live.stop() == 0
    live.assert_calm()


def opened(stack: ExitStack, live: LiveServer, job: str) -> ClientConnection:
    url = f"{live.url.replace('http', 'ws')}/ibm/api/jobs/{job}/status"
    return stack.enter_context(connect(url, open_timeout=30, close_timeout=1))


def is_closed(socket: ClientConnection) -> bool:
    try:
        socket.recv(timeout=0)
    except TimeoutError:
        return False
    except ConnectionClosed:
        return True
    raise AssertionError("nobody is told anything")


def test_strangers_keep_no_member_out(narrow: LiveServer) -> None:
    with httpx.Client(base_url=narrow.url, timeout=60) as http, ExitStack() as stack:
        member = ibm.Client(http, narrow.token())
        job = member.submit(ibm.slow())
        silent = [opened(stack, narrow, job) for _ in range(4 * UNSIGNED)]
        until(
            lambda: sum(map(is_closed, silent)) == 3 * UNSIGNED,
            "those that were silent for longest are closed",
            timeout_s=PROMPT_S,
        )
        assert not any(map(is_closed, silent[-UNSIGNED:])), "the last ones have their time"
        for _ in range(2):
            own = opened(stack, narrow, job)
            own.send(json.dumps({"type": "authentication", "data": member.token}))
            assert json.loads(own.recv(timeout=30))["type"] == "authenticated"
        with pytest.raises(ConnectionClosed) as closed:
            silent[0].recv(timeout=5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
        assert "unsigned_sockets" in closed.value.rcvd.reason
        member.call("POST", f"/jobs/{job}/cancel")
