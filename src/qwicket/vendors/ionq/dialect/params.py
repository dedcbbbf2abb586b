"""Query parameters of IonQ's API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from qwicket.dialects.bodies import invalid
from qwicket.model.limits import INT64_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping


def integer(
    query: Mapping[str, str], name: str, *, default: int, minimum: int, maximum: int
) -> int:
    """Return a whole number of a query; `default` if it is absent.

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


def instant(query: Mapping[str, str], name: str, default: int) -> int:
    """Return a time of a query as Unix milliseconds; `default` if it is absent.

    The text is in Unix milliseconds, or in ISO 8601 with UTC as the default offset.

    Raises:
        InvalidRequest: The text is no such time.
    """
    text = query.get(name)
    if text is None:
        return default
    if text.isascii() and text.isdigit() and len(text) < 16:
        return int(text)
    try:
        at = datetime.fromisoformat(text)
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        detail = f"{name} must be Unix milliseconds or a time in ISO 8601"
        raise invalid(detail, text, name) from None


def boolean(query: Mapping[str, str], name: str) -> bool:
    """Return a boolean of a query: true, false, 1 or 0, in any case; False if it is absent.

    Raises:
        InvalidRequest: The text is not a boolean.
    """
    text = query.get(name, "false").lower()
    if text not in ("true", "false", "1", "0"):
        raise invalid(f"{name} must be true or false", query[name], name)
    return text in ("true", "1")


def cursor(query: Mapping[str, str]) -> int | None:
    """Return the position at which a list continues; None for its beginning.

    Raises:
        InvalidRequest: The cursor is malformed.
    """
    if "next" not in query:
        return None
    return integer(query, "next", default=1, minimum=1, maximum=INT64_MAX)
