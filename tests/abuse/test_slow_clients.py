"""Clients that send nothing, send slowly, or do not read: they are disconnected, and no others."""

from __future__ import annotations

import contextlib
import resource
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from abuse.dialects import IONQ, NATIVE, Dialect
from support import raw
from support.server import LiveServer
from support.waiting import PROMPT_S, until

pytestmark = pytest.mark.extended

MB = 1 << 20
ANSWER_BYTES = 5 * MB
HASTE = {
    "head_timeout_s": 1,
    "keep_alive_s": 4,
    "body_timeout_s": 1,
    "body_bytes_per_s": 8_000,
    "response_timeout_s": 1,
    "response_bytes_per_s": 20_000,
    "bodies_bytes": 40 * MB,
}


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with short time limits."""
    options = [each for limit in HASTE.items() for each in ("--limit", "{}={}".format(*limit))]
    live = LiveServer(tmp_path_factory.mktemp("hasty"), *options)
    live.token()
    yield live
    assert httpx.get(f"{live.url}/readyz").status_code == 200
    assert live.stop() == 0
    assert b"Traceback" not in live.log.read_bytes()


@pytest.fixture
def connection(hasty: LiveServer) -> Iterator[socket.socket]:
    with raw.connect(hasty.url) as connection:
        yield connection


def drip(connection: socket.socket, drop: bytes, pause_s: float = 0.05) -> None:
    """Send drops until there is something to read."""
    deadline = time.monotonic() + 30
    while not select.select([connection], [], [], pause_s)[0]:
        assert time.monotonic() < deadline, "no answer within 30 s"
        connection.send(drop)


def auth(live: LiveServer, dialect: Dialect = NATIVE) -> str:
    ((name, value),) = dialect.auth(live.token()).items()
    return f"{name}: {value}"


# --- heads ----------------------------------------------------------------------------------------


def test_a_connection_that_says_nothing_is_ended(connection: socket.socket) -> None:
    began = time.monotonic()
    assert raw.is_ended(connection)
    assert time.monotonic() - began > 0.9 * HASTE["head_timeout_s"]


@pytest.mark.parametrize("begun", [b"G", b"GET /livez HTTP/1.1\r\n", raw.head("GET /livez")[:-1]])
def test_half_a_head_is_given_up(connection: socket.socket, begun: bytes) -> None:
    connection.sendall(begun)
    answer = raw.answer(connection)
    assert (answer.status_code, answer.headers["connection"]) == (408, "close")
    assert "head_timeout_s" in answer.text
    assert raw.is_ended(connection)


@pytest.mark.parametrize("after", ["", "a request", "an upgrade"])
def test_a_head_that_drips_is_given_up(connection: socket.socket, after: str) -> None:
    if after:
        upgrade = ("Connection: Upgrade", "Upgrade: h2c") if after == "an upgrade" else ()
        connection.sendall(raw.head("GET /livez", *upgrade))
        assert raw.answer(connection).status_code == 200
    connection.sendall(b"GET /livez HTTP/1.1\r\nX: ")
    drip(connection, b"x")
    assert raw.answer(connection).status_code == 408


def test_empty_lines_do_not_keep_a_connection(connection: socket.socket) -> None:
    drip(connection, b"\r\n")
    assert raw.is_ended(connection)


def test_between_requests_there_is_more_time_than_for_a_head(
    hasty: LiveServer, connection: socket.socket
) -> None:
    connection.sendall(raw.head("GET /livez"))
    assert raw.answer(connection).status_code == 200
    with raw.connect(hasty.url) as silent:
        assert raw.is_ended(silent)
    connection.sendall(raw.head("GET /livez"))
    assert raw.answer(connection).status_code == 200
    assert raw.is_ended(connection), "but not for ever"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\n\r\n",
        raw.head("GET /livez", "Cookie: " + "x" * 200_000),
        raw.head("GET /livez", *["X: x"] * 40_000),
        raw.head("GET /livez", "Cookie: " + "x" * 20_000_000),
        b"GET /livez HTTP/1.1\r\n" + b"x" * 20_000_000,
    ],
    ids=["path", "header", "headers", "20 MB header", "20 MB header name"],
)
def test_a_head_that_is_too_large_is_refused_and_the_client_sees_why(
    connection: socket.socket, sent: bytes
) -> None:
    connection.sendall(sent)
    answer = raw.answer(connection)
    assert (answer.status_code, answer.headers["connection"]) == (431, "close")
    assert "head_bytes" in answer.text
    assert raw.is_ended(connection)


def test_a_large_body_before_it_does_not_count_for_a_head(
    hasty: LiveServer, connection: socket.socket
) -> None:
    body = b" " * 500_000
    head = raw.head("POST /v1/jobs", auth(hasty), f"Content-Length: {len(body)}")
    connection.sendall((head + body) * 3 + raw.head("GET /livez", "Cookie: " + "x" * 100_000))
    assert [raw.answer(connection).status_code for _ in range(4)] == [400, 400, 400, 200]


# --- bodies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", [NATIVE, IONQ], ids=repr)
def test_a_body_that_is_slow_but_steady_is_taken(
    hasty: LiveServer, connection: socket.socket, dialect: Dialect
) -> None:
    body = dialect.text() + b" " * 60_000  # at 8,000 bytes a second it may take 8 s
    head = raw.head(f"POST {dialect.jobs}", auth(hasty, dialect), f"Content-Length: {len(body)}")
    connection.sendall(head)
    began = time.monotonic()
    for start in range(0, len(body), 2_000):
        assert not select.select([connection], [], [], 0.05)[0]
        connection.sendall(body[start : start + 2_000])
    assert time.monotonic() - began > HASTE["body_timeout_s"]
    assert raw.answer(connection).status_code == 201


@pytest.mark.parametrize("dialect", [NATIVE, IONQ], ids=repr)
def test_a_body_that_drips_is_given_up_by_its_rate(
    hasty: LiveServer, connection: socket.socket, dialect: Dialect
) -> None:
    connection.sendall(
        raw.head(f"POST {dialect.jobs}", auth(hasty, dialect), "Content-Length: 100000")
    )
    drip(connection, b" " * 100)  # 2,000 bytes a second
    answer = raw.answer(connection)
    assert "body_bytes_per_s" in dialect.refused(answer, 408)


LAST_BYTES = 100_000


def begin_upload(live: LiveServer, dialect: Dialect, size: int) -> socket.socket:
    made = raw.connect(live.url)
    made.sendall(raw.head(f"POST {dialect.jobs}", auth(live, dialect), f"Content-Length: {size}"))
    made.sendall(b" " * (size - LAST_BYTES))
    return made


@pytest.mark.parametrize("dialect", [NATIVE, IONQ], ids=repr)
def test_bodies_that_are_too_much_together_are_refused_for_now(
    hasty: LiveServer, dialect: Dialect
) -> None:
    size = 15 * MB
    with begin_upload(hasty, dialect, size) as first, begin_upload(hasty, dialect, size) as second:
        with begin_upload(hasty, dialect, size) as third:
            with contextlib.suppress(ConnectionError):  # refused before it was all there
                third.sendall(b" " * LAST_BYTES)
            answer = raw.answer(third)
            assert answer.status_code == 503
            assert "bodies_bytes" in dialect.said(answer)
            assert answer.headers["retry-after"] == "1"
        small = httpx.post(
            hasty.url + dialect.jobs, content=dialect.text(), headers=dialect.auth(hasty.token())
        )
        assert small.status_code == 201, "a small body always has room"
        for each in (first, second):
            each.sendall(b" " * LAST_BYTES)
            assert raw.answer(each).status_code == 400
    with begin_upload(hasty, dialect, size) as again:
        again.sendall(b" " * LAST_BYTES)
        assert raw.answer(again).status_code == 400, "there is room again"


@pytest.mark.parametrize("path", ["/v1/jobs", "/qlued/api/v2/singlequdit/post_job"])
@pytest.mark.parametrize("sent", [0, 1, 100_000])
def test_declared_bodies_that_do_not_come_take_no_room(
    hasty: LiveServer, path: str, sent: int
) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(16):
            silent = stack.enter_context(raw.connect(hasty.url))
            silent.sendall(raw.head(f"POST {path}", auth(hasty), f"Content-Length: {15 * MB}"))
            silent.sendall(b" " * sent)
        content = NATIVE.text() + b" " * (10 * MB)
        answer = httpx.post(
            f"{hasty.url}/v1/jobs", content=content, headers=NATIVE.auth(hasty.token())
        )
        assert answer.status_code == 201, answer.text


def test_slow_bodies_of_one_account_give_way_to_another(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    options = ("--limit", f"bodies_bytes={40 * MB}", "--limit", f"bodies_bytes_each={30 * MB}")
    live = LiveServer(tmp_path_factory.mktemp("room"), *options)
    bob = live.token("bob")
    content = NATIVE.text() + b" " * (14 * MB)
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(begin_upload(live, NATIVE, 14 * MB)) for _ in range(2)]

        def submitted(token: str) -> int:
            sent = httpx.post(f"{live.url}/v1/jobs", content=content, headers=NATIVE.auth(token))
            return sent.status_code

        until(lambda: submitted(bob) == 201, "the slow ones give way")
        (gone,) = select.select(slow, [], [], 0)[0]
        answer = raw.answer(gone)
        assert answer.status_code == 503
        assert "too slowly" in answer.text
    assert live.stop() == 0
    live.assert_calm()


UNSIGNED = (
    "/ibm/api/users/loginWithToken",
    "/ibm/api/users/login",
    "/ibm/api/Jobs",
    "/qbraid/api/public/lab/get-devices",
    "/qlued/api/v2/singlequdit/post_job/",
    "/auth/realms/platform/protocol/openid-connect/token",
)
"""Where a body is read before anybody has signed in, because the token may be in it."""


@pytest.mark.parametrize("path", UNSIGNED)
def test_bodies_of_nobody_leave_the_others_their_room(hasty: LiveServer, path: str) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(6):  # together more than all bodies may have
            nobody = stack.enter_context(raw.connect(hasty.url))
            nobody.sendall(raw.head(f"POST {path}", f"Content-Length: {15 * MB}"))
        for dialect in (NATIVE, IONQ):
            content = dialect.text() + b" " * (15 * MB)
            answer = httpx.post(
                hasty.url + dialect.jobs, content=content, headers=dialect.auth(hasty.token())
            )
            assert answer.status_code == 201, answer.text


# --- answers --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large(hasty: LiveServer) -> str:
    """Return the path of an answer of 5 MB: no kernel takes that for a client that reads none."""
    with hasty.client() as client:
        body = NATIVE.text(shots=1_000_000, outputs=["memory"])
        job = client.post("/v1/jobs", content=body).json()["id"]
        assert client.get(f"/v1/jobs/{job}?wait=60").json()["state"] == "completed"
        path = f"/v1/jobs/{job}/result"
        assert len(client.get(path).content) > ANSWER_BYTES * 0.9
    return path


def test_a_client_that_takes_nothing_of_its_answer_is_ended(hasty: LiveServer, large: str) -> None:
    with raw.connect(hasty.url, receive_bytes=4_096) as connection:
        connection.sendall(raw.head(f"GET {large}", auth(hasty)))
        raw.wait_for_reset(connection)


def test_a_client_that_takes_nothing_is_ended_though_its_connection_was_to_close(
    hasty: LiveServer, large: str
) -> None:
    with raw.connect(hasty.url, receive_bytes=4_096) as connection:
        connection.sendall(raw.head(f"GET {large}", auth(hasty), "Connection: close"))
        raw.wait_for_reset(connection)


def test_a_client_that_asks_and_asks_and_takes_nothing_is_ended(hasty: LiveServer) -> None:
    with raw.connect(hasty.url, receive_bytes=4_096) as connection:
        connection.setblocking(False)
        poll = raw.reset_poll(connection)

        def is_reset() -> bool:
            try:
                connection.send(raw.head("GET /livez") * 100)
            except BlockingIOError:
                pass
            except OSError:
                return True
            return bool(poll.poll(10))

        until(is_reset, "the connection is reset", timeout_s=30)


def test_a_client_that_takes_its_answer_slowly_gets_all_of_it(
    hasty: LiveServer, large: str
) -> None:
    with raw.connect(hasty.url, receive_bytes=4_096) as connection:
        connection.sendall(raw.head(f"GET {large}", auth(hasty)))
        began, received = time.monotonic(), 0
        while time.monotonic() - began < 3 * HASTE["response_timeout_s"]:
            received += len(connection.recv(2_000))
            select.select([], [], [], 0.01)  # at most 200,000 bytes a second
        connection.settimeout(10)
        while received < ANSWER_BYTES * 0.9:
            piece = connection.recv(MB)
            assert piece, f"ended after {received} bytes"
            received += len(piece)


def test_a_client_that_takes_nothing_of_a_stream_is_ended(hasty: LiveServer) -> None:
    tags = [f"{k}" + "\N{SNOWMAN WITHOUT SNOW}" * 250 for k in range(32)]  # 24 kB in UTF-8
    with hasty.client() as client:
        for _ in range(250):
            assert client.post("/v1/jobs", content=NATIVE.text(tags=tags)).status_code == 201
    with raw.connect(hasty.url, receive_bytes=4_096) as connection:
        connection.sendall(raw.head("GET /v1/events", auth(hasty), "Last-Event-ID: 0"))
        raw.wait_for_reset(connection)


# --- connections ----------------------------------------------------------------------------------


@pytest.fixture
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that takes twenty connections."""
    live = LiveServer(tmp_path_factory.mktemp("narrow"), "--limit", "connections=20")
    yield live
    assert live.stop() == 0
    assert b"Traceback" not in live.log.read_bytes()


