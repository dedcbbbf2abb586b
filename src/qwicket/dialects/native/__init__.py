"""The native dialect, `/v1`."""

from qwicket.dialects.native.routes import ROUTES, description, dialect

__all__ = ["ROUTES", "description", "dialect"]
