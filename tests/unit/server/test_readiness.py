"""`/readyz` says why a server takes no work."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from qwicket.server.app import App


@pytest.mark.parametrize(
    ("is_ready", "is_alive", "why"),
    [
        (False, True, "The server is starting or stopping."),
        (True, False, "The database does not respond."),
        (True, True, None),
    ],
)
def test_why_a_server_is_not_ready(is_ready: bool, is_alive: bool, why: str | None) -> None:
    app = cast(Any, SimpleNamespace(_is_ready=is_ready))
    assert App._why_not_ready(app, cast(Any, SimpleNamespace(is_alive=is_alive))) == why
