"""What is the same for every request, whatever its door: id, bounds on its body, its mount."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from qwicket.dialects.door import (
    BOUND_BODY,
    PUBLIC_URL,
    REFUSAL,
    REQUEST_ID,
    STREAM_BODY,
    UNSIGNED_BODY,
)
from qwicket.dialects.pieces import ANSWER
from qwicket.gateway.answers import Answer, Answers
from qwicket.gateway.throttle import network
from qwicket.model.errors import BodyTooLarge, RequestTimeout, TooManyRequests, Unavailable
from qwicket.server.logs import REQUEST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from qwicket.model.limits import Limits
    from qwicket.server.logs import AccessLog
    from qwicket.server.metrics import Metrics

_SKIPPED_BYTES: Final = 64 << 10
_SMALL_BYTES: Final = 64 << 10
"""What a body may have without being counted: so many connections can hold it anyway."""


class Front:
    """Gives each request an id and bounds, and hands it to the door of its path.

    Args:
        mounts: Prefix to door; the longest prefix that fits wins, "" takes the rest.
        limits: Those of bodies count here.
        answers: Room for large answers; by default of its own.
        public_url: The address that answers name; by default that of each connection's socket.
        metrics: Count requests and websockets.
        access: Notes each answer.
    """

    def __init__(
        self,
        mounts: Mapping[str, ASGIApp],
        limits: Limits,
        public_url: str = "",
        *,
        answers: Answers | None = None,
        metrics: Metrics | None = None,
        access: AccessLog | None = None,
    ) -> None:
        self._mounts = sorted(mounts.items(), key=lambda mount: len(mount[0]), reverse=True)
        self._limits = limits
        self._room = _Room("bodies_bytes", limits)
        self._unsigned_room = _Room("unsigned_bodies_bytes", limits)
        self._answers = Answers(limits) if answers is None else answers
        self._run = secrets.token_hex(4)
        self._numbers = count()
        self._metrics = metrics
        self._access = access
        self._public_url = public_url
        self._serving: Counter[str] = Counter()

    def speaks_websocket(self, path: str) -> bool:
        """Say whether the door of a path speaks websockets; others ignore that they are asked."""
        return bool(getattr(self._find(path)[1], "speaks_websocket", False))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        prefix, door = self._find(scope["path"])
        request_id = f"{self._run}{next(self._numbers):08x}"
        REQUEST.set(request_id)
        inner = {
            **scope,
            "root_path": scope.get("root_path", "") + prefix,
            REQUEST_ID: request_id,
            PUBLIC_URL: self._public_url or _own_url(scope),
        }
        with self._counted(scope, inner):
            if scope["type"] == "websocket":
                await self._stream(door, inner, receive, send)
            else:
                await self._answer(prefix, door, inner, receive, send)

    @contextlib.contextmanager
    def _counted(self, scope: Scope, inner: dict[str, Any]) -> Iterator[None]:
        """Count a request for its address; one too many is to be refused by its door.

        One connection serves one request at a time. So this is reached behind a proxy alone, where
        the address is what the proxy forwards.
        """
        client, most = scope.get("client"), self._limits.connections_each
        name = network(client[0]) if client else ""
        self._serving[name] += 1
        if self._serving[name] > most:
            inner[REFUSAL] = TooManyRequests(
                f"{most} requests of your address are being served (limit connections_each).",
                retry_after_s=1.0,
                limit="connections_each",
                quota=most,
            )
        try:
            yield
        finally:
            self._serving[name] -= 1
            if not self._serving[name]:
                del self._serving[name]

    async def _answer(
        self, prefix: str, door: ASGIApp, inner: dict[str, Any], receive: Receive, send: Send
    ) -> None:
        request_id = inner[REQUEST_ID]
        began, status = time.perf_counter(), 0
        body = _Body(inner, receive, self._limits, self._room)

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message["headers"], (b"x-request-id", request_id.encode())]
                if body.is_too_much_to_skip:
                    headers.append((b"connection", b"close"))
                message = {**message, "headers": headers}
            elif not message.get("more_body", False) and not body.is_complete:
                await send({**message, "more_body": True})
                await body.skip()
                message = {"type": "http.response.body"}
            await send(message)

        inner[STREAM_BODY], inner[BOUND_BODY] = body.stream, body.bound
        inner[UNSIGNED_BODY] = lambda: body.move(self._unsigned_room)
        inner[ANSWER] = answer = Answer(self._answers)
        try:
            await door(inner, body.receive, send_on)
        finally:
            body.release()
            await answer.close()
            seconds = time.perf_counter() - began
            if self._metrics is not None:
                self._metrics.answered(prefix, status, seconds)
            if self._access is not None:
                self._access.note(inner, request_id, status, seconds)

    async def _stream(self, door: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        if self._metrics is None:
            await door(scope, receive, send)
            return
        self._metrics.websocket_opened()
        try:
            await door(scope, receive, send)
        finally:
            self._metrics.websocket_closed()

    def _find(self, path: str) -> tuple[str, ASGIApp]:
        for prefix, door in self._mounts:
            if path == prefix or path.startswith(prefix + "/"):
                return prefix, door
        return self._mounts[-1]  # the root takes paths without a slash, such as "*"


def _own_url(scope: Scope) -> str:
    """Return the address of the connection's own socket. Never of `Host`: the client writes it."""
    host, port = scope.get("server") or ("localhost", None)
    host = f"[{host}]" if ":" in host else host
    return f"{scope['scheme']}://{host}" + (f":{port}" if port else "")


