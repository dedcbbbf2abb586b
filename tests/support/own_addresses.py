"""A server whose dialects have addresses of their own."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from support.server import LiveServer
from support.waiting import until


def live_with_own(folder: Path, dialects: Collection[str], *options: str) -> LiveServer:
    """Return a server with an address for each of these dialects."""
    asked = [part for name in dialects for part in ("--listen", f"port=0,dialect={name}")]
    return LiveServer(folder, *asked, *options)


def own_url(live: LiveServer, dialect: str) -> str:
    """Return the address that a dialect of a server has for itself."""

    def found() -> str | None:
        lines = re.findall(
            rf"^{dialect} alone listens on (\S+)$", live.log.read_text(), re.MULTILINE
        )
        return str(lines[-1]) if lines else None

    return until(found, f"{dialect} listens for itself")
