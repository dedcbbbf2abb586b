"""The test bed: a quantum cloud for tests, with faults, scenarios and a journal.

`with qwicket.testing.server() as cloud:` starts one in a process of its own; pytest loads the
fixtures from a plugin. Names are imported at first use, because pytest imports this package in
every project.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from qwicket.testing.cassettes.drift import Drift
    from qwicket.testing.cassettes.sessions import Recording, Replay, record, replay
    from qwicket.testing.cloud import Cloud
    from qwicket.testing.errors import CassetteError, JournalError, LeakError, TestBedError
    from qwicket.testing.process import Server, attach, server
    from qwicket.testing.states import Change, Diff, diff
    from qwicket.testing.values import AwsKeys, Credentials, Exchange, Fault, Journal, Scenario

__all__ = [
    "AwsKeys",
    "CassetteError",
    "Change",
    "Cloud",
    "Credentials",
    "Diff",
    "Drift",
    "Exchange",
    "Fault",
    "Journal",
    "JournalError",
    "LeakError",
    "Recording",
    "Replay",
    "Scenario",
    "Server",
    "TestBedError",
    "attach",
    "diff",
    "record",
    "replay",
    "server",
]

_MODULES: Final = {
    "cassettes.drift": ("Drift",),
    "cassettes.sessions": ("Recording", "Replay", "record", "replay"),
    "cloud": ("Cloud",),
    "errors": ("CassetteError", "JournalError", "LeakError", "TestBedError"),
    "process": ("Server", "attach", "server"),
    "states": ("Change", "Diff", "diff"),
    "values": ("AwsKeys", "Credentials", "Exchange", "Fault", "Journal", "Scenario"),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"qwicket.testing.{module}"), name)
    raise AttributeError(f"module 'qwicket.testing' has no attribute {name!r}")
