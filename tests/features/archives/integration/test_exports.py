"""Exports of projects: written by the command, over HTTP and from the data, and read back."""

from __future__ import annotations

import fcntl
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import httpx
import pytest

from qwicket.clients.native import ClientError, InvalidArchive, read_export
from qwicket.clients.native.exports import write_export
from support.held import held_job
from support.programs import BELL
from support.server import LiveServer, run_cli, server_on

pytestmark = pytest.mark.extended


@pytest.fixture(scope="module")
def live(
    database_kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    with server_on(database_kind, request, tmp_path_factory.mktemp("exports")) as live:
        yield live


@pytest.fixture(scope="module")
def chief(live: LiveServer) -> str:
    """Return an administrator's token."""
    live.admin("user", "add", "chief", "--role", "admin")
    return live.admin("token", "create", "--user", "chief", "--scope", "admin")


@pytest.fixture(scope="module")
def jobs(live: LiveServer, chief: str) -> Iterator[list[str]]:
    """Ended jobs of two accounts in the project `class`, newest first.

    Another one runs, and one is of another project.
    """
    live.admin("project", "add", "class")
    found = []
    for name in ("anna", "ben"):
        live.token(name)
        live.admin("project", "member", "add", "class", name)
        token = live.admin("token", "create", "--user", name, "--project", "class")
        with live.client(token) as http:
            for seed in range(3):
                body = {"program": BELL, "device": "simulator", "shots": 10, "seed": seed}
                found.append(http.post("/v1/jobs?wait=60", json=body).json()["id"])
    held = held_job(outlives_test=True)
    with live.client(token) as http:
        body = {"program": held.program, "device": "simulator"}
        http.post("/v1/jobs", json=body).raise_for_status()
    with live.client() as http:
        http.post("/v1/jobs?wait=60", json={"program": BELL, "device": "simulator", "shots": 10})
    yield found[::-1]
    held.release()


def page(live: LiveServer, chief: str, **query: Any) -> httpx.Response:
    with live.client(chief) as http:
        return http.get("/v1/admin/projects/class/export", params=query)


@pytest.mark.both_databases
@pytest.mark.parametrize("place", ["folder", "server"])
def test_a_project_is_exported_and_read_back(
    live: LiveServer, chief: str, jobs: list[str], tmp_path: Path, place: str
) -> None:
    words = ("project", "export", "class", str(tmp_path / "out"))
    if place == "folder":
        printed = live.admin(*words)
    else:
        done = run_cli(*words, "--url", live.url, env={"QWICKET_TOKEN": chief})
        assert done.returncode == 0, done.stderr
        printed = done.stdout.strip()
    assert printed == f"class  6 jobs  {tmp_path / 'out'}"
    export = read_export(tmp_path / "out")
    assert (export.project, export.is_complete) == ("class", True)
    assert [job.id for job in export.jobs()] == jobs
    assert [job.info["account"] for job in export.jobs()] == ["ben"] * 3 + ["anna"] * 3
    seeds = []
    for archive in export:
        assert archive.result is not None
        assert sum(archive.result.counts.values()) == 10
        assert archive.program is not None
        seeds.append(archive.program.options["seed"])
    assert seeds == [2, 1, 0] * 2
    again = run_cli(*words, "--url", live.url, env={"QWICKET_TOKEN": chief})
    assert "has a complete export: choose another folder" in again.stderr


def test_an_interrupted_export_is_continued(
    live: LiveServer, chief: str, jobs: list[str], tmp_path: Path
) -> None:
    asked: list[int | None] = []

    def fetch(before: int | None, file: IO[bytes]) -> None:
        asked.append(before)
        query = {"limit": 2} | ({} if before is None else {"before": before})
        content = page(live, chief, **query).raise_for_status().content
        if len(asked) == 2:
            file.write(content[: len(content) // 2])
            raise ConnectionError("the network failed")
        file.write(content)

    with pytest.raises(ConnectionError):
        write_export(tmp_path, "class", fetch)
    assert not read_export(tmp_path).is_complete
    # As a power cut within the next page would leave it.
    with (tmp_path / "jobs.jsonl").open("ab") as lines:
        lines.write(b'{"id":"half')
    assert write_export(tmp_path, "class", fetch) == 6
    assert asked[1] == asked[2] is not None
    assert [archive.job.id for archive in read_export(tmp_path)] == jobs


def test_a_page_has_whole_archives_and_where_the_next_one_begins(
    live: LiveServer, chief: str, jobs: list[str]
) -> None:
    answer = page(live, chief, limit=4)
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        body = json.loads(archive.read("page.json"))
        assert archive.namelist() == [*(f"{job}.zip" for job in jobs[:4]), "page.json"]
        with live.client(live.token("ben")) as http:
            alone = http.get(f"/v1/jobs/{jobs[0]}/archive").content
        assert archive.read(f"{jobs[0]}.zip") == alone
    assert [each["id"] for each in body["jobs"]] == jobs[:4]
    assert page(live, chief, limit=4, before=body["next"]).status_code == 200
    assert page(live, chief, limit=1001).json()["field"] == "limit"


def test_each_page_of_an_export_is_in_the_audit(
    live: LiveServer, chief: str, jobs: list[str]
) -> None:
    page(live, chief, limit=1).raise_for_status()
    with live.client(chief) as http:
        newest = http.get("/v1/admin/audit", params={"limit": 1}).json()["acts"][0]
    assert (newest["actor"], newest["action"], newest["subject"], newest["details"]) == (
        *("chief", "export_jobs", "project/class"),
        {"limit": "1"},
    )


def test_an_export_is_for_administrators_and_of_a_project_that_exists(
    live: LiveServer, chief: str, jobs: list[str], tmp_path: Path
) -> None:
    words = ("project", "export", "class", str(tmp_path / "out"), "--url", live.url)
    done = run_cli(*words, env={"QWICKET_TOKEN": live.token("anna")})
    assert (done.returncode, "lacks the scope admin" in done.stderr) == (1, True)
    with live.client(chief) as http:
        absent = http.get("/v1/admin/projects/nothing/export")
    assert (absent.status_code, absent.json()["field"]) == (404, "project")
    again = ("project", "export", "anna", *words[3:])
    done = run_cli(*again, env={"QWICKET_TOKEN": chief})
    assert done.returncode == 0, "a refused export leaves the folder to another project"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"hello", "not a page of an export: File is not a zip file"),
        ({"../evil.zip": b"x", "page.json": b'{"jobs":[]}'}, "has a member '../evil.zip'"),
        ({"page.json": b"{"}, "not a page of an export"),
        ({}, "page.json is missing"),
        ({"page.json": b'{"jobs":[{"id":"../../x","state":"failed"}]}'}, "is not the id of a job"),
    ],
)
def test_a_page_that_is_none_is_refused_and_leaves_the_export_as_it_was(
    tmp_path: Path, content: Any, reason: str
) -> None:
    def fetch(_: int | None, file: IO[bytes]) -> None:
        if isinstance(content, bytes):
            file.write(content)
            return
        with zipfile.ZipFile(file, "w") as archive:
            for name, data in content.items():
                archive.writestr(name, data)

    with pytest.raises(InvalidArchive, match=reason):
        write_export(tmp_path / "out", "class", fetch)
    assert list(read_export(tmp_path / "out").jobs()) == []
    assert not (tmp_path / "evil.zip").exists()


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    def fetch(_: int | None, file: IO[bytes]) -> None:
        raise AssertionError("nothing is fetched")

    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(InvalidArchive, match=r"is not empty, and has no export: thesis\.tex"):
        write_export(tmp_path, "class", fetch)
    for text, reason in [
        ('{"jobs":1}', "export of the project "),
        ('{"format":"x"}', "its format is 'x'"),
        ('{"version":2}', "version 2"),
        ("[]", "not an export"),
    ]:
        (tmp_path / "export.json").write_text(text)
        with pytest.raises(InvalidArchive, match=reason):
            write_export(tmp_path, "class", fetch)
    with pytest.raises(InvalidArchive, match=r"it has no export\.json"):
        read_export(tmp_path / "nothing")
    (tmp_path / "export.json").write_text('{"project":"class","jobs":1}')
    with (tmp_path / ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ClientError, match="Another process writes an export"):
            write_export(tmp_path, "class", fetch)


