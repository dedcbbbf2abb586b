"""Tokenizer of Blackbird, line by line, and errors with the number of a line.

The grammar is in `reader.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.programs import json_text
from qwicket.vendors.xanadu.blackbird import bounds

# Repetitions are possessive, so that a stripped line of n characters costs O(n). Otherwise trailing
# blanks, which no token ends, would be matched again from each position.
_TOKEN: Final = re.compile(
    r"""
    [ \t\f\v]*+
    ( \#.*+
    | (?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?[jJ]?+
    | [A-Za-z_][A-Za-z_0-9]*+
    | "[^"]*+" | '[^']*+'
    | \*\* | .
    )
    """,
    re.VERBOSE,
)
_WORD: Final = re.compile(r"[A-Za-z_]*+")
_LONGEST_QUOTE: Final = 40
HEADERS: Final = frozenset({"name", "version", "target", "type", "include"})
"""First words of the lines of a program's header."""

_END: Final = [""] * 4
"""Enough empty tokens for every look-ahead."""


class Line(NamedTuple):
    """One line with its tokens, then empty tokens that mark its end."""

    number: int
    is_indented: bool
    tokens: list[str]

    def error(self, reason: str) -> InvalidProgram:
        """Return an error in this line."""
        return InvalidProgram(f"line {self.number}: {reason}")

    def limit_error(self, text: str, limit: float, name: str = "") -> LimitExceeded:
        """Return the error for a limit that this line exceeds; `name` is the setting, if any."""
        limit_name = f"the limit {name!r}" if name else "the limit"
        return LimitExceeded(f"line {self.number}: {text}; {limit_name} is {limit:,}")


def lines(text: str, maximum: int, *, is_header: bool = False) -> Iterator[Line]:
    """Yield the lines of a program that are neither blank nor a comment alone.

    Args:
        text: The program.
        maximum: The limit `program_lines`.
        is_header: Whether to stop at the first line after the header.

    Raises:
        LimitExceeded: There are too many lines, or one is too long.
    """
    parts = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if len(parts) > maximum:
        text = f"the text has {len(parts):,} lines"
        raise LimitExceeded(f"{text}; the limit 'program_lines' is {maximum:,}")
    for number, part in enumerate(parts, 1):
        stripped = part.strip()
        if not stripped or stripped[0] == "#":
            continue
        word = _WORD.match(stripped)
        of_header = word is not None and word[0] in HEADERS
        if is_header and not of_header:
            return
        longest = bounds.MAX_HEADER_CHARS if of_header else bounds.MAX_LINE_CHARS
        if len(stripped) > longest:
            text = f"{len(stripped):,} characters"
            raise LimitExceeded(f"line {number}: {text}; the limit is {longest:,}")
        tokens = [token for token in _TOKEN.findall(stripped) if token[0] != "#"]
        yield Line(number, part[0] in " \t", tokens + _END)


def quoted(text: str) -> str:
    """Return a part of a program for an error message: short, quoted and printable."""
    if not text:
        return "the end of the line"
    if len(text) == 1 and not text.isprintable():
        return json_text.quoted(text)
    return ascii(text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "…")


def split_quoted(text: str) -> list[str]:
    """Return the tokens of a text that stood in quotes."""
    return _TOKEN.findall(text.strip()) + _END
