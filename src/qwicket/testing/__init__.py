"""The test bed: a quantum cloud for tests, with faults, scenarios and a journal.

`with qwicket.testing.server() as cloud:` starts one in a process of its own; in pytest the fixtures
are there by themselves. Importing this imports next to nothing: pytest does it in every project.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from qwicket.testing.cloud import Cloud
    from qwicket.testing.errors import JournalError, LeakError, TestBedError
    from qwicket.testing.process import Server, attach, server
    from qwicket.testing.values import Credentials, Exchange, Fault, Journal, Scenario

__all__ = [
    "Cloud",
    "Credentials",
    "Exchange",
    "Fault",
    "Journal",
    "JournalError",
    "LeakError",
    "Scenario",
    "Server",
    "TestBedError",
    "attach",
    "server",
]

_MODULES: Final = {
    "cloud": ("Cloud",),
    "errors": ("JournalError", "LeakError", "TestBedError"),
    "process": ("Server", "attach", "server"),
    "values": ("Credentials", "Exchange", "Fault", "Journal", "Scenario"),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"qwicket.testing.{module}"), name)
    raise AttributeError(f"module 'qwicket.testing' has no attribute {name!r}")
