"""`qwicket user` and `qwicket token` on a folder without a server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from qwicket.cli import main

TOKEN = re.compile(r"qw_[A-Za-z0-9]{43}\n")
YEAR_S = 365 * 86400


class Folder:
    """Commands on one data folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, *arguments: str, stdin: str | bytes = "") -> Result:
        arguments = (*arguments, "--data-dir", str(self.path))
        result = CliRunner().invoke(main, arguments, input=stdin)
        assert isinstance(result.exception, SystemExit | None), result.exception
        return result

    def out(self, *arguments: str, stdin: str | bytes = "") -> str:
        result = self.run(*arguments, stdin=stdin)
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        return result.stdout

    def refusal(self, *arguments: str, stdin: str | bytes = "") -> str:
        result = self.run(*arguments, stdin=stdin)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("Error: ")
        assert result.stderr.count("\n") == 1
        return result.stderr


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.chdir(tmp_path)
    return Folder(tmp_path / "data")


def test_an_account_is_made_and_listed(folder: Folder) -> None:
    assert folder.out("user", "add", "ada") == "ada (member)\n"
    assert folder.out("user", "add", "eve", "--role", "admin", "--email", "e@lab.org") == (
        "eve (admin)\n"
    )
    assert folder.out("user", "list") == "ada  member  ada@localhost\neve  admin  e@lab.org\n"


def test_a_disabled_account_is_listed_as_such(folder: Folder) -> None:
    folder.out("user", "add", "ada")
    assert folder.out("user", "disable", "ada") == ""
    assert folder.out("user", "list") == "ada  member  ada@localhost  disabled\n"


def test_an_account_is_made_once(folder: Folder) -> None:
    folder.out("user", "add", "ada")
    assert "ada" in folder.refusal("user", "add", "ada")


def test_a_name_that_nobody_may_have_is_refused(folder: Folder) -> None:
    assert "name" in folder.refusal("user", "add", "Ada Lovelace")


def test_the_password_is_one_line_of_standard_input(folder: Folder) -> None:
    folder.out("user", "add", "ada", "--password-stdin", stdin="correct horse\nmore\n")


@pytest.mark.parametrize(
    ("stdin", "said"),
    [
        ("", "There is no password on standard input."),
        ("\n", "There is no password on standard input."),
        ("short\n", "A password has 8 to 1024 characters."),
        ("x" * 9_000, "A password has 8 to 1024 characters."),
        (b"\xff\xfe\xff\xfe\xff\xfe\xff\xfe\n", "The password is no UTF-8 text."),
    ],
)
def test_a_password_that_cannot_be_one_is_refused(
    folder: Folder, stdin: str | bytes, said: str
) -> None:
    assert said in folder.refusal("user", "add", "ada", "--password-stdin", stdin=stdin)
    assert folder.out("user", "list") == ""


def test_a_new_token_is_printed_and_nothing_else(folder: Folder) -> None:
    folder.out("user", "add", "ada")
    first = folder.out("token", "create", "--user", "ada")
    second = folder.out("token", "create", "--user", "ada", "--project", "ada")
    assert TOKEN.fullmatch(first)
    assert TOKEN.fullmatch(second)
    assert first != second


def test_tokens_are_listed_without_their_secrets(folder: Folder) -> None:
    folder.out("user", "add", "ada")
    secret = folder.out("token", "create", "--user", "ada").strip()
    folder.out("token", "create", "--user", "ada", "--scope", "jobs:read", "--expires", "90d")
    first, second = folder.out("token", "list", "--user", "ada").splitlines()
    assert first.endswith("  jobs:read jobs:write devices:read  no expiry")
    assert re.search(r"  jobs:read  expires \d{4}-\d\d-\d\d \d\d:\d\d UTC$", second)
    assert secret not in first + second


def test_a_revoked_token_is_listed_as_such(folder: Folder) -> None:
    folder.out("user", "add", "ada")
    folder.out("token", "create", "--user", "ada")
    id_text, *_ = folder.out("token", "list", "--user", "ada").split()
    assert folder.out("token", "revoke", id_text) == ""
    assert "  revoked " in folder.out("token", "list", "--user", "ada")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("user disable nobody", "nobody"),
        ("token create --user nobody", "nobody"),
        ("token create --user ada --project other", "other"),
        ("token create --user ada --device nowhere", "There is no device nowhere."),
        ("token create --user ada --scope admin", "ada is no admin."),
        ("token list --user nobody", "nobody"),
        ("token revoke 5", "token"),
        ("user add eve --email nonsense", "email is no e-mail address."),
    ],
)
def test_a_refusal_is_one_line_and_status_1(folder: Folder, arguments: str, said: str) -> None:
    folder.out("user", "add", "ada")
    assert said in folder.refusal(*arguments.split())


@pytest.mark.parametrize("text", ["30m", "12h", "90d", "2w", "86400s"])
def test_a_life_is_a_number_and_a_unit(folder: Folder, text: str) -> None:
    folder.out("user", "add", "ada")
    assert TOKEN.fullmatch(folder.out("token", "create", "--user", "ada", "--expires", text))


@pytest.mark.parametrize("text", ["", "90", "d", "0d", "-1d", "1.5d", "90 d", "999999999w", "٣d"])
def test_a_life_that_is_none_is_a_wrong_call(folder: Folder, text: str) -> None:
    result = folder.run("token", "create", "--user", "ada", "--expires", text)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is no time such as 90d, 12h or 30m" in result.stderr


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = Folder(tmp_path / "file" / "data").refusal("user", "list")
    assert "Not a directory" in said
    assert str(tmp_path) in said


def test_a_file_that_is_no_database_is_one_line(folder: Folder) -> None:
    folder.path.mkdir()
    (folder.path / "qwicket.db").write_bytes(b"no database at all, but text" * 100)
    assert "qwicket.db cannot be opened as a database" in folder.refusal("user", "list")
