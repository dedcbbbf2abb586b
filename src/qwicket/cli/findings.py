"""What the checks of `qwicket doctor` find, and the limits that they share."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Status = Literal["ok", "warning", "wrong"]

TRIAL_S: Final = 60.0
"""Time limit of the trial job, and of the check of SQLite's file."""
TIMEOUT_S: Final = 5.0
"""Time limit of a request, and of the wait for a lock of SQLite."""
MAX_OFFSET_S: Final = 2.0
"""Largest offset between two clocks that is not reported."""


class Finding(NamedTuple):
    """Result of one check.

    Attributes:
        about: Subject of the check.
        status: `ok`, `warning` (may become wrong) or `wrong`.
        found: Result in words, without secrets.
        remedy: Action to take, if any.
    """

    about: str
    status: Status
    found: str
    remedy: str = ""
