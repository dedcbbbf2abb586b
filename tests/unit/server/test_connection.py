from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from qwicket.dialects.requests import CONTENT, DELIVERED
from qwicket.model.limits import ConnectionLimits
from qwicket.server.connection import Connection
from qwicket.server.connections import Connections

pytestmark = pytest.mark.anyio

LIMITS = ConnectionLimits(head_timeout_s=0.2, head_bytes=1_000, half_closed=2)
GET = b"GET /%s HTTP/1.1\r\nHost: x\r\n"


class Echo(asyncio.Protocol):
    """Stands where uvicorn puts a websocket protocol: gets the head, then what comes."""

    def __init__(self, config: uvicorn.Config, **_: object) -> None:
        self.transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class Application:
    """Answers with its path; on /slow when told, on /watch never, and notes who left before.

    On /hear it answers when its client left, on /large and /unread with 16 MB. On /delivered
    and /unread it notes whether the response was delivered. It notes all paths, and the bodies
    that are given with requests.
    """

    def __init__(self) -> None:
        self.delivered = asyncio.get_running_loop().create_future()
        self.has_begun = asyncio.Event()
        self.has_heard = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.disconnects = 0
        self.paths: list[str] = []
        self.given: list[bytes | None] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.paths.append(scope["path"])
        self.given.append(scope.get(CONTENT))
        if scope["path"] == "/slow":
            self.has_begun.set()
            await self.may_answer.wait()
        if scope["path"] in ("/watch", "/hear"):
            await receive()
            self.has_begun.set()
        if scope["path"] == "/hear":
            assert await receive() == {"type": "http.disconnect"}
        if scope["path"] in ("/read", "/watch") and (await receive())["type"] == "http.disconnect":
            self.disconnects += 1
            self.has_heard.set()
            return
        body = scope["path"].encode()
        if scope["path"] in ("/large", "/unread"):
            body = bytes(16_000_000)
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        if scope["path"] in ("/delivered", "/unread"):
            self.delivered.set_result(await scope[DELIVERED]())


Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


@pytest.fixture
async def application() -> Application:
    return Application()


@pytest.fixture
async def state() -> ServerState:
    return ServerState()


@pytest.fixture
async def config(application: Application) -> uvicorn.Config:
    config = uvicorn.Config(application, ws=Echo, lifespan="off", access_log=False)
    config.load()
    return config


@pytest.fixture
async def connect(
    application: Application, state: ServerState, config: uvicorn.Config
) -> AsyncIterator[Connect]:
    half_closed: dict[Connection, None] = {}
    connections = Connections(100, 100)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(
            config, state, LIMITS, connections, lambda path: path == "/ws", half_closed
        ),
        "127.0.0.1",
        0,
    )
    port = server.sockets[0].getsockname()[1]
    writers: list[asyncio.StreamWriter] = []

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writers.append(writer)
        return reader, writer

    yield connect
    for writer in writers:
        writer.transport.abort()
    server.close()
    application.may_answer.set()
    while state.tasks:
        await asyncio.sleep(0)


async def test_a_websocket_is_handed_over_and_then_left_alone(connect: Connect) -> None:
    reader, writer = await connect()
    upgrade = GET % b"ws" + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    writer.write(upgrade)
    assert await reader.readexactly(len(upgrade)) == upgrade.replace(b"Host", b"host").replace(
        b"Connection", b"connection"
    ).replace(b"Upgrade: w", b"upgrade: w")
    silent, _ = await connect()
    assert await silent.read() == b"", "its time for a head is over"
    writer.write(b"still there")
    assert await reader.readexactly(11) == b"still there"


