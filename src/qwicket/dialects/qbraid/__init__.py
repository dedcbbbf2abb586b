"""The qBraid dialects: `/qbraid/api` for two former generations, `/qbraid/api/v1` for today's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwicket.dialects.qbraid import v0, v1, wire
from qwicket.dialects.qbraid.handlers import CommonHandlers
from qwicket.dialects.routing import Dialect

if TYPE_CHECKING:
    from qwicket.gateway import Gateway

__all__ = ["unknown_path", "v0", "v1"]


def unknown_path(gateway: Gateway) -> Dialect:
    """Return the dialect of paths below `/qbraid` that are in no generation."""
    return Dialect(CommonHandlers(gateway), (), wire.problem)
