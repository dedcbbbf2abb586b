"""The qlued dialect, below `/qlued/api/v2` and, with tokens in a header, `/qlued/api/v3`."""

from qwicket.dialects.qlued.routes import ROUTES, dialect

__all__ = ["ROUTES", "dialect"]
