"""The nearest right name for a wrong one."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST_CHARS: Final = 64
"""Comparing takes time that grows with the product of both lengths."""
_MOST_NAMES: Final = 1_000


def closest(name: str, known: Iterable[str]) -> str:
    """Return ` Did you mean 'x'?`, to follow a sentence; "" where nothing is near.

    Args:
        name: What somebody wrote, of any length.
        known: Names that this user may see; the first thousand count.
    """
    by_letters = {each.casefold(): each for each in list(known)[:_MOST_NAMES]}
    found = get_close_matches(name[:_MOST_CHARS].casefold(), by_letters, n=1)
    return f" Did you mean {by_letters[found[0]]!r}?" if found else ""
