"""Which server and token a client takes: arguments, environment, profiles; and what it refuses."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pytest

from qwicket.clients.native import ClientError
from qwicket.clients.native.config import DEFAULT_URL, Settings, settings

TOKEN = "qw_ThisTokenMustNeverBeSeenInAnyText"
PROFILES = f"""
default = "lab"

[profiles.lab]
url = "https://lab.example"
token = "{TOKEN}"
timeout = 60

[profiles.home]
token = "at-home"
deadline = 7.5
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The home folder of settings, with the file of `PROFILES`."""
    write(tmp_path / "qwicket" / "config.toml", PROFILES)
    return tmp_path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    path.chmod(0o600)
    return path


def asked(
    folder: Path,
    url: str | None = None,
    token: str | None = None,
    profile: str | None = None,
    environ: dict[str, str] | None = None,
) -> Settings:
    beside = {"XDG_CONFIG_HOME": str(folder), **(environ or {})}
    return settings(url, token, profile, environ=beside)


def test_without_a_file_the_default_address_is_taken(tmp_path: Path) -> None:
    found = asked(tmp_path, None, "token")
    assert (found.url, found.token, found.timeout_s, found.deadline_s) == (
        *(DEFAULT_URL, "token"),
        *(30.0, 90.0),
    )


def test_the_files_default_profile_is_taken(folder: Path) -> None:
    found = asked(folder)
    assert (found.url, found.token, found.timeout_s) == ("https://lab.example", TOKEN, 60)


def test_the_environment_names_another_profile(folder: Path) -> None:
    found = asked(folder, environ={"QWICKET_PROFILE": "home"})
    assert (found.url, found.token, found.deadline_s) == (DEFAULT_URL, "at-home", 7.5)


def test_the_environment_overrides_a_default_profile(folder: Path) -> None:
    environ = {"QWICKET_URL": "https://other.example", "QWICKET_TOKEN": "other"}
    found = asked(folder, environ=environ)
    assert (found.url, found.token) == ("https://other.example", "other")


def test_a_profile_named_as_an_argument_overrides_the_environment(folder: Path) -> None:
    environ = {"QWICKET_URL": "https://other.example", "QWICKET_TOKEN": "other"}
    found = asked(folder, None, None, "lab", environ=environ)
    assert (found.url, found.token) == ("https://lab.example", TOKEN)


def test_arguments_override_everything(folder: Path) -> None:
    environ = {"QWICKET_URL": "https://other.example", "QWICKET_TOKEN": "other"}
    found = asked(folder, "https://given.example", "given", "lab", environ=environ)
    assert (found.url, found.token) == ("https://given.example", "given")


@pytest.mark.parametrize("name", [None, "lab"])
def test_a_profiles_token_goes_to_no_other_address(folder: Path, name: str | None) -> None:
    with pytest.raises(ClientError, match=r"token is only sent to https://lab\.example") as caught:
        asked(folder, "https://evil.example", None, name)
    assert TOKEN not in str(caught.value)


def test_the_same_address_with_a_slash_is_the_same(folder: Path) -> None:
    assert asked(folder, "https://lab.example/").token == TOKEN


def test_a_token_may_lie_in_a_file_of_its_own(tmp_path: Path) -> None:
    write(tmp_path / "secret", "from-a-file\n")
    text = f'default = "a"\n[profiles.a]\ntoken_file = "{tmp_path / "secret"}"\n'
    write(tmp_path / "qwicket" / "config.toml", text)
    assert asked(tmp_path).token == "from-a-file"


def test_the_file_may_be_elsewhere(tmp_path: Path) -> None:
    path = write(tmp_path / "elsewhere.toml", PROFILES)
    assert asked(tmp_path, environ={"QWICKET_CLIENT_CONFIG": str(path)}).token == TOKEN
    assert settings(config=path, environ={}).token == TOKEN


def test_without_a_token_the_error_says_all_three_ways(tmp_path: Path) -> None:
    with pytest.raises(ClientError, match=r"QWICKET_TOKEN.*config\.toml.*token=…"):
        asked(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"token = {TOKEN}\n", r"not valid TOML \(at line 1, column 9\)"),
        (f'[profiles.lab]\ntokn = "{TOKEN}"\n', "unknown key 'tokn'. Valid keys: url, token"),
        ("[profiles.lab]\ntoken = 5\n", "token must be a text"),
        (f'[profiles.lab]\ntoken = "{TOKEN}"\ntimeout = "x"\n', "timeout must be a number"),
        (f'[profiles.lab]\ntoken = "{TOKEN}"\ntimeout = -1\n', "must be positive"),
        (f'[profiles.lab]\ntoken = "{TOKEN}"\ntimeout = true\n', "timeout must be a number"),
        (f'[profiles.lab]\ntoken = "{TOKEN}"\ntoken_file = "x"\n', "not both"),
        ('[profiles.lab]\ntoken_file = "/nowhere/at/all"\n', "No such file"),
        (f'[profiles.other]\ntoken = "{TOKEN}"\n', "no profile 'lab'. Its profiles: other"),
        ("profiles = 5\n", "no profile 'lab'. Its profiles: none"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_and_not_quoted(
    tmp_path: Path, text: str, said: str
) -> None:
    write(tmp_path / "qwicket" / "config.toml", text)
    with pytest.raises(ClientError, match=said) as caught:
        asked(tmp_path, None, None, "lab")
    assert TOKEN not in f"{caught.value!r}{caught.value.__cause__!r}"


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ClientError, match="the file does not exist"):
        settings("http://127.0.0.1", "token", config=tmp_path / "none.toml", environ={})


def test_a_file_of_other_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ClientError, match="not UTF-8 text"):
        settings(config=tmp_path / "bad.toml", environ={})


def test_a_token_that_others_can_read_is_warned_of(folder: Path) -> None:
    (folder / "qwicket" / "config.toml").chmod(0o644)
    with pytest.warns(UserWarning, match=re.escape("chmod 600")):
        asked(folder)
    (folder / "qwicket" / "config.toml").chmod(0o600)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asked(folder)


def test_an_unreadable_file_is_ignored_unless_a_profile_is_named(tmp_path: Path) -> None:
    (tmp_path / "qwicket").write_text("a file where a folder should be")
    assert asked(tmp_path, None, "token").token == "token"
    with pytest.raises(ClientError, match="the file does not exist"):
        asked(tmp_path, None, "token", "lab")


def test_nobody_needs_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(_: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", nowhere)
    assert settings(None, "token", environ={}).token == "token"


def test_no_repr_shows_the_token(folder: Path) -> None:
    assert TOKEN not in repr(asked(folder))


@pytest.mark.parametrize("default", ['["lab"]', "1", "{}"])
def test_a_default_that_is_no_name_is_refused(default: str, tmp_path: Path) -> None:
    file = write(tmp_path / "config.toml", f"default = {default}\n[profiles.lab]\ntoken = 'x'\n")
    with pytest.raises(ClientError, match="default must be a text"):
        settings(config=file, environ={})
