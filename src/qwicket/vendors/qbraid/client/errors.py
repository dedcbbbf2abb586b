"""Errors of the client. Their texts never contain a key or token.

QbraidError
└── ApiError                invalid arguments or response, a job without a result, or one of these
    ├── AuthError           `save_config` cannot verify the credentials, or they are another user's
    ├── ConfigError         the settings file cannot be read or written
    ├── RequestsApiError    the server refused or did not respond; see `__cause__`
    └── JobTimeoutError     the job or its result was not there in time (also a TimeoutError)
"""

from __future__ import annotations


class QbraidError(Exception):
    """Base of the client's errors."""


class ApiError(QbraidError):
    """Invalid arguments or response, or a job without a result; base of the other errors."""


class AuthError(ApiError):
    """`save_config` cannot verify the credentials, or they belong to another user."""


class ConfigError(ApiError):
    """The settings file cannot be read or written."""


class RequestsApiError(ApiError):
    """The server refused or did not respond; `__cause__` is the exception of `requests`.

    Without a `__cause__`, no request was sent: its path or token is not allowed.
    """


class JobTimeoutError(ApiError, TimeoutError):
    """The job has not ended, or its result has not arrived, in time; the server keeps both."""
