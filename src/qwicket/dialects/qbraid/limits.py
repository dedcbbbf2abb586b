"""Limits of the qBraid dialect alone."""

from __future__ import annotations

import msgspec


class QBraidLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of the qBraid dialect."""

    options_bytes: int = 64 << 10
    """Tags, options or metadata of a qBraid job or group: a page shows those of a hundred. Also one
    registered document."""
