"""What all doors share: routing by path and method, and errors in the door's own shape.

A door never lets an exception out: whatever happens becomes a body that its vendor's client
understands, and what is unexpected is logged once, under the request's id.
"""

from __future__ import annotations

import asyncio
import logging
import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router

from qwicket.dialects.pieces import ANSWER, Pieces, in_pieces
from qwicket.gateway.answers import SMALL_ANSWER_BYTES
from qwicket.model.errors import (
    InternalError,
    InvalidRequest,
    LimitExceeded,
    MethodNotAllowed,
    NotFound,
    QwicketError,
    TooManyRequests,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from qwicket.gateway import Gateway
    from qwicket.gateway.answers import Answer
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job
    from qwicket.model.limits import Limits

    Endpoint = Callable[[Request], Awaitable[ASGIApp]]
    ErrorBody = Callable[[QwicketError], bytes]

T = TypeVar("T")

REQUEST_ID: Final = "qwicket.request_id"
PUBLIC_URL: Final = "qwicket.public_url"
STREAM_BODY: Final = "qwicket.stream_body"
BOUND_BODY: Final = "qwicket.bound_body"
UNSIGNED_BODY: Final = "qwicket.unsigned_body"
REFUSAL: Final = "qwicket.refusal"
"""Keys of the ASGI scope: the request's id, the server's address as answers name it, and how a door
says that a body is bounded by another limit than others, taken in pieces or whole, or is nobody's;
and the error that answers a request which is not to be served.
"""
_QUOTED_CHARS: Final = 100
_SECRET: Final = re.compile("token|password|secret|key", re.IGNORECASE)
"""Fields whose values are never shown."""
_STEP_OF_PATH: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_MAX_DETAIL_CHARS: Final = 1_000
_MAX_FIELD_CHARS: Final = 255
_MAX_KEY_CHARS: Final = 255
_WRONG_KEY: Final = re.compile(
    r"Object (?:(missing required)|contains unknown) field `(.*)`", re.DOTALL
)
_BOUND: Final = re.compile(r"Expected `(int|float)` (>=|<=|>|<) (\S+)")
_KINDS: Final = {"int": "a whole number", "float": "a number"}
_SIGNS: Final = {">=": "of at least", "<=": "of at most", ">": "above", "<": "below"}
"""How msgspec tells a bound, and how a person is told."""
_STEP: Final = np.array([(c in b"[{") - (c in b"]}") for c in range(256)], np.int8)
"""What a byte of JSON outside of texts adds to the depth."""
_NUL: Final = b"\\u0000"
_SMALL_BODY_BYTES: Final = 64 << 10
_JSON: Final = "application/json"
_log = logging.getLogger("qwicket.door")
_encoder = msgspec.json.Encoder()


class Door:
    """One dialect as an ASGI application.

    Args:
        routes: Made with `on`.
        error_body: The dialect's JSON for an error.
        error_type: Content type of those bodies.
        recast: What to answer with in place of an error, where its own status would mislead.
        challenge: How its clients name the scheme that they sign in with.
        collapse_slashes: Whether its clients write one slash too many, within a path or after it.

    Attributes:
        speaks_websocket: Whether a request to upgrade to that protocol is for this door.
    """

    speaks_websocket = False

    def __init__(
        self,
        routes: Sequence[BaseRoute],
        error_body: ErrorBody,
        *,
        error_type: str = _JSON,
        recast: Callable[[QwicketError], QwicketError] | None = None,
        challenge: str = "Bearer",
        collapse_slashes: bool = False,
    ) -> None:
        self._router = Router(routes, redirect_slashes=False)
        self._error_body = error_body
        self._error_type = error_type
        self._recast = recast
        self._challenge = challenge
        self._collapse_slashes = collapse_slashes

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """Return every path that there is, in the order in which they are tried."""
        return self._router.routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False
        if self._collapse_slashes:
            scope = {**scope, "path": _collapsed(scope["path"])}

        async def watched_send(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            if refusal := scope.get(REFUSAL):
                raise refusal
            # With "app" in the scope the router raises its 404 instead of answering in plain text.
            await self._router({**scope, "app": self}, receive, watched_send)
            return
        except ClientDisconnect:
            return
        except Exception as error:
            if has_begun:
                raise
            response = self._error(_as_qwicket(error, scope))
        # Only here, where the error is gone and with it the body that its frames held.
        await response(scope, receive, send)

    def _error(self, error: QwicketError) -> Response:
        error = self._recast(error) if self._recast else error
        error.detail = _clipped(error.detail, _MAX_DETAIL_CHARS)  # it may quote the request
        if error.field is not None:
            error.field = _clipped(error.field, _MAX_FIELD_CHARS)
        headers = {}
        if isinstance(error, MethodNotAllowed):
            headers["Allow"] = ", ".join(error.allowed)
        if error.retry_after_s is not None:
            headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
        if isinstance(error, TooManyRequests) and error.quota is not None:
            headers |= _rate_limit(error.limit, error.quota, headers.get("Retry-After"))
        if error.status == 401:
            headers["WWW-Authenticate"] = self._challenge
        return Response(
            self._error_body(error), error.status, headers=headers, media_type=self._error_type
        )


def _rate_limit(name: str, quota: int, again_s: str | None) -> dict[str, str]:
    """Return which limit was reached and when there is room again.

    The fields are those of the IETF's draft-ietf-httpapi-ratelimit-headers.
    """
    reset = f";t={again_s}" if again_s else ""
    return {"RateLimit-Policy": f'"{name}";q={quota}', "RateLimit": f'"{name}";r=0{reset}'}


def _collapsed(path: str) -> str:
    """Return a path without empty segments."""
    return "/".join(["", *filter(None, path.split("/"))])


def on(path: str, **methods: Endpoint) -> Route:
    """Return the route of one path: `on("/jobs", GET=list_jobs, POST=submit_job)`."""
    return Route(path, endpoint=_ByMethod(methods))


class _ByMethod:
    """Calls the endpoint of the request's method; knows the whole Allow list otherwise."""

    def __init__(self, methods: dict[str, Endpoint]) -> None:
        self._methods = methods
        if "GET" in methods:
            self._methods.setdefault("HEAD", methods["GET"])

    @property
    def methods(self) -> Mapping[str, Endpoint]:
        """Return the endpoints by their methods."""
        return self._methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._methods.get(scope["method"])
        if endpoint is None:
            raise MethodNotAllowed(scope["method"], tuple(self._methods))
        response = await endpoint(Request(scope, receive, send))
        if isinstance(response, Response) and len(response.body) > SMALL_ANSWER_BYTES:
            answer: Answer | None = scope.get(ANSWER)
            if answer is not None and answer.account:  # what everyone may read is there only once
                response = Pieces.of(response)
        await response(scope, receive, send)


def json(value: Any, status: int = 200, **headers: str) -> Response:
    """Return a JSON answer."""
    return Response(_encoder.encode(value), status, headers=headers, media_type=_JSON)


async def json_beside(
    worded: Callable[[], Any], status: int = 200, *, is_small: bool = False, **headers: str
) -> Response:
    """Return what `worded` words as JSON. What takes long is worded beside the loop, in pieces.

    Args:
        worded: Returns what is to be encoded, or bytes that are JSON already.
        status: Of the answer.
        is_small: Whether it takes about a millisecond at most.
        headers: Of the answer.
    """
    if is_small:
        return json(_as_raw(worded()), status, **headers)
    pieces, size = await asyncio.to_thread(in_pieces, lambda: _as_raw(worded()))
    if size <= SMALL_ANSWER_BYTES:
        return Response(b"".join(pieces), status, headers=headers, media_type=_JSON)
    return Pieces(pieces, size, status, headers=headers, media_type=_JSON)


def _as_raw(value: Any) -> Any:
    return msgspec.Raw(value) if isinstance(value, bytes) else value


def answer_to(request: Request) -> Answer:
    """Return the answer to a request, as far as it takes room."""
    answer: Answer = request.scope[ANSWER]
    return answer


def signed_in(request: Request, actor: Actor) -> Actor:
    """Return an actor, having noted that the request's answer is theirs."""
    request.scope[ANSWER].actor = actor
    return actor


async def settled(request: Request, gateway: Gateway, job: Job) -> Job:
    """Return a job as the answer to a status read shows it: a young one perhaps after its end.

    Raises:
        NotFound: It was deleted meanwhile.
        Unauthenticated: The token was revoked meanwhile.
    """
    actor = answer_to(request).actor
    if actor is None:
        return job
    return await gateway.first_polls.settled(actor, job, partial(_left, request))


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def read(request: Request, parse: Callable[[bytes], T], limit: str = "body_bytes") -> T:
    """Return what `parse` makes of the request's body, whatever its Content-Type says.

    A large body is parsed beside the loop: it takes many steps, between which others come through.

    Args:
        request: The request.
        parse: Makes a value of its body.
        limit: The name of the limit that bounds it.

    Raises:
        QwicketError: The body is too large or too slow, or `parse` refuses it.
    """
    if limit != "body_bytes":
        request.scope[BOUND_BODY](limit)
    body = await request.body()
    if len(body) <= _SMALL_BODY_BYTES:
        return parse(body)
    return await asyncio.to_thread(parse, body)


async def read_unsigned(request: Request, parse: Callable[[bytes], T]) -> T:
    """As `read`, of a body that is taken in before anybody has signed in.

    Such bodies have a room of their own: who is nobody takes none from those who are somebody.
    """
    request.scope[UNSIGNED_BODY]()
    return await read(request, parse)


def idempotency_key(request: Request) -> str | None:
    """Return the key under which a client's submission is done only once, if it gives one.

    Raises:
        InvalidRequest: It is empty or too long.
    """
    key = request.headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= _MAX_KEY_CHARS:
        raise InvalidRequest(
            f"Idempotency-Key must have 1 to {_MAX_KEY_CHARS} characters.",
            field="Idempotency-Key",
        )
    return key


def bearer(request: Request) -> str | None:
    """Return the token of an `Authorization: Bearer` header."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


def stream(request: Request, limit: str) -> AsyncIterator[bytes]:
    """Return a body in pieces as they come in, of which none is kept.

    Args:
        request: The request.
        limit: The name of the limit that bounds it, in place of `body_bytes`.
    """
    request.scope[STREAM_BODY](limit)
    return _chunks(request)


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    """Yield what Starlette's own stream does, but let a refusal through as it is."""
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        if body := message.get("body", b""):
            yield body
        if not message.get("more_body", False):
            return


def address(request: Request) -> str:
    """Return the client's address: that of its socket, or what a trusted proxy says of it."""
    client = request.scope.get("client")
    return str(client[0]) if client else ""


def decode(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode JSON text.

    Raises:
        InvalidRequest: It is no JSON, or a field is wrong; `field` names it.
    """
    try:
        if not body.isascii():
            body.decode()  # msgspec passes over what stays raw or is not asked for
        value = decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _misfit(str(error), body) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The body is no valid JSON: {error}.") from None
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply (limit json_depth).") from None
    if _NUL in body:
        _refuse_nul(value, "")
    return value


def decode_field(raw: msgspec.Raw, decoder: msgspec.json.Decoder[T], field: str) -> T:
    """Decode what `decode` left raw.

    Raises:
        InvalidRequest: It has a wrong type; `field` says where.
    """
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise _misfit(str(error), bytes(raw), field) from None


def invalid(detail: str, value: object, field: str) -> InvalidRequest:
    """Return the refusal of a value, quoting it: `size must be 1 to 10, not "many"`.

    Args:
        detail: What the value must be, as a sentence that can go on with "not".
        value: What it is.
        field: Which it is of.
    """
    return InvalidRequest(f"{detail.removesuffix('.')}, not {quoted(value)}.", field=field)


def quoted(value: object) -> str:
    """Return a value as a refusal shows it: as JSON, cut to 100 characters."""
    if isinstance(value, msgspec.Raw):
        return _clipped(bytes(value)[: 4 * _QUOTED_CHARS].decode(errors="replace"), _QUOTED_CHARS)
    if isinstance(value, str):
        value = value[: _QUOTED_CHARS + 1]  # a long one is not worth writing out
    try:
        text = msgspec.json.encode(value).decode()
    except (TypeError, ValueError, UnicodeEncodeError, RecursionError):
        text = repr(value)
    return _clipped(text, _QUOTED_CHARS)


def _misfit(complaint: str, body: bytes, field: str = "") -> InvalidRequest:
    """Return what msgspec complains of, with the field by its path from the body, and its value."""
    what, _, where = complaint.partition(" - at `$")
    where = where.rstrip("`")
    path = (field + where).removeprefix(".")
    if wrong := _WRONG_KEY.fullmatch(what):
        path = f"{path}.{wrong[2]}".removeprefix(".")
        detail = f"{path} is missing." if wrong[1] else f"There is no field {path}."
        return InvalidRequest(detail, field=path)
    shown = _shown_at(body, where) if path and not _SECRET.search(path) else ""
    if bound := _BOUND.fullmatch(what):
        kind, sign, most = bound.groups()
        what = f"must be {_KINDS[kind]} {_SIGNS[sign]} {most}"
    return InvalidRequest(f"{path or 'body'}: {what}{shown}.", field=path or None)


def _shown_at(body: bytes, where: str) -> str:
    """Return the value at a path of a body, to be added to a refusal; "" if it is no plain one."""
    if len(body) > _SMALL_BODY_BYTES or "[...]" in where:
        return ""
    try:
        value = msgspec.json.decode(body)
        for key, index in _STEP_OF_PATH.findall(where):
            value = value[key] if key else value[int(index)]
    except (msgspec.MsgspecError, LookupError, TypeError, ValueError, RecursionError):
        return ""
    is_plain = isinstance(value, str | int | float | bool)
    return f", in {quoted(value)}" if is_plain else ""


def _refuse_nul(value: object, field: str) -> None:
    """Refuse NUL characters: databases cannot keep them in text."""
    if isinstance(value, msgspec.Struct):
        for name, item in msgspec.structs.asdict(value).items():
            _refuse_nul(item, f"{field}.{name}" if field else name)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            _refuse_nul(item, f"{field}[{index}]")
    elif (isinstance(value, str) and "\0" in value) or (
        isinstance(value, msgspec.Raw) and _has_nul(bytes(value))
    ):
        raise InvalidRequest(f"{field}: contains a NUL character.", field=field)


def _has_nul(text: bytes) -> bool:
    """Return whether JSON text has an escaped NUL: one after an even number of backslashes."""
    start = 0
    while (at := text.find(_NUL, start)) >= 0:
        before = text[start:at]
        if (len(before) - len(before.rstrip(b"\\"))) % 2 == 0:
            return True
        start = at + len(_NUL)
    return False


def check_document(document: bytes, field: str, limits: Limits) -> None:
    """Refuse a free-form JSON document that is too large, too deep or has too many keys.

    Raises:
        LimitExceeded: It is or has; the limit is named.
    """
    if len(document) > limits.document_bytes:
        raise LimitExceeded(
            f"{field} is over {limits.document_bytes} bytes (limit document_bytes).", field=field
        )
    brackets = document.count(b"{") + document.count(b"[")
    if brackets <= limits.json_depth and document.count(b":") <= limits.json_keys:
        return
    bare = b"".join(_without_escapes(document).split(b'"')[::2])  # what stands outside of texts
    if bare.count(b":") > limits.json_keys:
        raise LimitExceeded(
            f"{field} has more than {limits.json_keys} keys (limit json_keys).", field=field
        )
    steps = _STEP[np.frombuffer(bare, np.uint8)]
    if np.cumsum(steps, dtype=np.int32).max(initial=0) > limits.json_depth:
        raise LimitExceeded(
            f"{field} is nested deeper than {limits.json_depth} (limit json_depth).", field=field
        )


def _without_escapes(text: bytes) -> bytes:
    """Return JSON text without its escaped backslashes and quotes."""
    return text.replace(b"\\\\", b"").replace(b'\\"', b"")


def _clipped(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _as_qwicket(error: Exception, scope: Scope) -> QwicketError:
    if isinstance(error, QwicketError):
        return error
    if isinstance(error, HTTPException) and error.status_code == 404:
        return NotFound("There is nothing at this path.")
    request_id = scope.get(REQUEST_ID, "")
    _log.error("request %s failed", request_id, exc_info=error)
    return InternalError(f"Something unexpected went wrong. The log has it under {request_id}.")
