"""Services for all dialects, independent of them. Most act for an actor: a signed-in account."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qwicket.gateway.access_tokens import SignedURL
    from qwicket.gateway.services import Gateway
    from qwicket.gateway.views import DeviceView, JobPart, JobResults, WaitResult
    from qwicket.store import Program

__all__ = ["DeviceView", "Gateway", "JobPart", "JobResults", "Program", "SignedURL", "WaitResult"]

_LAZY = {
    "Gateway": "qwicket.gateway.services",
    "Program": "qwicket.store",
    "SignedURL": "qwicket.gateway.access_tokens",
    **dict.fromkeys(("DeviceView", "JobPart", "JobResults", "WaitResult"), "qwicket.gateway.views"),
}
"""Names by module, imported at first use: administrators' commands need few of the services."""


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'qwicket.gateway' has no attribute {name!r}")
