"""The native dialect, `/v1`."""

from typing import Final

from qwicket.dialects.native.routes import ROUTES, description, dialect

__all__ = ["ADMIN", "ROUTES", "description", "dialect"]

ADMIN: Final = "qwicket.dialects.native.admin.routes:dialect"
"""Function that makes the application for administrators, as `DialectOnDemand` takes it."""
