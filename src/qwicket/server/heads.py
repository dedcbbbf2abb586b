"""Which heads are refused although the parser accepts them, and what their clients receive."""

from __future__ import annotations

import string
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from qwicket.dialects.requests import MAX_ESCAPES

if TYPE_CHECKING:
    from collections.abc import Sequence

_HOST_BYTES: Final = frozenset(
    (string.ascii_letters + string.digits + "-._~%!$&'()*+,;=:[]").encode()
)
"""Bytes of a host and port in RFC 3986, with the brackets of IPv6."""


def head_error(
    url: bytes, version: str, headers: Sequence[tuple[bytes, bytes]]
) -> tuple[int, str] | None:
    """Return status and text for a head that HTTP forbids, or whose path takes long to decode.

    RFC 9112: 2.3 (version), 3.2 (Host), 6.1 (Transfer-Encoding).
    """
    n_escapes = url.partition(b"?")[0].count(b"%")
    hosts: list[bytes] = []
    codings: list[bytes] = []
    for name, value in headers:
        if name == b"host":
            hosts.append(value)
        elif name == b"transfer-encoding":
            codings += [each.strip().lower() for each in value.split(b",")]
    if n_escapes > MAX_ESCAPES:
        at_most = f"at most {MAX_ESCAPES} are allowed"
        return 400, f"The path has {n_escapes} escapes such as %20; {at_most}."
    if version not in ("1.1", "1.0"):
        return 400, "This is not an HTTP/1.1 request."
    if len(hosts) > 1 or (not hosts and version == "1.1"):
        return 400, "A request must have exactly one Host header."
    if hosts and not _HOST_BYTES.issuperset(hosts[0]):
        return 400, "The Host header is not a valid host."
    if codings and version == "1.0":
        return 400, "An HTTP/1.0 request must not have Transfer-Encoding."
    if codings and codings[-1] != b"chunked":
        return 400, "The last transfer coding must be chunked."
    if len(codings) > 1:
        return 501, "The only supported transfer coding is chunked."
    return None


def refusal(status: int, reason: str) -> bytes:
    """Return a response in plain text, after which the connection closes."""
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "content-type: text/plain; charset=utf-8",
        f"content-length: {len(reason)}",
        "connection: close",
        *(["retry-after: 1"] if status in (429, 503) else []),
    ]
    return "\r\n".join([*lines, "", reason]).encode("ascii")
