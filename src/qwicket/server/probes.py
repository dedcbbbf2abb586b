"""HTTP handlers of the probes: liveness, readiness and metrics."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from starlette.responses import Response

from qwicket.dialects.native.wire import PROBLEM_TYPE, problem
from qwicket.dialects.responses import json
from qwicket.dialects.routing import Dialect, Open, Route
from qwicket.model.accounts import Scope as TokenScope
from qwicket.model.errors import Unavailable
from qwicket.model.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor


_FORWARDED: Final = frozenset(
    ("forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip")
)
"""Headers that proxies add, beside `x-forwarded-…`. Requests with them never count as local: a
proxy on this machine gives every client a local address."""


_PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Media type of metrics: https://prometheus.io/docs/instrumenting/exposition_formats."""


class _Handlers:
    """Handlers of the probes; for the arguments see `probes`."""

    limits = Limits()

    def __init__(
        self,
        why_not_ready: Callable[[], str | None],
        sign_in: Callable[[str | None, str], Awaitable[Actor]],
        metrics: Callable[[], Awaitable[bytes]],
    ) -> None:
        self._why_not_ready = why_not_ready
        self._sign_in = sign_in
        self._metrics = metrics

    async def sign_in(self, request: Request[Any]) -> Actor:
        return await self._sign_in(request.token("bearer"), request.client_address)

    async def live(self, request: Request[None]) -> Response:
        """Read whether the process is alive."""
        return json({"status": "alive"})

    async def ready(self, request: Request[None]) -> Response:
        """Read whether the server accepts work."""
        if (reason := self._why_not_ready()) is not None:
            raise Unavailable(reason, retry_after_s=1.0)
        return json({"status": "ready"})

    async def metrics(self, request: Request[None]) -> Response:
        """Read the metrics."""
        if not is_local(request):
            actor = await self.sign_in(request)
            actor.require(TokenScope.ADMIN)
            actor.require_all_devices()
        return Response(await self._metrics(), media_type=_PROMETHEUS)


_PROBE: Final = Open("Supervisors and load balancers have no token.")
ROUTES: Final = (
    Route("GET", "/livez", _Handlers.live, _PROBE),
    Route("GET", "/readyz", _Handlers.ready, _PROBE),
    Route(
        "GET",
        "/metrics",
        _Handlers.metrics,
        Open("Requests from the same machine need no token; others need the scope `admin`."),
    ),
)


def probes(
    why_not_ready: Callable[[], str | None],
    sign_in: Callable[[str | None, str], Awaitable[Actor]],
    metrics: Callable[[], Awaitable[bytes]],
) -> dict[str, ASGIApp]:
    """Return the mounts of `/livez`, `/readyz` and `/metrics`.

    Args:
        why_not_ready: Returns why the server takes no work; None if it does.
        sign_in: Returns the actor of a token, given the client's address.
        metrics: Returns the text of `/metrics`.
    """
    dialect = Dialect(
        _Handlers(why_not_ready, sign_in, metrics), ROUTES, problem, error_type=PROBLEM_TYPE
    )

    # The router sets `root_path` to the mount, here a whole path, but routes match whole paths.
    async def at_root(scope: Scope, receive: Receive, send: Send) -> None:
        await dialect({**scope, "root_path": ""}, receive, send)

    return dict.fromkeys((route.path for route in ROUTES), at_root)


def is_local(request: Request[None]) -> bool:
    """Return whether a request comes from this machine, and not through a proxy on it.

    The Host header must be local as well: a web page in a local browser can reach the server under
    the page's own host name (DNS rebinding). HTTP/1.0 counts as a proxy: nginx uses it upstream,
    by default without a header that names the proxy.
    """
    names = request.headers.keys()
    if any(name in _FORWARDED or name.startswith("x-forwarded-") for name in names):
        return False
    if request.scope["http_version"] == "1.0":
        return False
    return is_loopback(request.client_address) and is_loopback(_host_header(request))


def _host_header(request: Request[None]) -> str:
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:  # brackets without an address in them
        return ""


def is_loopback(host: str) -> bool:
    """Return whether a host name or an address is on the loopback interface."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.removeprefix("::ffff:")).is_loopback
    except ValueError:
        return False
