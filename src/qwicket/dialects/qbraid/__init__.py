"""The qBraid dialect: `/qbraid/api` for two older generations, `/qbraid/api/v1` for v1."""

from qwicket.dialects.qbraid.registration import REGISTRATION

__all__ = ["REGISTRATION"]
