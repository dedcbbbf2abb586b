"""The Xanadu Cloud door: the root of the host, because its client knows no base path."""

from qwicket.dialects.xanadu.routes import door

__all__ = ["door"]
