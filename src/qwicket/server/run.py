"""Serve the application on sockets until a signal."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
import resource
import signal
import socket
import time
from email.utils import formatdate
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from uvicorn.server import ServerState

from qwicket.model.errors import InvalidRequest, QwicketError
from qwicket.server import memory
from qwicket.server.addresses import addresses, listen, listen_failure
from qwicket.server.app import App
from qwicket.server.connection import Connection
from qwicket.server.connections import Connections
from qwicket.server.logs import announce, hide_secrets, log_startup_failure, start_log
from qwicket.server.router import OwnAddressApp
from qwicket.server.settings import passwords

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qwicket.server.addresses import Address
    from qwicket.server.handshakes import TLSListener
    from qwicket.server.settings import Settings
    from qwicket.server.websocket import WebSocket

_STOPPING: Final = "Qwicket is stopping: running jobs have {:g} s, unless it is interrupted again."
_REQUEST_GRACE_S: Final = 5
"""Time that requests have to end when the server stops; then uvicorn cancels them."""
_STALLED_GRACE_S: Final = 4.0
"""Time after which responses that clients do not read are aborted. Shorter than
`_REQUEST_GRACE_S`, after which uvicorn would cancel their handlers and log an error."""
_CLOSE_S: Final = 30.0
"""Time to close everything after the grace time of running jobs, before the process ends anyway.
All steps together take 2 s."""
_BACKLOG: Final = 2048
"""Connections that the kernel queues until they are accepted."""
_ACCEPTED_AT_ONCE: Final = 128
"""Asyncio accepts up to its backlog in one turn of the event loop: 2,048 took 40 ms."""
_PING_S: Final = 20.0
"""Interval of websocket pings; a client that does not respond to one is disconnected."""
_MESSAGE_BYTES: Final = 16 << 10
"""Limit on a websocket message. Clients send only an access token."""
_SPARE_FILES: Final = 64
"""File descriptors for short uses: new workers, a command's database, refused connections."""


