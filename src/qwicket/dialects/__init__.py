"""All dialects: registrations, applications by address, descriptions."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qwicket.dialects.registration import DialectSettings
    from qwicket.dialects.registrations import (
        descriptions,
        mounts,
        names,
        needs_of_dialects,
        offered,
        shown_by,
    )

__all__ = [
    "DialectSettings",
    "descriptions",
    "mounts",
    "names",
    "needs_of_dialects",
    "offered",
    "shown_by",
]


def __getattr__(name: str) -> Any:
    # Imported late, because administrators' commands need `/v1/admin` alone.
    if name in __all__:
        return getattr(import_module("qwicket.dialects.registrations"), name)
    raise AttributeError(f"module 'qwicket.dialects' has no attribute {name!r}")
