"""A connection that has ended is freed at once, without a garbage collection.

What is left to the collector adds up until it runs, and then it keeps the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Iterator
from typing import Any
from weakref import ref

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from qwicket.dialects.requests import DELIVERED
from qwicket.model.limits import ConnectionLimits
from qwicket.server.connection import Connection
from qwicket.server.connections import Connections
from qwicket.server.websocket import WebSocket

pytestmark = pytest.mark.anyio

GET = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"
HANDSHAKE = (
    b"GET /%s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
CLOSE = b"\x88\x82\0\0\0\0\x03\xe8"
"""A frame that closes with code 1000; its mask is zero."""
PING = b"\x89\x80\0\0\0\0"


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond at once; on /stream, after the head only when the client disconnects."""
    if scope["type"] == "websocket":
        if scope["path"] != "/refuse":
            await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        return
    assert DELIVERED in scope
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
    if message["type"] == "http.disconnect":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/stream":
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        assert (await receive())["type"] == "http.disconnect"
        return
    await send({"type": "http.response.body", "body": b"x"})


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """A server uses uvloop, and asyncio's loop where its CPU time is measured."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
def no_collections() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
async def made() -> list[ref[Any]]:
    return []


@pytest.fixture
async def port(made: list[ref[Any]]) -> AsyncIterator[int]:
    state = ServerState()

    class Recorded(WebSocket):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            made.extend([ref(self), ref(self.conn)])

    def connection() -> Connection:
        new = Connection(config, state, ConnectionLimits(), connections, lambda _: True, {})
        made.append(ref(new))
        return new

    config = uvicorn.Config(application, ws=Recorded, lifespan="off", access_log=False)
    config.load()
    connections = Connections(100, 100)
    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    while state.tasks:
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("sent", "received", "n_objects"),
    [
        (b"", b"", 1),
        (b"GET /x HTT", b"", 1),
        (b"nothing\r\n\r\n", b" 400 ", 1),
        (GET % b"x", b" 200 ", 1),
        (GET % b"x" * 3, b" 200 ", 1),
        (GET % b"stream", b" 200 ", 1),
        (b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf", b"", 1),
        (HANDSHAKE % b"x", b" 101 ", 3),
        (HANDSHAKE % b"x" + PING, b" 101 ", 3),
        (HANDSHAKE % b"refuse", b"", 3),
    ],
    ids=[
        *("silent", "half a head", "refused", "answered", "pipelined", "stream", "upload"),
        *("websocket", "websocket with a frame", "refused websocket"),
    ],
)
@pytest.mark.parametrize("ends", ["reset", "closed by the client"])
@pytest.mark.usefixtures("no_collections")
async def test_a_connection_is_freed_when_it_ends(
    port: int, made: list[ref[Any]], sent: bytes, received: bytes, n_objects: int, ends: str
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    async with asyncio.timeout(30):
        if received:
            assert received in await reader.read(100)
        while len(made) < n_objects:
            await asyncio.sleep(0.01)
        if ends == "reset":
            writer.transport.abort()
        else:
            if b" 101 " in received:
                writer.write(CLOSE)
            writer.close()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(30):
            while any(each() for each in made):
                await asyncio.sleep(0.01)
    assert [each() for each in made] == n_objects * [None]
