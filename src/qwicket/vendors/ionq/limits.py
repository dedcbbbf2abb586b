"""Limits of programs in IonQ's JSON."""

from __future__ import annotations

import msgspec


class IonQLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of programs in IonQ's JSON."""

    ionq_gates: int = 150_000
    """Gates of all circuits of one program in IonQ's JSON, as they are written."""
