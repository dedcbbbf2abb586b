"""Pages with the longest texts that people may write are small, and lose nothing."""

from __future__ import annotations

import base64
import json
import math
import random
import re
import sqlite3
import time
import zlib
from collections.abc import Iterator
from contextlib import closing
from html import unescape
from urllib.parse import urlencode

import httpx
import pytest

from qwicket.dialects.requests import MAX_ESCAPES
from qwicket.gateway.admin import Admin
from qwicket.pages.admin import PAGES
from support.axe import SCREENS, violations
from support.browser import browser
from support.pages import (
    ERROR,
    TOKEN,
    Person,
    editor_fields,
    page_size,
    size_with_files,
    use_session,
)
from support.server import LiveServer

pytestmark = pytest.mark.extended

MOST_BYTES = 60_000
BELL_QASM = """OPENQASM 2.0;
include "qelib1.inc";
qreg q[2];
creg c[2];
h q[0];
cx q[0], q[1];
measure q -> c;
"""


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that runs nothing, so that jobs wait."""
    live = LiveServer(tmp_path_factory.mktemp("sizes"), "--workers", "0")
    yield live
    assert live.stop() == 0


@pytest.fixture(scope="module")
def ada(idle: LiveServer) -> Iterator[Person]:
    with Person(idle, "ada") as person:
        yield person


@pytest.mark.parametrize("mark", ['"', "&", "\U0001f600"])
def test_a_job_with_many_long_tags_has_small_pages_and_loses_none(
    idle: LiveServer, mark: str
) -> None:
    tags = [f"{mark * 253}{k:02}" for k in range(32)]
    with Person(idle, "hal") as hal:
        jobs = [
            hal.client.submit(BELL_QASM, "simulator", tags=tags, name=mark * 255) for _ in range(25)
        ]
        short = [f"{mark * 58}{k:02}" for k in range(60)]
        jobs += [hal.client.submit(BELL_QASM, "simulator", tags=[t], name=t) for t in short]
        at = f"/ui/jobs/{jobs[0].id}"
        searches: tuple[dict[str, str], ...] = (
            {},
            {"tag": tags[0]},
            {"tag": tags[0], "name": mark * 255},
            {"tag": short[0]},
        )
        lists = [f"/ui/jobs?{urlencode(each)}" for each in searches]
        for path in (at, f"{at}/tags", *lists):
            assert page_size(hal, path) <= MOST_BYTES, path
        found, older = list[str](), f"?{urlencode(searches[2])}"
        while older:
            page = hal.browser.get(f"/ui/jobs{older}").text
            found += re.findall(r'name="job" value="(.*?)"', page)
            next_page = re.search(
                r'href="/ui/jobs(\?[^"]*before=\d+&amp;at=\d+)" rel="next">Older', page
            )
            older = unescape(next_page[1]) if next_page else ""
        assert found == [job.id for job in reversed(jobs[:25])]
        shown = hal.browser.get(at).text
        assert f'<a href="{at}/tags" class="small">Rename or tag</a>' in shown
        assert "and 24 more" in shown
        form = hal.browser.get(f"{at}/tags").text
        (text,) = re.findall(r'<textarea name="tags"[^>]*>\n(.*?)</textarea>', form, re.DOTALL)
        assert unescape(text).split("\n") == tags
        saved = hal.browser.submit(f"{at}/tags", at, action="tag", name="n", tags=unescape(text))
        assert saved.headers["location"] == at
        assert jobs[0].refresh().body.tags == tuple(tags)
        assert jobs[0].body.name == "n"
        with Person(idle, "eva") as eva:
            assert eva.browser.get(f"{at}/tags").status_code == 404
        for job in jobs:
            job.cancel()


def test_jobs_with_many_long_tags_are_on_the_pages_of_administrators(idle: LiveServer) -> None:
    with Person(idle, "root", "admin") as chief:
        tags = [f"{'<' * 253}{k:02}" for k in range(32)]
        name = '"' * 255
        jobs = [
            chief.client.submit(BELL_QASM, "simulator", tags=tags, name=name) for _ in range(25)
        ]
        paths = (
            f"/ui/jobs?who=everyone&account={chief.name}",
            f"/ui/admin/people/{chief.name}",
            f"/ui/admin/jobs/{jobs[0].id}",
        )
        for path in paths:
            assert page_size(chief, path) <= MOST_BYTES, path
        for job in jobs:
            job.cancel()


# Programs that are about as long as the editor takes, and that pages can pack more or less.
LONG = {
    "comments": BELL_QASM + "// a comment\n" * 7_000,
    "quotes": BELL_QASM + '//"""""""""\n' * 8_000,
    "angles": BELL_QASM.replace(
        "h q[0];\n",
        "".join(f"rx({math.sin(k):.15f}) q[0];\n" for k in range(3_300)),
    ),
}


