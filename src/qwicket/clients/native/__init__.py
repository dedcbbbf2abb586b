"""The client of Qwicket's own API: connect, run, wait, read the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwicket.clients.native.client import Client, Device, connect
from qwicket.clients.native.errors import (
    ApiError,
    BadAnswer,
    ClientError,
    JobFailed,
    ServerBusy,
    Unreachable,
    WaitTimeout,
)
from qwicket.clients.native.events import Event
from qwicket.clients.native.jobs import Job
from qwicket.clients.native.results import Part, Result

if TYPE_CHECKING:
    from qwicket.clients.native.aio import AsyncClient, AsyncDevice, AsyncJob, aconnect

__all__ = [
    "ApiError",
    "AsyncClient",
    "AsyncDevice",
    "AsyncJob",
    "BadAnswer",
    "Client",
    "ClientError",
    "Device",
    "Event",
    "Job",
    "JobFailed",
    "Part",
    "Result",
    "ServerBusy",
    "Unreachable",
    "WaitTimeout",
    "aconnect",
    "connect",
]


def __getattr__(name: str) -> Any:
    # Late: who waits with threads need not import what event loops need.
    if name in {"AsyncClient", "AsyncDevice", "AsyncJob", "aconnect"}:
        from qwicket.clients.native import aio

        return getattr(aio, name)
    raise AttributeError(f"module 'qwicket.clients.native' has no attribute {name!r}")
