"""Large responses in chunks: encoded, held and sent without a copy of the whole.

Copying a large response holds the interpreter lock, which blocks every other request. The next
chunk is sent once the client has read enough that the connection accepts more.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from base64 import b64encode
from collections import deque
from contextvars import ContextVar
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.responses import Response

from qwicket.dialects.requests import RESPONSE_MEMORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from starlette.types import Receive, Scope, Send

    from qwicket.gateway.response_budget import ResponseMemory

_ITEMS: Final = 1_000
"""Items of a list or object that are encoded at once."""
_CHUNK_BYTES: Final = 128 << 10
"""Usual size of a chunk; no chunk is more than twice as large."""
_INLINE_BYTES: Final = 4 << 10
"""Parts up to this size are encoded in place."""

_encoder: Final = msgspec.json.Encoder()


class _Placeholders:
    """Encoded parts of one response, and the placeholders for them in its JSON.

    A placeholder is a random text, which no client can guess, with the number of the part.
    """

    def __init__(self) -> None:
        self._secret = secrets.token_hex(16)
        self._parts: list[list[bytes]] = []
        self._placeholder = re.compile(rf'"{self._secret}:(\d+)"'.encode())

    def put(self, texts: list[bytes]) -> msgspec.Raw:
        self._parts.append(texts)
        return msgspec.Raw(f'"{self._secret}:{len(self._parts) - 1}"'.encode())

    def expanded(self, text: bytes) -> Iterator[bytes]:
        """Yield a text with its placeholders replaced."""
        if not self._parts:
            yield text
            return
        for number, chunk in enumerate(self._placeholder.split(text)):
            if number % 2 == 0:
                yield chunk
                continue
            texts, self._parts[int(chunk)] = self._parts[int(chunk)], []
            for each in texts:
                yield from self.expanded(each)


_placeholders: ContextVar[_Placeholders | None] = ContextVar("placeholders", default=None)


def raw_object(pairs: Iterable[tuple[str, Any]]) -> msgspec.Raw:
    """Encode a large object in slices, because the encoder blocks other threads."""
    return _encoded_in_slices(pairs, dict, b"{", b"}")


def raw_list(items: Iterable[Any]) -> msgspec.Raw:
    """Encode a large list in slices, as `raw_object`."""
    return _encoded_in_slices(items, list, b"[", b"]")


def raw(text: bytes) -> msgspec.Raw:
    """Return JSON text as a value; a large one is not copied."""
    return _whole_or_placeholder([text], len(text))


def raw_base64(data: bytes) -> msgspec.Raw:
    """Return bytes as a JSON string in base64, encoded in chunks."""
    step = 3 * (_CHUNK_BYTES // 4)
    texts = [b64encode(data[start : start + step]) for start in range(0, len(data), step)]
    return _whole_or_placeholder([b'"', *texts, b'"'], len(data))


def _encoded_in_slices(
    items: Iterable[Any], gather: type[dict[Any, Any] | list[Any]], opening: bytes, closing: bytes
) -> msgspec.Raw:
    rest = iter(items)
    texts, size = [opening], 0
    while part := gather(islice(rest, _ITEMS)):
        if size:
            texts.append(b",")
        texts.append(_encoder.encode(part)[1:-1])
        size += len(texts[-1])
    texts.append(closing)
    return _whole_or_placeholder(texts, size)


def _whole_or_placeholder(texts: list[bytes], size: int) -> msgspec.Raw:
    placeholders = _placeholders.get()
    if placeholders is None or size <= _INLINE_BYTES:
        return msgspec.Raw(b"".join(texts))
    return placeholders.put(texts)


def encode_in_chunks(render: Callable[[], Any]) -> tuple[deque[bytes], int]:
    """Return the value that `render` returns as JSON in chunks, and their total size.

    Must run in a thread. Large values from `raw`, `raw_base64`, `raw_list` and `raw_object` are
    placeholders while `render` runs, and are replaced afterwards.
    """
    placeholders = _Placeholders()
    before = _placeholders.set(placeholders)
    try:
        text = _encoder.encode(render())
    finally:
        _placeholders.reset(before)
    chunks: deque[bytes] = deque()
    size = 0
    for chunk in _coalesced(placeholders.expanded(text)):
        chunks.append(chunk)
        size += len(chunk)
    return chunks, size


def _coalesced(texts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield texts joined or split to chunks of about `_CHUNK_BYTES`."""
    held: list[bytes] = []
    size = 0
    for text in texts:
        held.append(text)
        size += len(text)
        if size >= _CHUNK_BYTES:
            yield from _split(b"".join(held) if len(held) > 1 else text)
            held, size = [], 0
    if size:
        yield b"".join(held)


def _split(text: bytes) -> Iterator[bytes]:
    if len(text) <= 2 * _CHUNK_BYTES:
        yield text
        return
    for start in range(0, len(text), _CHUNK_BYTES):
        yield text[start : start + _CHUNK_BYTES]


class ChunkedResponse(Response):
    """Response in chunks.

    Args:
        chunks: Chunks of the body, each of which is released once it is sent; or the body as bytes,
            which are released at the end.
        size_bytes: Size of the body.
        status: HTTP status.
        headers: Headers of the response.
        media_type: Media type of the body.
    """

    def __init__(
        self,
        chunks: deque[bytes] | bytes,
        size_bytes: int,
        status: int = 200,
        *,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
    ) -> None:
        self._body = chunks
        self._size_bytes = size_bytes
        length = {"content-length": str(size_bytes)}
        super().__init__(None, status, {**(headers or {}), **length}, media_type)

    @classmethod
    def of(cls, whole: Response) -> ChunkedResponse:
        """Return a chunked response with the content of a plain one."""
        body = bytes(whole.body)
        made = cls(body, len(body), whole.status_code)
        made.raw_headers = whole.raw_headers
        return made

    @property
    def content(self) -> bytes:
        """Return the whole body, for a caller in the same process."""
        return self._body if isinstance(self._body, bytes) else b"".join(self._body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        memory: ResponseMemory | None = scope.get(RESPONSE_MEMORY)
        if memory is not None:
            await memory.hold(self._size_bytes)
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        for chunk in self._chunks():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            # A body of bytes stays in memory as a whole until the end.
            if memory is not None and not isinstance(self._body, bytes):
                memory.release(len(chunk))
            await asyncio.sleep(0)  # other requests run, however fast the client reads
        await send({"type": "http.response.body", "body": b""})

    def _chunks(self) -> Iterator[bytes]:
        if isinstance(self._body, bytes):
            yield from _split(self._body)
            return
        while self._body:
            yield self._body.popleft()
