"""Limits of IBM's dialects alone."""

from __future__ import annotations

import msgspec


class IBMLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of both dialects of IBM: jobs, filters of lists, and websockets."""

    ibm_jobs: int = -1
    """Jobs of one project on one device of IBM's dialects that have not ended; -1 is any number."""
    filter_clauses: int = 100
    """Comparisons, and values in their lists, of one list's filter."""
    filter_jobs: int = 100_000
    """Jobs that one list's filter looks at, where the database does not find them by itself."""
    sockets: int = 2_000
    """Open websockets."""
    sockets_each: int = 1_000
    """Open websockets of one account."""
    unsigned_sockets: int = 500
    """Open websockets over which no token has come yet, beside `sockets`; above, the one that has
    been silent for longest is closed."""
