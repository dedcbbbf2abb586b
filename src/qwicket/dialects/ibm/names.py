"""Names that IBM's clients expect: dialects, hub and group, kinds of jobs."""

from __future__ import annotations

from typing import Final

DIALECT: Final = "ibm"
RUNTIME: Final = "runtime"
"""The dialect of Qiskit Runtime's classic channel. Its clients sign in at the other dialect."""

RUNTIME_PREFIX: Final = "/ibm/runtime/classic"
"""Address of the Runtime dialect."""

HUB: Final = "qwicket"
GROUP: Final = "open"
"""Hub and group of every project: this server has one of IBM's three levels."""

DIRECT: Final = "q-object"
STORED: Final = "q-object-external-storage"
"""Kinds of jobs: with the program in the request, or in an upload."""
