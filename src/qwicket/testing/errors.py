"""Errors of the test bed, as a test sees them."""

from __future__ import annotations


class TestBedError(Exception):
    """The test bed does not run, or refused a command of the test."""

    __test__ = False  # otherwise pytest collects it because of its name


class JournalError(AssertionError):
    """The journal contradicts an assertion of a test.

    Args:
        text: The contradiction.
        dump: The journal as text.
    """

    def __init__(self, text: str, dump: str) -> None:
        super().__init__(f"{text}\n{dump}")


class LeakError(AssertionError):
    """Code under test tried to reach another machine; for known clients the text has the remedy."""


class CassetteError(Exception):
    """A cassette cannot be read or recorded, or does not match the requests."""
