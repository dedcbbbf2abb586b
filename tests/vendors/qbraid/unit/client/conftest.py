"""A machine of its own for each test: no file of settings, no variables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

VARIABLES = (
    *("JUPYTERHUB_USER", "QBRAID_API_KEY", "REFRESH", "QBRAID_REFRESH_TOKEN", "QBRAID_ID_TOKEN"),
    *("QBRAID_API_URL", "QBRAID_CONFIG_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC"),
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def settings(home: Path) -> Callable[..., Path]:
    """Writes the file of settings: its text, or settings of its section `default`."""

    def write(text: str = "", **values: str) -> Path:
        file = home / ".qbraid" / "qbraidrc"
        file.parent.mkdir(exist_ok=True)
        pairs = "".join(f"{name.replace('_', '-')} = {text}\n" for name, text in values.items())
        file.write_text(text or f"[default]\n{pairs}")
        return file

    return write
