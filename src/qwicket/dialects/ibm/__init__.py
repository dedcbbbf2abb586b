"""The IBM Quantum Experience door of 2020, below `/ibm/api`, and Runtime's classic channel."""

from qwicket.dialects.ibm.routes import door
from qwicket.dialects.ibm.runtime import runtime_door

__all__ = ["door", "runtime_door"]
