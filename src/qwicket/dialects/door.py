"""What all doors share: routing by path and method, and errors in the door's own shape.

A door never lets an exception out: whatever happens becomes a body that its vendor's client
understands, and what is unexpected is logged once, under the request's id.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route, Router

from qwicket.model.errors import (
    InternalError,
    InvalidRequest,
    LimitExceeded,
    MethodNotAllowed,
    NotFound,
    QwicketError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.types import Message, Receive, Scope, Send

    from qwicket.model.limits import Limits

    Endpoint = Callable[[Request], Awaitable[Response]]
    ErrorBody = Callable[[QwicketError], bytes]

T = TypeVar("T")

REQUEST_ID: Final = "qwicket.request_id"
_TEXT: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET: Final = re.compile(rb"[\[\]{}]")
_JSON: Final = "application/json"
_log = logging.getLogger("qwicket.door")
_encoder = msgspec.json.Encoder()


class Door:
    """One dialect as an ASGI application.

    Args:
        routes: Made with `on`.
        error_body: The dialect's JSON for an error.
        error_type: Content type of those bodies.
    """

    def __init__(
        self, routes: Sequence[Route], error_body: ErrorBody, *, error_type: str = _JSON
    ) -> None:
        self._router = Router(routes, redirect_slashes=False)
        self._error_body = error_body
        self._error_type = error_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def watched_send(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            # With "app" in the scope the router raises its 404 instead of answering in plain text.
            await self._router({**scope, "app": self}, receive, watched_send)
        except ClientDisconnect:
            return
        except Exception as error:
            if has_begun:
                raise
            response = self._error(_as_qwicket(error, scope))
            await response(scope, receive, send)

    def _error(self, error: QwicketError) -> Response:
        headers = {}
        if isinstance(error, MethodNotAllowed):
            headers["Allow"] = ", ".join(error.allowed)
        if error.retry_after_s is not None:
            headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
        if error.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return Response(
            self._error_body(error), error.status, headers=headers, media_type=self._error_type
        )


def on(path: str, **methods: Endpoint) -> Route:
    """Return the route of one path: `on("/jobs", GET=list_jobs, POST=submit_job)`."""
    return Route(path, endpoint=_ByMethod(methods))


class _ByMethod:
    """Calls the endpoint of the request's method; knows the whole Allow list otherwise."""

    def __init__(self, methods: dict[str, Endpoint]) -> None:
        self._methods = methods
        if "GET" in methods:
            self._methods.setdefault("HEAD", methods["GET"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._methods.get(scope["method"])
        if endpoint is None:
            raise MethodNotAllowed(scope["method"], tuple(self._methods))
        response = await endpoint(Request(scope, receive, send))
        await response(scope, receive, send)


def json(value: Any, status: int = 200, **headers: str) -> Response:
    """Return a JSON answer."""
    return Response(_encoder.encode(value), status, headers=headers, media_type=_JSON)


async def read(request: Request, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode the request's body, whatever its Content-Type says.

    Raises:
        InvalidRequest: It is no JSON, or a field is wrong; `field` names it.
        BodyTooLarge: It exceeds the limit.
    """
    return decode(await request.body(), decoder)


def decode(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode JSON text.

    Raises:
        InvalidRequest: It is no JSON, or a field is wrong; `field` names it.
    """
    try:
        value = decoder.decode(body)
        if b"\\u0000" in body:
            _refuse_nul(msgspec.json.decode(body), "")
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `")
        field = where.rstrip("`").removeprefix("$").removeprefix(".") or None
        raise InvalidRequest(f"{field or 'body'}: {what}.", field=field) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The body is no valid JSON: {error}.") from None
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply (limit json_depth).") from None
    return value


def _refuse_nul(value: Any, field: str) -> None:
    """Refuse NUL characters: databases cannot keep them in text."""
    if isinstance(value, str):
        if "\0" in value:
            raise InvalidRequest(f"{field or 'body'}: contains a NUL character.", field=field)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _refuse_nul(item, f"{field}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            _refuse_nul(key, field)
            _refuse_nul(item, f"{field}.{key}" if field else key)


def check_document(document: bytes, field: str, limits: Limits) -> None:
    """Refuse a free-form JSON document that is nested too deeply or has too many keys.

    Raises:
        LimitExceeded: It is or has; the limit is named.
    """
    brackets = document.count(b"{") + document.count(b"[")
    if brackets <= limits.json_depth and document.count(b":") <= limits.json_keys:
        return
    bare = _TEXT.sub(b"", document)
    if bare.count(b":") > limits.json_keys:
        raise LimitExceeded(
            f"{field} has more than {limits.json_keys} keys (limit json_keys).", field=field
        )
    level = 0
    for bracket in _BRACKET.findall(bare):
        level += 1 if bracket in b"{[" else -1
        if level > limits.json_depth:
            raise LimitExceeded(
                f"{field} is nested deeper than {limits.json_depth} (limit json_depth).",
                field=field,
            )


def _as_qwicket(error: Exception, scope: Scope) -> QwicketError:
    if isinstance(error, QwicketError):
        return error
    if isinstance(error, HTTPException) and error.status_code == 404:
        return NotFound("There is nothing at this path.")
    request_id = scope.get(REQUEST_ID, "")
    _log.error("request %s failed", request_id, exc_info=error)
    return InternalError(f"Something unexpected went wrong. The log has it under {request_id}.")
