"""Qwicket: a self-hosted server with the APIs of several quantum clouds, and their clients.

`qwicket.connect(url, token)` returns a client, `qwicket.aconnect` one for event loops; the command
`qwicket serve` runs the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qwicket.clients.native import aconnect, connect

__all__ = ["__version__", "aconnect", "connect"]

__version__ = "1.0.0"


def __getattr__(name: str) -> Any:
    # Late, so that workers and commands that need no client do not pay for one.
    if name in {"aconnect", "connect"}:
        from qwicket.clients import native

        return getattr(native, name)
    raise AttributeError(f"module 'qwicket' has no attribute {name!r}")
