"""Times as the vendors' clients read and write them."""

from __future__ import annotations

from datetime import UTC, datetime


def format_time(at_ms: int | None) -> str | None:
    """Return Unix milliseconds in ISO 8601 with milliseconds and a `Z`; None stays None.

    Some older clients parse the text with a fixed pattern, so the fraction and the `Z` are
    always there.
    """
    if at_ms is None:
        return None
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at_ms % 1000:03d}Z"


def parse_time(text: str) -> int | None:
    """Return a time in ISO 8601 as Unix milliseconds, or None if it is malformed.

    A time without an offset is UTC.
    """
    try:
        at = datetime.fromisoformat(text)
        return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
