"""Tokenizer of OpenQASM 2 and 3, and errors with the line and column of a token.

Tokens are plain strings without a position, because most programs are long lists of simple gates.
The position is computed only for an error. `Tokens.error` and similar methods return exceptions,
which the caller raises. The grammar is in `statements.py`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from typing import Final

from qwicket.model.errors import InvalidProgram, LimitExceeded
from qwicket.programs import json_text

# Every quantifier that could backtrack is possessive or bounded by what follows, so that a text
# of n characters costs O(n). `(?s:.)` at the end takes any character: the match never fails.
# `(?!)` never matches. After a possessive group, Python before 3.11.5 goes on where the group's
# last attempt failed (gh-106052): with this alternative, that is where the attempt began.
_TOKEN: Final = re.compile(
    r"""
    (?: [ \t\r\f\v]++                            # blanks
      | \n(?![ \t]*+@[^\W\d])                    # line breaks, except before an annotation
      | //[^\n]*+
      | /\*(?s:.*?)\*/
      | (?!)
    )*+
    (
        \#?pragma\b[^\n]*+                       # a pragma, to the end of its line
      | [^\W\d]\w*+(?:\[[0-9]{1,5}\])?           # a name, with an index that is a plain number
      | 0[xX][0-9a-fA-F_]++ | 0[bB][01_]++ | 0[oO][0-7_]++
      | (?:[0-9][0-9_]*+(?:\.[0-9_]*+)?|\.[0-9][0-9_]*+)(?:[eE][+-]?[0-9][0-9_]*+)?
      | \$[0-9]++                                # a physical qubit
      | "[^"\n]*+" | '[^'\n]*+'
      | \n[ \t]*+@[^\n]*+                        # an annotation, to the end of its line
      | /\*(?s:.*)                               # a comment without an end
      | \*\*=? | <<=? | >>=? | && | \|\| | \+\+ | -> | [-+*/%&|^<>=!]=
      | (?s:.)
      | \Z
    )
    """,
    re.VERBOSE,
)

_LOOKAHEAD: Final = 8
"""Empty tokens after the last one, so that parsers can look ahead without a check for the end."""
_LONGEST_QUOTE: Final = 41
"""Characters of a token that an error shows."""


class Tokens:
    """Tokens of one text, and their positions.

    Args:
        text: A program. Its lines may end with LF, CRLF or CR.

    Attributes:
        texts: The tokens, and then empty ones for the end.
        number: Number of tokens without those.
    """

    def __init__(self, text: str) -> None:
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        # With a line break in front, an annotation on the first line looks like any other, and
        # the line number of a position is the number of line breaks before it.
        self._text = "\n" + text
        self.texts: list[str] = _TOKEN.findall(self._text)
        self.number = len(self.texts) - 1
        self.texts += [""] * _LOOKAHEAD

    def place(self, at: int) -> str:
        """Return the position of token `at`, as in "line 4, column 7", both counted from 1."""
        match = next(islice(_TOKEN.finditer(self._text), at, None), None)
        start = match.start(1) if match is not None else len(self._text)
        line_start = self._text.rfind("\n", 0, start)
        line = self._text.count("\n", 0, start)
        # The token of an annotation begins with the line break before it.
        if self._text.startswith("\n", start):
            line, line_start = line + 1, start
            start = self._text.find("@", start)
        return f"line {line}, column {start - line_start}"

    def error(self, at: int, reason: str) -> InvalidProgram:
        """Return an error at token `at`."""
        return InvalidProgram(f"{self.place(at)}: {reason}")

    def expected_error(self, at: int, wanted: str) -> InvalidProgram:
        """Return the error that token `at` is not the one that was expected."""
        return self.error(at, f"expected {wanted}, found {self.quote(at)}")

    def limit_error(self, at: int, reason: str) -> LimitExceeded:
        """Return the error for a limit that is exceeded at token `at`."""
        return LimitExceeded(f"{self.place(at)}: {reason}")

    def quote(self, at: int) -> str:
        """Return token `at` for an error message."""
        text = self.texts[at] if at < len(self.texts) else ""
        if not text:
            return "the end of the program"
        if text.startswith("/*"):
            return "a comment without an end"
        return quoted(text.strip(" \t\n"))


def quoted(text: str) -> str:
    """Return a part of a program for an error message: short, quoted and printable."""
    return json_text.quoted(text, _LONGEST_QUOTE)


def is_name(token: str) -> bool:
    """Return whether a token is a bare name, keywords included."""
    return token.isidentifier()


@lru_cache(maxsize=1 << 14)
def split_element(token: str) -> tuple[str, str]:
    """Return the name and the digits of a token such as `q[3]`; other tokens have no digits."""
    if token[-1:] != "]":
        return token, ""
    name, _, rest = token.partition("[")
    return (name, rest[:-1]) if is_digits(rest[:-1]) else (token, "")


def is_digits(token: str) -> bool:
    """Return whether a token is made of the digits 0 to 9.

    `str.isdecimal` alone also accepts digits of other scripts.
    """
    return token.isdecimal() and token.isascii()
