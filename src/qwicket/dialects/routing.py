"""Routes of a dialect as data, and the application that serves them.

A route declares its method, path, access and body. The dialect signs the client in, checks the
scope, and reads, bounds and decodes the body before it calls the handler, so a handler holds only
what is particular to its vendor. Documentation and tests are made from the same declarations.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import compile_path

from qwicket.dialects.bodies import decode
from qwicket.dialects.requests import PASS_THROUGH, PUBLIC_URL, REFUSAL, REQUEST_ID, Request
from qwicket.dialects.streaming import ChunkedResponse
from qwicket.dialects.validation import SMALL_BODY_BYTES, clip_text
from qwicket.gateway.response_budget import SMALL_RESPONSE_BYTES
from qwicket.model.accounts import Scope, project_name
from qwicket.model.errors import (
    ConfirmationNeeded,
    InternalError,
    MethodNotAllowed,
    NotFound,
    QwicketError,
    TooManyRequests,
)

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping, Sequence

    from starlette.types import ASGIApp, Message, Receive, Send
    from starlette.types import Scope as ASGIScope

    from qwicket.dialects.pass_through import PassThrough
    from qwicket.dialects.pass_through_rules import PassThroughRule
    from qwicket.model.accounts import Actor
    from qwicket.model.limits import Limits

    ErrorBody = Callable[[QwicketError], bytes]
    ErrorPage = Callable[[QwicketError, Request[Any]], Awaitable[bytes]]

B = TypeVar("B")

_MAX_DETAIL_CHARS: Final = 1_000
_MAX_FIELD_CHARS: Final = 255
_JSON: Final = "application/json"
_log = logging.getLogger("qwicket.dialect")


class Handlers(Protocol):
    """Handlers of a dialect, and how its clients sign in."""

    @property
    def limits(self) -> Limits:
        """Return the bounds on all requests."""

    async def sign_in(self, request: Request[Any]) -> Actor:
        """Return the actor of a request.

        Raises:
            Unauthenticated: The token is absent, unknown, expired or revoked.
        """


# --- declarations ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class AnyToken:
    """Access with any valid token, whatever its scopes: routes about the caller's own account."""


@dataclass(frozen=True)
class Open:
    """Access without sign-in; the request may hold another credential.

    Attributes:
        reason: Why, as a sentence for the documentation.
    """

    reason: str


Access = Scope | tuple[Scope, ...] | AnyToken | Open
"""A scope, or several of which one is enough."""
ANY_TOKEN: Final = AnyToken()


@dataclass(frozen=True)
class Body(Generic[B]):
    """The body of a request.

    Attributes:
        parse: Makes the payload from the bytes; runs in a thread for a large body.
        struct: Type of the body in the documentation; None if it shows none.
        limit: Name of the limit on its size.
        inline_bytes: Up to this size the body is parsed on the event loop.
        holds_token: Whether the token is in the body, which is then decoded before sign-in.
    """

    parse: Callable[[bytes, Limits], B]
    struct: Any = None
    limit: str = "body_bytes"
    inline_bytes: int = SMALL_BODY_BYTES
    holds_token: bool = False


def json_body(struct: type[B]) -> Body[B]:
    """Return a body that is JSON of this type."""
    decoder = msgspec.json.Decoder(struct)
    return Body(lambda text, _: decode(text, decoder), struct)


class Late:
    """A handler that is imported at its first request, so that servers start faster.

    Args:
        module: Its module.
        name: Its name there.
    """

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._function: Callable[..., Awaitable[ASGIApp]] | None = None
        self.__name__ = name

    async def __call__(self, *args: Any) -> ASGIApp:
        if self._function is None:
            self._function = await asyncio.to_thread(self._imported)
        return await self._function(*args)

    @property
    def doc(self) -> str | None:
        """Return the docstring of the handler."""
        return self._imported().__doc__

    def _imported(self) -> Callable[..., Awaitable[ASGIApp]]:
        function: Callable[..., Awaitable[ASGIApp]]
        function = getattr(import_module(self._module), self.__name__)
        return function


