"""Each page under /ui leaves the event loop free with its worst content."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import pytest

from integration.test_job_pages import add_copies, large_machine
from integration.test_page_sizes import add_many
from qwicket.clients.native import Job
from qwicket.dialects.registration import DialectSettings
from qwicket.pages.admin import FILES, PAGES
from qwicket.pages.routes import application
from support.event_loop import MEASURED, assert_loop_stays_free
from support.pages import Person
from support.pairwise import by_row, pairs
from support.server import LiveServer

pytestmark = pytest.mark.extended

MB = 1 << 20
LONGEST = 10_400_000
"""Characters of a program that are still within `program_json_bytes`."""
HADAMARD = [{"gate": "h", "target": k} for k in range(20)]
_TURNS = ",".join(['{"gate":"rx","target":0,"rotation":0.123456789012345}'] * 130_000)


def _filled(mark: str, head: str = "") -> str:
    """Return an OpenQASM program that a comment makes as long as `program_text_bytes` allows."""
    n_marks = (1_040_000 - len(head)) // len(mark.encode())
    lines = ('OPENQASM 3.0; include "stdgates.inc"; qubit q; bit c;', head, "//" + mark * n_marks)
    return "\n".join((*lines, "c = measure q;"))


PROGRAMS: dict[str, tuple[Any, dict[str, Any]]] = {
    "less-than signs": (_filled("<"), {}),
    "ampersands": (_filled("&"), {}),
    "quotes": (_filled('"'), {}),
    "controls": (_filled("\x01"), {}),
    "wide letters": (_filled("\U0001f600"), {}),
    "lines": (_filled("\n//"), {}),
    "many gates": ('{"qubits":2,"circuit":[' + _TURNS + "]}", {}),
    "a long text": (
        '{"qubits":1,"circuit":[{"gate":"x","target":0}],"name":"' + "&" * LONGEST + '"}',
        {},
    ),
    "many probabilities": (
        {"qubits": 18, "circuit": HADAMARD[:18]},
        {"outputs": ["probabilities"]},
    ),
    "many counts": ({"qubits": 20, "circuit": HADAMARD}, {"shots": 100_000}),
    "many shots": (
        {"qubits": 20, "circuit": HADAMARD},
        {"shots": 100_000, "outputs": ["memory"]},
    ),
    "many circuits": ({"qubits": 2, "circuits": [{"circuit": HADAMARD[:2]}] * 5_000}, {}),
    "many inputs": (
        _filled("a", "".join(f"input float {'a' * 200}{k};" for k in range(1_000))),
        {"inputs": {f"{'a' * 200}{k}": 1.5 for k in range(1_000)}},
    ),
    "long tags": (
        {"qubits": 2, "circuit": HADAMARD[:2]},
        {"name": '"' * 255, "tags": [f"{'&' * 253}{k:02}" for k in range(32)]},
    ),
}
OF_JOB = {
    "": "",
    "compared": "?order=bits&scale=log&rows=100&show=source&with={id}",
    "tags": "/tags",
    "question": "/confirm?action=delete",
    "program": "/program",
    "JSON": "/result.json",
    "CSV": "/result.csv?part=0",
    "arrays": "/result.npz?part=0",
    "archive": "/archive.zip",
}


LARGE = {name for name in PROGRAMS if name.startswith("many")}
"""Jobs whose results or programs have many entries."""
SHOWN = {"": PROGRAMS, "program": PROGRAMS, "tags": {"long tags"}}
"""Jobs that a page shows in its own way; of other pages those that are `LARGE`."""


class Site(NamedTuple):
    """A server with the worst content of all pages, and one who sees it all."""

    live: LiveServer
    ada: Person
    jobs: dict[str, Job]


@pytest.fixture(scope="module")
def unharmed() -> None:
    """No shared server is in play."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("pages")
    (folder / "devices").mkdir()
    machine = large_machine().replace("connectivity = [", "connectivity = [[0, 30], ")
    (folder / "devices" / "large.toml").write_text(machine)
    live = LiveServer(folder, "--device-dir", str(folder / "devices"), **MEASURED)
    with Person(live, "ada", "admin") as ada:
        jobs = {
            name: ada.client.submit(program, "simulator", **{"shots": 10, **options})
            for name, (program, options) in PROGRAMS.items()
        }
        for name, job in jobs.items():
            assert job.wait(timeout=60).state == "completed", name
        fill(live, ada, ada.submit())
        # Everything is read once: the compilation of a template is no finding.
        for path in (*PATHS, *(f"/jobs/{{id}}{kind}" for kind in OF_JOB.values())):
            ada.browser.get(address(ada, jobs["long tags"], path))
        yield Site(live, ada, jobs)
    assert live.stop() == 0
    live.assert_calm()


def fill(live: LiveServer, ada: Person, job: Job) -> None:
    """Add as many of everything as lists may have, right to the database."""
    with closing(sqlite3.connect(live.folder / "data" / "qwicket.db", timeout=30)) as file:
        add_many(file, ada.name, 300)
    add_copies(live, job.id, 2_000)
    now = int(1000 * time.time())
    with closing(sqlite3.connect(live.folder / "data" / "qwicket.db", timeout=30)) as file, file:
        copies = [
            row[0] for row in file.execute("select id from job where id like ?", (f"{job.id}-%",))
        ]
        file.executemany(
            "update job set state = 'cancelled', name = ?, tags = ? where id = ?",
            [
                (
                    f"{'n' * 55}{number}",
                    json.dumps([f"{'t' * 50}{number}-{k}" for k in range(32)]),
                    each,
                )
                for number, each in enumerate(copies)
            ],
        )
        file.executemany(
            "insert into device_change (device, at, status, reason) values (?, ?, ?, ?)",
            [
                ("simulator", now - 60_000 * k, ("on", "off")[k % 2], '"' * 200)
                for k in range(20_000, 0, -1)
            ],
        )


