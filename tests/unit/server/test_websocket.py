"""Deadlines of a websocket that hold whatever the library beneath does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from qwicket.model.limits import ConnectionLimits
from qwicket.server.websocket import WebSocket

pytestmark = pytest.mark.anyio

LIMITS = ConnectionLimits(head_timeout_s=0.3, response_timeout_s=0.3)
HANDSHAKE = (
    b"GET /%s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n"
)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Accept, but never on /silent; on /large, send more than any kernel holds, and close."""
    if scope["path"] == "/silent":
        await receive()
        while (await receive())["type"] != "websocket.disconnect":
            pass
        return
    await send({"type": "websocket.accept"})
    if scope["path"] == "/large":
        await send({"type": "websocket.send", "bytes": bytes(30_000_000)})
        await send({"type": "websocket.close"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


@pytest.fixture
async def state() -> ServerState:
    return ServerState()


@pytest.fixture
async def port(state: ServerState) -> AsyncIterator[int]:
    config = uvicorn.Config(application, ws_ping_interval=0.1, ws_ping_timeout=0.1, lifespan="off")
    config.load()
    server = await asyncio.get_running_loop().create_server(
        partial(WebSocket, config, state, {}, limits=LIMITS, on_lost=lambda: None), "127.0.0.1", 0
    )
    yield server.sockets[0].getsockname()[1]
    server.close()
    while state.tasks:
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        HANDSHAKE[:-2] % (b"x", b""),
        HANDSHAKE % (b"x", b"Content-Length: 5\r\n"),
        HANDSHAKE % (b"x", b"Transfer-Encoding: chunked\r\n"),
        HANDSHAKE % (b"x", b"X: x\r\n" * 200),
        HANDSHAKE % (b"x", b"X: " + b"x" * 9_000 + b"\r\n"),
        HANDSHAKE % (b"x" * 9_000, b""),
        HANDSHAKE % (b"\xff", b""),
        b"nothing\r\n\r\n",
        HANDSHAKE % (b"silent", b""),
    ],
    ids=range(10),
)
async def test_a_handshake_that_is_not_answered_ends_with_its_deadline(
    port: int, state: ServerState, sent: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    async with asyncio.timeout(30):
        with contextlib.suppress(ConnectionResetError):
            assert b" 101 " not in await reader.read()
        while state.connections:
            await asyncio.sleep(0)
    writer.close()


async def test_a_client_that_takes_nothing_after_the_close_is_reset(
    port: int, state: ServerState
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1_000)
    writer.write(HANDSHAKE % (b"large", b""))
    async with asyncio.timeout(30):
        while not state.connections:
            await asyncio.sleep(0)
        while state.connections:
            await asyncio.sleep(0.01)
    writer.transport.abort()


async def test_an_open_websocket_has_no_deadline_while_it_answers_pings(
    port: int, state: ServerState
) -> None:
    from websockets.asyncio.client import connect

    async with connect(f"ws://127.0.0.1:{port}/") as socket:
        await asyncio.sleep(3 * LIMITS.head_timeout_s)
        await socket.ping()
        assert len(state.connections) == 1
