"""The qBraid dialects: `/qbraid/api` for two former generations, `/qbraid/api/v1` for today's."""

from qwicket.dialects.qbraid.registration import REGISTRATION

__all__ = ["REGISTRATION"]
