"""Query parameters of qBraid's API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwicket.dialects.bodies import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping


def integer(
    query: Mapping[str, str], name: str, *, default: int, maximum: int, minimum: int = 1
) -> int:
    """Return a whole number of a query, within bounds; `default` if it is absent.

    Raises:
        InvalidRequest: The text is not a number, or out of range.
    """
    text = query.get(name)
    if text is None:
        return default
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
    if not minimum <= value <= maximum:
        raise invalid(f"{name} must be {minimum} to {maximum}", text, name)
    return value
