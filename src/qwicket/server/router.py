"""Router of all requests: gives each an id and limits, and chooses its application."""

from __future__ import annotations

import time
from collections import Counter
from functools import lru_cache, partial
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from starlette.responses import PlainTextResponse

from qwicket.dialects.requests import (
    BODY,
    CONTENT,
    DIALECT_ADDRESS,
    PASS_THROUGH,
    PUBLIC_URL,
    REFUSAL,
    REQUEST_ID,
    RESPONSE_MEMORY,
    TURNS,
    check_query,
)
from qwicket.dialects.turns import Turns
from qwicket.gateway.fair_threads import OWNER
from qwicket.gateway.response_budget import ResponseBudget, ResponseMemory
from qwicket.gateway.throttle import network
from qwicket.model.errors import InvalidRequest, TooManyRequests
from qwicket.model.random_bits import random_bits
from qwicket.server.bodies import Body, BodyBudget, WholeBody
from qwicket.server.logs import REQUEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from qwicket.dialects.pass_through import PassThrough
    from qwicket.model.limits import Limits
    from qwicket.server.logs import AccessLog
    from qwicket.server.metrics import Metrics
    from qwicket.server.settings import OwnAddress


_USUAL_HEADERS: Final = (
    (b"cache-control", b"no-store"),  # responses hold an account's data, and some an access token
    # A browser runs nothing in a response, even if the server behind a dialect says that it is a
    # page: it would be a page of this host, where the cookies of `/ui` are.
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
    (b"referrer-policy", b"no-referrer"),  # some dialects have a token in the URL
    (b"x-content-type-options", b"nosniff"),
)

_OWN: Final = "qwicket.own_address"
"""Key of a request's scope: name of the dialect whose own address it came to."""


class Mount(NamedTuple):
    """An application at a path.

    Attributes:
        prefix: The path.
        usual: Path of the application at the server's main address; metrics use it as a label.
        app: The application.
    """

    prefix: str
    usual: str
    app: ASGIApp


