"""Serve an ASGI application on this machine, in a thread; read, drop and cut its requests."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from qwicket.testing.errors import CassetteError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Send

_START_S: Final = 20.0
"""Longest time in seconds in which the server starts; also in which it stops."""
_POLL_S: Final = 0.005
_MAX_BODY_BYTES: Final = 256 << 20


class Listener:
    """Serves an application until it is stopped.

    Args:
        app: The application.
        port: Port on 127.0.0.1; 0 takes a free one.

    Raises:
        CassetteError: The port cannot be used, or the server does not start.
    """

    def __init__(self, app: ASGIApp, port: int = 0) -> None:
        try:
            self._socket = socket.create_server(("127.0.0.1", port))
        except OSError as error:
            raise CassetteError(f"port: {port} cannot be listened on: {error.strerror}.") from None
        config = uvicorn.Config(
            app,
            http="httptools",
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + _START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise CassetteError("The cassette's server did not start.")
            time.sleep(_POLL_S)

    @property
    def url(self) -> str:
        """Address of the server."""
        host, port = self._socket.getsockname()[:2]
        return f"http://{host}:{port}"

    def stop(self) -> None:
        """Stop the server."""
        self._server.should_exit = True
        self._thread.join(_START_S)
        self._socket.close()


async def body_of(receive: Receive) -> bytes:
    """Return the body of a request, or what has come of it if the client disconnects.

    Raises:
        CassetteError: The body is too large.
    """
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > _MAX_BODY_BYTES:
            raise CassetteError(f"The body of the request has more than {_MAX_BODY_BYTES} bytes.")
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return bytes(body)


async def drop(send: Send) -> None:
    """End the connection of a request before it has a response."""
    cycle = _cycle(send)
    cycle.transport.abort()
    await _disconnected(cycle)


async def cut(send: Send) -> None:
    """Close the connection of a request after a part of its response was sent."""
    cycle = _cycle(send)
    cycle.transport.close()
    await _disconnected(cycle)


def _cycle(send: Send) -> Any:
    return send.__self__  # type: ignore[attr-defined]  # uvicorn's cycle of the request


async def _disconnected(cycle: Any) -> None:
    while not cycle.disconnected:  # noqa: ASYNC110 - uvicorn has no event for this
        await asyncio.sleep(_POLL_S)
