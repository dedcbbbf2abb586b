"""A server whose dialects have addresses of their own."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from support.server import ANNOUNCEMENT, LiveServer
from support.waiting import until


def live_with_own(folder: Path, dialects: Collection[str], *options: str) -> LiveServer:
    """Return a server with an address for each of these dialects."""
    asked = [part for name in dialects for part in ("--listen", f"port=0,dialect={name}")]
    return LiveServer(folder, *asked, *options)


def own_url(live: LiveServer, dialect: str) -> str:
    """Return the address that a dialect of a server has for itself.

    After a restart the log still has the former one, before the server's own announcement.
    """

    def found() -> str | None:
        text = live.log.read_text().rpartition(ANNOUNCEMENT)[2]
        line = re.search(rf"^{dialect} alone listens on (\S+)$", text, re.MULTILINE)
        return line and line[1]

    return until(found, f"{dialect} listens for itself")