@dataclass(frozen=True)
class Route:
    """One method of one path.

    Attributes:
        method: HTTP method; GET serves HEAD as well.
        path: Below the dialect's address, with parameters in braces.
        handler: Method of the dialect's `Handlers`: takes the actor, unless access is open, and the
            request; returns the response.
        access: Credentials that the client needs.
        body: Body of the request, if it has one.
        parameters: Names of query parameters and headers that the handler reads, for the
            documentation. Headers begin with a capital; a `!` at the end marks a parameter that
            must be given.
        responses: Types of the body of a successful response.
        status: Status of a successful response.
        media_type: Content type of a successful response, if it may be other than JSON.
        is_listed: Whether documentation shows it.
        printed: Path as documentation shows it, where the vendor's documents spell it in another
            way than `path` and the dialect accepts both.
        on_error: Returns this route's own response to an error, or None for the dialect's usual
            response.
        pass_through: Where a request and its response have ids, at addresses whose requests are
            passed on to a device's own server; None if requests of this route are refused there.
        is_of_all_devices: Whether tokens that are limited to some devices are refused.
        is_recorded: Whether administrators' requests go into the audit log although they are GET,
            because they read programs and results of other people.
    """

    method: str
    path: str
    handler: Callable[..., Awaitable[ASGIApp]]
    access: Access
    body: Body[Any] | None = None
    parameters: tuple[str, ...] = ()
    responses: tuple[Any, ...] = ()
    status: int = 200
    media_type: str | None = None
    is_listed: bool = True
    printed: str = ""
    on_error: Callable[[QwicketError, Request[Any]], Response | None] | None = None
    pass_through: PassThroughRule | None = None
    is_of_all_devices: bool = False
    is_recorded: bool = False

    @property
    def name(self) -> str:
        """Return the name of the handler."""
        return self.handler.__name__

    @property
    def summary(self) -> str:
        """Return the first line of the handler's docstring."""
        handler = self.handler
        doc = handler.doc if isinstance(handler, Late) else handler.__doc__
        return (doc or self.name.replace("_", " ").capitalize()).split("\n")[0]


# --- the application ------------------------------------------------------------------------------