def run(settings: Settings, hint: str = "", make: Callable[[Settings], App] = App) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status, 1 if the server could not start.

    Args:
        settings: The operator's settings.
        hint: Advice to print once the server listens.
        make: Makes the application.
    """
    memory.use_one_malloc_arena()
    start_log(settings.log_format)
    if settings.database_url is not None:
        hide_secrets(*passwords(settings.database_url))
    if _is_loop_measured():
        from qwicket.server import loop_cpu  # late: only tests measure

        loop_cpu.measure()
    try:
        server = _Server(make(settings), settings, hint)
    except InvalidRequest as error:
        log_startup_failure(error.detail, settings.log_format)
        return 1
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda _number, _frame: server.interrupt())
    server.run()
    return 0 if server.started else 1


class _Server(uvicorn.Server):
    """Uvicorn that prints its addresses, and ends long polls before it waits for them."""

    def __init__(self, app: App, settings: Settings, hint: str) -> None:
        self._app = app
        self._hint = hint
        self._loop: asyncio.AbstractEventLoop | None = None
        self._collecting: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._settings = settings
        self._addresses = [(each, each.tls()) for each in addresses(settings)]
        self._main_port = 0
        super().__init__(_configuration(app, settings))
        self.server_state = _SharedState()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            await self._app.start()
        except QwicketError as error:
            self._fail(str(error))
            return
        except OSError as error:
            self._fail(f"{self._settings.data_dir}: {error.strerror}.")
            return
        try:
            await super().serve(sockets)
        finally:
            await self._app.stop()
        if self.started:
            announce("Qwicket has stopped.", self._settings.log_format)

    def _fail(self, reason: str) -> None:
        log_startup_failure(reason, self._settings.log_format)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `interrupt`: uvicorn handles them only while it serves."""
        yield

    def interrupt(self) -> None:
        """Stop gracefully; on a second signal, do not wait for running jobs.

        A stop that hangs ends with a traceback and the end of the process, which loses nothing:
        everything acknowledged is stored.
        """
        if not self.should_exit:
            faulthandler.dump_traceback_later(self._settings.stop_grace_s + _CLOSE_S, exit=True)
        if self._loop is not None:
            stop = self._app.release_running if self.should_exit else self._stopping.set
            self._loop.call_soon_threadsafe(stop)
        self.should_exit = True

    async def main_loop(self) -> None:
        """Wait for the signal; uvicorn would check for it ten times a second."""
        if not self.should_exit:
            await self._stopping.wait()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen with `Connection`, because uvicorn does not limit connections and handshakes."""
        settings, limits = self._settings, self._settings.limits.connections
        apps: list[App | OwnAddressApp] = [self._app]
        for own in settings.listen:
            supports = self._app.supports_websocket
            pass_through = partial(self._app.pass_through, own.device)
            apps.append(OwnAddressApp(self._app, supports, own, self._main_url, pass_through))
        maximum = _raise_file_limit(limits.connections)
        collector = memory.Collector()
        connections = Connections(
            *(maximum, limits.connections_each, settings.trusted_proxy),
            active=collector.expect_objects,
        )
        half_closed: dict[Connection, None] = {}
        self.servers = []
        configurations = [self.config, *(_configuration(each, settings) for each in apps[1:])]
        for (address, context), app, config in zip(
            self._addresses, apps, configurations, strict=True
        ):
            if not config.loaded:
                config.load()
            make = partial(
                Connection,
                *(config, self.server_state, limits, connections),
                *(app.supports_websocket, half_closed),
            )
            try:
                listener: asyncio.Server | TLSListener
                if context is None:
                    listener = await asyncio.get_running_loop().create_server(
                        make, address.host, address.port, backlog=_ACCEPTED_AT_ONCE
                    )
                else:
                    from qwicket.server.handshakes import TLSListener  # late: many have no TLS

                    sockets = listen(address)
                    listener = TLSListener(sockets, context, limits, connections, make)
            except OSError as error:
                self._fail(listen_failure(error, address))
                self.should_exit = True
                for opened in self.servers:
                    opened.close()
                return
            self.servers.append(listener)  # type: ignore[arg-type]  # only ever closed
            for each in listener.sockets:
                # Raises only the kernel's queue: the loop keeps the backlog that it was given.
                with socket.fromfd(each.fileno(), each.family, each.type) as same:
                    same.listen(_BACKLOG)
            if not address.dialect:
                self._main_port = listener.sockets[0].getsockname()[1]
        self.started = True
        self._collecting = asyncio.create_task(collector.collect_periodically(connections))
        for (address, context), listener in zip(self._addresses, self.servers, strict=True):
            self._announce_addresses(address, context is not None, listener)
        announce(self._app.summary, self._settings.log_format)
        if self._hint:
            announce(self._hint, "text")
        await self._app.offer_setup_link(self.servers[0].sockets)
        self._app.start_processes()

    def _announce_addresses(
        self, address: Address, has_tls: bool, listener: asyncio.Server | TLSListener
    ) -> None:
        who = f"{address.dialect} alone" if address.dialect else "Qwicket"
        for sock in listener.sockets:
            host, port = sock.getsockname()[:2]
            host = f"[{host}]" if ":" in host else host
            url = f"{'https' if has_tls else 'http'}://{host}:{port}"
            announce(f"{who} listens on {url}", self._settings.log_format)

    def _main_url(self, host: str) -> str:
        """Return the server's main address for a client of a dialect's own address.

        Args:
            host: Host by which the client reached the dialect's address.
        """
        given = (self._settings.public_url or "").rstrip("/")
        scheme = "https" if self._settings.tls_cert else "http"
        return given or f"{scheme}://{host}:{self._main_port}"

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        announce(_STOPPING.format(self._settings.stop_grace_s), self._settings.log_format)
        if self._collecting is not None:
            self._collecting.cancel()
        self._app.begin_stop()
        asyncio.get_running_loop().call_later(_STALLED_GRACE_S, self._abort_stalled)
        await super().shutdown(sockets)

    def _abort_stalled(self) -> None:
        """Abort stalled responses before uvicorn cancels their handlers."""
        for each in list(self.server_state.connections):
            if isinstance(each, Connection):
                each.abort_if_stalled()


def _is_loop_measured() -> bool:
    return bool(os.environ.get("QWICKET_MEASURE_LOOP"))


def _configuration(app: App | OwnAddressApp, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="asyncio" if _is_loop_measured() else "uvloop",
        http="httptools",
        ws=_websocket,  # type: ignore[arg-type]  # only ever called
        ws_max_size=_MESSAGE_BYTES,
        ws_per_message_deflate=False,  # a small message could become a large one
        ws_ping_interval=_PING_S,
        ws_ping_timeout=_PING_S,
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        proxy_headers=settings.trusted_proxy is not None,
        forwarded_allow_ips=settings.trusted_proxy,
        timeout_keep_alive=settings.limits.connections.keep_alive_s,  # type: ignore[arg-type]  # only ever given to call_later
        timeout_graceful_shutdown=_REQUEST_GRACE_S,
    )


def _websocket(*arguments: Any, **options: Any) -> WebSocket:
    from qwicket.server.websocket import WebSocket  # late: app.py imports it after the start

    return WebSocket(*arguments, **options)


class _SharedState(ServerState):
    """State that connections share, with a `Date` header that is made when a response needs it.

    Uvicorn makes the header in its main loop, which would have to run every second.
    """

    def __init__(self) -> None:
        self._second = 0
        self._headers: list[tuple[bytes, bytes]] = []
        super().__init__()

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        now = int(time.time())
        if now != self._second:
            self._second, self._headers = now, [(b"date", formatdate(now, usegmt=True).encode())]
        return self._headers

    @default_headers.setter
    def default_headers(self, _headers: list[tuple[bytes, bytes]]) -> None:
        """Ignore what uvicorn sets: no response has a header from its configuration."""


def _raise_file_limit(connections: int) -> int:
    """Raise the limit of open files if needed; return how many connections it allows."""
    others = len([*Path("/proc/self/fd").iterdir()]) + _SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    maximum = others + connections
    if hard != resource.RLIM_INFINITY:
        maximum = min(maximum, hard)
    if soft != resource.RLIM_INFINITY and soft < maximum:
        resource.setrlimit(resource.RLIMIT_NOFILE, (maximum, hard))
    return max(1, min(connections, maximum - others))
