"""No address and no account can take all connections: each has a share, and some give way.

Those are the idle ones, and those whose requests wait for their clients.
"""

from __future__ import annotations

import json
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import httpx
import pytest

from abuse.dialects import DIALECTS, Dialect
from support import programs, raw
from support.certificates import certificate
from support.held import held_job
from support.processes import connections, user_ticks
from support.server import LiveServer
from support.waiting import PROMPT_S, until

pytestmark = pytest.mark.extended

ALL, EACH, POLLS = 40, 20, 10


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    limits = {"connections": ALL, "connections_each": EACH, "polls_each": POLLS}
    options = [
        each for name, maximum in limits.items() for each in ("--limit", f"{name}={maximum}")
    ]
    live = LiveServer(tmp_path_factory.mktemp("connections"), *options)
    live.token()
    yield live
    assert live.stop() == 0
    live.assert_calm()


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server whose clients come through a proxy on 127.0.0.1."""
    live = LiveServer(
        tmp_path_factory.mktemp("proxied"),
        *("--trusted-proxy", "127.0.0.1", "--limit", f"connections_each={EACH}"),
    )
    live.token()
    yield live
    assert live.stop() == 0
    live.assert_calm()


def is_alive(live: LiveServer) -> bool:
    return httpx.get(f"{live.url}/livez").status_code == 200


def ask(connection: socket.socket, *headers: str, path: str = "/livez") -> int:
    connection.sendall(raw.head(f"GET {path}", *headers))
    return raw.answer(connection).status_code


@pytest.mark.parametrize("first", ["silent", "half a head", "one request"])
def test_idle_connections_of_one_address_keep_nobody_out(narrow: LiveServer, first: str) -> None:
    with ExitStack() as stack:
        for _ in range(3 * ALL):
            each = stack.enter_context(raw.connect(narrow.url, source="127.0.0.2"))
            if first == "half a head":
                each.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n")
            elif first == "one request":
                assert ask(each) == 200
        for _ in range(10):
            assert is_alive(narrow)


def test_idle_connections_of_many_addresses_keep_nobody_out(narrow: LiveServer) -> None:
    with ExitStack() as stack:
        for number in range(3 * ALL):
            source = f"127.0.1.{number % 30 + 1}"
            each = stack.enter_context(raw.connect(narrow.url, source=source))
            assert ask(each) == 200
        for _ in range(10):
            assert is_alive(narrow)


def test_handshakes_that_do_not_begin_count_as_connections(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Those of one address close its oldest ones, and those of two keep no third one out."""
    folder = tmp_path_factory.mktemp("tls")
    files = certificate(folder)
    live = LiveServer(
        folder,
        *("--tls-cert", str(files.chain), "--tls-key", str(files.key)),
        *("--limit", f"connections={ALL}", "--limit", f"connections_each={EACH}"),
    )
    with ExitStack() as stack:
        silent = [
            stack.enter_context(raw.connect(live.url, source=source))
            for source in TWO
            for _ in range(3 * EACH)
        ]
        until(lambda: sum(map(is_closed, silent)) == 4 * EACH, "the oldest are closed")
        assert [is_closed(each) for each in silent] == 2 * ([True] * 2 * EACH + [False] * EACH)
        with live.client() as client:
            assert client.get("/livez").status_code == 200
    assert live.stop() == 0
    live.assert_calm()


TWO = ("127.0.0.2", "127.0.0.4")
THIRD = "127.0.0.6"
STALLED_S = 2.0
"""Time without 64 kB after which a connection that waits for its client gives way."""
UNSIGNED = "/qlued/api/v2/singlequdit/post_job/"
"""A body is read here before anybody has signed in."""
MISSING = "Content-Length: 60000"
HELD = {
    "answered": raw.head("POST /v1/jobs", MISSING),
    "answered, chunked": raw.head("POST /v1/jobs", "Transfer-Encoding: chunked") + b"1\r\nx\r\n",
    "answered, one byte missing": raw.head("POST /v1/jobs", MISSING) + b" " * 59_999,
    "unread page": raw.head("GET /docs", MISSING),
    "malformed": raw.head("POST /v1/jobs", "Transfer-Encoding: chunked") + b"x",
    "malformed while read": raw.head(f"POST {UNSIGNED}", "Transfer-Encoding: chunked") + b"x",
    "body": raw.head(f"POST {UNSIGNED}", MISSING),
    "rest of a body": raw.head(f"POST {UNSIGNED}", "Content-Length: 1000000") + b" " * 60_000,
    "trailers": raw.head(f"POST {UNSIGNED}", "Transfer-Encoding: chunked") + b"0\r\na: b\r\n",
    "unread answers": raw.head("GET /v1/openapi.json") * 200,
}
"""What takes a connection for a while, and needs no token."""


