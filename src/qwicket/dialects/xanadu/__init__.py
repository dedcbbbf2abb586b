"""The Xanadu Cloud dialect: the root of the host, because its client knows no base path."""

from qwicket.dialects.xanadu.routes import ROUTES, dialect

__all__ = ["ROUTES", "dialect"]