@pytest.mark.parametrize("kind", LONG)
def test_a_very_long_program_is_checked_edited_and_run_on_small_pages(
    ada: Person, kind: str
) -> None:
    program = LONG[kind]
    assert 80_000 < len(program) <= 100_000
    form = {"csrf": ada.browser.csrf("/ui/jobs/new"), "device": "simulator", "shots": "10"}

    def send(**fields: str) -> httpx.Response:
        page = ada.browser.post("/ui/jobs/new", data={**form, **fields})
        assert size_with_files(ada, page) <= MOST_BYTES, fields["action"]
        return page

    def packed(page: str) -> dict[str, str]:
        return {
            name: unescape(value)
            for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="(.*?)"', page)
            if name != "csrf"
        }

    refused = send(program=f"{program}h q[9];\n", action="run")
    assert refused.status_code == 400
    assert "Line " in error_of_editor(refused.text)
    sent_back = packed(refused.text)
    assert sent_back.keys() == {"packed", "device", "shots"}
    whole = send(**sent_back, action="edit")
    assert editor_fields(whole.text)["program"] == f"{program}h q[9];\n"
    assert editor_fields(whole.text)["device"] == "simulator"
    checked = send(program=program, action="check")
    assert "The program is valid" in checked.text
    run = send(**packed(checked.text), action="run")
    assert run.status_code == 303, run.text
    job = ada.client.job(run.headers["location"].rpartition("/")[2])
    assert ada.browser.get(f"/ui/jobs/{job.id}/program").text == program
    assert page_size(ada, f"/ui/jobs/{job.id}") <= MOST_BYTES
    job.cancel()


def error_of_editor(page: str) -> str:
    found = ERROR.search(page)
    assert found
    return unescape(found[1])


def test_a_page_of_a_program_that_cannot_be_packed_is_small_and_says_so(ada: Person) -> None:
    mixed = random.Random(7)
    noise = "".join(chr(mixed.randrange(33, 127)) for _ in range(90_000))
    for program in (f"// {noise}", "\U0001f600\u4e2d" * 45_000, '"' * 600_000):
        page = ada.browser.submit("/ui/jobs/new", "/ui/jobs/new", program=program, action="check")
        assert size_with_files(ada, page) <= MOST_BYTES, program[:9]
        if program.startswith("//") or len(program) > 100_000:
            assert "go back in your browser" in page.text, program[:9]
    longest = "//" + '"' * (MAX_ESCAPES - 2) + "x" * 40_000
    assert page_size(ada, f"/ui/jobs/new?{urlencode({'program': longest})}") <= MOST_BYTES


@pytest.mark.parametrize("length", [0, 4_000, 4_900, 24_100, 30_000])
def test_the_page_of_the_editor_is_small_at_any_length(ada: Person, length: int) -> None:
    form = {"csrf": ada.browser.csrf("/ui/jobs/new"), "device": "simulator"}
    for mark in ("x", '"'):
        given = {"program": f"// {mark * length}", "shots": mark * 9_000, "seed": mark * 9_000}
        page = ada.browser.post("/ui/jobs/new", data={**form, **given, "action": "check"})
        assert size_with_files(ada, page) <= MOST_BYTES, mark


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_a_long_program_is_edited_on_a_small_page(ada: Person, encoding: str) -> None:
    """Of all programs that are offered for editing, the noise compresses least."""
    mixed = random.Random(11)
    noise = "".join(chr(mixed.randrange(33, 127)) for _ in range(50_000))
    form = {"csrf": ada.browser.csrf("/ui/jobs/new"), "device": "simulator"}
    headers = {"Accept-Encoding": encoding}

    def packed(length: int) -> list[str]:
        given = {**form, "program": f"// {noise[:length]}", "action": "check"}
        page = ada.browser.post("/ui/jobs/new", data=given)
        return re.findall(r'name="packed" value="([^"]*)"', page.text)

    length = next(each for each in range(50_000, 20_000, -500) if packed(each))
    for program in (f"// {noise[:length]}", '"' * 99_997, "// <\n" * 16_000):
        given = {**form, "program": program, "action": "check"}
        page = ada.browser.post("/ui/jobs/new", data=given)
        (text,) = re.findall(r'name="packed" value="([^"]*)"', page.text)
        edit = {**form, "packed": unescape(text), "action": "edit"}
        page = ada.browser.post("/ui/jobs/new", data=edit, headers=headers)
        assert page.headers["vary"] == "Accept-Encoding"
        assert page.headers.get("content-encoding", "identity") == encoding
        assert editor_fields(page.text)["program"] == program
        if encoding == "gzip":
            assert size_with_files(ada, page) <= MOST_BYTES, program[:9]


