"""The settings of the user who runs the tests do not reach the client."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    for name in ("QWICKET_CLIENT_CONFIG", "QWICKET_PROFILE"):
        monkeypatch.delenv(name, raising=False)
