"""Limits of Blackbird programs that an operator can set."""

from __future__ import annotations

import msgspec


class BlackbirdLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of Blackbird programs that an operator can set."""

    program_lines: int = 100_000
    """Lines of one Blackbird program."""
    blackbird_operations: int = 100_000
    """Operations of one Blackbird program; also statements that its loops and time bins repeat."""
    array_elements: int = 100_000
    """Elements of all arrays of one Blackbird program."""
