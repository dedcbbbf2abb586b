"""Limits of the Amazon Braket dialect alone."""

from __future__ import annotations

import msgspec


class BraketDialectLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of requests of Braket's clients."""

    search_filters: int = 20
    """Filters of one search, and values of one filter."""