class Router:
    """Gives each request an id and limits, and passes it to the application of its path.

    Args:
        mounts: Prefix to app; the longest prefix that fits wins, "" takes the rest.
        limits: Limits on bodies, on responses, and on the requests of one address.
        response_budget: Memory for large responses; by default a budget of its own.
        public_url: Address of this server in responses; by default that of the
            connection's socket.
        metrics: Count requests and websockets.
        access: Logs each response.
        own: By the name of each dialect: the prefixes at an address that it has for itself, with
            the prefixes in `mounts` of the same applications.
    """

    def __init__(
        self,
        mounts: Mapping[str, ASGIApp],
        limits: Limits,
        public_url: str = "",
        *,
        response_budget: ResponseBudget | None = None,
        metrics: Metrics | None = None,
        access: AccessLog | None = None,
        own: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self._mounts = {"": _longest_first(Mount(at, at, app) for at, app in mounts.items())}
        for dialect, places in (own or {}).items():
            found = [Mount(at, usual, mounts[usual]) for at, usual in places.items()]
            self._mounts[dialect] = _longest_first(found)
        self._limits = limits
        self._bodies = BodyBudget("bodies_bytes", "bodies_bytes_each", limits.bodies)
        self._bodies_before_sign_in = BodyBudget(
            "bodies_before_sign_in_bytes", "bodies_before_sign_in_bytes_each", limits.bodies
        )
        self._response_budget = (
            ResponseBudget(limits.responses) if response_budget is None else response_budget
        )
        self._run = f"{random_bits(32):08x}"
        self._numbers = count()
        self._metrics = metrics
        self._access = access
        self._public_url = public_url
        self._serving: Counter[str] = Counter()
        self._turns = Turns()

    def supports_websocket(self, path: str, own: str = "") -> bool:
        """Return whether the app of a path has websockets."""
        return bool(getattr(self.find(path, own).app, "supports_websocket", False))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        mount = self.find(scope["path"], scope.get(_OWN, ""))
        request_id = f"{self._run}{next(self._numbers):08x}"
        REQUEST.set(request_id)
        inner = {
            **scope,
            "root_path": scope.get("root_path", "") + mount.prefix,
            REQUEST_ID: request_id,
            TURNS: self._turns,
        }
        if _OWN not in scope:
            url = self._public_url or _url(scope["scheme"], scope.get("server"))
            inner[PUBLIC_URL] = inner[DIALECT_ADDRESS] = url
        if query := scope.get("query_string", b""):
            try:
                check_query(query)
            except InvalidRequest as error:
                inner[REFUSAL] = error
        client = scope.get("client")
        address = network(client[0]) if client else ""
        # One connection serves one request at a time, and `Connections` limits those of an address.
        # So only clients behind a trusted proxy, which forwards their addresses, reach this limit.
        self._serving[address] += 1
        if self._serving[address] > self._limits.connections.connections_each:
            inner[REFUSAL] = self._too_many()
        try:
            if scope["type"] == "websocket":
                OWNER.set(lambda: f"address {address}")
                await self._stream(mount.app, inner, receive, send)
            else:
                await self._answer(mount, address, inner, receive, send)
        finally:
            self._serving[address] -= 1
            if not self._serving[address]:
                del self._serving[address]

    def _too_many(self) -> TooManyRequests:
        maximum = self._limits.connections.connections_each
        return TooManyRequests(
            f"{maximum} requests of your address are being served (limit connections_each).",
            retry_after_s=1.0,
            limit="connections_each",
            quota=maximum,
        )

    async def _answer(
        self,
        mount: Mount,
        address: str,
        inner: dict[str, Any],
        receive: Receive,
        send: Send,
    ) -> None:
        request_id = inner[REQUEST_ID]
        began, status = time.perf_counter(), 0
        inner[RESPONSE_MEMORY] = memory = ResponseMemory(self._response_budget)
        owner = partial(_owner, memory, address)
        OWNER.set(owner)
        content = inner.get(CONTENT)
        body: WholeBody | Body
        if content is not None:
            body = WholeBody(content, receive, self._limits.bodies)
        else:
            body = Body(
                *(inner, receive, self._limits.bodies),
                *(self._bodies, self._bodies_before_sign_in),
                owner,
            )
        inner[BODY] = body

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message["headers"], (b"x-request-id", request_id.encode())]
                _add_usual(headers)
                if body.must_close_connection:
                    headers.append((b"connection", b"close"))
                message = {**message, "headers": headers}
            await send(message)

        try:
            await mount.app(inner, body.receive, send_on)
        finally:
            body.release()
            await memory.close()
            seconds = time.perf_counter() - began
            if self._metrics is not None:
                self._metrics.answered(mount.usual, status, seconds)
            if self._access is not None:
                self._access.add(inner, request_id, status, seconds)

    async def _stream(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        if self._metrics is None:
            await app(scope, receive, send)
            return
        self._metrics.websocket_opened()
        try:
            await app(scope, receive, send)
        finally:
            self._metrics.websocket_closed()

    def find(self, path: str, own: str = "") -> Mount:
        """Return the application of a path at the main address, or at a dialect's own."""
        for mount in self._mounts[own]:
            if path == mount.prefix or path.startswith(mount.prefix + "/"):
                return mount
        last = self._mounts[own][-1]
        # The root takes paths without a slash, such as "*".
        return _NO_MOUNT if last.prefix else last


class OwnAddressApp:
    """The server's application at an address that one dialect has for itself.

    Args:
        app: The application.
        supports_websocket: Returns whether the app of a path at a dialect's own address has
            websockets.
        address: The address.
        main_url: Returns the server's main address, given the host that a client connected to.
        pass_through: Returns the application that passes requests on to the device's own server;
            None if this server handles them.
    """

    def __init__(
        self,
        app: ASGIApp,
        supports_websocket: Callable[[str, str], bool],
        address: OwnAddress,
        main_url: Callable[[str], str],
        pass_through: Callable[[], PassThrough | None],
    ) -> None:
        self._app = app
        self._supports_websocket = supports_websocket
        self._dialect = address.dialect
        self._url = (address.public_url or "").rstrip("/")
        self._main_url = main_url
        self._pass_through = pass_through

    def supports_websocket(self, path: str) -> bool:
        """Return whether the app of a path has websockets."""
        return self._supports_websocket(path, self._dialect)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        own = {
            **scope,
            _OWN: self._dialect,
            PUBLIC_URL: self._main_url(_socket_host(scope.get("server"))),
            DIALECT_ADDRESS: self._url or _url(scope["scheme"], scope.get("server")),
            PASS_THROUGH: self._pass_through(),
        }
        await self._app(own, receive, send)


def _longest_first(mounts: Iterable[Mount]) -> list[Mount]:
    return sorted(mounts, key=lambda mount: len(mount.prefix), reverse=True)


_NO_MOUNT: Final = Mount(
    "", "", PlainTextResponse("There is nothing at this path of a dialect's own address.\n", 404)
)


def _add_usual(headers: list[tuple[bytes, bytes]]) -> None:
    """Add the usual headers that an app did not set."""
    given = dict(headers)  # in lower case, as ASGI has it
    for name, value in _USUAL_HEADERS:
        if name not in given:
            headers.append((name, value))


def _owner(memory: ResponseMemory, address: str) -> str:
    """Return for whom a request is: the account, or before sign-in the address."""
    return memory.account or f"address {address}"


@lru_cache(64)
def _url(scheme: str, server: tuple[str, int | None] | None) -> str:
    """Return the address of the connection's own socket, not `Host`, which clients choose."""
    _, port = server or ("", None)
    return f"{scheme}://{_socket_host(server)}" + (f":{port}" if port else "")


def _socket_host(server: tuple[str, int | None] | None) -> str:
    """Return the host of the connection's own socket, as it is written in an address."""
    host, _ = server or ("localhost", None)
    return f"[{host}]" if ":" in host else host
