"""Qiskit Runtime's API below `/ibm/runtime`: the classic channel and the platform channel."""

from qwicket.dialects.ibm.runtime.registration import PLATFORM, REGISTRATION

__all__ = ["PLATFORM", "REGISTRATION"]
