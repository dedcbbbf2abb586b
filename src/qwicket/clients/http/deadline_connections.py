"""urllib3 connections with a deadline for the whole response.

A timeout of urllib3 bounds each read, so a server that sends one byte now and then blocks its
client for ever. Here the timeout bounds the whole response, and each received byte extends it by
1 / `MIN_BYTES_PER_S` seconds. So a large response over a slow network arrives, and one that is sent
byte by byte fails. Within `ends_by` no byte extends a timeout.
`DEADLINE_POOLS`, for `requests`, bound whole responses only there, and within bounds (`bounds.py`).
Within bounds, all received bytes count, those of headers and chunk lines too, and no byte extends
the total time.
"""

from __future__ import annotations

import http.client
import io
import math
import os
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from qwicket.clients.http import bounds, deadlines, failures

if TYPE_CHECKING:
    import socket

    from _typeshed import WriteableBuffer

MIN_BYTES_PER_S: Final = 16 << 10
"""Slowest rate at which a large response may arrive."""
_CONNECTIONS: Final = 10
"""Idle connections that stay open for each server; urllib3 opens more if all are busy."""


def connections(url: str) -> urllib3.PoolManager:
    """Return connections to `url`, through the proxy in the environment variables if any.

    Raises:
        urllib3.exceptions.HTTPError: The proxy's scheme is not supported.
    """
    proxy = proxy_of(url)
    made = _proxy_manager(proxy) if proxy else urllib3.PoolManager(maxsize=_CONNECTIONS)
    made.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
    return made


def connected(url: str, timeout_s: float) -> HTTPConnection:
    """Return an open connection to the server of `url`, for another protocol than HTTP.

    In that protocol the client must speak first, or the proxy's response may swallow what comes. It
    uses the same proxy, through a tunnel, and the same certificates as `connections`.

    Args:
        url: Its scheme says whether the connection has TLS.
        timeout_s: Seconds for each step: connecting, the tunnel, and the handshake of TLS.

    Raises:
        OSError: The server cannot be reached.
        urllib3.exceptions.HTTPError: It cannot be reached, or the proxy's scheme is unsupported.
    """
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    manager = connections(url)
    if isinstance(manager, urllib3.ProxyManager) and (proxy := manager.proxy) is not None:
        if proxy.scheme == "https" and parts.scheme == "http":
            raise OSError("urllib3 has no tunnel without TLS through a proxy with TLS")
        config = manager.proxy_config
        made = kind(
            proxy.host or "", proxy.port, timeout=timeout_s, proxy=proxy, proxy_config=config
        )
        port = parts.port or (443 if parts.scheme == "https" else 80)
        made.set_tunnel(parts.hostname or "", port, manager.proxy_headers, proxy.scheme or "http")
    else:
        made = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        made.connect()
    except http.client.HTTPException as error:
        made.close()
        raise OSError("the proxy's response is not HTTP") from error
    except BaseException:
        made.close()
        raise
    return made


def proxy_of(url: str) -> str | None:
    """Return the proxy for `url` in the environment variables; None for a direct connection."""
    host = urlsplit(url).hostname or ""
    if failures.is_loopback(host) or not any(
        name.lower().endswith("_proxy") for name in os.environ
    ):
        return None
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    proxy = proxies.get(urlsplit(url).scheme) or proxies.get("all")
    return None if proxy is None or proxy_bypass(host) else proxy


def _proxy_manager(proxy: str) -> urllib3.ProxyManager:
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    auth = urllib3.util.parse_url(proxy).auth
    headers = urllib3.make_headers(proxy_basic_auth=unquote(auth)) if auth else None
    return urllib3.ProxyManager(proxy, maxsize=_CONNECTIONS, proxy_headers=headers)


