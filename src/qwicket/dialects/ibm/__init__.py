"""The IBM Quantum Experience API of 2020, below `/ibm/api`, and Runtime's two channels."""

from qwicket.dialects.ibm import runtime
from qwicket.dialects.ibm.registration import REGISTRATION

__all__ = ["REGISTRATION", "runtime"]
