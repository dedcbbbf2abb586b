"""Responses of handlers: small ones encoded at once, large ones in a thread and in chunks."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.responses import Response

from qwicket.dialects.streaming import ChunkedResponse, encode_in_chunks
from qwicket.gateway.response_budget import SMALL_RESPONSE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from qwicket.dialects.requests import Request

_JSON: Final = "application/json"
_encoder: Final = msgspec.json.Encoder()


def json(value: Any, status: int = 200, **headers: str) -> Response:
    """Return a JSON response."""
    return Response(_encoder.encode(value), status, headers=headers, media_type=_JSON)


async def json_in_thread(
    render: Callable[[], Any], status: int = 200, *, is_small: bool = False, **headers: str
) -> Response:
    """Return the value of `render` as a JSON response, made in a thread unless `is_small`.

    Args:
        render: Returns the value to encode, or bytes that are JSON already.
        status: Status of the response.
        is_small: Whether rendering and encoding take at most about a millisecond.
        headers: Headers of the response.
    """
    if is_small:
        return json(_as_raw(render()), status, **headers)
    chunks, size = await asyncio.to_thread(encode_in_chunks, lambda: _as_raw(render()))
    if size <= SMALL_RESPONSE_BYTES:
        return Response(b"".join(chunks), status, headers=headers, media_type=_JSON)
    return ChunkedResponse(chunks, size, status, headers=headers, media_type=_JSON)


def _as_raw(value: Any) -> Any:
    return msgspec.Raw(value) if isinstance(value, bytes) else value


def with_etag(request: Request[Any], response: Response, retry_after_s: int | None) -> Response:
    """Return a response with its entity tag, or 304 if the client holds it already (RFC 9110, 13).

    Args:
        request: Its `If-None-Match` names the tags that the client holds.
        response: A small one, as of `json`: its whole body is hashed.
        retry_after_s: Seconds after which the client should poll again; None if never.
    """
    tag = f'"{hashlib.sha256(response.body).hexdigest()[:24]}"'
    headers = {"ETag": tag} | ({"Retry-After": str(retry_after_s)} if retry_after_s else {})
    known = {each.removeprefix("W/") for each in request.list_header("If-None-Match")}
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return response