class _TimedReader(io.RawIOBase):
    """Reader of a socket whose reads share one deadline, which each received byte extends."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        # At this time the socket's timeout is the remaining time of the request.
        self._clock = deadlines.current_clock()
        own = self._clock.monotonic() + (sock.gettimeout() or 0.0)
        fixed = deadlines.current()
        self._deadline = own if fixed is None else min(own, fixed)
        self._s_per_byte = 1 / MIN_BYTES_PER_S if fixed is None else 0.0
        self._bounds = bounds.current()
        self._n_bytes = 0
        self._ends_at = math.inf
        if self._bounds is not None:
            self._ends_at = self._clock.monotonic() + self._bounds.total_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        left_s = min(self._deadline, self._ends_at) - self._clock.monotonic()
        if left_s <= 0:
            raise TimeoutError("the response is too slow")
        self._sock.settimeout(left_s)
        received = self._raw.readinto(buffer)
        self._n_bytes += received or 0
        self._deadline += (received or 0) * self._s_per_byte
        if self._bounds is not None and self._n_bytes > self._bounds.wire_bytes:
            raise bounds.too_large_with_headers(self._bounds)
        return received

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """Response with a deadline: that of its request, or an earlier one of `ends_by`."""

    is_always_timed = True

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        is_timed = deadlines.current() is not None or bounds.current() is not None
        if self.is_always_timed or is_timed:
            self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock))


class _DeadlineResponse(_Response):
    """Response for `requests`: the timeout bounds each read, or within deadlines and bounds all."""

    is_always_timed = False


class _Connection(HTTPConnection):
    """Connection on which sending a body may take `send_s` seconds.

    urllib3 allows only the time limit of connecting.
    """

    response_class = _Response
    send_s: float | None = None

    def connect(self) -> None:
        self.timeout = _within(self.timeout)
        super().connect()
        if self.send_s is not None:
            self.sock.settimeout(self.send_s)

    def request(self, *args: Any, **options: Any) -> None:
        if self.sock is not None and self.send_s is not None:
            self.timeout = self.send_s  # urllib3 sets it on an open socket
        super().request(*args, **options)


class _SecureConnection(_Connection, HTTPSConnection):
    pass


class _DeadlineConnection(_Connection):
    response_class = _DeadlineResponse


class _SecureDeadlineConnection(_SecureConnection):
    response_class = _DeadlineResponse


class _RequestLimitPool(urllib3.HTTPConnectionPool):
    """Connection pool that limits sending a request to the request's own time limit."""

    def _make_request(self, *args: Any, **kwargs: Any) -> urllib3.BaseHTTPResponse:
        args[0].send_s = kwargs["timeout"].total
        return super()._make_request(*args, **kwargs)


class _Pool(_RequestLimitPool):
    ConnectionCls = _Connection


class _SecurePool(_RequestLimitPool, urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _RequestsLibraryPool(urllib3.HTTPConnectionPool):
    """Connection pool for `requests` that also records whether its server has answered."""

    has_answered = False

    def _make_request(self, *args: Any, **kwargs: Any) -> urllib3.BaseHTTPResponse:
        args[0].send_s = _within(kwargs["timeout"].read_timeout)
        response = super()._make_request(*args, **kwargs)
        self.has_answered = True
        return response


class _DeadlinePool(_RequestsLibraryPool):
    ConnectionCls = _DeadlineConnection


class _SecureDeadlinePool(_RequestsLibraryPool, urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureDeadlineConnection


DEADLINE_POOLS: Final = {"http": _DeadlinePool, "https": _SecureDeadlinePool}
"""Connection pools for `requests`, whose whole responses are only bounded within `ends_by`."""


def is_not_started(pool: object, error: Exception | None) -> bool:
    """Return whether a pool's server is on this machine and was not started.

    Args:
        pool: Instance of one of `DEADLINE_POOLS`.
        error: Error of a request.
    """
    return (
        isinstance(pool, _RequestsLibraryPool)
        and not pool.has_answered
        and error is not None
        and failures.is_connection_refused(error)
        and failures.is_loopback(pool.host)
    )


def _within(timeout: float | None) -> float | None:
    """Return a time limit in seconds, shortened to the deadline of `ends_by`."""
    if deadlines.current() is None:
        return timeout
    return deadlines.within(math.inf if timeout is None else timeout)
