"""How values are written on pages and in CSV files."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import escape
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from qwicket.model.accounts import project_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_NO_VALUE: Final = "–"
_FORMULA: Final = re.compile(r"[=+\-@\uff1d\uff0b\uff0d\uff20\x00-\x1f\x7f-\x9f]")
"""The beginning of a text that a spreadsheet may take for a formula.

Spreadsheets take full-width signs (of East Asian keyboards) as the plain ones, and drop control
characters at the beginning, which names of jobs may have.
"""
_MAX_CHOICE_BYTES: Final = 2_500
"""Bytes of the options of one choice."""
_UNITS: Final = ((1e-6, 1e9, "ns"), (1e-3, 1e6, "µs"), (1.0, 1e3, "ms"), (120.0, 1.0, "s"))
"""Below each bound in seconds: the factor and the unit of a duration."""


def day(at_ms: int) -> str:
    """Return a day in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d")


def minute(at_ms: int) -> str:
    """Return a time in UTC to the minute."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def time(at_ms: int | None) -> str:
    """Return a time in UTC to the second."""
    if at_ms is None:
        return _NO_VALUE
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


@jinja2.pass_context
def when(context: jinja2.runtime.Context, at_ms: float | None, has_title: bool = True) -> str:
    """Return a time to the minute in the person's zone, with the exact time in UTC as its title.

    The text has a day if it is not today: `14:02`, `Yesterday 18:20`, `27 Nov 16:44`. Long lists
    have no room for the titles.
    """
    if at_ms is None:
        return _NO_VALUE
    at = datetime.fromtimestamp(at_ms / 1000, context["zone"])
    return _time_element(at, f"{_day(at, context)}{at:%H:%M}".lstrip(), has_title)


@jinja2.pass_context
def date(context: jinja2.runtime.Context, at_ms: int) -> str:
    """Return the day of a time in the person's zone, such as `27 Feb 2027`."""
    at = datetime.fromtimestamp(at_ms / 1000, context["zone"])
    return _time_element(at, f"{at.day} {at:%b %Y}")


def _day(at: datetime, context: jinja2.runtime.Context) -> str:
    now = datetime.fromtimestamp(context["now"] / 1000, context["zone"])
    if at.date() == now.date():
        return ""
    if at.date() == now.date() - timedelta(days=1):
        return "Yesterday "
    return f"{at.day} {at:%b} " if at.year == now.year else f"{at.day} {at:%b %Y} "


def _time_element(at: datetime, text: str, has_title: bool = True) -> Markup:
    exact = at.astimezone(UTC)
    attribute = exact.strftime("%Y-%m-%dT%H:%M:%SZ")
    if not has_title:
        return Markup('<time datetime="{}">{}</time>').format(attribute, text)
    title = exact.strftime("%Y-%m-%d %H:%M:%S UTC")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(attribute, title, text)


def duration(seconds: float | None) -> str:
    """Return a duration: up to three digits and a unit, or from two hours on with two units."""
    if seconds is None:
        return _NO_VALUE
    if seconds == 0:
        return "0 s"
    rounded = float(f"{seconds:.3g}")  # 999.7 µs are 1 ms
    for bound, factor, unit in _UNITS:
        if rounded < bound:
            return f"{seconds * factor:.3g} {unit}"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} days {minutes % 1440 // 60} h"


def beginning(text: str, n_bytes: int) -> str:
    """Return a beginning of a text that takes at most this many bytes on a page."""
    found = text[:n_bytes]
    while escaped_size(found) > n_bytes:
        found = found[: len(found) * 7 // 8]
    return found


def escaped_size(text: str) -> int:
    """Return how many bytes a text takes on a page, where a quotation mark needs up to six."""
    return len(escape(text).encode())


def fitting(names: Sequence[str]) -> Sequence[str]:
    """Return the first names of a choice, as many as a page has room for."""
    left = _MAX_CHOICE_BYTES
    for number, name in enumerate(names):
        left -= len(name) + 18  # 18: `<option></option>` and a line's end
        if left < 0:
            return names[:number]
    return names


def csv_line(cells: Iterable[Any], *, end: str = "\r\n") -> str:
    """Return a line of CSV, with a `'` before texts that a spreadsheet would take for a formula."""
    return ",".join(map(_csv_cell, cells)) + end


def _csv_cell(value: Any) -> str:
    text = "" if value is None else str(value)
    if isinstance(value, str) and _FORMULA.match(text):
        text = f"'{text}"
    if any(mark in text for mark in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def share(value: float | None) -> str:
    """Return a probability as a percentage."""
    return _NO_VALUE if value is None else f"{100 * value:.3g} %"


def number(value: float | None) -> str:
    """Return an integer with commas, or a float with six significant digits."""
    if value is None:
        return _NO_VALUE
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"


def clip(text: str, chars: int) -> str:
    """Return a text with at most this many characters."""
    return text if len(text) <= chars else text[: chars - 1] + "…"


def address(project: str) -> str:
    """Return the name of a project as a part of an address."""
    return quote(project_address(project), safe=":")


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "address": address,
    "beginning": beginning,
    "clipped": clip,
    "date": date,
    "day": day,
    "duration": duration,
    "fitting": fitting,
    "minute": minute,
    "number": number,
    "share": share,
    "time": time,
    "when": when,
}