class Dialect:
    """One dialect as an ASGI application.

    An error becomes a body that the vendor's clients understand, and an unexpected one is logged
    once, under the request's id. Once the response has begun, an exception is raised instead.

    Args:
        handlers: Do the work.
        routes: In the order in which they are tried.
        error_body: Renders an error; None where `error_page` does.
        error_page: Renders an error for the person who made the request, such as with a head.
        error_type: Content type of those bodies.
        error_headers: Headers of those responses.
        recast: Replaces an error whose own status the vendor's clients would misunderstand, and
            returns other errors unchanged.
        challenge: Name of the authentication scheme in `WWW-Authenticate`.
        collapse_slashes: Whether empty segments of a path are ignored, as clients write them.
        canonical: Returns a path as the routes write it, where clients write it in several ways.
        hides: Beginnings of paths at which an unknown path or method needs a token as well, unless
            all methods of the path are open. Each ends with a slash.
        versions: Handlers that serve paths in place of `handlers`, by the beginning of the paths.
    """

    def __init__(
        self,
        handlers: Handlers,
        routes: Sequence[Route],
        error_body: ErrorBody | None,
        *,
        error_page: ErrorPage | None = None,
        error_type: str = _JSON,
        error_headers: Mapping[str, str] | None = None,
        recast: Callable[[QwicketError], QwicketError] | None = None,
        challenge: str = "Bearer",
        collapse_slashes: bool = False,
        canonical: Callable[[str], str] | None = None,
        hides: tuple[str, ...] = (),
        versions: Mapping[str, Handlers] | None = None,
    ) -> None:
        self.routes = tuple(routes)
        self._handlers = handlers
        self._error_body = error_body
        self._error_page = error_page
        self._error_type = error_type
        self._error_headers = error_headers or {}
        self._recast = recast
        self._challenge = challenge
        self._collapse_slashes = collapse_slashes
        self._canonical = canonical
        self._rewrites_paths = collapse_slashes or canonical is not None
        self._hides = hides
        self._versions = versions or {}

    @functools.cached_property
    def _table(self) -> list[tuple[re.Pattern[str], dict[str, Route]]]:
        # Late: compiling the patterns of all dialects would take 5 % of the server's start.
        return _routes_by_pattern(self.routes)

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def watched_send(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            if refusal := scope.get(REFUSAL):
                raise refusal
            response = await self._respond(scope, receive)
            await response(scope, receive, watched_send)
            return
        except ClientDisconnect:
            return
        except Exception as error:
            if has_begun:
                raise
            refused = await self._error(_as_qwicket(error, scope), scope)
        # Outside of `except`: the error's frames hold the request body until it is released.
        await refused(scope, receive, send)

    async def _respond(self, scope: ASGIScope, receive: Receive) -> ASGIApp:
        """Return the response of the route that fits a request, once the route's checks pass."""
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if self._rewrites_paths:
            path = self._canonical_path(path)
        by_method, scope["path_params"] = self._find(path)
        request: Request[Any] = Request(scope, receive)
        handlers = self._handlers_of(path) if self._versions else self._handlers
        route = by_method.get(scope["method"])
        if route is None:
            if self._is_hidden(path, by_method):
                await handlers.sign_in(request)
            if not by_method:
                raise NotFound("There is nothing at this path.")
            raise MethodNotAllowed(scope["method"], tuple(by_method))
        response: ASGIApp | None
        try:
            response = await _call(handlers, route, request)
        except QwicketError as error:
            response = route.on_error(error, request) if route.on_error else None
            if response is None:
                raise
        if (
            isinstance(response, Response)
            and len(response.body) > SMALL_RESPONSE_BYTES
            # Large public responses are cached, so that sending one takes no memory of its own.
            and request.response_memory.account
        ):
            return ChunkedResponse.of(response)
        return response

    def route(self, method: str, path: str) -> Route | None:
        """Return the route of a method and path below the dialect's address; None without one."""
        return self._find(self._canonical_path(path))[0].get(method)

    def _canonical_path(self, path: str) -> str:
        if self._collapse_slashes:
            path = "/".join(["", *filter(None, path.split("/"))])
        return self._canonical(path) if self._canonical else path

    def _find(self, path: str) -> tuple[Mapping[str, Route], dict[str, str]]:
        for pattern, by_method in self._table:
            if found := pattern.match(path):
                names = found.groupdict()
                if "project" in names:
                    names["project"] = project_name(names["project"])
                return by_method, names
        return {}, {}

    def _handlers_of(self, path: str) -> Handlers:
        found = (each for start, each in self._versions.items() if path.startswith(start))
        return next(found, self._handlers)

    def _is_hidden(self, path: str, by_method: Mapping[str, Route]) -> bool:
        routes = by_method.values()
        is_open = bool(routes) and all(isinstance(each.access, Open) for each in routes)
        return not is_open and f"{path}/".startswith(self._hides)

    async def _error(self, error: QwicketError, scope: ASGIScope) -> Response:
        if isinstance(error, ConfirmationNeeded):
            error.locate(scope[PUBLIC_URL])
        error = self._recast(error) if self._recast else error
        error.detail = clip_text(error.detail, _MAX_DETAIL_CHARS)  # it may quote the request
        if error.field is not None:
            error.field = clip_text(error.field, _MAX_FIELD_CHARS)
        headers = {**self._error_headers}
        if isinstance(error, MethodNotAllowed):
            headers["Allow"] = ", ".join(error.allowed)
        if error.retry_after_s is not None:
            headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
        if isinstance(error, TooManyRequests) and error.quota is not None:
            headers |= _rate_limit(error.limit, error.quota, headers.get("Retry-After"))
        if error.status == 401:
            headers["WWW-Authenticate"] = self._challenge
        if self._error_page is not None:
            body = await self._error_page(error, Request(scope))
        else:
            assert self._error_body is not None
            body = self._error_body(error)
        return Response(body, error.status, headers=headers, media_type=self._error_type)


async def _call(handlers: Handlers, route: Route, request: Request[Any]) -> ASGIApp:
    """Sign in, check the scope, decode the body, and only then call the handler.

    Open routes need no sign-in, and a body that holds the token is decoded before it.
    """
    body, access = route.body, route.access
    pass_through = request.scope.get(PASS_THROUGH)
    if pass_through is not None and pass_through.concerns(route):
        return await _passed_on(pass_through, handlers, route, request)
    if isinstance(access, Open):
        await request.take_turn()
        if body is not None:
            request.payload = await _payload(
                body, await request.content.read_before_sign_in(), handlers
            )
        return await route.handler(handlers, request)
    if body is not None and body.holds_token:
        request.payload = await _payload(
            body, await request.content.read_before_sign_in(), handlers
        )
    actor = await handlers.sign_in(request)
    if isinstance(access, Scope):
        actor.require(access)
    elif isinstance(access, tuple):
        actor.require(*access)
    if route.is_of_all_devices:
        actor.require_all_devices()
    request.response_memory.actor = actor
    await request.take_turn()
    if body is not None and not body.holds_token:
        content = await request.content.read(body.limit)
        request.payload = await _payload(body, content, handlers)
    return await route.handler(handlers, actor, request)


async def _passed_on(
    pass_through: PassThrough, handlers: Handlers, route: Route, request: Request[Any]
) -> Response:
    """Sign in, check the scope, and pass a request on.

    Even an open route needs a token unless its rule is open, because the request uses this
    server's account at the device's own server.
    """
    response = await pass_through.respond_openly(route, request)
    if response is not None:
        return response
    if route.body is not None and route.body.holds_token:
        content = await request.content.read_before_sign_in()
        request.payload = await _payload(route.body, content, handlers)
    actor = await handlers.sign_in(request)
    actor.require(route.access if isinstance(route.access, Scope) else Scope.DEVICES_READ)
    request.response_memory.actor = actor
    return await pass_through.respond(actor, route, request)


async def _payload(body: Body[B], content: bytes, handlers: Handlers) -> B:
    if len(content) <= body.inline_bytes:
        return body.parse(content, handlers.limits)
    # In a thread, so that other requests run in between.
    return await asyncio.to_thread(body.parse, content, handlers.limits)


def _routes_by_pattern(
    routes: Sequence[Route],
) -> list[tuple[re.Pattern[str], dict[str, Route]]]:
    """Return the pattern of each path with its routes by method, GET serving HEAD as well."""
    by_path: dict[str, dict[str, Route]] = {}
    for route in routes:
        by_path.setdefault(route.path, {})[route.method] = route
    for by_method in by_path.values():
        if "GET" in by_method:
            by_method.setdefault("HEAD", by_method["GET"])
    return [(compile_path(path)[0], by_method) for path, by_method in by_path.items()]


def _rate_limit(name: str, quota: int, again_s: str | None) -> dict[str, str]:
    """Return headers that name the limit that was reached, and when to try again.

    The fields are those of the IETF's draft-ietf-httpapi-ratelimit-headers.
    """
    reset = f";t={again_s}" if again_s else ""
    return {"RateLimit-Policy": f'"{name}";q={quota}', "RateLimit": f'"{name}";r=0{reset}'}


def _as_qwicket(error: Exception, scope: ASGIScope) -> QwicketError:
    if isinstance(error, QwicketError):
        return error
    request_id = scope.get(REQUEST_ID, "")
    _log.error("request %s failed", request_id, exc_info=error)
    return InternalError(f"Something unexpected went wrong. The log has it under {request_id}.")
