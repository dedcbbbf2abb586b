"""Errors of the test bed, as a test sees them."""

from __future__ import annotations


class TestBedError(Exception):
    """The test bed does not run, or refused what the test asked of it."""

    __test__ = False  # pytest would collect it for its name


class JournalError(AssertionError):
    """The journal is not as a test asserts.

    Args:
        text: What is wrong.
        dump: The journal as text.
    """

    def __init__(self, text: str, dump: str) -> None:
        super().__init__(f"{text}\n{dump}")


class LeakError(AssertionError):
    """Code under test tried to reach another machine; the message names the setting to change."""


class CassetteError(Exception):
    """A cassette cannot be read or recorded, or does not fit what a client asks of it."""
