"""How much of a fault test runs: the short form with every change, the long one on demand."""

from __future__ import annotations

import os

IS_LONG = os.environ.get("QWICKET_FAULT") == "long"
"""What `make fault-long` sets."""


def runs(short: int, *, long: int) -> int:
    """Return how often a test does what it does."""
    return long if IS_LONG else short
