"""Bounds on what another machine answers: bytes, seconds, nesting and compression.

A context variable holds them, because urllib3 and requests have no argument for them. Within them
no compressed body is decoded, so the bytes received are the bytes held. A user's client has no such
bounds: what it reads is its user's memory, and proxies of old compress what they are not asked to.
"""

from __future__ import annotations

import math
import re
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING, Final, Protocol

from qwicket.clients.http.failures import InvalidResponse
from qwicket.clients.http.text import sanitize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import urllib3

_CHUNK_BYTES: Final = 64 << 10
_HEAD_BYTES: Final = 256 << 10
"""Bytes for the headers and the lines between chunks, beside as many again as the body has."""
_LARGE_BYTES: Final = 256 << 10
"""Bytes from which on a body needs a turn."""
_PARSING_S: Final = 60.0
"""Seconds for each further response in a block that has the turn to parse."""
_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")
_NEITHER: Final = bytes(set(range(256)) - set(b'"[]{}'))
_JSON: Final = re.compile(rb"[\s\0\xef\xbb\xbf\xfe\xff]*[\[{]")
"""Beginning of a list or an object; a byte order mark may precede it."""
_QUOTED: Final = re.compile(rb'"[^"]*"')


class BeyondBounds(InvalidResponse):
    """The response is beyond the bounds; it was not read to its end."""


@dataclass(frozen=True)
class Bounds:
    """Bounds on one response.

    Attributes:
        what: What the bounds hold for, in the words of an error.
        max_bytes: Bytes of the body; `SMALL.max_bytes` if that is less and the status is from 400.
        total_s: Seconds from the request to the end of the response, however fast it comes.
        max_depth: Depth of lists and objects in JSON; None for any.
        max_lists: Number of lists and objects in JSON, of which the smallest have 3 bytes there and
            take 64 in memory; None for any.
    """

    what: str
    max_bytes: int
    total_s: float = math.inf
    max_depth: int | None = None
    max_lists: int | None = None

    @property
    def wire_bytes(self) -> int:
        """Bytes of the whole response, with its headers and the lines between chunks."""
        return 2 * self.max_bytes + _HEAD_BYTES


_DEPTH: Final = 64
"""Levels of JSON. The deepest documents known, results of Runtime, have some twenty."""
_LISTS: Final = 100_000
"""Lists and objects of JSON. Descriptions of devices have most: 25 for each qubit."""
SMALL: Final = Bounds("a state, a list, a device or an error", 4 << 20, 600.0, _DEPTH, _LISTS)
"""Bounds on all that is no result."""
PASSED_ON: Final = Bounds("a response that is passed on", 64 << 20, 3600.0)
"""Bounds on a response that a user's client gets as it is."""
MAX_DEVICES: Final = 1000
"""Devices of one cloud, where the description of each takes a request of its own."""


def of_results(result_bytes: int) -> Bounds:
    """Return the bounds on a job's result, for the limit `result_bytes`."""
    # Of samples, each shot may be a list.
    lists = _LISTS + result_bytes // 16
    return Bounds("a result (limit result_bytes)", result_bytes, 3600.0, _DEPTH, lists)


class Turn(Protocol):
    """What a block waits for before it has a large response; the methods may be repeated."""

    def receive(self) -> None:
        """Wait until the block may receive a body of more than 256 KiB."""

    def parse(self) -> None:
        """Wait until the block may parse a body that is larger than those of `SMALL`."""


class BoundsInUse:
    """The bounds of a block of code.

    Attributes:
        bounds: The bounds.
        turn: What it waits for before it has a large response; None for nothing.
        exceeded: What went beyond them; "" for nothing.
    """

    def __init__(self, bounds: Bounds, turn: Turn | None) -> None:
        self.bounds = bounds
        self.turn = turn
        self.exceeded = ""


_in_use: ContextVar[BoundsInUse | None] = ContextVar("bounds", default=None)


@contextmanager
def within(bounds: Bounds, turn: Turn | None = None) -> Iterator[BoundsInUse]:
    """Apply bounds to all responses in the block; smaller outer ones prevail.

    Args:
        bounds: The bounds.
        turn: What the block waits for before it has a large response; by default that of the block
            around it.
    """
    outer = _in_use.get()
    if outer is not None and outer.bounds.max_bytes <= bounds.max_bytes:
        yield outer
        return
    in_use = BoundsInUse(bounds, turn or (outer.turn if outer is not None else None))
    token = _in_use.set(in_use)
    try:
        yield in_use
    finally:
        _in_use.reset(token)


def current() -> Bounds | None:
    """Return the bounds of this block; None outside `within`."""
    in_use = _in_use.get()
    return None if in_use is None else in_use.bounds


def beyond(text: str) -> BeyondBounds:
    """Return the error for a response beyond the bounds, and note it for the block."""
    if (in_use := _in_use.get()) is not None:
        in_use.exceeded = text
    return BeyondBounds(text)


def require_plain(headers: Mapping[str, str], url: str) -> None:
    """Check that a body is not compressed.

    Raises:
        BeyondBounds: It is. The error names the encoding.
    """
    encoding = headers.get("Content-Encoding", "").strip()
    if encoding.lower() not in ("", "identity"):
        raise beyond(
            f"{url} sends a response with the encoding {sanitize(encoding)[:40]!r}; only responses"
            " without one are read."
        )


