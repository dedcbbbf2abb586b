"""HTTP requests and responses, without I/O and without urllib3, whose import takes 40 ms."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Request:
    """HTTP request. Its repr omits path, headers and body, which may contain secrets.

    Attributes:
        method: HTTP method.
        path: Quoted path and query below the server's address.
        headers: HTTP headers.
        body: Bytes to send.
        limit_s: Seconds for the whole response. Each 16 KiB received extend them by a second,
            unless `ends_by` sets a deadline.
        secrets: Texts that are redacted from responses with a status from 400, and from errors.
        can_repeat: Whether the request is idempotent.
        can_be_empty: Whether the response may have no body.
        also_read: HTTP status from 400 whose response counts as successful.
    """

    method: str
    path: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    limit_s: float = 0.0
    secrets: Sequence[str] = field(default=(), repr=False)
    can_repeat: bool = True
    can_be_empty: bool = False
    also_read: int | None = None


@dataclass(frozen=True)
class Response:
    """HTTP response. Callers get only what `validate_response` accepts, so no redirect."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    @property
    def status_code(self) -> int:
        """HTTP status, under its name in `requests` and `httpx`."""
        return self.status
