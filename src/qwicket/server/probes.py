"""Probes: is the process alive, does it take work, and what do its metrics say."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.responses import Response

from qwicket.dialects.door import Door, address, bearer, json, on
from qwicket.dialects.native.wire import PROBLEM_TYPE, problem
from qwicket.model.accounts import Scope as TokenScope
from qwicket.model.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from qwicket.model.accounts import Actor


_FORWARDED: Final = frozenset(
    ("forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip")
)
"""What proxies write, beside all that begins with `x-forwarded-`: behind one, every client comes
from this machine."""


def probes(
    is_ready: Callable[[], bool],
    sign_in: Callable[[str | None, str], Awaitable[Actor]],
    metrics: Callable[[], Awaitable[bytes]],
) -> dict[str, ASGIApp]:
    """Return the mounts of `/livez`, `/readyz` and `/metrics`.

    Args:
        is_ready: Whether the server takes work.
        sign_in: Who holds a token, given the client's address.
        metrics: The text for who may read it: this machine, or a token with the scope `admin`.
    """

    async def live(_: Request) -> Response:
        return json({"status": "alive"})

    async def ready(_: Request) -> Response:
        if not is_ready():
            raise Unavailable("The server is starting or stopping.", retry_after_s=1.0)
        return json({"status": "ready"})

    async def show_metrics(request: Request) -> Response:
        if not _is_from_here(request):
            actor = await sign_in(bearer(request), address(request))
            actor.require(TokenScope.ADMIN)
        return Response(await metrics(), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    door = Door(
        [on("/livez", GET=live), on("/readyz", GET=ready), on("/metrics", GET=show_metrics)],
        problem,
        error_type=PROBLEM_TYPE,
    )

    async def at_root(scope: Scope, receive: Receive, send: Send) -> None:
        await door({**scope, "root_path": ""}, receive, send)

    return {"/livez": at_root, "/readyz": at_root, "/metrics": at_root}


def _is_from_here(request: Request) -> bool:
    """Say whether a request comes from this machine, and through no proxy on it.

    It must ask for this machine too: a page in a browser here can reach the server under a name of
    its own (DNS rebinding). HTTP/1.0 is what nginx speaks to what is behind it, by default without
    any other sign of itself.
    """
    names = request.headers.keys()
    if any(name in _FORWARDED or name.startswith("x-forwarded-") for name in names):
        return False
    if request.scope["http_version"] == "1.0":
        return False
    return _is_loopback(address(request)) and _is_loopback(_host(request))


def _host(request: Request) -> str:
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:  # brackets without an address in them
        return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.removeprefix("::ffff:")).is_loopback
    except ValueError:
        return False
