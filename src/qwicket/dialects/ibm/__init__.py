"""The IBM Quantum Experience door of 2020, below `/ibm/api`."""

from qwicket.dialects.ibm.routes import door

__all__ = ["door"]