PATHS = (
    *("", "/", "/style.css", "/icon.svg", "/scripts/pages.js", "/sign-in"),
    *("/jobs", "/jobs?tag=x", "/jobs.csv", f"/jobs?name={'%26' * 15_000}"),
    *("/devices", "/devices?family=qubit", "/devices/simulator"),
    *(f"/devices/qwicket_line5/calibrations{kind}" for kind in ("", ".csv", ".json")),
    *(f"/devices/simulator/hours{kind}" for kind in (".csv", ".json")),
    *("/projects", "/projects/{name}", "/projects/{name}/use.csv", "/projects/{name}/use.json"),
    *(f"/projects/{{name}}/budgets/b-0/left.{kind}" for kind in ("csv", "json")),
    *("/projects/{name}/webhooks", "/projects/{name}/lead", "/confirmations/{id}"),
    *("/account", "/jobs/new", f"/jobs/new?program={'%26' * 15_000}", "/connect", "/connect/curl"),
    *("/try", "/clients", "/clients/curl", "/help"),
    *("/admin", "/admin/export?project={name}", "/admin/export.zip?project={name}"),
    *("/admin/jobs/{id}", "/admin/people/{name}", "/admin/projects/{name}", "/admin/people?q=a"),
    *("/admin/devices/simulator", "/admin/activity?q={name}", "/admin/usage.json"),
    *(f"/admin/{page}" for page in PAGES),
    *(f"/admin/{file}.csv?project={{name}}&account={{name}}" for file in FILES),
    *(f"/{kind}?code={'x' * 60_000}" for kind in ("invitation", "link")),
)


def address(ada: Person, job: Job, path: str) -> str:
    return "/ui" + path.replace("{name}", ada.name).replace("{id}", job.id)


def read(site: Site, path: str) -> None:
    answer = site.ada.browser.get(path)
    assert answer.status_code < 500, answer.text[:300]


AREAS = dict.fromkeys(re.split("[/?]", path + "/")[1] for path in PATHS)


@pytest.mark.parametrize("area", AREAS)
def test_no_page_keeps_the_loop(site: Site, area: str) -> None:
    for path in PATHS:
        if re.split("[/?]", path + "/")[1] == area:
            at = address(site.ada, site.jobs["long tags"], path)
            assert_loop_stays_free(site.live, partial(read, site, at))


def test_the_first_map_of_a_machine_leaves_the_loop_free(site: Site) -> None:
    assert_loop_stays_free(site.live, lambda: read(site, "/ui/devices/large"))


@pytest.mark.parametrize(
    ("kind", "names"),
    by_row(pairs(OF_JOB, PROGRAMS, keep=lambda kind, name: name in SHOWN.get(kind, LARGE))),
)
def test_no_page_of_a_job_keeps_the_loop(site: Site, kind: str, names: list[str]) -> None:
    for job in (site.jobs[name] for name in names):
        at = f"/ui/jobs/{job.id}" + OF_JOB[kind].replace("{id}", job.id)
        assert_loop_stays_free(site.live, partial(read, site, at))


SETTINGS = DialectSettings(in_force=list)
ROUTES = application(cast(Any, SimpleNamespace(now_ms=time.time_ns)), SETTINGS).routes
FORMS = {
    "a long field": "a=" + "x" * (15 * MB),
    "escapes": "program=" + "%26" * (5 * MB),
    "many fields": "a=b&" * (3 * MB),
    "small": "program=" + "%26" * 20_000,
}


POSTED = [each.path for each in ROUTES if each.method == "POST" and each.path != "/sign-out"]


@pytest.mark.parametrize(
    ("name", "paths"), by_row(pairs(FORMS, POSTED, keep=lambda name, _: name == "small"))
)
def test_no_form_keeps_the_loop(site: Site, name: str, paths: list[str]) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    content = f"csrf={site.ada.browser.csrf('/ui/jobs/new')}&{FORMS[name]}"

    def send(path: str) -> None:
        at = "/ui" + re.sub("{[^}]*}", "x", path.replace("{page}", "people"))
        answer = site.ada.browser.post(at, content=content, headers=headers)
        assert answer.status_code < 500, answer.text[:300]

    for path in paths:
        assert_loop_stays_free(site.live, partial(send, path))


@pytest.mark.parametrize("action", ["check", "edit", "share"])
def test_no_program_in_the_editor_keeps_the_loop(site: Site, action: str) -> None:
    fields = {"device": "simulator", "shots": "10", "action": action}

    def send(mark: str) -> None:
        program = "OPENQASM 3.0; qubit q;\n//" + mark * (99_000 // len(mark))
        answer = site.ada.browser.submit("/ui/jobs/new", "/ui/jobs/new", program=program, **fields)
        assert answer.status_code < 500, answer.text[:300]

    for mark in ("a", "&", '"', "\U0001f600", "\n", "//"):
        assert_loop_stays_free(site.live, partial(send, mark))


def test_every_page_is_tried() -> None:
    without = {"/jobs/stream", "/jobs/{id}/stream"}  # endless
    without |= {"/provider", "/callback"}  # only with an identity provider
    tried = [*PATHS, *(f"/jobs/0{kind}" for kind in OF_JOB.values())]
    tried = [path.partition("?")[0] for path in tried]
    for route in ROUTES:
        if route.method == "GET" and route.path not in without:
            pattern = re.sub("{[^}]*}", "[^/]+", route.path)
            assert any(re.fullmatch(pattern, path) for path in tried), route.path
