from __future__ import annotations

from qwicket.server import Settings


def test_settings_show_no_password() -> None:
    settings = Settings(database_url="postgresql://ada:hush@db/qwicket")
    assert "hush" not in f"{settings!r} {settings}"
