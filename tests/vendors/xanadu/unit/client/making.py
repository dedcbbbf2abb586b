"""Connections to a server on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from qwicket.vendors.xanadu.client import Connection

TOKEN = "ThisTokenMustNeverBeSeenInAnyTextAtAll012345"
PASS = "ThisPassMustNeverBeSeenInAnyText.Either.6789"


@contextmanager
def connecting(url: str, **options: Any) -> Iterator[Connection]:
    """For a `with` that has a server in it, too."""
    at = urlsplit(url)
    given = {"refresh_token": TOKEN, "access_token": PASS, **options}
    yield Connection(host=at.hostname or "", port=at.port or 0, tls=False, **given)
