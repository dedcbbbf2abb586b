"""The IBM Quantum Experience API of 2020, below `/ibm/api`, and the two channels of Runtime."""

from qwicket.dialects.ibm import runtime
from qwicket.dialects.ibm.registration import REGISTRATION

__all__ = ["REGISTRATION", "runtime"]