class _Room:
    """Room for the bodies that are held at the same time."""

    def __init__(self, limit: str, limits: Limits) -> None:
        self._limit = limit
        self._most_bytes = self._free_bytes = getattr(limits, limit)

    def take(self, size_bytes: int) -> None:
        if size_bytes > self._free_bytes:
            raise Unavailable(
                f"Bodies of over {self._most_bytes} bytes together are being received"
                f" (limit {self._limit}).",
                retry_after_s=1.0,
            )
        self._free_bytes -= size_bytes

    def give_back(self, size_bytes: int) -> None:
        self._free_bytes += size_bytes


class _Body:
    """The body of one request: bounded while a door reads it, skipped when none wants the rest.

    What exceeds a bound is raised where the door reads, so that the door words it. The rest is
    skipped after the answer, within the same time: many clients read nothing before they have sent
    everything, and a socket that closes on unread bytes takes the answer down with it.
    """

    def __init__(self, scope: Scope, receive: Receive, limits: Limits, room: _Room) -> None:
        headers = dict(scope["headers"])
        declared = headers.get(b"content-length", b"")
        self._declared = int(declared[:20]) if declared.isdigit() else 0
        self._receive = receive
        self._limits = limits
        self._limit, self._most = "body_bytes", limits.body_bytes
        self._is_streamed = False
        self._room = room
        self._held = 0
        self._deadline = asyncio.get_running_loop().time() + limits.body_timeout_s
        self._received = 0
        self._is_late = False
        self.is_complete = not self._declared and b"transfer-encoding" not in headers

    @property
    def is_too_much_to_skip(self) -> bool:
        """Whether waiting for the rest, to use the connection again, is no good."""
        if self.is_complete:
            return False
        return self._is_late or not 0 < self._declared <= _SKIPPED_BYTES

    def bound(self, limit: str) -> None:
        """Be bounded by another limit."""
        self._limit, self._most = limit, getattr(self._limits, limit)

    def stream(self, limit: str) -> None:
        """Be bounded by another limit, and not in memory: nobody keeps what was read."""
        self.bound(limit)
        self._is_streamed = True

    def move(self, room: _Room) -> None:
        """Be held in another room. Nothing may have been read yet."""
        self._room = room

    async def receive(self) -> Message:
        """Return the next message.

        Raises:
            BodyTooLarge: It, or what was declared, is over `body_bytes`, or what bounds it instead.
            RequestTimeout: It comes more slowly than `body_timeout_s` and `body_bytes_per_s` allow.
            Unavailable: All bodies of its room together are over that room's limit.
        """
        if self.is_complete:
            return await self._receive()
        self._hold(self._declared)
        try:
            message = await self._next()
        except TimeoutError:
            self._is_late = True
            raise RequestTimeout(
                f"The body did not arrive within {self._limits.body_timeout_s:g} s and the time for"
                f" {self._limits.body_bytes_per_s} bytes per second"
                " (limits body_timeout_s, body_bytes_per_s)."
            ) from None
        size = len(message.get("body", b""))
        self._received += size
        self._deadline += size / self._limits.body_bytes_per_s
        self._hold(self._received)
        return message

    async def skip(self) -> None:
        """Read what is left, as far as it comes in time."""
        self.release()
        with contextlib.suppress(TimeoutError):
            while not self.is_complete:
                await self._next()

    def release(self) -> None:
        """Make room for other bodies: nobody needs this one any more."""
        self._room.give_back(self._held)
        self._held = 0

    def _hold(self, size: int) -> None:
        if size > self._most:
            raise BodyTooLarge(f"The body is over {self._most} bytes (limit {self._limit}).")
        if self._is_streamed:
            return
        if size > max(self._held, _SMALL_BYTES):
            self._room.take(size - self._held)
            self._held = size

    async def _next(self) -> Message:
        async with asyncio.timeout_at(self._deadline):
            message = await self._receive()
        self.is_complete = not message.get("more_body", False)
        return message
