"""Serving: the application on a socket, until a signal ends it."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import uvicorn

from qwicket.model.errors import QwicketError
from qwicket.server.app import App

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from qwicket.server.settings import Settings

_REQUEST_GRACE_S: Final = 5
_KEEP_ALIVE_S: Final = 75
_BACKLOG: Final = 2048


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status, 1 when the server could not start."""
    server = _Server(App(settings), settings)
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda _number, _frame: server.interrupt())
    try:
        server.run()
    except SystemExit:
        return 1  # the address is taken; uvicorn has said so
    return 0 if server.started else 1


class _Server(uvicorn.Server):
    """Uvicorn that says where it listens, and wakes long polls before it waits for them."""

    def __init__(self, app: App, settings: Settings) -> None:
        self._app = app
        self._loop: asyncio.AbstractEventLoop | None = None
        self._data_dir = settings.data_dir
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                loop="uvloop",
                http="httptools",
                ws="none",
                lifespan="off",
                access_log=False,
                log_level="warning",
                server_header=False,
                proxy_headers=settings.trusted_proxy is not None,
                forwarded_allow_ips=settings.trusted_proxy,
                backlog=_BACKLOG,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_REQUEST_GRACE_S,
            )
        )

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            await self._app.start()
        except QwicketError as error:
            sys.stderr.write(f"Error: {error}\n")
            return
        except OSError as error:
            sys.stderr.write(f"Error: {self._data_dir}: {error.strerror}.\n")
            return
        try:
            await super().serve(sockets)
        finally:
            await self._app.stop()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `interrupt`: uvicorn knows no time before or after it serves."""
        yield

    def interrupt(self) -> None:
        """Stop in good order; when asked again, do not wait for running jobs."""
        if self.should_exit and self._loop is not None:
            self._loop.call_soon_threadsafe(self._app.hurry)
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in self.servers:
            for each in listener.sockets:
                host, port = each.getsockname()[:2]
                address = f"[{host}]" if ":" in host else host
                sys.stderr.write(f"Qwicket listens on http://{address}:{port}\n")
        sys.stderr.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.begin_stop()
        await super().shutdown(sockets)
