"""Output on a terminal: tables that fit its width, lines that are rewritten in place.

The library rich is not used, because rich and pygments would add 7 MB to a light installation.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TextIO

_GAP: Final = "  "
_CLEAR_BELOW: Final = "\x1b[J"
_MIN_COLUMN_WIDTH: Final = 8
"""Narrower columns are unreadable, so a very narrow terminal wraps the lines instead."""


def can_rewrite(stream: TextIO) -> bool:
    """Return whether a stream is a terminal that can move its cursor."""
    return stream.isatty() and os.environ.get("TERM", "") not in {"", "dumb", "unknown"}


def grid(rows: Iterable[Sequence[str]], headings: Sequence[str], width: int) -> list[str]:
    """Return the lines of a table: headings, a rule, rows.

    The first column keeps its width. The others are narrowed, the widest first, but not below 8
    characters, and their cells wrapped at spaces. Columns without any text are left out.

    Args:
        rows: A cell for each heading; control characters are replaced by spaces.
        headings: Names of the columns.
        width: Width of the terminal in characters.
    """
    table = [[_printable(cell) for cell in row] for row in rows]
    filled = [k for k in range(len(headings)) if any(row[k] for row in table)]
    columns = filled or list(range(len(headings)))
    table = [[row[k] for k in columns] for row in ([*headings], *table)]
    full = [max(_text_width(row[k]) for row in table) for k in range(len(columns))]
    widths = _column_widths(full, width - len(_GAP) * (len(columns) - 1))
    lines = [list(_wrapped_row(row, widths)) for row in table]
    rule = _rule() * min(width, sum(widths) + len(_GAP) * (len(columns) - 1))
    return [*lines[0], rule, *(line for row in lines[1:] for line in row)]


class RewrittenLines:
    """Lines on a terminal; each `show` overwrites the lines of the last one.

    Args:
        stream: Terminal that can move its cursor.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._height = 0

    def show(self, lines: Sequence[str]) -> None:
        """Write lines that fit the terminal's width; the next call would not clear wrapped ones."""
        cursor_up = f"\x1b[{self._height}A\r" if self._height else ""
        text = "".join(f"{line}\n" for line in lines)
        self._stream.write(cursor_up + _CLEAR_BELOW + text)
        self._stream.flush()
        self._height = len(lines)


def first_line(text: str, width: int) -> str:
    """Return the first line of a text that is wrapped to a width; control characters as spaces."""
    return next(_wrapped(_printable(text), width))


def _column_widths(full: Sequence[int], width: int) -> list[int]:
    """Return the widths of columns: all except the first are narrowed, until they fit together."""
    first, *others = full
    bound = max(others, default=0)
    while bound > _MIN_COLUMN_WIDTH and first + sum(min(each, bound) for each in others) > width:
        bound -= 1
    return [first, *(min(each, bound) for each in others)]


def _wrapped_row(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    cells = [list(_wrapped(cell, width)) for cell, width in zip(row, widths, strict=True)]
    for k in range(max(map(len, cells))):
        parts = [each[k] if k < len(each) else "" for each in cells]
        padded = (
            part + " " * (width - _text_width(part))
            for part, width in zip(parts, widths, strict=True)
        )
        yield _GAP.join(padded).rstrip()


def _wrapped(text: str, width: int) -> Iterator[str]:
    """Yield the lines of a cell, broken at spaces; a word wider than `width` is broken anywhere."""
    line, used = "", 0
    for char in text:
        if line and used + _text_width(char) > width:
            if char == " ":
                yield line
                line, used = "", 0
                continue
            head, _, tail = line.rpartition(" ")
            yield head or line
            line = tail if head else ""
            used = _text_width(line)
        line += char
        used += _text_width(char)
    yield line


def _text_width(text: str) -> int:
    """Return the number of columns of a terminal that a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _rule() -> str:
    try:
        "─".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return "-"
    return "─"
