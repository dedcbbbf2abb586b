"""Limits of programs in IQM's JSON."""

from __future__ import annotations

import msgspec


class IQMLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of programs in IQM's JSON."""

    iqm_instructions: int = 150_000
    """Instructions of all circuits of one program in IQM's JSON, as they are written."""
