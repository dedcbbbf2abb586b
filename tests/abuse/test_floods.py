"""Bodies that are too large, slow or deep: refused with a readable error, in bounded memory."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
import requests

from abuse.dialects import DIALECTS, IONQ, NATIVE, Dialect
from abuse.fixtures import run_bell
from support import raw
from support.repetitions import runs
from support.server import LiveServer
from support.waiting import until

pytestmark = pytest.mark.extended

GB = 1 << 30
MB = 1 << 20
PIECE = b"x" * MB
MAX_RISE = 32 * MB
UPLOADS = runs(30, long=100)
"""At once, with room for four."""
MAX_TAKEN = 64 * MB
"""Of a refused body: `body_bytes` and 4 MB, and what kernels hold of a connection on both sides."""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server whose memory no other test uses, with timeouts that suit a busy machine."""
    live = LiveServer(tmp_path_factory.mktemp("floods"), "--limit", "body_timeout_s=120")
    with live.client() as client:
        run_bell(client, NATIVE, live.token())
        for dialect in DIALECTS:  # what the first large body leaves behind is no part of a flood
            client.post(dialect.jobs, content=b" " * 16 * MB, headers=dialect.auth(live.token()))
        yield live
        run_bell(client, NATIVE, live.token())
    assert live.stop() == 0
    assert b"Traceback" not in live.log.read_bytes()


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that waits a second for a body, and three for the rest of a refused one."""
    limits = ("--limit", "body_timeout_s=1", "--limit", "head_timeout_s=3")
    live = LiveServer(tmp_path_factory.mktemp("hasty"), *limits)
    yield live
    assert live.stop() == 0
    assert b"Traceback" not in live.log.read_bytes()


class Peak:
    """How far a server's memory rises above what it has now (Linux, proc(5): VmHWM)."""

    def __init__(self, live: LiveServer) -> None:
        self._proc = Path(f"/proc/{live.process.pid}")
        # A server imports further modules once it listens.
        until(self._is_steady, "its memory has settled", timeout_s=60)
        (self._proc / "clear_refs").write_text("5")
        self._before = self._read("VmRSS")

    def rise_bytes(self) -> int:
        return self._read("VmHWM") - self._before

    def _is_steady(self) -> bool:
        before = self._read("VmRSS")
        time.sleep(0.3)
        return self._read("VmRSS") == before

    def _read(self, name: str) -> int:
        for line in (self._proc / "status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) << 10
        raise AssertionError(name)


class Upload(NamedTuple):
    """A connection on which a client sends a request's head, and then takes its time."""

    socket: socket.socket

    @classmethod
    def begin(cls, live: LiveServer, dialect: Dialect, token: str, *headers: str) -> Upload:
        connection = raw.connect(live.url)
        lines = [f"POST {dialect.jobs} HTTP/1.1", "Host: x", *headers]
        lines += [f"{name}: {value}" for name, value in dialect.auth(token).items()]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return cls(connection)

    def send(self, size: int, framing: str) -> int:
        """Send a body as a simple client does, before reading; return how much the server took."""
        sent = 0
        head = b"%x\r\n" % len(PIECE) if framing == "chunked" else b""
        tail = b"\r\n" if head else b""
        with contextlib.suppress(ConnectionError):  # it is closed on what is too much
            while sent < size:
                self.socket.sendall(head + PIECE + tail)
                sent += len(PIECE)
            if head:
                self.socket.sendall(b"0\r\n\r\n")
        return sent

    def answer(self) -> httpx.Response:
        """Read the answer; the server must end the connection after it."""
        answer = raw.answer(self.socket)
        assert answer.headers["connection"] == "close"
        assert raw.is_ended(self.socket)
        self.socket.close()
        return answer


FRAMINGS = {"declared": f"Content-Length: {GB}", "chunked": "Transfer-Encoding: chunked"}


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("dialect", [NATIVE, IONQ], ids=repr)
def test_a_gigabyte_is_refused_and_the_client_sees_why(
    live: LiveServer, dialect: Dialect, framing: str
) -> None:
    peak = Peak(live)
    upload = Upload.begin(live, dialect, live.token(), FRAMINGS[framing])
    assert upload.send(GB, framing) < MAX_TAKEN
    assert "body_bytes" in dialect.refused(upload.answer(), 413)
    assert peak.rise_bytes() < MAX_RISE


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_gigabyte_without_a_token_is_refused_unread(live: LiveServer, framing: str) -> None:
    peak = Peak(live)
    upload = Upload.begin(live, NATIVE, "wrong", FRAMINGS[framing])
    assert upload.send(GB, framing) < MAX_TAKEN
    NATIVE.refused(upload.answer(), 401)
    assert peak.rise_bytes() < 4 * MB


@pytest.mark.parametrize("size", [5 * MB, 20 * MB, runs(64, long=200) * MB])
@pytest.mark.parametrize("token", ["right", "wrong"])
def test_ordinary_clients_get_the_answer_to_a_refused_body(
    live: LiveServer, token: str, size: int
) -> None:
    """Each of them reads an answer after its connection was closed while it still sent."""
    path, secret = f"{live.url}/v1/jobs", live.token() if token == "right" else "wrong"
    headers = {"Authorization": f"Bearer {secret}"}
    statuses = {401} if token == "wrong" else {400, 413}
    for _ in range(runs(1, long=3)):
        assert httpx.post(path, content=b" " * size, headers=headers).status_code in statuses
        sent = requests.post(path, data=b" " * size, headers=headers, timeout=60)
        assert sent.status_code in statuses


@pytest.mark.parametrize("dialect", [NATIVE, IONQ], ids=repr)
def test_a_client_that_asks_before_it_sends_is_told_at_once(
    live: LiveServer, dialect: Dialect
) -> None:
    for token, status in ((live.token(), 413), ("wrong", 401)):
        upload = Upload.begin(live, dialect, token, FRAMINGS["declared"], "Expect: 100-continue")
        upload.socket.shutdown(socket.SHUT_WR)
        dialect.refused(upload.answer(), status)


@pytest.mark.parametrize("declared", ["9" * 19, "9" * 400])
def test_an_absurd_length_is_refused(live: LiveServer, declared: str) -> None:
    upload = Upload.begin(live, NATIVE, live.token(), f"Content-Length: {declared}")
    upload.socket.shutdown(socket.SHUT_WR)
    reader = http.client.HTTPResponse(upload.socket)
    reader.begin()
    assert reader.status in (400, 413)
    upload.socket.close()


@pytest.mark.parametrize("dialect", [NATIVE, IONQ], ids=repr)
def test_a_connection_is_kept_after_a_small_body_that_nobody_read(
    live: LiveServer, dialect: Dialect
) -> None:
    host = live.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=60)
    opened = None
    for _ in range(3):
        connection.request("POST", f"{dialect.prefix}/nothing", b"x" * 10_000)
        answer = connection.getresponse()
        assert answer.status == 404
        answer.read()
        assert connection.sock is not None
        assert opened in (None, connection.sock)
        opened = connection.sock
    connection.close()


