"""Features of a server, one folder each: what an administrator can name and leave out."""

from __future__ import annotations

from typing import Final

NAMES: Final[tuple[str, ...]] = (
    "webhooks",
    "shares",
    "invitations",
    "budgets",
    "confirmations",
    "reservations",
    "archives",
    "dask",
    "distribution",
    "mcp",
)
"""Folders of this package; each has its `Feature` in `__init__.py`. Add a feature here."""
