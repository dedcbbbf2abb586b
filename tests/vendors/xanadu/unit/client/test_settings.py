from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from qwicket.vendors.xanadu.client import Connection, Settings
from qwicket.vendors.xanadu.client.settings import DEFAULT_HOST

NAMES = ("REFRESH_TOKEN", "ACCESS_TOKEN", "HOST", "PORT", "TLS")


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of settings of a user who has none yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in NAMES:
        monkeypatch.delenv(f"XANADU_CLOUD_{name}", raising=False)
    return tmp_path / "xanadu-cloud" / ".env"


def values(settings: Settings) -> list[object]:
    return [getattr(settings, name) for name in NAMES]


def test_without_any_there_are_defaults() -> None:
    assert values(Settings()) == [None, None, "platform.strawberryfields.ai", 443, True]


def test_arguments_come_before_the_environment_and_that_before_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.parent.mkdir()
    file.write_text(
        "XANADU_CLOUD_HOST='a'\nXANADU_CLOUD_PORT=1\nXANADU_CLOUD_TLS=False # why\n#x\n"
    )
    assert values(Settings())[2:] == ["a", 1, False]
    monkeypatch.setenv("XANADU_CLOUD_PORT", "2")
    monkeypatch.setenv("XANADU_CLOUD_HOST", "b")
    assert values(Settings(HOST="c"))[2:] == ["c", 2, False]
    assert Settings(REFRESH_TOKEN=None).REFRESH_TOKEN is None


def test_saved_settings_are_read_again_and_private(file: Path) -> None:
    made = Settings(REFRESH_TOKEN="qw_a.b-1", HOST="127.0.0.1", PORT=8000, TLS=False)
    file.parent.mkdir()
    file.touch(mode=0o644)
    made.save()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Settings() == made
    Settings(REFRESH_TOKEN=None).save()
    assert "REFRESH_TOKEN" not in file.read_text()


@pytest.mark.parametrize("token", ["a b", "ä", "a\nb", "a'b", "=", "a/b"])
def test_what_is_no_token_is_not_saved(file: Path, token: str) -> None:
    with pytest.raises(ValueError, match="REFRESH_TOKEN must consist") as caught:
        Settings(REFRESH_TOKEN=token).save()
    assert token not in str(caught.value) or token == "="
    assert not file.exists()


def test_no_setting_breaks_out_of_its_line(file: Path) -> None:
    with pytest.raises(ValueError, match="quote"):
        Settings(HOST="a'\nXANADU_CLOUD_TLS='false").save()
    assert not file.exists()


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "x"), ("PORT", "0"), ("PORT", "0080000"), ("TLS", "maybe")]
)
def test_a_value_of_the_wrong_kind_is_named(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"XANADU_CLOUD_{name}", value)
    with pytest.raises(ValueError, match=name):
        Settings()


def test_the_token_of_a_qwicket_server_is_sent_to_no_other_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QWICKET_URL", "https://qwicket.example")
    monkeypatch.setenv("QWICKET_TOKEN", "qw_secret")
    own = Connection.load()
    assert (own.host, own.refresh_token) == ("qwicket.example", "qw_secret")
    for elsewhere in ({"host": "elsewhere.example"}, {"port": 8443}, {"tls": False}):
        for settings in (None, Settings()):
            with pytest.raises(ValueError, match="token"):
                Connection.load(settings, **elsewhere)
    monkeypatch.setenv("XANADU_CLOUD_REFRESH_TOKEN", "a-key")
    assert Connection.load(host="elsewhere.example").refresh_token == "a-key"


@pytest.mark.parametrize(
    ("tokens", "host"),
    [
        ({}, "qwicket.example"),
        ({"REFRESH_TOKEN": "qw_key"}, "qwicket.example"),
        ({"REFRESH_TOKEN": "qw_key", "ACCESS_TOKEN": "eyJ.of.qwicket"}, "qwicket.example"),
        ({"REFRESH_TOKEN": "xanadus-key"}, DEFAULT_HOST),
        ({"REFRESH_TOKEN": "xanadus-key", "ACCESS_TOKEN": "qw_key"}, DEFAULT_HOST),
        ({"ACCESS_TOKEN": "eyJ.of.xanadu"}, DEFAULT_HOST),
    ],
)
def test_a_key_of_xanadu_is_not_sent_to_a_qwicket_server(
    tokens: dict[str, Any], host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QWICKET_URL", "https://qwicket.example")
    assert host == Settings(**tokens).HOST
