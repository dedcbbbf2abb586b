"""The Xanadu Cloud dialect: the root of the host, because its client knows no base path."""

from qwicket.dialects.xanadu.registration import REGISTRATION

__all__ = ["REGISTRATION"]
