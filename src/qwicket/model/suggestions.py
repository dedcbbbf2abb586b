"""Suggestion of a valid name that resembles an invalid one."""

from __future__ import annotations

from difflib import get_close_matches
from heapq import nlargest
from itertools import takewhile
from operator import eq
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_CHARS: Final = 64
"""Compared characters of an invalid name: the time grows with the product of both lengths."""
_MAX_NAMES: Final = 20
"""Bound on names that are compared in full: up to 0.3 ms each, and this runs on the event loop."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'x'?", to be appended to a sentence; "" if no name is similar.

    Args:
        name: The invalid name, of any length.
        known: Names that this user may see. Only the `_MAX_NAMES` that begin and end most like
            `name` are compared in full.
    """
    wanted = name[:_MAX_CHARS].casefold()

    def n_equal(letters: str) -> int:
        """Return the number of equal letters at the beginning and at the end."""
        return _n_equal(wanted, letters) + _n_equal(wanted[::-1], reversed(letters))

    by_letters = {each.casefold(): each for each in known}
    near = nlargest(_MAX_NAMES, by_letters, key=n_equal)
    found = get_close_matches(wanted, near, n=1)
    return f" Did you mean {by_letters[found[0]]!r}?" if found else ""


def _n_equal(first: str, second: Iterable[str]) -> int:
    return sum(1 for _ in takewhile(bool, map(eq, first, second)))
