"""The client of Qwicket's own API: connect, submit, wait, read the result."""

from qwicket.clients.native.client import Client, connect
from qwicket.clients.native.errors import (
    ApiError,
    BadAnswer,
    ClientError,
    JobFailed,
    ServerBusy,
    Unreachable,
    WaitTimeout,
)
from qwicket.clients.native.jobs import Job
from qwicket.clients.native.results import Part, Result

__all__ = [
    "ApiError",
    "BadAnswer",
    "Client",
    "ClientError",
    "Job",
    "JobFailed",
    "Part",
    "Result",
    "ServerBusy",
    "Unreachable",
    "WaitTimeout",
    "connect",
]
