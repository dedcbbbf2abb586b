"""Modules that the server imports once it listens, because it needs none of them before.

NumPy alone takes a sixth of the time from the start to the first response. Functions that need one
of these modules import it themselves. It is imported here, too, beside the event loop, so that the
first request that needs it does not wait.
"""

from __future__ import annotations

import importlib
from typing import Final

MODULES: Final = (
    "numpy",
    "prometheus_client",
    "qwicket.circuits.outcome_checks",
    "qwicket.dialects.ibm.runtime.results",
    "qwicket.dialects.qlued.results",
    "qwicket.dialects.xanadu.results",
    "qwicket.server.exposition",
    "qwicket.server.websocket",
)


def import_all() -> None:
    """Import them, one after the other."""
    for name in MODULES:
        importlib.import_module(name)