HEAVY = {
    "text": b'"' + b"x" * (15 * MB) + b'"',
    "escapes": b'"' + b"\\n" * (7 * MB) + b'"',
    "texts": b"[" + b'"",' * (5 * MB) + b'""]',
    "lists": b"[" + b"[]," * (5 * MB) + b"[]]",
    "NULs": b'"' + b"\\u0000" * (2 * MB) + b'"',
}


@pytest.mark.parametrize("heavy", HEAVY)
@pytest.mark.parametrize("field", ["metadata", "unheard", "name"])
def test_a_heavy_field_takes_little_more_than_its_bytes(
    live: LiveServer, field: str, heavy: str
) -> None:
    bracketed = b'{"a":' + HEAVY[heavy] + b',"b":' + b"[" * 65 + b"]" * 65 + b"}"
    body = IONQ.text(**{field: bracketed if field == "metadata" else HEAVY[heavy]})
    if field == "unheard":
        body = body.replace(b"simulator", b"nowhere")

    def post(content: bytes) -> None:
        headers = IONQ.auth(live.token())
        url = live.url + IONQ.jobs
        IONQ.refused(httpx.post(url, content=content, headers=headers, verify=False))

    # The allocator keeps the pieces of a first body of this length, whatever it contains.
    post(IONQ.text().replace(b"simulator", b"nowhere") + b" " * len(body))
    peak = Peak(live)
    post(body)
    assert peak.rise_bytes() < 3 * len(body)


# --- slow -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("dialect", [NATIVE, IONQ], ids=repr)
def test_a_body_that_never_comes_is_given_up(
    hasty: LiveServer, dialect: Dialect, framing: str
) -> None:
    upload = Upload.begin(hasty, dialect, hasty.token(), framing)
    assert "body_timeout_s" in dialect.refused(upload.answer(), 408)


@pytest.mark.parametrize("dialect", [NATIVE, IONQ], ids=repr)
def test_a_body_that_drips_is_given_up(hasty: LiveServer, dialect: Dialect) -> None:
    upload = Upload.begin(hasty, dialect, hasty.token(), "Content-Length: 1000")
    drip_until_answered(upload)
    dialect.refused(upload.answer(), 408)


@pytest.mark.parametrize("dialect", [NATIVE, IONQ], ids=repr)
def test_a_refused_body_that_drips_on_is_given_up(hasty: LiveServer, dialect: Dialect) -> None:
    upload = Upload.begin(hasty, dialect, "wrong", "Transfer-Encoding: chunked")
    dialect.refused(upload.answer(), 401)


def drip_until_answered(upload: Upload) -> None:
    """Send a byte every tenth of a second until there is something to read."""
    deadline = time.monotonic() + 30
    upload.socket.settimeout(0.1)
    while time.monotonic() < deadline:
        upload.socket.send(b" ")
        try:
            if upload.socket.recv(1, socket.MSG_PEEK):
                upload.socket.settimeout(60)
                return
        except TimeoutError:
            continue
    raise AssertionError("no answer within 30 s")


# --- many -----------------------------------------------------------------------------------------


def test_many_uploads_at_once_take_the_memory_of_a_few(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    room = 48 * MB
    live = LiveServer(tmp_path_factory.mktemp("many"), "--limit", f"bodies_bytes={room}")
    token, size = live.token(), 12 * MB
    httpx.post(live.url + NATIVE.jobs, content=b" " * size, headers=NATIVE.auth(token))
    peak = Peak(live)
    head = f"Content-Length: {size}"
    uploads = [Upload.begin(live, NATIVE, token, head) for _ in range(UPLOADS)]
    with ThreadPoolExecutor(len(uploads)) as threads:
        list(threads.map(lambda upload: upload.send(size - MB, "declared"), uploads))
        assert peak.rise_bytes() < 3 * room
        list(threads.map(lambda upload: upload.send(MB, "declared"), uploads))
    statuses = [raw.answer(upload.socket).status_code for upload in uploads]
    assert statuses.count(400) >= room // size, "these are no JSON, and had room"
    assert statuses.count(400) + statuses.count(503) == len(uploads)
    assert peak.rise_bytes() < 3 * room
    for upload in uploads:
        upload.socket.close()
    run_bell_on(live)
    assert live.stop() == 0


def run_bell_on(live: LiveServer) -> None:
    with live.client() as client:
        run_bell(client, NATIVE, live.token())
