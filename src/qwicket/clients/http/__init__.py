"""HTTP with the manners that all clients share: deadlines, bounded retries, secrets kept."""

from qwicket.clients.http.client import HTTPClient, InvalidResponse, NoResponse, Request, Response
from qwicket.clients.http.deadlines import ends_by
from qwicket.clients.http.polling import Polling
from qwicket.clients.http.retries import Attempts, RetryPolicy, retry, retry_after_s
from qwicket.clients.http.text import header, plain, redacted

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
    "header",
    "plain",
    "redacted",
    "retry",
    "retry_after_s",
]
