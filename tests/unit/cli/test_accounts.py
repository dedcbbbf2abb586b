"""Commands of administrators on a folder without a server."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import stat
import time
import tomllib
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from qwicket.cli import login, main
from qwicket.cli.database_checks import corruption
from qwicket.cli.watch import _read_job
from qwicket.clients.native import connect
from qwicket.devices import built_in
from qwicket.store import open_sqlite
from support.bad_server import BadServer, Request, Step, answer, drop

TOKEN = re.compile(r"qw_[A-Za-z0-9]{43}\n")
LINK = re.compile(
    r"Link for (\w+), until .* UTC, after the server's address: /ui/link\?code=(.*)\n"
)
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
        assert (result.exit_code, LINK.sub("", result.stderr)) == (0, ""), result.output
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


@pytest.mark.parametrize("command", ["user add eve", "user add eve --json", "user reset ada"])
def test_a_person_without_a_password_gets_a_link_that_is_in_no_output(
    folder: Folder, command: str
) -> None:
    folder.out("user", "add", "ada", "--no-passwords")
    result = folder.run(*command.split())
    found = LINK.fullmatch(result.stderr)
    assert found
    assert TOKEN.fullmatch(found[2] + "\n")
    assert found[2] not in result.stdout
    assert folder.run(*command.replace("eve", "bob").split(), "--no-passwords").stderr == ""


def test_key_pairs_are_made_with_the_master_file_of_the_settings_file(folder: Folder) -> None:
    """A server with the same settings would else refuse to start: it would have another key."""
    master = folder.path.parent / "elsewhere"
    Path("qwicket.toml").write_text(f'aws_master_file = "{master}"')
    folder.out("user", "add", "ada")
    folder.out("token", "create", "--user", "ada", "--aws")
    assert master.read_text().startswith("1 ")
    assert not list(folder.path.glob("aws*"))


def test_a_disabled_account_is_listed_as_such(folder: Folder) -> None:
    folder.out("user", "add", "ada")
    assert folder.out("user", "disable", "ada") == ""
    assert folder.out("user", "list") == "ada  member  ada@localhost  disabled\n"


def test_an_account_is_made_once(folder: Folder) -> None:
    folder.out("user", "add", "ada")
    assert "ada" in folder.refusal("user", "add", "ada")


def test_a_reserved_name_is_refused(folder: Folder) -> None:
    assert "name" in folder.refusal("user", "add", "Ada Lovelace")


def test_the_password_is_one_line_of_standard_input(folder: Folder) -> None:
    folder.out("user", "add", "ada", "--password-stdin", stdin="correct horse\nmore\n")


@pytest.mark.parametrize(
    ("stdin", "said"),
    [
        ("", "There is no password on standard input."),
        ("\n", "There is no password on standard input."),
        ("short\n", "A password has 8 to 1024 characters."),
        ("x" * 9_000, "password must be a text of at most 1024 characters."),
        (b"\xff\xfe\xff\xfe\xff\xfe\xff\xfe\n", "The password is not UTF-8 text."),
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


def test_a_disabled_account_gets_no_token(folder: Folder) -> None:
    folder.out("user", "add", "ada")
    folder.out("user", "disable", "ada")
    assert "The account ada is disabled" in folder.refusal("token", "create", "--user", "ada")
    assert folder.out("token", "list", "--user", "ada") == ""


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
        (
            "token create --user ada --scope admin",
            "ada is not an admin, so its tokens cannot have the scope admin.",
        ),
        ("token list --user nobody", "nobody"),
        ("token revoke 5", "token"),
        (
            "user add eve --email nonsense",
            "email must be an e-mail address of at most 254",
        ),
    ],
)
def test_a_refusal_is_one_line_and_status_1(folder: Folder, arguments: str, said: str) -> None:
    folder.out("user", "add", "ada")
    assert said in folder.refusal(*arguments.split())


@pytest.mark.parametrize("text", ["30m", "12h", "90d", "2w", "86400s"])
def test_a_life_is_a_number_and_a_unit(folder: Folder, text: str) -> None:
    folder.out("user", "add", "ada")
    assert TOKEN.fullmatch(folder.out("token", "create", "--user", "ada", "--expires", text))


@pytest.mark.parametrize("text", ["", "90", "d", "-1d", "1.5d", "90 d", "9999999999w", "\u0663d"])
def test_a_text_that_is_no_duration_is_a_wrong_call(folder: Folder, text: str) -> None:
    result = folder.run("token", "create", "--user", "ada", "--expires", text)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is not a duration. Use 90d, 12h or 30m" in result.stderr


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = Folder(tmp_path / "file" / "data").refusal("user", "list")
    assert "Not a directory" in said
    assert str(tmp_path) in said


def test_a_file_that_is_no_database_is_one_line(folder: Folder) -> None:
    folder.path.mkdir()
    (folder.path / "qwicket.db").write_bytes(b"no database at all, but text" * 100)
    assert "qwicket.db cannot be opened as a database" in folder.refusal("user", "list")


# --- projects and devices ----------------------------------------------------------------------


def test_a_project_has_members_and_shares(folder: Folder) -> None:
    folder.out("user", "add", "ada")
    assert folder.out("project", "add", "lab", "--shares", "3") == "lab  3 shares\n"
    folder.out("project", "member", "add", "lab", "ada")
    assert folder.out("project", "member", "list", "lab") == "ada  1 share  member  0.0 MB\n"
    folder.out("project", "member", "shares", "lab", "ada", "2")
    folder.out("project", "member", "role", "lab", "ada", "lead")
    assert folder.out("project", "member", "list", "lab") == "ada  2 shares  lead  0.0 MB\n"
    folder.out("project", "shares", "lab", "5")
    assert folder.out("project", "list") == "ada  1 share  0.0 MB\nlab  5 shares  0.0 MB\n"
    assert TOKEN.fullmatch(folder.out("token", "create", "--user", "ada", "--project", "lab"))


def test_who_leaves_a_project_loses_its_tokens_for_it(folder: Folder) -> None:
    folder.out("user", "add", "ada")
    folder.out("project", "add", "lab")
    folder.out("project", "member", "add", "lab", "ada")
    folder.out("token", "create", "--user", "ada", "--project", "lab")
    folder.out("token", "create", "--user", "ada")
    folder.out("project", "member", "remove", "lab", "ada")
    listed = folder.out("token", "list", "--user", "ada").splitlines()
    assert ["revoked" in line for line in listed] == [True, False]
    said = folder.refusal("token", "create", "--user", "ada", "--project", "lab")
    assert "ada is not a member of a project lab" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("project add ada", "The name ada is taken"),
        ("project add Lab", "name must be"),
        ("project add lab --shares 0", "shares must be a whole number of at least 1, not 0."),
        ("project shares ada 0", "shares must be a whole number of at least 1, not 0."),
        ("project shares lab 2", "There is no project lab"),
        ("project member add lab ada", "There is no project lab"),
        ("project member add ada bob", "There is no account bob"),
        ("project member remove ada ada", "own project"),
        ("project member list lab", "There is no project lab"),
        ("device on warp", "There is no device warp"),
        ("device message warp on", "There is no device warp"),
        ("device off warp --reason none", "There is no device warp"),
        ("device off warp --reason none --until 2020-01-01T00:00", "until has passed"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(folder: Folder, arguments: str, said: str) -> None:
    folder.out("user", "add", "ada")
    assert said in folder.refusal(*arguments.split())


def test_a_device_is_turned_off_with_a_reason_and_on_again(folder: Folder) -> None:
    async def seed() -> None:
        store = open_sqlite(folder.path)
        await store.devices.seed(built_in(), "builtin")
        await store.close()

    asyncio.run(seed())
    until = "2099-01-02T03:04"
    folder.out("device", "off", "simulator", "--reason", "new fridge", "--until", until)
    folder.out("device", "off", "clifford", "--reason", "rest")
    listed = folder.out("device", "list").splitlines()
    lines = {line.split()[0]: line for line in listed}
    assert lines["simulator"].endswith("off until 2099-01-02 03:04 UTC: new fridge")
    assert lines["clifford"].endswith("off: rest")
    folder.out("device", "on", "simulator")
    assert "off" not in folder.out("device", "list").splitlines()[0]


@pytest.mark.parametrize("until", ["soon", "2099-13-01", "5 minutes"])
def test_a_time_that_is_none_is_refused(folder: Folder, until: str) -> None:
    result = folder.run("device", "off", "simulator", "--reason", "x", "--until", until)
    assert result.exit_code == 2
    assert until in result.stderr


def test_rotating_keys_replaces_the_key_and_says_nothing(folder: Folder) -> None:
    assert folder.out("token", "rotate-keys") == ""
    assert folder.out("token", "rotate-keys") == ""


def test_providers_are_made_listed_and_turned_off_and_on(folder: Folder) -> None:
    assert folder.out("device", "provider", "add", "heidelberg") == "heidelberg\n"
    assert "taken" in folder.refusal("device", "provider", "add", "heidelberg")
    for reserved in ("v", "devices", "bookings"):
        assert "reserved" in folder.refusal("device", "provider", "add", reserved)
    assert folder.out("device", "provider", "off", "heidelberg") == ""
    assert folder.out("device", "provider", "list") == "heidelberg  off\nqwicket\n"
    folder.out("device", "provider", "on", "heidelberg")
    assert folder.out("device", "provider", "list") == "heidelberg\nqwicket\n"
    assert "nobody" in folder.refusal("device", "provider", "off", "nobody")


def test_a_user_without_a_name_can_administer(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container may run as any number, of which no list of users knows a name."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54_321)
    assert folder.out("user", "add", "ada") == "ada (member)\n"
    assert "uid 54321" in folder.out("audit", "list")


@pytest.mark.parametrize(
    ("name", "content"),
    [("old.csv", b"name,email\rada,a@b.c\r"), ("deep.json", b"[" * 100_000)],
    ids=["returns", "deep"],
)
def test_a_list_of_people_that_cannot_be_read_is_refused(
    name: str, content: bytes, folder: Folder, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    tokens = str(tmp_path / "tokens")
    assert str(file) in folder.refusal("user", "add", "--from", str(file), "--tokens", tokens)


@pytest.mark.parametrize("name", ["a?b", "a#b", "a%41b"])
def test_doctor_reads_the_database_of_the_named_folder_and_writes_nothing(
    name: str, tmp_path: Path
) -> None:
    database = tmp_path / name / "qwicket.db"
    database.parent.mkdir()
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("create table a (b)")
    assert corruption(database) == ""
    database.write_bytes(b"no database" * 100)
    assert corruption(database) == "file is not a database"
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_a_text_of_any_letters_is_one_of_toml() -> None:
    text = '/home/\U0001f600/"q\\wicket'
    assert tomllib.loads(f"a = {login._toml(text)}") == {"a": text}


def test_a_server_with_half_a_sign_in_has_none() -> None:
    with BadServer(answer(200, {"device_flow": {"client_id": "qwicket"}})) as server:
        done = CliRunner().invoke(main, ["login", "--url", server.url, "--profile", "new"])
    assert (done.exit_code, "has no single sign-on" in done.output) == (1, True)


@pytest.mark.parametrize("lost", [drop(), answer(503), answer(502, b"<html>")])
def test_a_lost_poll_of_the_provider_does_not_end_the_sign_in(
    lost: Step, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    # The pauses are recorded, because they take too long for a test.
    clock = SimpleNamespace(sleep=pauses.append, monotonic=time.monotonic)
    monkeypatch.setattr(login, "time", clock)

    def flow(request: Request) -> dict[str, Any]:
        url = f"http://{request.headers['host']}"
        ends = {"device_endpoint": f"{url}/device", "token_endpoint": f"{url}/token"}
        return {"device_flow": {"client_id": "qwicket", **ends}}

    code = {"device_code": "x", "user_code": "AB", "verification_uri": "https://id.example.org"}
    script = (
        answer(200, flow),
        answer(200, code),
        *(answer(400, {"error": "authorization_pending"}), lost),
        answer(200, {"id_token": "y"}),
        answer(201, {"id": "t", "secret": "qw_x"}),
    )
    env = {"XDG_CONFIG_HOME": str(tmp_path)}
    with BadServer(*script) as server:
        command = ["login", "--url", server.url, "--profile", "new", "--yes"]
        done = CliRunner().invoke(main, command, env=env)
    assert (done.exit_code, "Signed in at" in done.output) == (0, True), done.output
    assert pauses == [5.0, 5.0, 10.0], "it asks less often after that (RFC 8628, 3.5)"


LAB = '[profiles.lab]\nurl = "https://lab.example"\ntoken_env = "LAB_TOKEN"\n'


@pytest.mark.parametrize(
    ("before", "default"),
    [("", "new"), (f"# mine\n{LAB}", "new"), (f'default = "lab"\n\n{LAB}', "lab")],
    ids=["no file", "no default", "another default"],
)
def test_the_profile_of_a_sign_in_is_found_by_other_commands(
    before: str, default: str, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    if before:
        config.write_text(before)
    token_file = tmp_path / "new.token"
    target = login._Profile("new", "http://here", config, token_file, is_new=True)
    login._store_token(target, "qw_x")
    text = config.read_text()
    read = tomllib.loads(text)
    assert read["default"] == default
    assert read["profiles"]["new"] == {"url": "http://here", "token_file": str(token_file)}
    assert ("lab" in read["profiles"], "# mine" in text) == (bool(before), "# mine" in before)
    assert stat.S_IMODE(token_file.stat().st_mode) == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == ["config.toml", "new.token"]


def test_a_job_that_was_deleted_meanwhile_does_not_end_the_watch() -> None:
    gone = answer(404, {"code": "not_found", "detail": "There is no such job."})
    with BadServer(gone) as server, connect(server.url, "qw_x") as client:
        assert _read_job(client, "x") is None
