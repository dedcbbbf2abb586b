"""The server: settings, start-up, one application of all dialects, shutdown.

Importing this imports no web server: many commands only ask for the default folder.
"""

from __future__ import annotations

from qwicket.server.settings import Settings

__all__ = ["Settings"]