def is_alive(live: LiveServer) -> bool:
    try:
        return httpx.get(f"{live.url}/livez").status_code == 200
    except httpx.TransportError:
        return False


def test_one_connection_too_many_is_told_so(narrow: LiveServer) -> None:
    """Idle ones would give way, so all of them are at work."""
    kept = [raw.connect(narrow.url) for _ in range(20)]
    for each in kept:
        each.sendall(raw.head("GET /v1/events", auth(narrow)))
        assert each.recv(12) == b"HTTP/1.1 200"
    with raw.connect(narrow.url) as more:
        answer = raw.answer(more)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "connections" in answer.text
        assert raw.is_ended(more)
    assert not any(_is_ended(each) for each in kept), "the others are not harmed"
    kept.pop().close()
    until(lambda: is_alive(narrow), "there is room again", timeout_s=PROMPT_S)
    for each in kept:
        each.close()


def _is_ended(connection: socket.socket) -> bool:
    while _is_over(connection):
        if not connection.recv(10_000):
            return True
    return False


def test_a_server_that_ran_out_of_files_listens_on(narrow: LiveServer) -> None:
    narrow.children()  # the server opens files for them until they have started
    pid = narrow.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    few = len([*Path(f"/proc/{pid}/fd").iterdir()]) + 2
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (few, before[1]))
    with contextlib.ExitStack() as opened:
        held = [opened.enter_context(raw.connect(narrow.url)) for _ in range(200)]
        until(
            lambda: sum(_is_over(each) for each in held) > 150,
            "most are turned away",
            timeout_s=60,
        )
    until(
        lambda: is_alive(narrow),
        "it takes connections again, though it may open no more files",
        timeout_s=PROMPT_S,
    )
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    assert is_alive(narrow)


def _is_over(connection: socket.socket) -> bool:
    return bool(select.select([connection], [], [], 0)[0])
