"""Random bits of the operating system, fetched 4 KiB at a time.

A fetch releases the interpreter lock, and a thread of a busy server gets it back late. So there
are few fetches.
"""

from __future__ import annotations

import os
from typing import Final

_PIECE_BYTES: Final = 16
"""128 bits, the most that one call may request."""
_PIECES: Final = 256
"""Pieces of a fetch."""
_pieces: list[bytes] = []
# A child process must not draw the same bits as its parent.
os.register_at_fork(after_in_child=_pieces.clear)


def random_bits(count: int) -> int:
    """Return an unpredictable number of `count` bits, at most 128. Safe in all threads."""
    while True:
        try:
            piece = _pieces.pop()
        except IndexError:
            fetched = os.urandom(_PIECES * _PIECE_BYTES)
            starts = range(0, len(fetched), _PIECE_BYTES)
            _pieces.extend(fetched[start : start + _PIECE_BYTES] for start in starts)
        else:
            return int.from_bytes(piece) >> (8 * _PIECE_BYTES - count)
