"""`qwicket user import` on a folder, on a running server, and as a page."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from support.bad_server import BadServer, answer
from support.for_each import for_each
from support.pages import Person
from support.server import LiveServer, run_here


def test_a_file_is_imported_again_after_it_was_changed(server: LiveServer, tmp_path: Path) -> None:
    one, two, project = (f"{each}-{os.urandom(3).hex()}" for each in ("anna", "ben", "class"))
    server.admin("project", "add", project)
    file, tokens = tmp_path / "people.csv", tmp_path / "tokens"
    data = ["--data-dir", str(server.folder / "data")]

    def run(*words: str) -> str:
        done = run_here("user", "import", str(file), "--tokens", str(tokens), *words, *data)
        assert done.returncode == 0, done.stderr
        return f"{done.stdout}{done.stderr}"

    file.write_text(f"name,project\n{one},{project}\n{two},{project}\n")
    planned = run("--dry-run")
    assert planned.endswith("4 changes would be made\n")
    assert f"2  {one}  join  {project}  member\n" in planned
    assert not tokens.exists()
    assert run() == planned.replace("would be", "were")
    secret = (tokens / one).read_text()
    assert (tokens / one).stat().st_mode & 0o777 == 0o600
    with server.client(secret) as client:
        assert client.get("/v1/account").json()["name"] == one
    assert run() == "no changes were made\n"

    file.write_text(f"name,project,role\n{one},{project},lead\n")
    assert run("--absent", "disable") == (
        f"2  {one}  role  {project}  lead  before: member\n{two}  disable\n2 changes were made\n"
    )
    acts = json.loads(server.admin("audit", "list", "--json"))
    assert acts[0]["action"] == "import_people"
    assert acts[0]["details"]["changed"] == {"role": 1, "disable": 1}
    assert acts[0]["details"]["names"] == [one, two]
    file.write_text(f"name,project,role\n{one},{project},reader\n")
    assert run().endswith("\n1 change was made\n")
    file.write_text(f"name,project\n{two},{project}\n")
    assert f"not enabled without --enable: {two}" in run()


@for_each(
    "content, error",
    [
        (b"name,project\nzed,none\n", "Line 2: there is no project none."),
        (b"name\n\xff\n", "is not UTF-8 text."),
        (b"email\nx\n", "Line 1 must name the columns"),
    ],
)
def test_a_wrong_file_is_refused(
    server: LiveServer, tmp_path: Path, content: bytes, error: str
) -> None:
    file = tmp_path / "people.csv"
    file.write_bytes(content)
    done = run_here("user", "import", str(file), "--data-dir", str(server.folder / "data"))
    assert done.returncode == 1
    assert error in done.stderr


def test_a_token_file_that_exists_stops_the_import(server: LiveServer, tmp_path: Path) -> None:
    name = f"anna-{os.urandom(3).hex()}"
    (tmp_path / name).write_text("mine")
    file = tmp_path / "people.csv"
    file.write_text(f"name\n{name}\n")
    place = ["--data-dir", str(server.folder / "data")]
    done = run_here("user", "import", str(file), "--tokens", str(tmp_path), *place)
    assert (done.returncode, f"{name} exists already" in done.stderr) == (1, True)
    assert name not in server.admin("user", "list")


def test_a_server_cannot_choose_which_file_is_written(tmp_path: Path) -> None:
    change = {"line": 2, "kind": "add", "project": "", "before": "", "after": ""}
    body = {
        "number": 1,
        "changes": [{**change, "name": "../run-me"}],
        "accounts": [{"name": "../run-me", "id": "x", "secret": "rm"}],
    }
    file = tmp_path / "people.csv"
    file.write_text("name\nanna\n")
    with BadServer(answer(200, body)) as bad:
        refused = run_here(
            *("user", "import", str(file), "--tokens", str(tmp_path / "tokens"), "--url", bad.url),
            env={"QWICKET_TOKEN": "x"},
        )
    assert refused.returncode == 1
    assert "'../run-me', which is not in" in refused.stderr
    assert not (tmp_path / "run-me").exists()


@pytest.mark.extended
def test_the_page_shows_what_would_change_and_then_the_tokens(server: LiveServer) -> None:
    name = f"anna-{os.urandom(3).hex()}"
    with Person(server, "root", "admin") as root:

        def send(**fields: str) -> str:
            data = {"csrf": root.browser.csrf("/ui"), "act": "import_people", **fields}
            return root.browser.post("/ui/admin/import", data=data).text

        given = {"csv": f"name\n{name}\n", "absent": "keep", "tokens": "yes"}
        asked = send(**given)
        assert "Make 1 change?" in asked
        assert f"<td>{name}</td><td>add</td>" in asked
        done = send(**given, confirmed="yes")
        assert len(re.findall(r"qw_\w{43}", done)) == 1
        assert "Line 2: name must be" in send(csv="name\nA B\n")
