"""How often a fault test repeats: the short form with every change, the long form on demand.

The short form proves each property, less often, and on one database where the other does the same.
"""

from __future__ import annotations

import os

IS_LONG = "long" in (os.environ.get("QWICKET_FAULT"), os.environ.get("QWICKET_ABUSE"))
"""What `make long` sets."""


def runs(short: int, *, long: int) -> int:
    """Return the number of repetitions of a test."""
    return long if IS_LONG else short


def kills(short: int) -> int:
    """Return the kills of one kind; in the long form 100, or what `QWICKET_KILLS` says."""
    return runs(short, long=int(os.environ.get("QWICKET_KILLS", "100")))


def databases(short: str) -> list[str]:
    """Return the databases of a test: this one in the short form, both in the long form."""
    return ["sqlite", "postgres"] if IS_LONG else [short]