def n_open(live: LiveServer) -> int:
    return connections(live.process.pid, int(live.url.rpartition(":")[2]))


@contextmanager
def held(live: LiveServer, sent: bytes) -> Iterator[list[socket.socket]]:
    """Take all connections from two addresses, each as many as it may have.

    Afterwards the server has seen all of them end: they would count in the next test.
    """
    n_before = n_open(live)
    with ExitStack() as stack:
        stack.callback(until, lambda: n_open(live) <= n_before, "the server has seen them end")
        opened = [
            stack.enter_context(raw.connect(live.url, source=source, receive_bytes=4_096))
            for _ in range(EACH)
            for source in TWO
        ]
        for each in opened:
            each.setblocking(False)
            with suppress(BlockingIOError):  # the server does not read on
                each.send(sent)
        yield opened


def third(live: LiveServer) -> tuple[int, int]:
    """Return the statuses of a /livez and a submission from an address of its own."""
    transport = httpx.HTTPTransport(local_address=THIRD)
    with live.client(transport=transport) as client:
        return client.get("/livez").status_code, client.post("/v1/jobs", json=BELL).status_code


BELL = {"program": programs.BELL, "device": "simulator"}


@pytest.mark.parametrize("kind", HELD)
def test_two_addresses_keep_no_third_one_out(narrow: LiveServer, kind: str) -> None:
    is_answered = kind.startswith(("answered", "malformed"))
    with held(narrow, HELD[kind]):
        if kind == "unread answers":  # a stall begins once the server has written what it can
            until(lambda: is_quiet(narrow), "the server has nothing left to do")
        serves_third(narrow, within_s=1 if is_answered else STALLED_S + 2)


def is_quiet(live: LiveServer) -> bool:
    """Return whether a server uses almost no processor time for a moment."""
    before = user_ticks(live.process.pid)
    time.sleep(0.2)
    return user_ticks(live.process.pid) <= before + 1


def serves_third(live: LiveServer, within_s: float) -> None:
    until(lambda: third(live) == (200, 201), "a third address is served", timeout_s=within_s)
    for _ in range(5):
        assert third(live) == (200, 201)


def test_nor_do_bodies_that_drip(narrow: LiveServer) -> None:
    is_over = threading.Event()

    def drip(opened: list[socket.socket]) -> None:
        while not is_over.wait(0.2):
            for each in opened:
                with suppress(OSError):
                    each.send(b" ")

    with held(narrow, HELD["body"]) as opened:
        thread = threading.Thread(target=drip, args=(opened,))
        thread.start()
        try:
            serves_third(narrow, within_s=STALLED_S + 2)
        finally:
            is_over.set()
            thread.join()


def test_a_slow_upload_outlasts_those_that_send_nothing(narrow: LiveServer) -> None:
    """It began before them, at their address, and needs four times as long as it may stall."""
    body = json.dumps(BELL).encode().ljust(40_000)
    auth = f"Authorization: Bearer {narrow.token()}"
    with ExitStack() as stack:
        upload = stack.enter_context(raw.connect(narrow.url, source=TWO[0]))
        upload.sendall(raw.head("POST /v1/jobs", auth, f"Content-Length: {len(body)}"))
        silent = [
            stack.enter_context(raw.connect(narrow.url, source=TWO[0])) for _ in range(EACH - 1)
        ]
        for each in silent:
            each.sendall(HELD["body"])
        for start in range(0, len(body), 1_000):
            if start >= 15_000 and start % 2_000 == 0:  # the address has its share, and all stalled
                stack.enter_context(raw.connect(narrow.url, source=TWO[0])).sendall(HELD["body"])
            upload.sendall(body[start : start + 1_000])
            time.sleep(0.2)
        assert raw.answer(upload).status_code == 201
        assert sum(map(is_closed, silent)) >= 10


def is_closed(connection: socket.socket) -> bool:
    return bool(select.select([connection], [], [], 0)[0])


def test_fast_uploads_give_way_to_nobody(narrow: LiveServer) -> None:
    auth = f"Authorization: Bearer {narrow.token()}"
    with held(narrow, raw.head("POST /v1/jobs", auth, f"Content-Length: {16 << 20}")) as opened:
        until_s = time.monotonic() + 1.5 * STALLED_S
        while time.monotonic() < until_s:
            for each in opened:
                each.setblocking(True)
                each.sendall(b" " * 60_000)  # even if a busy machine takes a second for all
            time.sleep(0.1)
        with raw.connect(narrow.url, source=THIRD) as more:
            assert raw.answer(more).status_code == 503
        assert not any(map(is_closed, opened))


