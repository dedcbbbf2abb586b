"""The classic channel of Qiskit Runtime's API, below `/ibm/runtime/classic`."""

from qwicket.dialects.ibm.runtime.registration import REGISTRATION

__all__ = ["REGISTRATION"]
