"""Client of Qwicket's own API: connect, run a program, wait, read the result."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from qwicket.clients.native.errors import (
    ApiError,
    ClientError,
    InvalidArchive,
    JobFailed,
    ServerBusy,
    UnexpectedResponse,
    Unreachable,
    WaitTimeout,
)

if TYPE_CHECKING:
    from qwicket.clients.native.aio import AsyncClient, AsyncDevice, AsyncJob
    from qwicket.clients.native.archives import Archive, read_archive
    from qwicket.clients.native.client import Client, Device, aconnect, connect
    from qwicket.clients.native.events import Change, Event
    from qwicket.clients.native.exports import Export, read_export
    from qwicket.clients.native.jobs import Job
    from qwicket.clients.native.programs import ProgramText
    from qwicket.clients.native.results import Part, Result

__all__ = [
    "ApiError",
    "Archive",
    "AsyncClient",
    "AsyncDevice",
    "AsyncJob",
    "Change",
    "Client",
    "ClientError",
    "Device",
    "Event",
    "Export",
    "InvalidArchive",
    "Job",
    "JobFailed",
    "Part",
    "ProgramText",
    "Result",
    "ServerBusy",
    "UnexpectedResponse",
    "Unreachable",
    "WaitTimeout",
    "aconnect",
    "connect",
    "read_archive",
    "read_export",
]

_LAZY = {
    **dict.fromkeys(("AsyncClient", "AsyncDevice", "AsyncJob"), "aio"),
    **dict.fromkeys(("Archive", "read_archive"), "archives"),
    **dict.fromkeys(("Client", "Device", "aconnect", "connect"), "client"),
    **dict.fromkeys(("Change", "Event"), "events"),
    **dict.fromkeys(("Export", "read_export"), "exports"),
    "Job": "jobs",
    "Part": "results",
    "ProgramText": "programs",
    "Result": "results",
}
"""Modules that are imported at first use: administrators' commands need the errors alone."""


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"qwicket.clients.native.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'qwicket.clients.native' has no attribute {name!r}")