def test_the_newest_connections_of_an_address_are_kept(narrow: LiveServer) -> None:
    with ExitStack() as stack:
        opened = [
            stack.enter_context(raw.connect(narrow.url, source="127.0.0.7"))
            for _ in range(2 * EACH)
        ]
        for each in opened[:EACH]:
            assert raw.is_ended(each)
        for each in opened[EACH:]:
            assert ask(each) == 200


def test_a_busy_address_is_told_its_share(narrow: LiveServer) -> None:
    with narrow.client() as client, ExitStack() as stack:
        auth = f"Authorization: Bearer {narrow.token()}"
        busy = [
            stack.enter_context(raw.connect(narrow.url, source="127.0.0.3")) for _ in range(EACH)
        ]
        for each in busy:
            each.sendall(raw.head("GET /v1/events", auth))
            assert each.recv(12) == b"HTTP/1.1 200"
        with raw.connect(narrow.url, source="127.0.0.3") as more:
            answer = raw.answer(more)
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
            assert "connections_each" in answer.text
        assert client.get("/v1/jobs").status_code == 200, "another address has its own"


def test_long_polls_beyond_an_accounts_share_are_answered_at_once(narrow: LiveServer) -> None:
    with narrow.client() as client, ExitStack() as stack:
        hold = client.post("/v1/jobs", json=held_submission()).json()["id"]
        path, auth = f"/v1/jobs/{hold}?wait=30", f"Authorization: Bearer {narrow.token()}"
        polls = [
            stack.enter_context(raw.connect(narrow.url, source="127.0.0.8")) for _ in range(POLLS)
        ]
        for each in polls:
            each.sendall(raw.head(f"GET {path}", auth))
        until(lambda: waits(client) >= POLLS, "the polls are held")
        more = client.get(path)
        assert (more.status_code, more.json()["id"]) == (200, hold)
        assert more.json()["state"] in ("queued", "running")
        assert waits(client) >= POLLS, "the others, which began earlier, are still held"
        client.post(f"/v1/jobs/{hold}/cancel")
        for each in polls:
            assert raw.answer(each).status_code == 200
        again = client.post("/v1/jobs", json=held_submission()).json()["id"]
        began = time.monotonic()
        client.get(f"/v1/jobs/{again}?wait=1")
        assert time.monotonic() - began > 0.9, "there is room again"
        client.post(f"/v1/jobs/{again}/cancel")


def held_submission() -> dict[str, object]:
    """Return a job that runs until it is cancelled."""
    return {"program": held_job().openqasm, "device": "statevector", "shots": 1}


def waits(client: httpx.Client) -> int:
    for line in client.get("/metrics").text.splitlines():
        if line.startswith("qwicket_long_polls_open "):
            return round(float(line.split()[1]))
    raise AssertionError("no such metric")


# --- behind a proxy -------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", DIALECTS, ids=repr)
def test_behind_a_proxy_the_forwarded_address_has_the_share(
    proxied: LiveServer, dialect: Dialect
) -> None:
    auth = f"Authorization: Bearer {proxied.token()}"
    client = f"198.51.100.{DIALECTS.index(dialect)}"
    with ExitStack() as stack:
        for _ in range(EACH):
            each = stack.enter_context(raw.connect(proxied.url))
            each.sendall(raw.head("GET /v1/events", auth, f"X-Forwarded-For: {client}"))
            assert each.recv(12) == b"HTTP/1.1 200"
        headers = dialect.auth(proxied.token())
        refused = httpx.get(
            proxied.url + dialect.jobs, headers={**headers, "X-Forwarded-For": client}
        )
        assert "connections_each" in dialect.refused(refused, 429)
        for other in ("192.0.2.2", f"{client}, 192.0.2.3"):
            served = httpx.get(
                proxied.url + dialect.jobs, headers={**headers, "X-Forwarded-For": other}
            )
            assert served.status_code != 429, "only the address that the proxy itself saw counts"


def test_without_a_trusted_proxy_a_forwarded_address_is_not_believed(narrow: LiveServer) -> None:
    auth = f"Authorization: Bearer {narrow.token()}"
    with ExitStack() as stack:
        for number in range(EACH):
            each = stack.enter_context(raw.connect(narrow.url, source="127.0.0.5"))
            each.sendall(raw.head("GET /v1/events", auth, f"X-Forwarded-For: 192.0.2.{number}"))
            assert each.recv(12) == b"HTTP/1.1 200"
        with raw.connect(narrow.url, source="127.0.0.5") as more:
            assert raw.answer(more).status_code == 429
    until(lambda: is_alive(narrow), "there is room again", timeout_s=PROMPT_S)
