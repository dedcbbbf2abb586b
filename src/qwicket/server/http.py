"""What is the same for every request, whatever its door: id, size and time limits, its mount."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

from qwicket.dialects.door import REQUEST_ID
from qwicket.model.errors import BodyTooLarge, RequestTimeout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from qwicket.model.limits import Limits


class Front:
    """Gives each request an id and bounds, and hands it to the door of its path.

    Args:
        mounts: Prefix to door; the longest prefix that fits wins, "" takes the rest.
        limits: `body_bytes` and `body_timeout_s` count here.
    """

    def __init__(self, mounts: Mapping[str, ASGIApp], limits: Limits) -> None:
        self._mounts = sorted(mounts.items(), key=lambda mount: len(mount[0]), reverse=True)
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        prefix, door = self._find(scope["path"])
        request_id = secrets.token_hex(8)
        header = (b"x-request-id", request_id.encode())

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], header]
            await send(message)

        inner = {**scope, "root_path": scope.get("root_path", "") + prefix, REQUEST_ID: request_id}
        await door(inner, bounded(scope, receive, self._limits), send_with_id)

    def _find(self, path: str) -> tuple[str, ASGIApp]:
        for prefix, door in self._mounts:
            if path == prefix or path.startswith(prefix + "/"):
                return prefix, door
        return self._mounts[-1]  # the root takes paths without a slash, such as "*"


def bounded(scope: Scope, receive: Receive, limits: Limits) -> Receive:
    """Return `receive` with a bound on the body's size and on the time until all of it is here.

    The error is raised where the door reads the body, so that the door words it.
    """
    declared = _content_length(scope)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limits.body_timeout_s
    received = 0
    is_complete = False

    async def receive_bounded() -> Message:
        nonlocal received, is_complete
        if is_complete:
            return await receive()
        if declared > limits.body_bytes:
            raise _too_large(limits)
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise RequestTimeout(
                f"The body did not arrive within {limits.body_timeout_s:g} s"
                " (limit body_timeout_s)."
            ) from None
        received += len(message.get("body", b""))
        if received > limits.body_bytes:
            raise _too_large(limits)
        is_complete = not message.get("more_body", False)
        return message

    return receive_bounded


def _too_large(limits: Limits) -> BodyTooLarge:
    return BodyTooLarge(f"The body is over {limits.body_bytes} bytes (limit body_bytes).")


def _content_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0
