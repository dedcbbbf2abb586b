"""Limits of IBM's dialects."""

from __future__ import annotations

import msgspec


class IBMLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of IBM's dialects: jobs, filters of lists, and websockets."""

    unfinished_jobs: int = -1
    """Unfinished jobs of one project on one device in IBM's dialects; -1 for any number."""
    long_access_token_s: int = 14 * 86_400
    """Lifetime of the access tokens of the Quantum Experience's clients, which never renew them."""
    filter_clauses: int = 100
    """Comparisons in the filter of a list, with the values in their lists."""
    filter_jobs: int = 100_000
    """Jobs to which the filter of one list is applied, if the database cannot apply it."""
    sockets: int = 2_000
    """Open websockets."""
    sockets_each: int = 1_000
    """Open websockets of one account."""
    unsigned_sockets: int = 500
    """Open websockets that have not sent a token yet, not counted in `sockets`; above this number,
    the oldest of them is closed."""
