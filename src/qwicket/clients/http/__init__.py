"""HTTP for all clients: deadlines, bounded retries, and errors without secrets."""

from qwicket.clients.http.client import HTTPClient, Request, Response
from qwicket.clients.http.deadlines import ends_by
from qwicket.clients.http.failures import InvalidResponse, NoResponse
from qwicket.clients.http.polling import Polling
from qwicket.clients.http.retries import Attempts, RetryPolicy, retry, retry_after_s
from qwicket.clients.http.text import redacted, sanitized, validated_header

__all__ = [
    "Attempts",
    "HTTPClient",
    "InvalidResponse",
    "NoResponse",
    "Polling",
    "Request",
    "Response",
    "RetryPolicy",
    "ends_by",
    "redacted",
    "retry",
    "retry_after_s",
    "sanitized",
    "validated_header",
]
