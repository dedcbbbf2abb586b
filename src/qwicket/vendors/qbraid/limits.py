"""Limits of qBraid's dialect."""

from __future__ import annotations

import msgspec


class QBraidLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of the qBraid dialect."""

    options_bytes: int = 64 << 10
    """Bytes of the tags, the options or the metadata of a qBraid job or group, because a page shows
    those of a hundred; also of a registered document."""
