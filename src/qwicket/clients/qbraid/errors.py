"""What can go wrong, as one tree. No text in it ever holds a key or token.

QbraidError
└── ApiError                a call cannot be made, or its answer makes no sense
    ├── AuthError           the credentials are not accepted, or are another user's
    ├── ConfigError         the file of settings cannot be read or written
    ├── RequestsApiError    the server refused, or there was no answer; `__cause__` has it
    └── JobTimeoutError     the wait is over, the job is not (also a TimeoutError)
"""

from __future__ import annotations


class QbraidError(Exception):
    """Root of the tree."""


class ApiError(QbraidError):
    """A call cannot be made, or its answer makes no sense."""


class AuthError(ApiError):
    """The credentials are not accepted, or belong to another user."""


class ConfigError(ApiError):
    """The file of settings cannot be read or written."""


class RequestsApiError(ApiError):
    """The server refused, or there was no answer: `__cause__` is the exception of `requests`."""


class JobTimeoutError(ApiError, TimeoutError):
    """The time to wait has passed; the job lives on."""
