"""Answers of the Runtime dialect that are lost: the same content again is the same job."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from urllib.parse import urlsplit

import httpx
import pytest

from support.repetitions import databases
from support.runtime import PLATFORM, access_token, body
from support.server import LiveServer, Serve
from support.waiting import until

pytestmark = pytest.mark.extended

UNREAD_BYTES = 4096
"""Receive buffer of a client that reads nothing, much smaller than the first response."""


def request(server: LiveServer, method: str, path: str, token: str, content: bytes = b"") -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: {urlsplit(server.url).netloc}",
        f"Authorization: Bearer {token}",
        f"Content-Length: {len(content)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + content


class Submitter:
    """Sends equal jobs."""

    def __init__(self, server: LiveServer, http: httpx.Client) -> None:
        self._server = server
        self.http = http
        self.token = access_token(self.http, server.token())
        self._content = json.dumps(body()).encode()

    def send(self) -> str:
        self.http.headers["Authorization"] = f"Bearer {self.token}"
        answer = self.http.post(f"{PLATFORM}/jobs", content=self._content)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def send_without_reading(self) -> socket.socket:
        """Send a job after a request whose response fills all buffers; return the connection."""
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UNREAD_BYTES)
        address = urlsplit(self._server.url)
        connection.connect((address.hostname, address.port))
        large = request(self._server, "GET", "/docs/ibm-platform/openapi.json", self.token)
        job = request(self._server, "POST", f"{PLATFORM}/jobs", self.token, self._content)
        connection.sendall(large + job)
        return connection

    def send_and_reset(self) -> None:
        """Send a job and reset the connection at once."""
        address = urlsplit(self._server.url)
        connection = socket.create_connection((address.hostname, address.port))
        connection.sendall(
            request(self._server, "POST", f"{PLATFORM}/jobs", self.token, self._content)
        )
        connection.close()

    def ids(self) -> set[str]:
        self.http.headers["Authorization"] = f"Bearer {self.token}"
        answer = self.http.get(f"{PLATFORM}/jobs", params={"limit": 100})
        assert answer.status_code == 200, answer.text
        return {job["id"] for job in answer.json()["jobs"]}


@pytest.fixture
def http() -> Iterator[Callable[[LiveServer], httpx.Client]]:
    """Make clients, which are closed at the end."""
    with ExitStack() as clients:
        yield lambda server: clients.enter_context(httpx.Client(base_url=server.url, timeout=60))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("database_url", databases("sqlite"), indirect=True)
def test_after_a_kill_between_commit_and_answer_the_same_content_is_the_same_job(
    database_url: str | None, serve: Serve, http: Callable[[LiveServer], httpx.Client]
) -> None:
    server = serve("server", database_url)
    first = Submitter(server, http(server))
    on_purpose = {first.send(), first.send()}
    assert len(on_purpose) == 2
    with first.send_without_reading():
        until(lambda: len(first.ids()) == 3, "the job is stored")
        server.kill()
    server.start()
    (lost,) = first.ids() - on_purpose
    assert first.send() == lost
    after = {first.send(), first.send()}
    assert len(after - {lost} - on_purpose) == 2
    assert first.ids() == {lost, *on_purpose, *after}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("is_named", [True, False])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_after_a_kill_before_the_key_is_deleted_a_job_that_was_named_is_another(
    database_url: str | None,
    serve: Serve,
    http: Callable[[LiveServer], httpx.Client],
    is_named: bool,
) -> None:
    server = serve("server", database_url)
    client = Submitter(server, http(server))
    with closing(sqlite3.connect(server.folder / "data" / "qwicket.db")) as file:
        file.execute(
            "create trigger late before delete on idempotency begin select raise(ignore); end"
        )
        first = client.send()
        server.kill()
        file.execute("drop trigger late")
    server.start()
    if is_named:
        assert client.http.get(f"{PLATFORM}/jobs/{first}").json()["id"] == first
        server.kill()
        server.start()
    else:
        assert client.ids() == {first}
    second, third = client.send(), client.send()
    assert (second == first) is not is_named
    assert third not in (first, second)
    assert client.ids() == {first, second, third}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("database_url", databases("sqlite"), indirect=True)
def test_an_answer_that_was_written_but_never_arrived_is_lost(
    database_url: str | None, serve: Serve, http: Callable[[LiveServer], httpx.Client]
) -> None:
    server = serve("server", database_url)
    client = Submitter(server, http(server))
    client.send_and_reset()
    until(client.ids, "the job is stored")
    (lost,) = client.ids()
    assert client.send() == lost
    unread = client.send_without_reading()
    until(lambda: len(client.ids()) == 2, "the next job is stored")
    unread.close()  # with unread bytes: it is reset
    (other,) = client.ids() - {lost}
    assert client.send() == other
    assert len({client.send(), client.send(), lost, other}) == 4
