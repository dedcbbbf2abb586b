"""File of a cassette: requests and responses as readable JSON."""

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
"""Stands for a vendor's address in recorded responses; a replay puts its own address there."""


class Body(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Body in the most readable form: one field is set, or none for an empty body.

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
        """Return the body with these bytes."""
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
        """Bytes to send; JSON may differ from the original in white space and escapes."""
        if self.json is not msgspec.UNSET:
            return msgspec.json.encode(self.json)
        if self.base64 is not None:
            return base64.b64decode(self.base64, validate=True)
        return (self.text or "").encode()


class RecordedRequest(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A request.

    Attributes:
        method: HTTP method.
        path: Path at the recorder, which is the path at a Qwicket server too.
        query: Query without its `?`.
        headers: Headers, with lower-case names.
        body: Body of the request.
        ignore: JSON pointers into the body, such as `/clientToken` or `/items/*/id`, whose values
            may differ in a strict replay. The members of an object need `/name/*`. Written by hand.
    """

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = {}
    body: Body = Body()
    ignore: tuple[str, ...] = ()


class RecordedResponse(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A response.

    Attributes:
        status: HTTP status; 0 if the connection ended before it.
        headers: Headers, with lower-case names.
        body: Body of the response.
        is_cut: Whether the connection ended before the end of the body.
    """

    status: int
    headers: dict[str, str] = {}
    body: Body = Body()
    is_cut: bool = False


class RecordedExchange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One request and its response."""

    request: RecordedRequest
    response: RecordedResponse


class Cassette(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Recording of several requests.

    Attributes:
        format: Always `qwicket-cassette`.
        version: Version of this format.
        recorded_at: Time of the end of the recording, in UTC.
        targets: Addresses of the vendor, by path at the recorder.
        exchanges: In the order in which requests began.
    """

    format: Literal["qwicket-cassette"] = "qwicket-cassette"
    version: int = VERSION
    recorded_at: str
    targets: dict[str, str]
    exchanges: tuple[RecordedExchange, ...]


def render(cassette: Cassette) -> str:
    """Return the text of a cassette's file."""
    return msgspec.json.format(msgspec.json.encode(cassette), indent=2).decode() + "\n"


def read(path: Path) -> Cassette:
    """Return the cassette in a file.

    Raises:
        CassetteError: The file cannot be read, or is not a cassette of this version.
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
        for each in cassette.exchanges:  # decodes base64, to find its errors now
            _ = each.request.body.content, each.response.body.content
    except (msgspec.DecodeError, UnicodeDecodeError, binascii.Error) as error:
        raise CassetteError(f"{path} is not a cassette: {error}.") from None
    return cassette
