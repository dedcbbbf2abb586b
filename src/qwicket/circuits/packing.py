"""Version of packed circuits, options and results, which travel between machines."""

from __future__ import annotations

from typing import Final

VERSION: Final = 4
"""Increase it with each change of these structs that an older program reads wrongly or not at all.
`tests/unit/circuits/test_packing.py` fails after a change."""
