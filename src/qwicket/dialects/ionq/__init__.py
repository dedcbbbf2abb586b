"""The IonQ dialect, below `/ionq` and, for clients that drop the path of a URL, at the root."""

from qwicket.dialects.ionq.registration import REGISTRATION

__all__ = ["REGISTRATION"]
