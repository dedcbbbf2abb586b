"""The native dialect, `/v1`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from qwicket.dialects.native.routes import ROUTES, description, dialect

__all__ = ["ADMIN", "ROUTES", "description", "dialect"]

ADMIN: Final = "qwicket.dialects.native.admin.routes:dialect"
"""Function that makes the application for administrators, as `DialectOnDemand` takes it."""


def __getattr__(name: str) -> Any:
    # Late: administrators' commands need `/v1/admin` alone.
    if name in __all__:
        return getattr(import_module("qwicket.dialects.native.routes"), name)
    raise AttributeError(f"module 'qwicket.dialects.native' has no attribute {name!r}")
