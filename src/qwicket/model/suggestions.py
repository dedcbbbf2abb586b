"""Suggestion of a valid name that resembles an invalid one."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_CHARS: Final = 64
"""Bound on lengths, because the time to compare grows with their product."""
_MAX_NAMES: Final = 1_000
"""Bound on names, for the same reason."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'x'?", to be appended to a sentence; "" if no name is similar.

    Args:
        name: The invalid name, of any length.
        known: Names that this user may see; only the first thousand are compared.
    """
    by_letters = {each.casefold(): each for each in list(known)[:_MAX_NAMES]}
    found = get_close_matches(name[:_MAX_CHARS].casefold(), by_letters, n=1)
    return f" Did you mean {by_letters[found[0]]!r}?" if found else ""
