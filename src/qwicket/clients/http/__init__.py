"""HTTP for all clients: deadlines, bounded retries, and errors without secrets."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qwicket.clients.http.client import HTTPClient
    from qwicket.clients.http.clock import SYSTEM_CLOCK, Clock
    from qwicket.clients.http.deadlines import ends_by
    from qwicket.clients.http.failures import InvalidResponse, NoResponse
    from qwicket.clients.http.messages import Request, Response
    from qwicket.clients.http.polling import Polling
    from qwicket.clients.http.retries import Attempts, RetryPolicy, retry, retry_after_s
    from qwicket.clients.http.text import redact, sanitize, validated_header

__all__ = [
    "SYSTEM_CLOCK",
    "Attempts",
    "Clock",
    "HTTPClient",
    "InvalidResponse",
    "NoResponse",
    "Polling",
    "Request",
    "Response",
    "RetryPolicy",
    "ends_by",
    "redact",
    "retry",
    "retry_after_s",
    "sanitize",
    "validated_header",
]

_MODULES = {
    "HTTPClient": "client",
    **dict.fromkeys(("SYSTEM_CLOCK", "Clock"), "clock"),
    "ends_by": "deadlines",
    **dict.fromkeys(("InvalidResponse", "NoResponse"), "failures"),
    **dict.fromkeys(("Request", "Response"), "messages"),
    "Polling": "polling",
    **dict.fromkeys(("Attempts", "RetryPolicy", "retry", "retry_after_s"), "retries"),
    **dict.fromkeys(("redact", "sanitize", "validated_header"), "text"),
}
"""Modules that are imported at first use: most commands need `text` alone, and no urllib3."""


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"qwicket.clients.http.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'qwicket.clients.http' has no attribute {name!r}")
