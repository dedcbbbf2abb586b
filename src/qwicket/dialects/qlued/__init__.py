"""The qlued door, below `/qlued/api/v2` and, with tokens in a header, `/qlued/api/v3`."""

from qwicket.dialects.qlued.routes import door

__all__ = ["door"]
