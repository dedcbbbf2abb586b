"""The server: settings, start-up, one application of all dialects, shutdown."""

from __future__ import annotations

from qwicket.server.settings import Settings

__all__ = ["Settings", "run"]


def run(settings: Settings, hint: str = "") -> int:
    """Serve until SIGTERM or SIGINT; return the exit status, 1 when the server could not start.

    Args:
        settings: The operator's settings.
        hint: Advice to print once the server listens.
    """
    # Late: commands that only ask for the default folder need no web server.
    from qwicket.server.run import run as serve

    return serve(settings, hint)
