"""The qBraid doors: `/qbraid/api` for its first two generations, `/qbraid/api/v1` for today's."""

from qwicket.dialects.qbraid.current import current
from qwicket.dialects.qbraid.former import former, unknown_path

__all__ = ["current", "former", "unknown_path"]
