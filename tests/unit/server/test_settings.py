from __future__ import annotations

from qwicket.server import Settings


def test_settings_show_no_password() -> None:
    settings = Settings(database_url="postgresql://ada:hush@db/qwicket")
    assert "hush" not in f"{settings!r} {settings}"


def test_settings_in_force_are_all_but_limits_and_passwords() -> None:
    url = "postgresql://ada:h%40sh@db/qwicket?password=more&sslpassword=mine"
    found = dict(Settings(database_url=url, workers=None, port=81).in_force())
    assert {*found, "limits"} == {*Settings.__struct_fields__}
    assert found["database_url"] == "postgresql://ada:…@db/qwicket?password=…&sslpassword=…"
    assert (found["port"], found["workers"]) == ("81", "none")
