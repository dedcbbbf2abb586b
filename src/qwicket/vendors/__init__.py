"""Clouds whose clients this server serves, one folder each. No vendor imports another."""

from __future__ import annotations

from typing import Final

NAMES: Final[tuple[str, ...]] = (
    "ionq",
    "ibm",
    "braket",
    "qbraid",
    "qlued",
    "xanadu",
    "iqm",
)
"""Folders of the vendors, in the order of lists. A new vendor is a folder and a line here."""
