"""Query parameters of qBraid's API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qwicket.dialects.bodies import invalid
from qwicket.model.errors import NotOffered

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULT_PAGE_LENGTH: Final = 50
"""Length of a page by default."""
_LONGEST_PAGE: Final = 100
_MAX_PAGES: Final = 1_000_000_000
_FILTERS: Final = ("status", "statusGroup", "search", "tags", "vendor", "provider")


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


def page(query: Mapping[str, str]) -> tuple[int, int]:
    """Return the number and the length of the page that a query asks for.

    Raises:
        InvalidRequest: One of them is not a number, or out of range.
    """
    return (
        integer(query, "page", default=1, maximum=_MAX_PAGES),
        integer(query, "limit", default=_DEFAULT_PAGE_LENGTH, maximum=_LONGEST_PAGE),
    )


def unfiltered_page(query: Mapping[str, str]) -> tuple[int, int]:
    """Return the page that a query asks for.

    Raises:
        InvalidRequest: As for `page`.
        NotOffered: The query has a filter other than `all`.
    """
    for name in _FILTERS:
        if query.get(name, "all") != "all":
            raise NotOffered(f"{name}: lists of jobs at this address have no filters.", field=name)
    return page(query)