async def test_where_no_websocket_is_spoken_the_wish_is_ignored(connect: Connect) -> None:
    reader, writer = await connect()
    for path in (b"ws/x", b"%77s/", b"other"):
        writer.write(GET % path + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        await reader.readuntil(path.rpartition(b"%77")[2])


async def test_what_follows_a_request_badly_ends_the_connection_after_its_answer(
    connect: Connect, application: Application
) -> None:
    reader, writer = await connect()
    writer.write(GET % b"slow" + b"\r\n\0\0\0")
    await application.has_begun.wait()
    application.may_answer.set()
    assert (await reader.read()).endswith(b"\r\n\r\n/slow")


async def test_a_request_that_a_stopping_server_cancels_ends_its_connection_and_logs_nothing(
    connect: Connect,
    application: Application,
    state: ServerState,
    caplog: pytest.LogCaptureFixture,
) -> None:
    reader, writer = await connect()
    writer.write(GET % b"slow" + b"\r\n")
    await application.has_begun.wait()
    for task in state.tasks:
        task.cancel()
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    assert not caplog.records


async def test_a_malformed_body_is_reported_once(
    connect: Connect, application: Application
) -> None:
    reader, writer = await connect()
    writer.write(GET % b"read" + b"Transfer-Encoding: chunked\r\n\r\n")
    writer.write(b"no chunk\r\n")
    said = await reader.read()
    assert said.startswith(b"HTTP/1.1 400 ")
    assert said.count(b"\r\n\r\n") == 1
    await application.has_heard.wait()


async def test_a_request_with_pipelined_ones_behind_it_is_notified_of_a_disconnect(
    connect: Connect, application: Application
) -> None:
    _, writer = await connect()
    writer.write((GET % b"watch" + b"\r\n") * 3)
    await application.has_begun.wait()
    writer.transport.abort()
    await application.has_heard.wait()
    assert application.disconnects == 1


async def test_a_small_body_that_came_with_its_head_is_given(
    connect: Connect, application: Application
) -> None:
    reader, writer = await connect()
    writer.write(GET % b"a" + b"\r\n")
    assert b"/a" in await reader.readuntil(b"\r\n\r\n/a")
    writer.write(GET % b"b" + b"Content-Length: 3\r\n\r\nabc")
    assert b"/b" in await reader.readuntil(b"\r\n\r\n/b")
    writer.write(GET % b"early" + b"Content-Length: 6\r\n\r\nabc")
    assert b"/early" in await reader.readuntil(b"\r\n\r\n/early")
    writer.write(b"def" + GET % b"c" + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n")
    assert b"/c" in await reader.readuntil(b"\r\n\r\n/c")
    assert application.given == [b"", b"abc", None, b"ab"]


async def test_a_bad_request_in_a_row_ends_them_all(
    connect: Connect, application: Application
) -> None:
    reader, writer = await connect()
    writer.write((GET % b"slow" + b"\r\n") * 2 + b"\0\0\0")
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    application.may_answer.set()


# --- bodies whose rest comes after the response ---------------------------------------------------

EARLY = GET % b"early" + b"Content-Length: 9\r\n%s\r\nhalf"
PAUSE_S = 2 * LIMITS.head_timeout_s


async def answered_early(
    connect: Connect, state: ServerState, header: bytes = b""
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a connection that has its response, and whose request lacks the end of its body."""
    reader, writer = await connect()
    writer.write(EARLY % header)
    assert b"/early" in await reader.readuntil(b"\r\n\r\n/early")
    while state.tasks:
        await asyncio.sleep(0)
    return reader, writer


async def test_after_the_rest_of_a_body_the_next_request_is_served(
    connect: Connect, state: ServerState
) -> None:
    reader, writer = await answered_early(connect, state)
    writer.write(b" a")
    await asyncio.sleep(0.01)
    writer.write(b"nd " + GET % b"next" + b"\r\n")
    assert (await reader.readuntil(b"\r\n\r\n/next")).startswith(b"HTTP/1.1 200 ")


async def test_the_pause_after_the_rest_of_a_body_is_that_between_two_requests(
    connect: Connect, state: ServerState
) -> None:
    reader, writer = await answered_early(connect, state)
    writer.write(b" and ")
    await asyncio.sleep(PAUSE_S)
    writer.write(GET % b"next" + b"\r\n")
    assert (await reader.readuntil(b"\r\n\r\n/next")).startswith(b"HTTP/1.1 200 ")


async def test_a_request_right_after_the_rest_of_a_body_may_take_longer_than_a_pause(
    connect: Connect, application: Application, state: ServerState, config: uvicorn.Config
) -> None:
    config.timeout_keep_alive = LIMITS.head_timeout_s  # type: ignore[assignment]  # as in run.py
    reader, writer = await answered_early(connect, state)
    writer.write(b" and " + GET % b"slow" + b"\r\n")
    await application.has_begun.wait()
    await asyncio.sleep(PAUSE_S)
    application.may_answer.set()
    assert (await reader.readuntil(b"\r\n\r\n/slow")).startswith(b"HTTP/1.1 200 ")


async def test_a_connection_that_closes_does_so_after_the_rest_of_the_body(
    connect: Connect, state: ServerState
) -> None:
    reader, writer = await answered_early(connect, state, b"Connection: close\r\n")
    assert await is_silent(reader)
    writer.write(b" and ")
    assert await reader.read() == b""


async def test_a_stopping_server_lets_the_rest_of_a_body_come_and_serves_nothing_after_it(
    connect: Connect, application: Application, state: ServerState
) -> None:
    reader, writer = await answered_early(connect, state)
    for connection in state.connections:
        connection.shutdown()
    assert await is_silent(reader)
    writer.write(b" and " + GET % b"next" + b"\r\n")
    assert await reader.read() == b""
    assert application.paths == ["/early"]


async def test_a_stopping_server_does_not_wait_long_for_the_rest_of_a_body(
    connect: Connect, state: ServerState
) -> None:
    reader, _ = await answered_early(connect, state)
    for connection in list(state.connections):
        assert isinstance(connection, Connection)
        connection.shutdown()
        connection.abort_if_stalled()
    async with asyncio.timeout(LIMITS.head_timeout_s / 2):
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""


@pytest.mark.parametrize("header", [b"", b"Connection: close\r\n"])
@pytest.mark.parametrize("piece", [b"", b"1\r\nx\r\n"], ids=["silent", "slow"])
async def test_the_rest_of_a_body_has_the_time_of_a_head(
    connect: Connect, state: ServerState, header: bytes, piece: bytes
) -> None:
    reader, writer = await connect()
    began = asyncio.get_running_loop().time()
    writer.write(GET % b"early" + header + b"Transfer-Encoding: chunked\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n/early")
    while not reader.at_eof():
        writer.write(piece)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LIMITS.head_timeout_s / 4):
                assert await reader.read() == b""
    took_s = asyncio.get_running_loop().time() - began
    assert took_s > 0.9 * LIMITS.head_timeout_s
    assert not state.connections


async def test_a_malformed_rest_of_a_body_ends_the_connection_without_a_second_response(
    connect: Connect, state: ServerState
) -> None:
    reader, writer = await connect()
    writer.write(GET % b"early" + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
    await reader.readuntil(b"\r\n\r\n/early")
    writer.write(b"no chunk\r\n")
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""


async def test_of_the_rest_of_a_body_no_more_than_4_mb_are_read(
    connect: Connect, state: ServerState
) -> None:
    reader, writer = await connect()
    writer.write(GET % b"early" + b"Content-Length: 99000000\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n/early")

    async def send_all() -> None:
        for _ in range(99):
            writer.write(bytes(1_000_000))
            await writer.drain()

    with pytest.raises(ConnectionError):
        await send_all()
    assert not state.connections


# --- clients that close their side ----------------------------------------------------------------


async def test_a_client_that_closed_its_side_gets_its_answer_and_the_connection_ends(
    connect: Connect, application: Application
) -> None:
    reader, writer = await connect()
    writer.write(GET % b"slow" + b"\r\n")
    await application.has_begun.wait()
    writer.write_eof()
    assert await is_silent(reader)
    application.may_answer.set()
    assert (await reader.read()).endswith(b"\r\n\r\n/slow")


async def test_all_that_was_asked_in_a_row_is_answered_but_for_what_is_not_there_in_full(
    connect: Connect, application: Application
) -> None:
    for rest in (b"", b"GET /half", GET % b"read" + b"Content-Length: 9\r\n\r\nhalf"):
        reader, writer = await connect()
        writer.write(b"".join(GET % path + b"\r\n" for path in (b"slow", b"one", b"two")) + rest)
        writer.write_eof()
        assert await is_silent(reader)
        application.may_answer.set()
        answers = await reader.read()
        assert [answers.count(each) for each in (b"HTTP/1.1 200 ", b"HTTP")] == [3, 3]
        assert answers.find(b"/slow") < answers.find(b"/one") < answers.find(b"/two")
        application.may_answer.clear()
    assert application.disconnects == 0


async def test_a_request_is_notified_that_its_client_closed_its_side(
    connect: Connect, application: Application
) -> None:
    for before in (b"", GET % b"slow" + b"\r\n"):
        application.has_begun.clear()
        application.may_answer.clear()
        reader, writer = await connect()
        writer.write(before + GET % b"hear" + b"\r\n")
        if not before:
            await application.has_begun.wait()
        writer.write_eof()
        assert not before or await is_silent(reader)
        application.may_answer.set()
        assert (await reader.read()).endswith(b"\r\n\r\n/hear")


async def test_a_body_that_never_ends_ends_with_its_connection(
    connect: Connect, application: Application
) -> None:
    reader, writer = await connect()
    writer.write(GET % b"watch" + b"Content-Length: 9\r\n\r\nhalf")
    await application.has_begun.wait()
    writer.write_eof()
    assert await reader.read() == b""
    await application.has_heard.wait()


async def test_of_those_that_closed_their_side_the_ones_that_waited_longest_give_way(
    connect: Connect, application: Application
) -> None:
    parsers = []
    for _ in range(LIMITS.half_closed + 2):
        reader, writer = await connect()
        writer.write(GET % b"slow" + b"\r\n")
        writer.write_eof()
        parsers.append(reader)
    for reader in parsers[:2]:
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
    assert await is_silent(*parsers[2:])
    application.may_answer.set()
    for reader in parsers[2:]:
        assert (await reader.read()).endswith(b"\r\n\r\n/slow")
    again, writer = await connect()
    writer.write(GET % b"slow" + b"\r\n")
    writer.write_eof()
    assert (await again.read()).endswith(b"\r\n\r\n/slow"), "there is room again"


async def is_silent(*parsers: asyncio.StreamReader) -> bool:
    """Say whether nothing is heard of connections, nor their end, while others come and go."""
    for reader in parsers:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await reader.read(1)
            return False
    return True


async def test_a_response_is_delivered_also_while_the_client_does_not_read_the_next_one(
    application: Application, connect: Connect
) -> None:
    reader, writer = await connect()
    # The response is then acknowledged with the next request, or after 40 ms.
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
    writer.write(GET % b"delivered" + b"\r\n")
    await reader.readuntil(b"/delivered")
    writer.write(GET % b"large" + b"\r\n")
    async with asyncio.timeout(30):
        assert await application.delivered


async def test_a_response_that_the_client_does_not_read_is_not_delivered(
    application: Application, connect: Connect
) -> None:
    _, writer = await connect()
    writer.write(GET % b"unread" + b"\r\n")
    async with asyncio.timeout(30):
        assert not await application.delivered
