"""Which servers offer a link that makes the first account, and where it is printed."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from qwicket.compute import ParserPool
from qwicket.gateway import Gateway
from qwicket.model.limits import Limits
from qwicket.server import Settings, setup_link
from qwicket.store import Store
from support.stores import NOW, open_new_sqlite

pytestmark = pytest.mark.anyio

LIMITS = Limits.from_names(memory_bytes=1 << 30)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_new_sqlite(tmp_path)
    yield opened
    await opened.close()


@pytest.mark.parametrize(
    ("host", "given", "url"),
    [
        ("127.0.0.1", {}, "http://127.0.0.1:"),
        ("127.0.0.1", {"public_url": "https://lab.org/q/"}, "https://lab.org/q/ui/link"),
        ("0.0.0.0", {}, None),
        ("0.0.0.0", {"setup_link": True}, f"http://{socket.gethostname()}:"),
        ("127.0.0.1", {"setup_link": False}, None),
        ("127.0.0.1", {"no_passwords": True}, None),
        ("127.0.0.1", {"oidc_create": True}, None),
    ],
)
async def test_the_link_is_on_the_terminal_alone(
    store: Store,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    host: str,
    given: dict[str, Any],
    url: str | None,
) -> None:
    terminal = tmp_path / "terminal"
    parsers = ParserPool(LIMITS)
    gateway = Gateway(store, parsers, LIMITS, lambda: NOW)
    with socket.create_server((host, 0)) as listening:
        settings = Settings(**given)
        await setup_link.offer(gateway, settings, [listening], terminal)
    await parsers.close()
    assert capfd.readouterr() == ("", "")
    assert terminal.exists() == (url is not None)
    if url is not None:
        assert url in terminal.read_text()