def test_a_packed_program_that_no_page_wrote_is_refused(ada: Person) -> None:
    bomb = base64.b64encode(zlib.compress(b"x" * 50_000_000)).decode()
    not_text = base64.b64encode(zlib.compress(b"\xff\xfe")).decode()
    for packed in ("", "é", "####", "aGVsbG8=", bomb, not_text, "A" * 1_000_000):
        for action in ("edit", "run", "check"):
            page = ada.browser.submit("/ui/jobs/new", "/ui/jobs/new", packed=packed, action=action)
            assert page.status_code in (400, 413), (packed[:9], action)
            assert error_of_editor(page.text)


def test_devices_with_long_messages_are_on_small_pages_of_administrators(idle: LiveServer) -> None:
    with Person(idle, "root", "admin") as chief:
        made = chief.browser.submit("/ui", "/ui/tokens", project=chief.name, scope=["admin"])
        auth = {"Authorization": f"Bearer {TOKEN.findall(made.text)[0]}"}
        listed = chief.browser.get("/v1/admin/devices", headers=auth).json()["devices"]
        names = [each["name"] for each in listed]

        def change(**body: object) -> None:
            for name in names:
                done = chief.browser.patch(f"/v1/admin/devices/{name}", json=body, headers=auth)
                assert done.status_code == 204, done.text

        change(is_on=True, is_draining=True, reason='"' * 200, message='"' * 200)
        found: list[str] = []
        query: str | None = ""
        while query is not None:
            path = f"/ui/admin/devices{query}"
            assert page_size(chief, path) <= MOST_BYTES, path
            page = chief.browser.get(path).text
            found += re.findall(r'href="/ui/admin/devices/([^"#]*)">\1</a>', page)
            older = re.search(r'href="(\?[^"]*)">Next</a>', page)
            query = unescape(older[1]) if older else None
        assert sorted(found) == sorted(names)
        assert page_size(chief, f"/ui/admin/devices/{names[0]}") <= MOST_BYTES
        text = chief.browser.get("/ui/admin/devices.csv").text
        assert [line.split(",")[0] for line in text.splitlines()[1:]] == names
        for path in ("/ui/devices", f"/ui/devices/{names[0]}"):
            assert page_size(chief, path) <= MOST_BYTES, path
        change(is_on=True, message="")  # for other tests


def test_an_account_with_as_many_tokens_as_it_may_make_has_small_pages(idle: LiveServer) -> None:
    with Person(idle, "tom") as tom:

        async def make(admin: Admin) -> None:
            for _ in range(150):
                await admin.create_token(tom.name)

        idle.as_admin(make)
        found: list[str] = []
        path: str | None = "/ui/account"
        while path:
            assert page_size(tom, path) <= MOST_BYTES, path
            page = tom.browser.get(path).text
            found += re.findall(r'action="/ui/tokens/(.*?)/revoke"', page)
            older = re.search(r'href="(/ui/account\?from=\d+)">Older tokens', page)
            path = older[1] if older else None
        assert len(found) == len(set(found)) == 151  # the newest first
        own = tom.browser.get("/v1/account", headers={"Authorization": f"Bearer {tom.token}"})
        assert found[-1] == own.json()["token"]["id"]
        for wrong in ("x", "-1", "9" * 40):
            assert tom.browser.get(f"/ui/account?from={wrong}").status_code == 200
        made = tom.browser.submit("/ui", "/ui/tokens", project=tom.name)
        assert size_with_files(tom, made) <= MOST_BYTES