def body_of(response: urllib3.BaseHTTPResponse, url: str, own: Bounds | None = None) -> bytes:
    """Read the body of a response within the bounds of this block.

    The status of an error says enough: its body may be compressed, and is left out if it is nested
    too deeply.

    Args:
        response: The response, of which nothing was read.
        url: Address of the server, for errors.
        own: Bounds outside `within`, and further ones in it.

    Raises:
        BeyondBounds: The response is larger, deeper nested or compressed, or JSON in UTF-16 or 32.
    """
    bounds = min(filter(None, (current(), own)), key=lambda each: each.max_bytes)
    if response.status >= 400 and bounds.max_bytes > SMALL.max_bytes:
        bounds = SMALL
    is_decoded = current() is None
    if not is_decoded and response.status < 400:
        require_plain(response.headers, url)
    _require_small(bounds, url, response.headers.get("Content-Length", ""))
    content = _received(response, bounds, url, is_decoded=is_decoded)
    if bounds.max_depth is not None and _is_wide(content):
        # Bytes of its characters are those of quotes, which would hide brackets.
        if response.status >= 400:
            return b""
        raise beyond(f"{url} sends JSON in another encoding than UTF-8.")
    if bounds.max_depth is not None and is_nested_deeper(content, bounds.max_depth):
        if response.status >= 400:
            return b""
        raise beyond(
            f"{url} sends JSON that is nested deeper than {bounds.max_depth} levels, which is the"
            f" bound for {bounds.what}."
        )
    if bounds.max_lists is not None and (n_lists := number_of_lists(content)) > bounds.max_lists:
        if response.status >= 400:
            return b""
        raise beyond(
            f"{url} sends JSON with {n_lists:,} lists and objects; at most {bounds.max_lists:,} are"
            f" read for {bounds.what}."
        )
    return content


def _received(
    response: urllib3.BaseHTTPResponse, bounds: Bounds, url: str, *, is_decoded: bool
) -> bytes:
    in_use = _in_use.get()
    turn = None if in_use is None else in_use.turn
    body = BytesIO()  # which gives its bytes away without a copy
    for chunk in response.stream(_CHUNK_BYTES, decode_content=is_decoded):
        body.write(chunk)
        if body.tell() > bounds.max_bytes:
            raise too_large(bounds, url)
        if turn is not None and body.tell() > _LARGE_BYTES:
            turn.receive()
    if in_use is not None and turn is not None and body.tell() > SMALL.max_bytes:
        turn.parse()
        # Other clouds may wait for this turn.
        in_use.bounds = replace(in_use.bounds, total_s=min(in_use.bounds.total_s, _PARSING_S))
    return body.getvalue()


def _require_small(bounds: Bounds, url: str, length: str) -> None:
    if length.isascii() and length.isdigit() and int(length[:20]) > bounds.max_bytes:
        raise too_large(bounds, url, f"{int(length[:20]):,}")


def too_large(bounds: Bounds, url: str, n_bytes: str = "") -> BeyondBounds:
    """Return the error for a response that is too large.

    Args:
        bounds: The bounds.
        url: Address of the server.
        n_bytes: Size of the body, if the server says it.
    """
    sent = n_bytes or f"more than {bounds.max_bytes:,}"
    return beyond(
        f"{url} sends {sent} bytes; at most {bounds.max_bytes:,} are read for {bounds.what}."
    )


def too_large_with_headers(bounds: Bounds) -> BeyondBounds:
    """Return the error for a response whose headers or chunk lines make it too large."""
    return beyond(
        f"The server sends more than {bounds.wire_bytes:,} bytes of headers, chunks and body, which"
        f" is the bound for {bounds.what}."
    )


def _is_wide(content: bytes) -> bool:
    """Return whether a parser takes a text for JSON in UTF-16 or UTF-32."""
    is_wide = b"\0" in content[:4] or content.startswith((b"\xff\xfe", b"\xfe\xff"))
    return is_wide and _JSON.match(content) is not None


def is_nested_deeper(content: bytes, max_depth: int) -> bool:
    """Return whether JSON has more levels of lists and objects, without parsing it.

    It does so for text that is not quite JSON, too; a parser does not go deeper than this either.
    """
    if not _JSON.match(content):
        return False
    left = _brackets(content)
    for _ in range(max_depth):  # each round removes the innermost level
        shorter = left.replace(b"[]", b"")
        if len(shorter) == len(left):
            break
        left = shorter
    return b"[]" in left or left.count(b"[") > max_depth


def number_of_lists(content: bytes) -> int:
    """Return the number of lists and objects of JSON, without parsing it; 0 for other texts."""
    return _brackets(content).count(b"[") if _JSON.match(content) else 0


def _brackets(content: bytes) -> bytes:
    """Return the brackets of JSON, those of objects as if of lists."""
    # Without escaped characters, each quote begins or ends a text.
    plain = content.replace(b"\\\\", b"").replace(b'\\"', b"")
    return _QUOTED.sub(b"", plain.translate(_BRACKETS, _NEITHER).replace(b'""', b""))
