"""Names that IBM's clients expect: dialects, hub and group, kinds of jobs."""

from __future__ import annotations

from typing import Final

DIALECT: Final = "ibm"
RUNTIME: Final = "runtime"
"""The dialect of the jobs and sessions of both channels of Qiskit Runtime."""

RUNTIME_PREFIX: Final = "/ibm/runtime/classic"
"""Path of the classic channel. Its clients sign in at the dialect `ibm`."""

PLATFORM_PREFIX: Final = "/ibm/runtime"
"""Path of the platform channel: sign-in, instances and plans; the API is below it."""

HUB: Final = "qwicket"
GROUP: Final = "open"
"""Hub and group of every project: of IBM's three levels this server has only projects."""

DIRECT: Final = "q-object"
STORED: Final = "q-object-external-storage"
"""Kinds of jobs: with the program in the request, or uploaded."""
