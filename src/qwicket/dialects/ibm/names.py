"""Names that IBM's clients expect: dialects, hub and group, kinds of jobs."""

from __future__ import annotations

from typing import Final

DIALECT: Final = "ibm"
RUNTIME: Final = "runtime"
"""The dialect of the jobs and sessions of Qiskit Runtime, whichever of its channels they are of."""

RUNTIME_PREFIX: Final = "/ibm/runtime/classic"
"""Address of the classic channel. Its clients sign in at the other dialect."""

PLATFORM_PREFIX: Final = "/ibm/runtime"
"""Address of the platform channel: sign-in, instances and plans; below it is the API."""

HUB: Final = "qwicket"
GROUP: Final = "open"
"""Hub and group of every project: this server has one of IBM's three levels."""

DIRECT: Final = "q-object"
STORED: Final = "q-object-external-storage"
"""Kinds of jobs: with the program in the request, or in an upload."""
