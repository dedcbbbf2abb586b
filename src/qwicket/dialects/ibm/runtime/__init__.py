"""The classic channel of Qiskit Runtime's API, below `/ibm/runtime/classic`."""

from qwicket.dialects.ibm.runtime.routes import ROUTES, dialect

__all__ = ["ROUTES", "dialect"]
