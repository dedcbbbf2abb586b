"""The file of a cassette: requests and answers as readable JSON."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from qwicket.testing.errors import CassetteError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT: Final = "qwicket-cassette"
VERSION: Final = 1
ORIGIN: Final = "http://cassette.invalid"
"""Takes the place of addresses of the vendor in recorded answers; a replay puts its own there."""


class Body(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A body in the most readable form that it has: one of the fields is set, or none.

    Attributes:
        json: Decoded JSON.
        text: Other text in UTF-8.
        base64: Other bytes.
    """

    json: Any = msgspec.UNSET
    text: str | None = None
    base64: str | None = None

    @classmethod
    def of(cls, content: bytes) -> Body:
        """Return the body with this content."""
        if not content:
            return cls()
        try:
            return cls(json=msgspec.json.decode(content))
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
        try:
            return cls(text=content.decode())
        except UnicodeDecodeError:
            return cls(base64=base64.b64encode(content).decode())

    @property
    def content(self) -> bytes:
        """Return the bytes to send; those of JSON may differ in white space."""
        if self.json is not msgspec.UNSET:
            return msgspec.json.encode(self.json)
        if self.base64 is not None:
            return base64.b64decode(self.base64, validate=True)
        return (self.text or "").encode()


class Sent(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A recorded request.

    Attributes:
        method: HTTP method.
        path: Path at the recorder, as it is at our server.
        query: Query without its `?`.
        headers: Headers, in small letters.
        body: Its body.
        ignore: JSON pointers into the body, such as `/clientToken` or `/items/*/id`, whose values
            may differ in a strict replay. Written by hand.
    """

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = {}
    body: Body = Body()
    ignore: tuple[str, ...] = ()


class Received(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A recorded answer.

    Attributes:
        status: Its status; 0 if the connection ended before.
        headers: Headers, in small letters.
        body: Its body.
        is_cut: Whether the connection ended before the whole body was there.
    """

    status: int
    headers: dict[str, str] = {}
    body: Body = Body()
    is_cut: bool = False


class Recorded(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One request and its answer."""

    request: Sent
    answer: Received


class Cassette(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that was recorded.

    Attributes:
        format: Always `qwicket-cassette`.
        version: Version of this format.
        recorded_at: Time in UTC.
        targets: Addresses of the vendor, by path at the recorder.
        exchanges: In the order in which requests began.
    """

    format: Literal["qwicket-cassette"] = "qwicket-cassette"
    version: int = VERSION
    recorded_at: str
    targets: dict[str, str]
    exchanges: tuple[Recorded, ...]


def text_of(cassette: Cassette) -> str:
    """Return the file of a cassette."""
    return msgspec.json.format(msgspec.json.encode(cassette), indent=2).decode() + "\n"


def read(path: Path) -> Cassette:
    """Return the cassette in a file.

    Raises:
        CassetteError: It cannot be read; the message says why.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CassetteError(f"{path}: {error.strerror}.") from None
    try:
        head: Mapping[str, Any] = msgspec.json.decode(content, type=dict[str, Any])
        if head.get("format") != FORMAT:
            raise CassetteError(f'{path}: "format" is {head.get("format")!r}, not {FORMAT!r}.')
        if head.get("version") != VERSION:
            raise CassetteError(
                f'{path}: "version" is {head.get("version")!r}; this program reads {VERSION}.'
            )
        cassette = msgspec.json.decode(content, type=Cassette)
        for each in cassette.exchanges:  # base64 is decoded when it is used, which is too late
            _ = each.request.body.content, each.answer.body.content
    except (msgspec.DecodeError, UnicodeDecodeError, binascii.Error) as error:
        raise CassetteError(f"{path}: this is no cassette: {error}.") from None
    return cassette
