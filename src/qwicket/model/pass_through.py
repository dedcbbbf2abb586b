"""Requests that are passed on to a device's own server, and the server's responses."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import msgspec

HTTP_REQUEST: Final = "http.request"
"""Format of a job whose program is a request to the device's own server."""


class VendorRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request to a device's own server, without credentials.

    Attributes:
        method: HTTP method.
        path: Quoted path and query below the server's root.
        content_type: Type of the body.
        accept: Types of the response that the client takes.
        body: The body as the client sent it, byte for byte. If clients put their token into a field
            of it, it is encoded anew without that field.
        key_in: Name of the field (with a body) or query parameter (without) that gets the account's
            key; empty if the key is sent in a header.
    """

    method: str
    path: str
    content_type: str = ""
    accept: str = ""
    body: bytes = b""
    key_in: str = ""

    def with_key(self, key: str) -> VendorRequest:
        """Return a copy with the key in the field or parameter `key_in`, to be sent, never stored.

        If `key_in` is empty, return the request itself.

        Raises:
            msgspec.MsgspecError: The key goes into the body, and this is not a JSON object.
        """
        if not self.key_in:
            return self
        if self.body:
            fields = {**_objects.decode(self.body), self.key_in: key}
            return msgspec.structs.replace(self, body=msgspec.json.encode(fields))
        separator = "&" if "?" in self.path else "?"
        path = f"{self.path}{separator}{self.key_in}={quote(key, safe='')}"
        return msgspec.structs.replace(self, path=path)


class VendorResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The response of a device's own server.

    Attributes:
        status: HTTP status.
        content_type: Type of the body.
        retry_after: The header `Retry-After`; empty if absent.
        body: The body; the sender has replaced secrets with `...`.
    """

    status: int
    content_type: str = ""
    retry_after: str = ""
    body: bytes = b""


class _Head(msgspec.Struct, frozen=True):
    method: str
    path: str
    content_type: str
    id_field: str
    key_in: str = ""


_objects: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_heads: Final = msgspec.json.Decoder(_Head)
_encode: Final = msgspec.msgpack.Encoder().encode
_responses: Final = msgspec.msgpack.Decoder(VendorResponse)


def to_program(request: VendorRequest, id_field: str) -> bytes:
    """Return a submission as the program of a job: a line of JSON, then the unchanged body.

    `accept` is not stored, so `from_program` returns it empty.

    Args:
        request: The submission.
        id_field: Field of the response that has the job's id; dots lead to a field of a field.
    """
    head = _Head(request.method, request.path, request.content_type, id_field, request.key_in)
    return msgspec.json.encode(head) + b"\n" + request.body


def from_program(source: bytes) -> tuple[VendorRequest, str]:
    """Return the request, with an empty `accept`, and the field that `to_program` packed.

    Raises:
        msgspec.MsgspecError: The program was not made by `to_program`.
    """
    line, _, body = source.partition(b"\n")
    head = _heads.decode(line)
    request = VendorRequest(
        method=head.method,
        path=head.path,
        content_type=head.content_type,
        body=body,
        key_in=head.key_in,
    )
    return request, head.id_field


def pack_response(response: VendorResponse) -> bytes:
    """Return a response as it is stored."""
    return _encode(response)


def unpack_response(stored: bytes) -> VendorResponse:
    """Return a stored response."""
    return _responses.decode(stored)
