"""The test bed: a quantum cloud for tests, with faults, scenarios and a journal.

`with qwicket.testing.server() as cloud:` starts one in a process of its own; in pytest the fixture
`qwicket_server` is there by itself. Importing this imports no web server.
"""

from __future__ import annotations

from qwicket.extras import require
from qwicket.testing.cloud import Cloud
from qwicket.testing.errors import JournalError, LeakError, TestBedError
from qwicket.testing.process import Server
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


def server(*, workers: int = 1) -> Server:
    """Return a test bed to enter with `with` or `async with`, or to decorate a function with.

    Args:
        workers: Processes that run jobs.

    Raises:
        NotInstalled: The extra `server` is not installed.
    """
    require("qwicket.testing", "server")
    return Server(workers=workers)


def attach(url: str, secret: str) -> Cloud:
    """Return a test bed that runs already, such as a container service.

    Args:
        url: Its address.
        secret: The value that it got in QWICKET_TESTING_SECRET.
    """
    return Cloud(url, secret)
