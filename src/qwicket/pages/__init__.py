"""Pages under `/ui` for people, rendered on the server: sign-in, and an account's own tokens."""

from __future__ import annotations

from typing import Final

__all__ = ["APPLICATION"]

APPLICATION: Final = "qwicket.pages.routes:application"
"""Makes the application, which is imported with its first request."""
