"""Large answers in pieces: as they are encoded, as they are kept, as they are sent.

No step copies a large answer in one go: that keeps the interpreter, and with it everyone else, for
as long as it takes. Each piece goes when the client has taken the one before.
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

from qwicket.dialects.requests import ANSWER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from starlette.types import Receive, Scope, Send

    from qwicket.gateway.answers import Answer

_ITEMS: Final = 1_000
"""How many items of a list or object are encoded in one go."""
_PIECE_BYTES: Final = 128 << 10
_INLINE_BYTES: Final = 4 << 10
"""Up to here a part is encoded where it stands."""

_encoder: Final = msgspec.json.Encoder()


class _Aside:
    """Parts of one answer that are kept aside, and the marks that stand in their place.

    A mark is a text that nobody can have foreseen, with the part's number.
    """

    def __init__(self) -> None:
        self._secret = secrets.token_hex(16)
        self._parts: list[list[bytes]] = []
        self._mark = re.compile(rf'"{self._secret}:(\d+)"'.encode())

    def put(self, texts: list[bytes]) -> msgspec.Raw:
        self._parts.append(texts)
        return msgspec.Raw(f'"{self._secret}:{len(self._parts) - 1}"'.encode())

    def filled(self, text: bytes) -> Iterator[bytes]:
        """Yield a text with every part in its place."""
        if not self._parts:
            yield text
            return
        for number, piece in enumerate(self._mark.split(text)):
            if number % 2 == 0:
                yield piece
                continue
            texts, self._parts[int(piece)] = self._parts[int(piece)], []
            for each in texts:
                yield from self.filled(each)


_aside: ContextVar[_Aside | None] = ContextVar("aside", default=None)


def raw_object(pairs: Iterable[tuple[str, Any]]) -> msgspec.Raw:
    """Encode a large object in slices: the encoder keeps everyone else from running meanwhile."""
    return _sliced(pairs, dict, b"{", b"}")


def raw_list(items: Iterable[Any]) -> msgspec.Raw:
    """As `raw_object`, for a list."""
    return _sliced(items, list, b"[", b"]")


def raw(text: bytes) -> msgspec.Raw:
    """Return a text that is JSON already; a large one is not copied."""
    return _put([text], len(text))


def raw_base64(data: bytes) -> msgspec.Raw:
    """Return bytes as a text in base64, made piece by piece."""
    step = 3 * (_PIECE_BYTES // 4)
    texts = [b64encode(data[start : start + step]) for start in range(0, len(data), step)]
    return _put([b'"', *texts, b'"'], len(data))


def _sliced(
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
    return _put(texts, size)


def _put(texts: list[bytes], size: int) -> msgspec.Raw:
    aside = _aside.get()
    if aside is None or size <= _INLINE_BYTES:
        return msgspec.Raw(b"".join(texts))
    return aside.put(texts)


def in_pieces(worded: Callable[[], Any]) -> tuple[deque[bytes], int]:
    """Return what `worded` returns as JSON in pieces, with the bytes of all. Runs beside the loop.

    What `raw`, `raw_list` and `raw_object` make meanwhile is put in its place at the end.
    """
    aside = _Aside()
    before = _aside.set(aside)
    try:
        text = _encoder.encode(worded())
    finally:
        _aside.reset(before)
    pieces: deque[bytes] = deque()
    size = 0
    for piece in _joined(aside.filled(text)):
        pieces.append(piece)
        size += len(piece)
    return pieces, size


def _joined(texts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield texts joined to pieces of about one size, and what is larger cut to it."""
    held: list[bytes] = []
    size = 0
    for text in texts:
        held.append(text)
        size += len(text)
        if size >= _PIECE_BYTES:
            yield from _cut(b"".join(held) if len(held) > 1 else text)
            held, size = [], 0
    if size:
        yield b"".join(held)


def _cut(text: bytes) -> Iterator[bytes]:
    if len(text) <= 2 * _PIECE_BYTES:
        yield text
        return
    for start in range(0, len(text), _PIECE_BYTES):
        yield text[start : start + _PIECE_BYTES]


class Pieces(Response):
    """An answer in pieces, each of which is forgotten once it is sent.

    Args:
        pieces: All of its body.
        size_bytes: Of all.
        status: Of the answer.
        headers: Of the answer.
        media_type: Of the body.
    """

    def __init__(
        self,
        pieces: deque[bytes] | bytes,
        size_bytes: int,
        status: int = 200,
        *,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
    ) -> None:
        self._body = pieces
        self._size_bytes = size_bytes
        length = {"content-length": str(size_bytes)}
        super().__init__(None, status, {**(headers or {}), **length}, media_type)

    @classmethod
    def of(cls, whole: Response) -> Pieces:
        """Return an answer that was made whole."""
        body = bytes(whole.body)
        made = cls(body, len(body), whole.status_code)
        made.raw_headers = whole.raw_headers
        return made

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer: Answer | None = scope.get(ANSWER)
        if answer is not None:
            await answer.hold(self._size_bytes)
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        for piece in self._each():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            if answer is not None and not isinstance(self._body, bytes):
                answer.taken(len(piece))
            await asyncio.sleep(0)  # a client that takes all at once does not keep others waiting
        await send({"type": "http.response.body", "body": b""})

    def _each(self) -> Iterator[bytes]:
        if isinstance(self._body, bytes):
            yield from _cut(self._body)
            return
        while self._body:
            yield self._body.popleft()
