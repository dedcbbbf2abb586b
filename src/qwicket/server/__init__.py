"""The server: settings, start-up, one application of all dialects, shutdown.

Importing this package imports no web server: `qwicket doctor` needs the settings alone.
"""

from __future__ import annotations

from qwicket.server.settings import Settings

__all__ = ["Settings"]
