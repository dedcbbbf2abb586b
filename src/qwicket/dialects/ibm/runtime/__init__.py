"""Qiskit Runtime's classic channel, below `/ibm/runtime/classic`; one signs in at `/ibm/api`."""

from qwicket.dialects.ibm.runtime.routes import runtime_door

__all__ = ["runtime_door"]
