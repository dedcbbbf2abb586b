"""Downloads of the pages: usage and rows as CSV, exports of projects; and how backups are made."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import zipfile
from collections.abc import Iterator
from contextlib import closing
from html import unescape
from pathlib import Path

import pytest

from qwicket.clients.native.archives import read_archive
from qwicket.pages import formats
from qwicket.pages.admin import FILES
from support.for_each import for_each
from support.pages import Browser, Person
from support.server import LiveServer, cli

OF = {"tokens": "account", "members": "project"}
"""Files of one account or project, with the parameter that names it."""
ONE_QUBIT = "OPENQASM 3; qubit q; bit c; c = measure q;"


@pytest.fixture(scope="module")
def root(server: LiveServer) -> Iterator[Person]:
    with Person(server, "root", "admin") as person:
        yield person


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_a_line_of_csv_is_read_as_it_was_written() -> None:
    cells = ["plain", 'a "quoted" one', "a,b", "two\r\nlines", "", 'x"', "\u00e9"]
    assert rows(formats.csv_line(cells)) == [cells]
    assert formats.csv_line([None, -1, 0.5, True]) == ",-1,0.5,True\r\n"
    formulas = ["=1+1", "+1", "-1", "@a", "\t=", "\r=", "\n=1", "\x00=", "\x1f=", "\x85=1"]
    formulas += ["\uff1d1", "\uff0b1", "\uff0d1", "\uff20a"]  # full-width signs
    assert rows(formats.csv_line(formulas)) == [[f"'{text}" for text in formulas]]


def test_usage_is_downloaded_as_csv(server: LiveServer, root: Person) -> None:
    with Person(server, "uma") as uma:
        day = str(uma.submit(shots=70).refresh().body.ended_at)[:10]
    page = root.browser.get(f"/ui/admin/usage?from={day}&to={day}").text
    assert uma.name in page
    link = f"/ui/admin/usage.csv?from={day}&amp;to={day}"
    assert f'href="{link}"' in page
    file = root.browser.get(unescape(link))
    assert file.headers["content-disposition"] == 'attachment; filename="usage.csv"'
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert file.headers["cache-control"] == "no-store"
    heading, *lines = rows(file.text)
    parts = ["project", "account", "device", "day", "slurm_account", "slurm_job"]
    assert heading == [*parts, "jobs", "shots", "seconds", "cost"]
    (own,) = [line for line in lines if line[:4] == [uma.name, "", "simulator", ""]]
    assert own[6:8] == ["1", "70"]
    assert float(own[8]) > 0
    head = root.browser.head("/ui/admin/usage.csv")
    assert (head.status_code, head.content) == (200, b"")
    assert root.browser.get("/ui/admin/usage.csv?from=tomorrow").status_code == 400
    assert root.browser.get("/ui/admin/none.csv").status_code == 404


def test_rows_of_all_pages_are_in_a_csv_file(server: LiveServer, root: Person) -> None:
    with Person(server, "una") as una:
        jobs = [una.client.submit(ONE_QUBIT, "clifford", shots=1, name="=1") for _ in range(230)]
        heading, *lines = rows(root.browser.get(f"/ui/admin/jobs.csv?account={una.name}").text)
        assert {"id", "account", "project", "device", "state", "name"} <= set(heading)
        found = [dict(zip(heading, line, strict=True)) for line in lines]
        assert [each["id"] for each in found] == [job.id for job in reversed(jobs)]
        assert {each["name"] for each in found} == {"'=1"}
    moved = root.browser.get("/ui/admin/accounts.csv").headers["location"]
    names = [line[1] for line in rows(root.browser.get(moved).text)[1:]]
    assert {una.name, root.name} <= set(names)


def test_each_list_of_administrators_has_a_file(root: Person) -> None:
    for name in FILES:
        query = f"?{name_of}={root.name}" if (name_of := OF.get(name)) else ""
        heading, *lines = rows(root.browser.get(f"/ui/admin/{name}.csv{query}").text)
        assert heading, name
        assert {len(line) for line in lines} <= {len(heading)}, name


def test_the_use_of_a_project_is_downloaded_by_its_members(
    server: LiveServer, root: Person
) -> None:
    root.submit(shots=5)
    at = f"/ui/projects/{root.name}"
    assert f'href="{at}/use.csv"' in root.browser.get(at).text
    file = root.browser.get(f"{at}/use.csv")
    assert file.headers["content-disposition"] == f'attachment; filename="{root.name}-use.csv"'
    heading, *days = rows(file.text)
    assert heading == ["day (UTC)", "seconds", "jobs", "shots", "cost"]
    assert len(days) == 366
    names, *used = rows(root.browser.get("/ui/admin/usage.csv?by=project").text)
    (total,) = [dict(zip(names, line, strict=True)) for line in used if line[0] == root.name]
    assert sum(float(day[2]) for day in days) == float(total["jobs"]) >= 1
    assert sum(float(day[3]) for day in days) == float(total["shots"]) >= 5
    with Person(server, "bob") as bob:
        assert bob.browser.get(f"{at}/use.csv").status_code == 404


def test_a_project_is_exported_in_parts(server: LiveServer, root: Person, tmp_path: Path) -> None:
    with Person(server, "pia") as pia:
        jobs = [pia.client.submit(ONE_QUBIT, "clifford", shots=1) for _ in range(203)]
        for job in jobs:
            job.result(timeout=60)
        link = f'href="/ui/admin/export?project={pia.name}">Export ended jobs</a>'
        assert link in root.browser.get(f"/ui/admin/projects/{pia.name}").text
        address, found = f"/ui/admin/export?project={pia.name}", list[str]()
        while address:
            page = root.browser.get(address).text
            assert f"qwicket project export {pia.name} FOLDER" in page
            (link,) = re.findall(r'href="(/ui/admin/export.zip\?.*?)"', page)
            file = root.browser.get(unescape(link))
            assert file.headers["content-type"] == "application/zip"
            assert file.headers["cache-control"] == "no-store"
            assert f'attachment; filename="{pia.name}' in file.headers["content-disposition"]
            with zipfile.ZipFile(io.BytesIO(file.content)) as archive:
                listed = json.loads(archive.read("page.json"))["jobs"]
                assert f"{len(listed)} ended jobs" in page
                found += [each["id"] for each in listed]
                path = tmp_path / "job.zip"
                path.write_bytes(archive.read(f"{found[-1]}.zip"))
            with closing(read_archive(path)) as one:
                assert one.job.id == found[-1]
            older = re.search(r'<a href="\?(.*?)">The next older jobs', page)
            address = f"/ui/admin/export?{unescape(older[1])}" if older else ""
        assert found == [job.id for job in reversed(jobs)]
        history = root.browser.get(f"/ui/admin/activity?q={pia.name}").text
        assert history.count("exported jobs of") == 2


def test_an_export_of_nothing_says_so(server: LiveServer, root: Person) -> None:
    with Person(server, "new") as new:
        page = root.browser.get(f"/ui/admin/export?project={new.name}").text
        assert "There are no ended jobs" in page
    assert "Enter the name of a project" in root.browser.get("/ui/admin/export").text
    for path in ("export?project=none", "export.zip?project=none", "export.zip"):
        assert root.browser.get(f"/ui/admin/{path}").status_code == 404, path


@for_each("path", ["export", "export.zip", "usage.csv", "usage.json", "jobs.csv"])
def test_only_administrators_download_what_is_of_others(
    server: LiveServer, root: Person, path: str
) -> None:
    at = f"/ui/admin/{path}?project={root.name}"
    with Person(server, "bob") as bob:
        assert bob.browser.get(at).status_code == 403
    with Browser(server.url) as nobody:
        assert nobody.get(at).headers["location"] == "/ui/sign-in"


def test_the_command_of_the_overview_makes_a_backup(root: Person, tmp_path: Path) -> None:
    page = unescape(root.browser.get("/ui/admin").text)
    command = shlex.split(re.findall(r"<pre[^>]*>(qwicket backup.*?)</pre>", page)[0])
    file = tmp_path / "copy"
    cli(*(str(file) if each == "qwicket.backup" else each for each in command[1:]))
    assert "accounts" in cli("restore", "--check", str(file))
