"""HTML tables for notebooks. All texts are escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MAX_CHARS: Final = 300
"""Characters of a value; longer ones are cut."""


def table(rows: Iterable[tuple[str, Any]]) -> str:
    """Return a table with one row per name; rows whose value is None or empty are left out."""
    shown = ((name, _text(value)) for name, value in rows)
    lines = [
        f"<tr><th style='text-align:left'>{escape(name)}</th>"
        f"<td style='text-align:left'>{text}</td></tr>"
        for name, text in shown
        if text
    ]
    return f"<table>{''.join(lines)}</table>"


def grid(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table with headings."""
    header = "".join(f"<th style='text-align:left'>{escape(head)}</th>" for head in headings)
    lines = [
        "".join(f"<td style='text-align:left'>{_text(cell)}</td>" for cell in cells)
        for cells in rows
    ]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><tr>{header}</tr>{body}</table>"


def bars(rows: Sequence[tuple[str, float]], left_out: int) -> str:
    """Return a bar chart of labels and heights.

    Its last line has the number of outcomes that are not shown, `left_out`, if there are any.
    """
    # 1 if there are no rows or all heights are 0.
    maximum = max((height for _, height in rows), default=1) or 1
    lines = [
        f"<tr><td style='text-align:left'><code>{escape(label)}</code></td>"
        f"<td style='text-align:right'>{height:g}</td>"
        "<td style='width:16em'><div style='height:.8em;background:#4c72b0;"
        f"width:{100 * height / maximum:.1f}%'></div></td></tr>"
        for label, height in rows
    ]
    if left_out:
        lines.append(f"<tr><td colspan='3'>… and {left_out} more outcomes</td></tr>")
    return f"<table>{''.join(lines)}</table>"


def _text(value: Any) -> str:
    if value in (None, "", [], {}):
        return ""
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return escape(text if len(text) <= _MAX_CHARS else text[: _MAX_CHARS - 1] + "…")