def test_a_device_that_often_changed_has_a_small_page(idle: LiveServer) -> None:
    now = int(1000 * time.time())
    with closing(sqlite3.connect(idle.folder / "data" / "qwicket.db", timeout=30)) as file, file:
        file.executemany(
            "insert into device_change (device, at, status, reason) values (?, ?, ?, ?)",
            [
                ("qwicket_heavyhex27", now - 3_600_000 * k, ("on", "off")[k % 2], '"' * 200)
                for k in range(200, 0, -1)
            ],
        )
    with Person(idle, "dia") as dia:
        page = dia.browser.get("/ui/devices/qwicket_heavyhex27").text
        assert page.count('<td><span class="st off">') == 25
        assert page_size(dia, "/ui/devices/qwicket_heavyhex27") <= MOST_BYTES


MANY = 300
"""Devices, projects of one account, and members and budgets of one project."""


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveServer, Person]]:
    """A server with many of each, under the longest names, and one who sees them all."""
    live = LiveServer(tmp_path_factory.mktemp("crowd"), "--workers", "0")
    with Person(live, "ada", "admin") as ada:
        with closing(sqlite3.connect(live.folder / "data" / "qwicket.db", timeout=30)) as file:
            add_many(file, ada.name)
        yield live, ada
    assert live.stop() == 0


def add_many(file: sqlite3.Connection, name: str, number: int = MANY) -> None:
    (account,) = file.execute("select id from account where name = ?", (name,)).fetchone()
    (project,) = file.execute("select id from project where name = ?", (name,)).fetchone()
    (body,) = file.execute("select body from device where name = 'simulator'").fetchone()

    def copy(table: str, number: int, **changed: object) -> None:
        cursor = file.execute(f"select * from {table} where name = ?", (name,))
        row = dict(zip((each[0] for each in cursor.description), cursor.fetchone(), strict=True))
        row |= {"id": f"{table}-{number}"} | changed
        columns = ", ".join(f'"{each}"' for each in row)
        marks = ", ".join("?" * len(row))
        file.execute(f"insert into {table} ({columns}) values ({marks})", (*row.values(),))

    now = int(1000 * time.time())
    file.executemany(
        "insert into budget"
        " (id, project, device, unit, period, maximum, used, begun_at, created_at)"
        " values (?, ?, ?, 'shots', 'total', 9, 0, ?, ?)",
        [(f"b-{k}", project, f"d{'x' * 58}{k:04}", now, now) for k in range(number)],
    )
    for k in range(number):
        device = f"d{'x' * 58}{k:04}"
        changed = json.dumps(json.loads(body) | {"name": device, "position": 900 + k})
        file.execute(
            "insert into device (name, position, body, origin) values (?, ?, ?, 'builtin')",
            (device, 900 + k, changed),
        )
        copy("project", k, name=f"p{'y' * 34}{k:04}")
        copy("account", k, name=f"a{'z' * 34}{k:04}", email=None)
        file.executemany(
            "insert into member (account, project) values (?, ?)",
            [(account, f"project-{k}"), (f"account-{k}", project)],
        )
    file.commit()


LISTS = {
    "devices?family=qubit": r'href="/ui/devices/(d[^"]*)"',
    "projects": r'href="/ui/projects/(p[^"]*)"',
    "projects/{}": r"(az+\d{4})",
    "projects/{}?show=jobs": r'<span class="small">on (dx+\d{4})</span>',
}
AFTER = {"projects/{}": "members", "projects/{}?show=jobs": "budgets"}
"""What the links of a page with two lists are for."""