@pytest.mark.both_databases
def test_retention_is_set_shown_and_lifted(live: LiveServer, chief: str, jobs: list[str]) -> None:
    def run(*words: str) -> str:
        done = run_cli(*words, "--url", live.url, env={"QWICKET_TOKEN": chief})
        assert done.returncode == 0, done.stderr
        return done.stdout

    def listed() -> dict[str, Any]:
        found = {each["name"]: each for each in json.loads(run("project", "list", "--json"))}
        assert isinstance(found["class"], dict)
        return found["class"]

    run("project", "retention", "class", "90")
    shown = listed()
    assert shown["retention_days"] == 90
    assert shown["shares"] == 1
    assert "90 days" in run("project", "list")
    with live.client(chief) as http:
        act = http.get("/v1/admin/audit", params={"limit": 1}).json()["acts"][0]
        assert (act["before"]["retention_days"], act["after"]["retention_days"]) == (None, 90)
        refused = http.patch("/v1/admin/projects/class", json={"retention_days": 0})
        assert (refused.status_code, refused.json()["field"]) == (400, "retention_days")
        assert http.patch("/v1/admin/projects/class", json={}).status_code == 400
    run("project", "retention", "class", "off")
    assert listed()["retention_days"] is None
    wrong = run_cli(
        *("project", "retention", "class", "never", "--url", live.url),
        env={"QWICKET_TOKEN": chief},
    )
    assert "must be 1 to 36,500 days, or off" in wrong.stderr
