"""Reader of Blackbird 1.x: text in, one photonic circuit out.

The reader opens no file, checks every limit while it reads, carries no state from one program to
the next, and raises `QwicketError` only. An error in a line names the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from qwicket.circuits.photonic import PhotonicCircuit
from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.model.limits import Limits
from qwicket.vendors.xanadu.blackbird.layout import Layout, check_fits, read_layout
from qwicket.vendors.xanadu.blackbird.operations import SIGNATURES
from qwicket.vendors.xanadu.blackbird.reader import Header, Program, Reader
from qwicket.vendors.xanadu.blackbird.tokens import Line, lines
from qwicket.vendors.xanadu.limits import BlackbirdLimits

__all__ = [
    "Header",
    "Layout",
    "Program",
    "check_fits",
    "is_blackbird",
    "read",
    "read_header",
    "read_layout",
    "read_program",
]

_FIRST_LINES: Final = 50
_MARK: Final = re.compile(r"([A-Za-z]\w{0,40}+)[ \t]*+[(|]|version[ \t]++1\.[0-9]|target[ \t]++\w")
"""Beginning of a line that only Blackbird has; its group, if any, must be an operation's name."""


def read(source: bytes, limits: Limits) -> tuple[PhotonicCircuit, ...]:
    """Read a program; arguments and errors as for `read_program`."""
    return (read_program(source, limits).circuit,)


def read_program(source: bytes, limits: Limits) -> Program:
    """Read a program and its header.

    Args:
        source: The text, UTF-8.
        limits: Limits on the program. Loops and time bins count in full.

    Raises:
        InvalidProgram: The text is refused; the detail says in which line and why.
        LimitExceeded: A limit is exceeded.
    """
    return Reader(_lines(source, limits), limits).program()


def read_header(source: bytes, limits: Limits) -> Header:
    """Read a program's header alone, without parsing what follows it.

    Args:
        source: The text, UTF-8.
        limits: Bounds on the bytes and lines of the whole text.

    Raises:
        InvalidProgram: The header is refused, or the text is not UTF-8.
        LimitExceeded: A limit is exceeded.
    """
    return Reader(_lines(source, limits, is_header=True), limits).header()


def is_blackbird(text: str) -> bool:
    """Return whether a text is certainly Blackbird, by its first lines."""
    found = [_MARK.match(line.strip()) for line in text.split("\n", _FIRST_LINES)[:_FIRST_LINES]]
    return any(mark is not None and (not mark[1] or mark[1] in SIGNATURES) for mark in found)


def _lines(source: bytes, limits: Limits, *, is_header: bool = False) -> Iterator[Line]:
    if len(source) > limits.programs.program_text_bytes:
        raise LimitExceeded(
            f"the text has {len(source):,} bytes; "
            f"the limit 'program_text_bytes' is {limits.programs.program_text_bytes:,}"
        )
    try:
        text = source.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise InvalidProgram(f"the text is not UTF-8 at byte {error.start}") from None
    return lines(text, limits.of(BlackbirdLimits).program_lines, is_header=is_header)