@pytest.mark.parametrize("path", LISTS)
def test_a_long_list_has_small_pages_and_leaves_nothing_out(
    crowd: tuple[LiveServer, Person], path: str
) -> None:
    _, ada = crowd
    found: list[str] = []
    at = f"/ui/{path.format(ada.name)}"
    at, _, first = at.partition("?")
    query, n_pages = f"?{first}", 0
    of = f"Pages of the {AFTER.get(path, 'list')}"
    while True:
        assert page_size(ada, at + query) <= MOST_BYTES, query
        text = ada.browser.get(at + query).text
        found += re.findall(LISTS[path], text)
        (links,) = re.findall(f'<nav class="pager" aria-label="{of}">(.*?)</nav>', text, re.DOTALL)
        back = re.search(r'href="(\?[^"]*)">Previous</a>', links)
        assert (back is None) == (n_pages == 0)
        on = re.search(r'href="(\?[^"]*)">Next</a>', links)
        n_pages += 1
        if on is None:
            break
        query = unescape(on[1])
    assert n_pages > 1
    assert len(found) == len(set(found)) == MANY
    for wrong in ("x", "-1", "9" * 40, "999999"):
        assert ada.browser.get(f"{at}?{first}&from={wrong}").status_code == 200


def test_the_next_members_of_a_project_leave_its_budgets_as_they_are(
    crowd: tuple[LiveServer, Person],
) -> None:
    _, ada = crowd
    at = f"/ui/projects/{ada.name}"
    first = ada.browser.get(at).text
    link = re.search(r'Pages of the members">.*?href="([^"]*)">Next', first, re.DOTALL)
    assert link
    second = ada.browser.get(at + unescape(link[1])).text
    members, budgets = LISTS["projects/{}"], LISTS["projects/{}?show=jobs"]
    assert not set(re.findall(members, first)) & set(re.findall(members, second))
    assert re.findall(budgets, first) == re.findall(budgets, second) != []


def test_pages_with_choices_of_many_devices_and_projects_are_small(
    crowd: tuple[LiveServer, Person],
) -> None:
    _, ada = crowd
    paths = [
        "",
        "/account",
        "/jobs",
        "/jobs/new",
        "/devices",
        "/devices/simulator",
        f"/projects/{ada.name}/webhooks",
        "/admin",
    ]
    # Of each person the longest names, of each project the most members, and all budgets.
    paths += [f"/admin/{page}" for page in PAGES if page != "jobs"]
    paths += [f"/admin/people/{ada.name}", f"/admin/projects/{ada.name}"]
    paths += [
        "/admin/projects?which=personal",
        "/admin/devices/simulator",
        "/admin/usage?by=device",
    ]
    for path in paths:
        assert page_size(ada, f"/ui{path}") <= MOST_BYTES, path
    families = re.findall(
        r'<details class="fold"><summary><h2 id="(\w+)">.*?<span class="n">([\d,]+)',
        ada.browser.get("/ui/devices").text,
    )
    assert families == [("qubit", f"{MANY + 11:,}"), ("atoms", "4"), ("photonic", "3")]
    # What the page has no room to offer is written.
    last = f"d{'x' * 58}{MANY - 1:04}"
    for path, choice in (("jobs", "project"), ("jobs/new", "device"), ("account", "project")):
        text = ada.browser.get(f"/ui/{path}".rstrip("/")).text
        assert f'<input name="{choice}" list="{choice}s"' in text, path
    given = {"program": BELL_QASM, "device": last, "shots": "3"}
    run = ada.browser.submit("/ui/jobs/new", "/ui/jobs/new", action="run", **given)
    assert run.status_code == 303, run.text
    project = f"p{'y' * 34}{MANY - 1:04}"
    made = ada.browser.submit("/ui", "/ui/tokens", project=project, scope=["jobs:read"])
    assert TOKEN.findall(made.text), made.text
    assert ada.rows() != ada.rows(f"project={project}") == []


def test_long_lists_and_choices_are_accessible(
    crowd: tuple[LiveServer, Person], tmp_path_factory: pytest.TempPathFactory
) -> None:
    live, ada = crowd
    wrong = []
    paths = (
        "/ui",
        "/ui/account",
        "/ui/devices",
        "/ui/devices?family=qubit&from=50",
        "/ui/projects?from=50",
        f"/ui/projects/{ada.name}",
    )
    with browser(tmp_path_factory.mktemp("profile")) as page:
        use_session(page, live, ada)
        for path in (*paths, "/ui/jobs", "/ui/jobs/new"):
            page.open(live.url + path, width=390)
            for width, scheme in SCREENS:
                page.set_screen(width, scheme)
                wrong += [(path, width, each) for each in violations(page)]
                assert page.run("document.scrollingElement.scrollWidth") <= width, (path, width)
    assert wrong == []
