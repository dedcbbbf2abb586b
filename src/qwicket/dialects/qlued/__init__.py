"""The qlued dialect, below `/qlued/api/v2` and, with tokens in a header, `/qlued/api/v3`."""

from qwicket.dialects.qlued.registration import REGISTRATION

__all__ = ["REGISTRATION"]
