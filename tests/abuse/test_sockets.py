"""Websockets without a token do not keep out clients that have one, nor delay others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from abuse.attacks.bystander import Bystander
from abuse.test_floods import Peak
from abuse.test_handshakes import handshake
from support import ibm, raw
from support.event_loop import MEASURED, assert_loop_stays_free
from support.held import held_job
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
        job = member.submit(ibm.held_qobj(held_job()))
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


# --- frames ---------------------------------------------------------------------------------------

MB = 1 << 20
KEY = b"\0\0\0\0"
BEGINNING = b"\x01\x80" + KEY
"""First frame of a text that further frames continue."""
FRAMES = {
    "pings": b"\x89\x80" + KEY,
    "large pings": b"\x89\xfd" + KEY + b"x" * 125,
    "pongs": b"\x8a\x80" + KEY,
    "fragments without bytes": b"\x00\x80" + KEY,
    "fragments of a byte": b"\x00\x81" + KEY + b"x",
    "empty texts": b"\x81\x80" + KEY,
}


def send_frames(live: LiveServer, kind: str, most: int) -> int:
    """Send frames on a new websocket, and read nothing; return how many bytes were taken."""
    piece, sent = FRAMES[kind] * 1_000, 0
    with raw.connect(live.url, source="127.0.0.2", timeout_s=2) as connection:
        connection.sendall(handshake())
        assert connection.recv(12) == b"HTTP/1.1 101"
        with suppress(OSError):
            connection.sendall(BEGINNING if "fragments" in kind else b"")
            while sent < most:
                sent += connection.send(piece[sent % len(piece) :])
        return sent


@pytest.mark.parametrize("kind", FRAMES)
def test_frames_without_end_close_a_websocket(narrow: LiveServer, kind: str) -> None:
    send_frames(narrow, kind, 1)  # what is done for the first time is no finding
    peak, bystander = Peak(narrow), Bystander(narrow.url)
    with bystander.watching():
        assert send_frames(narrow, kind, 20 * MB) < 10 * MB, "kernels hold a few"
    assert peak.rise_bytes() < 2 * MB
    assert max(bystander.latencies.seconds) < 0.5, str(bystander.latencies)
    assert not bystander.latencies.n_failed


def test_no_frames_keep_the_loop(tmp_path_factory: pytest.TempPathFactory) -> None:
    live = LiveServer(tmp_path_factory.mktemp("frames"), **MEASURED)
    send_frames(live, "pings", 1)  # what is done for the first time is no finding
    for kind in FRAMES:
        assert_loop_stays_free(live, partial(send_frames, live, kind, 2 * MB))
    assert live.stop() == 0
    live.assert_calm()


def test_pings_of_an_ordinary_client_are_answered(narrow: LiveServer) -> None:
    with ExitStack() as stack:
        own = opened(stack, narrow, "00000000-0000-0000-0000-000000000000")
        for _ in range(100):
            assert own.ping().wait(10)
