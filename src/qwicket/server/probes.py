"""Probes for load balancers: is the process alive, and does it take work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwicket.dialects.door import Door, json, on
from qwicket.dialects.native.wire import PROBLEM_TYPE, problem
from qwicket.model.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send


def probes(is_ready: Callable[[], bool]) -> dict[str, ASGIApp]:
    """Return the mounts of `/livez` and `/readyz`."""

    async def live(_: Request) -> Response:
        return json({"status": "alive"})

    async def ready(_: Request) -> Response:
        if not is_ready():
            raise Unavailable("The server is starting or stopping.", retry_after_s=1.0)
        return json({"status": "ready"})

    door = Door(
        [on("/livez", GET=live), on("/readyz", GET=ready)], problem, error_type=PROBLEM_TYPE
    )

    async def at_root(scope: Scope, receive: Receive, send: Send) -> None:
        await door({**scope, "root_path": ""}, receive, send)

    return {"/livez": at_root, "/readyz": at_root}
