"""Messages of JSON-RPC 2.0 as the server and `qwicket mcp` read them, and their headers in HTTP.

Revisions up to 2025-11-25 begin with a handshake (`initialize`), of which the server keeps nothing.
In 2026-07-28 each request says its revision, its method, and what it calls in headers too.
"""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

HANDSHAKE: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
STATELESS: Final = "2026-07-28"
VERSION_HEADER: Final = "mcp-protocol-version"
METHODS: Final = (
    *("initialize", "server/discover", "ping", "tools/list", "tools/call"),
    *("resources/list", "resources/templates/list", "resources/read"),
    *("prompts/list", "prompts/get"),
)
"""Methods that the server answers."""
_NAMED: Final = ("tools/call", "prompts/get", "resources/read")
"""Methods whose header `Mcp-Name` repeats the name or URI of the parameters."""


_ID: Final = re.compile(rb'-?\d[\d.eE+-]{0,31}|"(?:[^"\\]|\\.){0,255}"')
_ids: Final = msgspec.json.Decoder(str | int | float)


class Meta(msgspec.Struct, frozen=True):
    """What a request says of itself."""

    version: str = msgspec.field(name="io.modelcontextprotocol/protocolVersion", default="")


class Params(msgspec.Struct, frozen=True, rename={"meta": "_meta", "version": "protocolVersion"}):
    """Parameters of a request, as far as this server reads them."""

    name: str = ""
    uri: str = ""
    version: str = ""
    arguments: msgspec.Raw = msgspec.Raw(b"{}")
    meta: Meta = Meta()


class Envelope(msgspec.Struct, frozen=True):
    """A message. One without an id is a notification, one without a method an answer."""

    jsonrpc: Literal["2.0"]
    method: str = ""
    id: msgspec.Raw = msgspec.Raw(b"")
    params: msgspec.Raw = msgspec.Raw(b"{}")


def is_id(text: bytes) -> bool:
    """Return whether JSON text is an id that an answer can repeat: a number or a short text."""
    if not _ID.fullmatch(text):
        return False
    try:
        _ids.decode(text)  # raw fields are not checked whole: "\\q" would spoil the answer's JSON
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True


def headers(method: str, params: Params) -> dict[str, str]:
    """Return the headers of a request of the revision without a handshake, in lower case."""
    found = {VERSION_HEADER: STATELESS, "mcp-method": method}
    if method in _NAMED:
        found["mcp-name"] = params.name or params.uri
    return found
