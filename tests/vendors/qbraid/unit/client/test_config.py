"""The file of settings: read leniently, written whole or not at all."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from qwicket.vendors.qbraid.client import ConfigError, config

Write = Callable[..., Path]


def test_a_missing_file_section_or_setting_is_none(settings: Write) -> None:
    assert config.read("api-key") is None
    settings("[other]\napi-key = x\n")
    assert config.read("api-key") is None
    settings(url="http://127.0.0.1")
    assert config.read("api-key") is None


def test_a_percent_sign_is_a_character_like_any_other(settings: Write) -> None:
    settings(api_key="50%(x)s%")
    assert config.read("api-key") == "50%(x)s%"
    config.write({"email": "100%@example.org"})
    assert config.read("email") == "100%@example.org"
    assert config.read("api-key") == "50%(x)s%"


def test_names_are_found_in_any_case_as_they_were_by_the_original(settings: Write) -> None:
    settings("[default]\nAPI-Key = x\n")
    assert config.read("api-key") == "x"
    config.write({"api-key": "y"})
    assert config.read("api-key") == "y"


def test_other_sections_and_settings_stay(settings: Write) -> None:
    file = settings("[lab]\nTheme = dark\n[default]\nworkspace = a\napi-key = x\n")
    config.write({"api-key": "y", "url": "http://127.0.0.1:8000/qbraid/api"})
    text = file.read_text()
    assert "Theme = dark" in text
    assert config.read("workspace") == "a"
    assert config.read("api-key") == "y"
    assert config.read("url") == "http://127.0.0.1:8000/qbraid/api"


def test_only_the_owner_can_read_the_file_and_a_former_one_is_narrowed(settings: Write) -> None:
    file = settings(api_key="x")
    file.chmod(0o644)
    config.write({"api-key": "y"})
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_folder_is_made_and_no_draft_is_left(home: Path) -> None:
    config.write({"api-key": "y"})
    assert [each.name for each in (home / ".qbraid").iterdir()] == ["qbraidrc"]
    assert stat.S_IMODE((home / ".qbraid").stat().st_mode) == 0o700


def test_a_link_stays_a_link(home: Path, settings: Write) -> None:
    target = home / "elsewhere"
    target.write_text("[default]\n")
    file = settings(api_key="x")
    file.unlink()
    file.symlink_to(target)
    config.write({"api-key": "y"})
    assert file.is_symlink()
    assert "api-key = y" in target.read_text()


def test_the_file_may_be_named_by_the_environment(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QBRAID_CONFIG_FILE", str(home / "mine"))
    config.write({"api-key": "y"})
    assert "api-key = y" in (home / "mine").read_text()


@pytest.mark.parametrize("text", ["[default\nsecret = x\n", "secret-key\n", "\xff\xfe"])
def test_a_broken_file_is_refused_without_quoting_it(settings: Write, text: str) -> None:
    file = settings("[default]\n")
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError) as refusal:
        config.read("api-key")
    assert "secret" not in str(refusal.value)
    assert refusal.value.__cause__ is None
    with pytest.raises(ConfigError):
        config.write({"api-key": "y"})
    assert file.read_bytes() == text.encode("latin-1")


def test_what_cannot_be_written_leaves_the_former_file(home: Path) -> None:
    (home / ".qbraid").write_text("a file where a folder should be")
    with pytest.raises(ConfigError):
        config.write({"api-key": "y"})
