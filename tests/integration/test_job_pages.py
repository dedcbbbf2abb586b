"""The pages of jobs and devices: without scripts over HTTP, and live in a real browser."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import numpy as np
import pytest
from msgspec import structs

import qwicket
from qwicket.circuits.calibrations import Medians
from qwicket.devices import calibrations
from qwicket.gateway.admin import Admin
from qwicket.pages.examples import EXAMPLES
from qwicket.snippets import SNIPPETS
from qwicket.snippets.environments import CLIENTS, lines
from support import braket, pubs
from support.axe import SCREENS, violations
from support.browser import Page, browser
from support.held import held_job
from support.pages import (
    PASSWORD,
    TOKEN,
    Browser,
    Person,
    editor_fields,
    error_of,
    page_size,
    use_session,
)
from support.programs import BELL
from support.server import LiveServer, running_server
from support.waiting import until

pytestmark = pytest.mark.extended

MOST_BYTES = 60_000
COUPLING = re.compile(r"M\d+ \d+L\d+ \d+")
"""A line of the map of a device."""
BELL_QASM = """OPENQASM 2.0;
include "qelib1.inc";
// {}
qreg q[2];
creg c[2];
h q[0];
cx q[0], q[1];
measure q -> c;
"""
LONG_PROGRAM = "// " + "<" * 7_000
"""Longer than what the editor shows again."""
MARKS = (
    "<b>{}</b>",
    '"><script>alert({})</script>',
    "' onload='alert({})",
    "{{{{{} * 7}}}}",
    "</title><img src=x{} onerror=alert(1)>",
    "</pre><svg/onload=alert({})>",
    "&lt;{}&amp;",
    "javascript:alert({})//",
    "%3Cb%3E{}",
    "\u202e{}\u2028",
)
PAYLOADS = [mark.format(number) for mark in MARKS for number in range(3)]


@pytest.fixture
def ada(server: LiveServer) -> Iterator[Person]:
    with Person(server, "ada") as person:
        yield person


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that runs nothing, so that jobs wait."""
    live = LiveServer(tmp_path_factory.mktemp("idle"), "--workers", "0")
    yield live
    assert live.stop() == 0


@pytest.fixture
def carl(idle: LiveServer) -> Iterator[Person]:
    with Person(idle, "carl") as person:
        yield person


# --- the list -------------------------------------------------------------------------------------


def test_a_list_is_searched_by_what_its_address_says(ada: Person) -> None:
    first = ada.submit(name="one", tags=["x", "two words"])
    second = ada.submit(tags=["x"])
    assert ada.rows() == [second.id, first.id]
    assert ada.rows("tag=two+words") == [first.id]
    assert ada.rows("name=one&device=simulator&state=completed") == [first.id]
    assert ada.rows(f"project={ada.name}&created_from=2020-01-01") == [second.id, first.id]
    assert ada.rows("created_to=2020-01-01") == []
    assert ada.rows("state=queued,running") == []
    shown = ada.browser.get("/ui/jobs?tag=two+words").text
    assert 'name="tag" list="labels" maxlength="255" value="two words"' in shown
    assert 'href="/ui/jobs?">Tag: two words ×' in shown
    for wrong in ("state=x", "project=none", "from=x", "from=2026-02-30", "before=x", "color=x"):
        assert ada.browser.get(f"/ui/jobs?{wrong}").status_code == 400, wrong
    for wrong in ("who=x", "sort=x", "q=%00", "at=0", "after=-1", "account=root", "to=9999-12-31"):
        assert ada.browser.get(f"/ui/jobs?{wrong}").status_code == 400, wrong


def test_an_open_page_reads_only_its_list_again(ada: Person) -> None:
    job = ada.submit(name="listed")
    whole = ada.browser.get("/ui/jobs").text
    part = ada.browser.get("/ui/jobs", headers={"HX-Request": "true"}).text
    assert part.startswith('<div id="list" hx-get="" ')
    assert job.id in part
    assert part in whole
    assert "<form" not in part


def test_a_list_goes_on_with_older_jobs(ada: Person) -> None:
    jobs = [ada.client.submit(BELL, "simulator", shots=1) for _ in range(53)]
    page = ada.browser.get("/ui/jobs").text
    assert "1 to 40 of 53</span>" in page
    ids = [job.id for job in jobs]
    for order in ("", "sort=oldest&amp;"):
        at = unescape(order).rstrip("&")
        ids.reverse()
        first = ada.browser.get(f"/ui/jobs?{at}").text
        (on,) = re.findall(rf'href="/ui/jobs\?({order}(?:before|after)=\d+&amp;at=41)"', first)
        second = ada.browser.get(f"/ui/jobs?{unescape(on)}").text
        assert "41 to 53 of 53</span>" in second
        (back,) = re.findall(rf'href="/ui/jobs\?({order}(?:before|after)=\d+&amp;at=1)"', second)
        found = [ada.rows(at), ada.rows(unescape(on))]
        assert [*found[0], *found[1]] == ids
        assert ada.rows(unescape(back)) == found[0]
        for later in (second, ada.browser.get("/ui/jobs?sort=oldest").text):
            assert "sse-connect" not in later
        lines = ada.browser.get(f"/ui/jobs.csv?{at}").text.splitlines()
        assert [line.partition(",")[0] for line in lines[1:]] == ids


def test_a_search_is_completed_by_names_and_tags_of_other_pages(server: LiveServer) -> None:
    with Person(server, "dan") as dan:
        dan.client.submit(BELL, "simulator", name="<first>", tags=["old", "x" * 100])
        for _ in range(51):
            dan.client.submit(BELL, "simulator", name="later", tags=["new"])
        page = dan.browser.get("/ui/jobs").text
        assert "&lt;first&gt;</a>" not in page
        labels = page.partition('<datalist id="labels">')[2].partition("</datalist>")[0]
        assert re.findall('value="(.*?)"', labels) == ["&lt;first&gt;", "later", "new", "old"]
        assert len(dan.rows("tag=old&name=%3Cfirst%3E")) == 1


def test_a_text_is_found_in_names_tags_and_ids(ada: Person) -> None:
    first = ada.submit(name="Bell pair", tags=["lesson"])
    second = ada.submit(tags=["A bell"])
    assert ada.rows("q=BELL") == [second.id, first.id]
    assert ada.rows("q=bell&tag=lesson") == [first.id]
    assert ada.rows(f"q={second.id[:-2]}") == [second.id]
    found = ada.browser.get(f"/ui/jobs?q={first.id}")
    assert (found.status_code, found.headers["location"]) == (303, f"/ui/jobs/{first.id}")
    page = ada.browser.get("/ui/jobs?q=bell&device=clifford").text
    assert "None of the 2 jobs has all of this.<br>2 jobs match without" in page
    assert 'href="/ui/jobs?q=bell">Show them</a>' in page
    lines = ada.browser.get("/ui/jobs.csv?q=lesson&sort=oldest").text.splitlines()
    assert [line.partition(",")[0] for line in lines] == ["id", first.id]


def test_a_day_of_a_filter_is_one_of_the_persons_zone(ada: Person) -> None:
    job = ada.submit()
    now = datetime.now(UTC)
    auth = {"Authorization": f"Bearer {ada.token}"}
    for hours in (14, -12):  # Pacific/Kiritimati, and west of the date line
        name = f"Etc/GMT{-hours:+}"
        changed = ada.browser.patch("/v1/account", json={"time_zone": name}, headers=auth)
        assert changed.status_code == 200, changed.text
        day = f"{now + timedelta(hours=hours):%Y-%m-%d}"
        assert ada.rows(f"from={day}&to={day}") == [job.id]
        other = f"{now + timedelta(hours=hours, days=1):%Y-%m-%d}"
        assert ada.rows(f"from={other}&to={other}") == []


def test_jobs_of_my_projects_are_listed_with_who_submitted_them(server: LiveServer) -> None:
    with Person(server, "kim") as kim, Person(server, "lou") as lou:
        own, theirs = kim.submit(name="own"), lou.submit(name="theirs")
        server.as_admin(lambda admin: admin.add_member(lou.name, kim.name))
        page = kim.browser.get("/ui/jobs?who=projects").text
        assert re.findall('href="/ui/jobs/([0-9a-f-]{36})"', page) == [theirs.id, own.id]
        assert f"{lou.name} · {lou.name}</span>" in page
        assert kim.rows("who=projects") == [own.id]  # only these can be changed
        assert (
            f'href="/ui/jobs/{theirs.id}"'
            in kim.browser.get(f"/ui/jobs?who=projects&project={lou.name}").text
        )
        lines = kim.browser.get("/ui/jobs.csv?who=projects&q=the").text.splitlines()
        assert [line.partition(",")[0] for line in lines] == ["id", theirs.id]
        assert kim.rows() == [own.id]
        assert kim.browser.get("/ui/jobs?who=everyone").status_code == 403
        assert kim.browser.get("/ui/jobs.csv?who=everyone").status_code == 403
        refused = kim.change("/ui/jobs/change", of="all", action="cancel", search="who=projects")
        assert refused.status_code == 400


def test_a_failed_job_shows_its_cause_and_is_run_again_from_the_list(
    server: LiveServer, ada: Person
) -> None:
    job = ada.submit(name="bad")
    with closing(sqlite3.connect(server.folder / "data" / "qwicket.db", timeout=30)) as file, file:
        file.execute(
            "update job set state = 'failed', error_code = 'out_of_memory', error_text = '<cause>'"
            " where id = ?",
            (job.id,),
        )
    for path, remedy in (("/ui/jobs", ""), ("/ui", "Use fewer qubits or circuits")):
        page = ada.browser.get(path).text
        assert "&lt;cause&gt;" in page
        assert remedy in page
        assert f'action="/ui/jobs/{job.id}"' in page
    assert ada.change(f"/ui/jobs/{job.id}", action="repeat").status_code == 303
    assert len(ada.rows()) == 2


def test_a_list_as_csv_contains_no_formula(ada: Person) -> None:
    job = ada.submit(name="=cmd()", tags=["+1", "a,b"])
    response = ada.browser.get("/ui/jobs.csv?name=%3Dcmd()")
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    heads, row = csv.reader(io.StringIO(response.text))
    found = dict(zip(heads, row, strict=True))
    assert (found["id"], found["name"], found["tags"]) == (job.id, "'=cmd()", "'+1 a,b")
    assert (found["state"], found["shots"], found["qubits"]) == ("completed", "100", "2")


def test_all_jobs_that_match_are_changed_after_their_number_was_shown(carl: Person) -> None:
    jobs = [carl.client.submit(BELL, "simulator", tags=["w"]) for _ in range(56)]
    ended = jobs.pop()
    ended.cancel()
    fields = {"of": "all", "search": "tag=w", "action": "cancel"}
    asked = carl.change("/ui/jobs/confirm", **fields)
    assert "<h1>Cancel 55 jobs?</h1>" in asked.text
    assert {job.refresh().state for job in jobs} == {"queued"}
    crowded = fields | {"search": "&".join(f"a{k}=1" for k in range(50))}
    assert carl.change("/ui/jobs/confirm", **crowded).status_code == 400
    done = carl.change("/ui/jobs/change", **fields)
    assert "<h1>55 jobs cancelled</h1>" in done.text
    assert "Done: 55. Left as they were: 0." in done.text
    assert {job.refresh().state for job in jobs} == {"cancelled"}
    assert ended.refresh().state == "cancelled"
    assert (
        "<h1>Delete 56 jobs with their results?</h1>"
        in carl.change("/ui/jobs/confirm", **fields | {"action": "delete"}).text
    )
    carl.change("/ui/jobs/change", **fields | {"action": "delete"})
    assert carl.rows() == []


def add_copies(server: LiveServer, job: str, count: int) -> None:
    """Add copies of a job to the database, which is quicker than submissions."""
    with closing(sqlite3.connect(server.folder / "data" / "qwicket.db", timeout=30)) as file, file:
        every = [row[1] for row in file.execute("pragma table_info(job)")]
        columns = [each for each in every if each not in ("seq", "id")]
        names = ", ".join(f'"{each}"' for each in columns)
        file.execute(
            f"insert into job (id, {names}) with recursive number (n) as"
            " (select 1 union all select n + 1 from number where n < ?)"
            f" select id || '-' || n, {names} from number cross join job where id = ?",
            (count, job),
        )


def test_a_large_number_is_exact_before_a_change(idle: LiveServer, page: Page) -> None:
    with Person(idle, "many") as many:
        job = many.client.submit(BELL, "simulator", tags=["w"])
        job.cancel()
        add_copies(idle, job.id, 12_344)
        fields = {"of": "all", "search": "tag=w&device=simulator", "action": "delete"}
        asked = many.change("/ui/jobs/confirm", **fields).text
        assert "<h1>Delete more than 10,000 jobs with their results?</h1>" in asked
        assert "/ui/jobs/change" not in asked, "nothing can be deleted before the number is known"
        assert "Without JavaScript use the button" in asked
        sent = re.findall(r'<input type="hidden" name="(\w+)" value="(.*?)">', asked)
        form = {name: unescape(value) for name, value in sent}
        shown = many.browser.post("/ui/jobs/confirm", data=form).text
        assert "<h1>Delete 12,345 jobs with their results?</h1>" in shown
        assert 'action="/ui/jobs/change"' in shown
        use_session(page, idle, many)
        page.open(f"{idle.url}/ui/jobs?device=simulator", width=1440)
        page.run("document.querySelector('#all').open = true")
        page.wait_for_load(
            lambda: page.run("document.querySelector('#all [value=delete]').click()")
        )
        page.wait_for("document.querySelector('h1').textContent.startsWith('Delete 12,345 jobs')")
        button = "document.querySelector('main form button').textContent"
        page.wait_for(f"{button} === 'Delete 12,345 jobs'")
        assert violations(page) == []
        assert page.complaints == []
        page.wait_for_load(lambda: page.run("document.querySelector('main form button').click()"))
        page.wait_for("document.body.textContent.includes('Done: ')")


def test_selected_jobs_are_tagged_repeated_and_deleted(ada: Person) -> None:
    jobs = [ada.submit(tags=["a"], seed=number) for number in range(3)]
    ids = [job.id for job in jobs]
    tagged = {"action": "tag", "tag": "<new>", "of": "selected", "job": ids[:2]}
    assert "Tag 2 jobs?" in ada.change("/ui/jobs/confirm", **tagged).text
    asked = ada.change("/ui/jobs/confirm", **tagged | {"tag": ""})
    assert '<input name="tag" maxlength="255" required value="">' in asked.text
    ada.change("/ui/jobs/change", **tagged)
    assert [job.refresh().info["tags"] for job in jobs] == [["a", "<new>"]] * 2 + [["a"]]
    ada.change("/ui/jobs/change", action="repeat", of="selected", job=ids[:1])
    assert len(ada.rows()) == 4
    unknown = "01900000-0000-7000-8000-000000000000"
    done = ada.change("/ui/jobs/change", action="delete", of="selected", job=[*ids, unknown])
    assert "Done: 3. Left as they were: 1." in done.text
    assert f"{unknown}: There is no such job." in done.text
    assert len(ada.rows()) == 1


def test_a_change_without_action_jobs_or_tag_is_refused(ada: Person) -> None:
    for fields in (
        {"action": "x", "of": "all"},
        {"action": "cancel", "of": "selected"},
        {"action": "cancel", "of": "all", "search": "state=x"},
    ):
        for path in ("/ui/jobs/confirm", "/ui/jobs/change"):
            assert ada.change(path, **fields).status_code == 400, fields
    untagged = {"action": "tag", "of": "all", "tag": " "}
    assert ada.change("/ui/jobs/change", **untagged).status_code == 400
    assert ada.browser.post("/ui/jobs/change", data={"action": "cancel"}).status_code == 403


# --- one job --------------------------------------------------------------------------------------


ROW = re.compile(
    r'<tr><th scope="row">([01]+)</th><td class="bar-cell">.*?</td><td class="r">(.*?)</td>'
    r'<td class="r muted">(.*?)</td>(?:<td class="r muted">(.*?)</td>)?</tr>'
)
"""An outcome of a job with counts: its bits, count, share, and share in another job."""


def test_a_job_shows_what_it_was_when_it_ran_and_what_it_gave(ada: Person) -> None:
    job = ada.submit(
        BELL_QASM, "simulator", seed=7, name="bell", tags=["t"], outputs=["counts", "memory"]
    )
    at = f"/ui/jobs/{job.id}"
    page = ada.browser.get(at).text
    for text in (
        "100 shots",
        "2 qubits",
        "submitted by you at",
        "<span>Waited</span>",
        "<span>Ran, <time",
        '<svg class="circuit"',
        '<dt>Seed</dt><dd class="mono">7</dd>',
        f'id="job-id">{job.id}</dd>',
        "Samples: the first 20 of 100",
        '<span class="chip">t</span>',
        '?show=qiskit-ionq#program">qiskit-ionq</a>',
    ):
        assert text in page, text
    counts = job.result().counts
    assert {bits: int(count) for bits, count, *_ in ROW.findall(page)} == counts
    assert "cx q[0], q[1];" in ada.browser.get(f"{at}?show=source").text
    assert "qwicket.connect(" in ada.browser.get(f"{at}?show=qwicket").text
    assert "For qiskit-ionq 1.1.1." in ada.browser.get(f"{at}?show=qiskit-ionq").text
    assert "sse-connect" not in page
    assert "htmx" not in page


def test_a_program_in_one_line_is_shown_in_several(ada: Person) -> None:
    for program, line in ((BELL, '  "qubits": 2,\n'), (turned(2.0), "OPENQASM 3;\nqubit q;\n")):
        job = ada.submit(program)
        page = unescape(ada.browser.get(f"/ui/jobs/{job.id}?show=source").text)
        assert line in page


def test_a_job_is_cancelled_and_deleted_after_a_question(idle: LiveServer, carl: Person) -> None:
    job = carl.client.submit(BELL, "clifford", name="<b>", shots=1)
    at = f"/ui/jobs/{job.id}"
    for action, question in (("cancel", "Cancel &lt;b&gt;?"), ("delete", "Delete &lt;b&gt;")):
        assert f'href="{at}/confirm?action={action}"' in carl.browser.get(at).text
        asked = carl.browser.get(f"{at}/confirm?action={action}")
        assert question in asked.text
        assert f'<button class="btn danger solid">{action.capitalize()} job</button>' in asked.text
        with Person(idle, "bob") as bob:
            assert bob.browser.get(f"{at}/confirm?action={action}").status_code == 404
        carl.browser.submit(f"{at}/confirm?action={action}", at, action=action)
        ended = carl.browser.get(f"{at}/confirm?action=cancel")
        assert ended.status_code == (303 if action == "cancel" else 404)


def test_files_of_a_job_are_those_of_the_api(server: LiveServer, ada: Person) -> None:
    job = ada.submit(BELL, "simulator", seed=7)
    at = f"/ui/jobs/{job.id}"
    counts = job.result().counts
    (part,) = ada.browser.get(f"{at}/result.json").json()["parts"]
    assert part["counts"] == counts
    _, *rows = csv.reader(io.StringIO(ada.browser.get(f"{at}/result.csv").text))
    assert {bits: int(count) for bits, count, _ in rows} == counts
    arrays = np.load(io.BytesIO(ada.browser.get(f"{at}/result.npz").content))
    assert sorted(arrays["counts"]) == sorted(counts.values())
    assert ada.browser.get(f"{at}/archive.zip").content[:2] == b"PK"
    assert ada.browser.get(f"{at}/program").json() == BELL
    for name in ("result.csv?part=1", "result.npz?part=x"):
        assert ada.browser.get(f"{at}/{name}").status_code == 404
    response = ada.browser.get(f"{at}/program")
    assert response.headers["content-disposition"].startswith("attachment")
    assert response.headers["x-content-type-options"] == "nosniff"


def test_a_job_is_run_again_with_the_same_seed_or_another(ada: Person) -> None:
    job = ada.submit(BELL, "simulator", seed=7, noise="aria-1", name="n", tags=["t"])
    at = f"/ui/jobs/{job.id}"
    repeated = []
    for action in ("repeat-seed", "repeat"):
        response = ada.browser.submit(at, at, action=action)
        assert response.status_code == 303
        again = ada.client.job(response.headers["location"].rpartition("/")[2])
        repeated.append(again.result(timeout=60))
        assert (again.info["name"], again.info["tags"]) == ("n", ["t"])
    same, other = repeated
    assert same.counts == job.result().counts
    assert same.parts[0].seed == 7 != other.parts[0].seed
    key = {"action": "repeat", "key": "k" * 20}
    twice = {ada.browser.submit(at, at, **key).headers["location"] for _ in range(2)}
    assert len(twice) == 1


def words(person: Person, at: str) -> str:
    """Return a page with a single space between words."""
    return " ".join(person.browser.get(at).text.split())


def test_a_waiting_job_says_why_and_is_held_released_and_cancelled(
    idle: LiveServer, carl: Person
) -> None:
    first, second = (carl.client.submit(BELL, "clifford", shots=1) for _ in range(2))
    idle.admin("device", "off", "clifford", "--reason", "cleaning")
    at = f"/ui/jobs/{second.id}"
    text = "Before it: 1 of its own project"
    until(lambda: text in words(carl, at), "the forecast has both jobs")
    page = carl.browser.get(at).text
    assert "The device is off: cleaning" in page
    assert f'sse-connect="{at}/stream"' in page
    assert '<noscript><span class="small">Load the page again to see changes.' in page
    assert '<li class="own">1</li><li class="this" aria-current="true">2</li>' in page
    assert carl.browser.submit(at, at, action="hold").status_code == 303
    assert "You hold this job" in carl.browser.get(at).text
    carl.browser.submit(at, at, action="release")
    assert "You hold this job" not in carl.browser.get(at).text
    carl.browser.submit(at, at, action="cancel")
    assert second.refresh().state == "cancelled"
    assert "No result: The job was cancelled" in carl.browser.get(at).text
    carl.browser.submit(at, at, action="tag", name="new", tags="a\r\nb c\r\n")
    assert second.refresh().info["tags"] == ["a", "b c"]
    assert carl.browser.submit(at, at, action="delete").headers["location"] == "/ui/jobs"
    assert carl.browser.get(at).status_code == 404
    assert carl.browser.submit("/ui/jobs", f"/ui/jobs/{first.id}", action="x").status_code == 400
    first.cancel()
    idle.admin("device", "on", "clifford")  # for other tests


def test_results_are_compared_and_sorted(ada: Person) -> None:
    job, other = ada.submit(seed=1), ada.submit(seed=2, name="<i>")
    offered = f'<a href="?with={other.id}">&lt;i&gt;, <time'
    assert offered in ada.browser.get(f"/ui/jobs/{job.id}").text
    page = ada.browser.get(f"/ui/jobs/{job.id}?order=bits&with={other.id}").text
    rows = ROW.findall(page)
    assert [bits for bits, *_ in rows] == ["00", "11"]
    counts = other.result().counts
    assert [share for *_, share in rows] == [f"{counts[each]}.0 %" for each in ("00", "11")]
    missing = ada.browser.get(f"/ui/jobs/{job.id}?with=x").text
    assert "No comparison: There is no such job." in missing
    assert len(ROW.findall(missing)) == 2, "its own result is shown"


def test_a_job_with_noise_is_compared_with_a_run_without(ada: Person) -> None:
    job, ideal = ada.submit(BELL_QASM, "qwicket_line5"), ada.submit(BELL_QASM)
    at = f"/ui/jobs/{job.id}"
    (device,) = re.findall("Run it without noise, on (.*?)</button>", ada.browser.get(at).text)
    asked = ada.browser.submit(at, at, action="noiseless", key="k" * 20)
    path, _, other = asked.headers["location"].partition("?with=")
    assert path == at
    noiseless = ada.client.job(other)
    assert noiseless.result(timeout=60).counts.keys() <= {"00", "11"}
    assert noiseless.refresh().body.device == device
    assert "End the comparison" in ada.browser.get(asked.headers["location"]).text
    at = f"/ui/jobs/{ideal.id}"
    assert "without noise" not in ada.browser.get(at).text
    assert ada.browser.submit(at, at, action="noiseless").status_code == 409


def test_many_outcomes_are_ranked_with_the_most_frequent_as_rows(ada: Person) -> None:
    job = ada.submit("OPENQASM 3; qubit[6] q; bit[6] c; U(1.5, 0, 0) q; c = measure q;", shots=3000)
    at = f"/ui/jobs/{job.id}"
    counts = job.result().counts
    page = ada.browser.get(at).text
    rows = ROW.findall(page)
    assert len(rows) == 12
    assert [int(count) for _, count, *_ in rows] == sorted(counts.values(), reverse=True)[:12]
    assert f'<th scope="row">{len(counts) - 12} more</th>' in page
    assert f'aria-label="All {len(counts)} outcomes from' in page
    assert "if all 64 were equally likely, 46.9" in page
    assert "Scale" not in page
    assert len(ROW.findall(ada.browser.get(f"{at}?rows=100").text)) == len(counts)


def turned(angle: float) -> str:
    return f"OPENQASM 3; qubit q; bit c; U({angle}, 0, 0) q; c = measure q;"


def test_the_most_frequent_outcome_is_first_or_that_with_the_least_bits(ada: Person) -> None:
    job = ada.submit(turned(2.0), seed=1)
    for order, bits in (("count", ["1", "0"]), ("bits", ["0", "1"])):
        page = ada.browser.get(f"/ui/jobs/{job.id}?order={order}").text
        assert [each for each, *_ in ROW.findall(page)] == bits


def test_a_comparison_has_the_outcomes_of_both_jobs(ada: Person) -> None:
    zero, one = ada.submit(turned(0.0)), ada.submit(turned(3.141592653589793))
    page = ada.browser.get(f"/ui/jobs/{zero.id}?order=bits&with={one.id}").text
    rows = ROW.findall(page)
    assert rows == [("0", "100", "100.0 %", "0.0 %"), ("1", "0", "0.0 %", "100.0 %")]


def test_a_twins_job_shows_the_calibration_that_was_frozen_with_it(ada: Person) -> None:
    job = ada.submit(BELL_QASM, "qwicket_line5")
    page = ada.browser.get(f"/ui/jobs/{job.id}").text
    assert "Calibration it ran with" in page
    assert '<dt>T1</dt><dd class="num">85 µs</dd>' in page
    assert "Unchanged since." in page


def test_the_calibration_of_today_is_shown_beside_the_frozen_one(
    idle: LiveServer, carl: Person
) -> None:
    job = carl.client.submit(BELL_QASM, "qwicket_line5")
    before = calibrations()["qwicket_line5"]
    today = structs.replace(
        before, valid_from=datetime.now(UTC), qubit=structs.replace(before.qubit, t1_s=112e-6)
    )

    async def recalibrate(admin: Admin) -> None:
        await admin.store.calibrations.seed({"qwicket_line5": today}, int(time.time() * 1000))

    idle.as_admin(recalibrate)
    page = carl.browser.get(f"/ui/jobs/{job.id}").text
    assert '<dd class="num">85 µs <span class="small">today 112 µs</span></dd>' in page
    assert "Unchanged since." not in page


def test_expectation_values_are_shown_with_their_errors(ada: Person) -> None:
    pub = [pubs.circuit(pubs.turned()), [[{"Z": 1.0}]], pubs.array([[0.3]]), 0.0]
    program = json.loads(pubs.source("estimator", pub))
    job = ada.submit(program, "qwicket_simulator", format="qiskit.primitives")
    (value,) = job.result()[0].evs
    page = ada.browser.get(f"/ui/jobs/{job.id}").text
    assert "Expectation value</th>" in page
    found = re.search(r'<tr><td>0</td><td class="r">(.*?)</td><td class="r">(.*?)</td></tr>', page)
    assert found
    assert float(found[1]) == pytest.approx(value, abs=1e-3)


PHOTONS = """name p
version 1.0
target gaussian (shots=5)
S2gate(0.5, 0.0) | [0, 1]
BSgate(0.7, 0.1) | [0, 1]
MeasureFock() | [0, 1]
"""
ATOMS = {
    "experiment_0": {
        "instructions": [["rlx", [0], [0.3]], ["measure", [0], []]],
        "num_wires": 1,
        "shots": 3,
        "wire_order": "sequential",
    }
}


@pytest.mark.parametrize(
    ("device", "form", "program", "mark"),
    [
        ("simulon_gaussian", "blackbird", PHOTONS, "BS:0(0.7,0.1)"),
        ("singlequdit", "qlued.singlequdit", ATOMS, "rlx(0.3)"),
    ],
)
def test_photons_and_atoms_are_drawn_and_their_samples_shown(
    ada: Person, device: str, form: str, program: Any, mark: str
) -> None:
    job = ada.submit(program, device, format=form, shots=5, outputs=["samples"])
    page = ada.browser.get(f"/ui/jobs/{job.id}").text
    assert mark in page
    assert "Samples: the first" in page
    assert ada.browser.get(f"/ui/jobs/{job.id}/result.csv").text.startswith("shot,sample")


def test_a_job_of_another_account_is_not_there(server: LiveServer, ada: Person) -> None:
    job = ada.submit()
    with Person(server, "bob") as bob:
        at = f"/ui/jobs/{job.id}"
        for path in (
            "",
            "/tags",
            "/program",
            "/result.json",
            "/result.csv",
            "/archive.zip",
            "/stream",
        ):
            assert bob.browser.get(at + path).status_code == 404, path
        assert bob.browser.submit("/ui/jobs", at, action="delete").status_code == 404
        assert bob.rows() == []
    assert job.refresh().state == "completed"


@pytest.mark.parametrize("path", ["/ui/jobs", "/ui/jobs/x", "/ui/devices", "/ui/devices/simulator"])
def test_a_person_who_is_not_signed_in_is_sent_to_the_sign_in(
    server: LiveServer, path: str
) -> None:
    with Browser(server.url) as browser:
        response = browser.get(path)
        assert (response.status_code, response.headers["location"]) == (303, "/ui/sign-in")
        assert browser.get("/ui/jobs/stream").status_code == 401


def test_a_waiting_job_says_whose_jobs_start_before_it(idle: LiveServer) -> None:
    team = idle.unused("secret")
    idle.admin("project", "add", team)
    with Person(idle, "dan") as dan, Person(idle, "eva") as eva:
        for name in (dan.name, eva.name):
            idle.admin("project", "member", "add", team, name)
        made = dan.browser.submit("/ui", "/ui/tokens", project=team)
        with qwicket.connect(idle.url, TOKEN.findall(made.text)[0]) as client:
            others = [client.submit(BELL, "qpu.forte-1", shots=1) for _ in range(2)]
        with Person(idle, "fay") as fay:
            mine = [fay.client.submit(BELL, "qpu.forte-1", shots=1) for _ in range(4)]
            at = f"/ui/jobs/{mine[-1].id}"
            text = "Before it: 3 of its own project, submitted earlier or more urgent; 2 of"
            until(lambda: text in words(fay, at), "the forecast has all jobs")
            assert "; 2 of 1 other project." in words(fay, at)
            assert team not in words(fay, at)
            idle.admin("project", "member", "add", team, fay.name)
            assert f"; 2 of your project {team}." in words(fay, at)
            for job in mine:
                job.cancel()
        for job in others:
            job.cancel()


def test_a_waiting_job_says_that_its_device_is_reserved(idle: LiveServer, carl: Person) -> None:
    team = idle.unused("team")
    idle.admin("project", "add", team)
    begin = datetime.now(UTC) + timedelta(seconds=1)
    with Person(idle, "root", "admin") as root:
        at = "/ui/admin/windows"
        made = root.browser.submit(
            *(at, at),
            act="create_reservation",
            device="clifford",
            projects=team,
            reason="lab <x>",
            **{"from": f"{begin:%Y-%m-%dT%H:%M:%S}", "until": f"{begin.year + 1}-01-01T00:00"},
        )
        assert made.status_code == 303, made.text
    job = carl.client.submit(BELL, "clifford", shots=1)
    text = "reserved until"

    def page() -> str:
        return carl.browser.get(f"/ui/jobs/{job.id}").text

    until(lambda: text in page(), "it is said")
    assert ": lab &lt;x&gt;" in page()
    job.cancel()
    with Person(idle, "root", "admin") as root:
        listed = root.browser.get(at).text
        for each in re.findall(r'name="reservation" value="(.*?)"', listed):  # for other tests
            form = {"act": "remove_window", "reservation": each, "confirmed": "yes"}
            root.browser.submit(at, at, **form)


def test_a_waiting_job_says_when_it_starts_with_an_interval(
    server: LiveServer, ada: Person
) -> None:
    busy = [ada.client.submit(held_job().program, "simulator", shots=1) for _ in range(2)]
    try:
        until(lambda: {each.refresh().state for each in busy} == {"running"}, "both run")
        busy.append(ada.client.submit(BELL, "simulator", shots=1))
        time = r"(?:<time [^>]*>[\d:]+</time>|(?:in )?[\d.]+ \w+)"
        start = re.compile(
            rf"<dt>Expected start</dt><dd>{time} <small>80 %: {time} to {time}</small></dd>"
        )

        def page() -> str:
            return " ".join(ada.browser.get(f"/ui/jobs/{busy[-1].id}").text.split())

        until(lambda: start.search(page()), "a forecast knows the new job")
        device = ada.browser.get("/ui/devices/simulator").text
        shown = r"A new job starts</dt><dd>\s*in about \d+ s\s*<small>\s*80 %: \d+ to \d+ s"
        assert re.search(shown, device)
    finally:
        for each in busy:  # else they keep the other tests from running
            each.cancel()


# --- devices --------------------------------------------------------------------------------------


def test_devices_show_their_queues_messages_and_calibrations(
    server: LiveServer, ada: Person
) -> None:
    server.admin("device", "message", "tdm_small", "cold <today>")
    listed = ada.browser.get("/ui/devices").text
    for device in ada.client.devices():
        assert f'href="/ui/devices/{device.name}"' in listed
        # Nothing runs on a device that is off.
        assert (f'"/ui/jobs/new?device={device.name}"' in listed) == (device.status == "on")
        page = ada.browser.get(f"/ui/devices/{device.name}").text
        assert f"<h1>{device.name}</h1>" in page
        for name in device.info["formats"]:
            assert name in page
    assert "cold &lt;today&gt;" in listed
    twin = ada.browser.get("/ui/devices/qwicket_heavyhex27?shade=t1").text
    assert (twin.count("<circle class"), len(COUPLING.findall(twin))) == (27, 28)
    assert "<tr><td>0</td><td>71 µs</td><td>51 µs</td>" in twin
    assert ada.browser.get("/ui/devices/none").status_code == 404
    found = ada.browser.get("/ui/devices?q=HEAVY&kind=twin").text
    assert re.findall(r'<h3><a href="([^"]*)"', found) == ["/ui/devices/qwicket_heavyhex27"]
    assert "No device matches." in ada.browser.get("/ui/devices?q=heavy&kind=machine").text
    server.admin("device", "message", "tdm_small", "")


def test_calibrations_and_completed_jobs_of_a_device_are_files_too(ada: Person) -> None:
    at = "/ui/devices/qwicket_heavyhex27"
    ada.client.submit(BELL_QASM.format(""), "qwicket_heavyhex27", shots=1).wait(timeout=60)
    body = calibrations()["qwicket_heavyhex27"]
    medians = dict(zip(Medians._fields, body.medians(27), strict=True))
    (entry,) = ada.browser.get(f"{at}/calibrations.json").json()["calibrations"]
    assert entry == entry | medians | {"source": body.source}
    (row,) = csv.DictReader(io.StringIO(ada.browser.get(f"{at}/calibrations.csv").text))
    assert {name: float(row[name]) for name in medians} == medians
    assert f"<span>{100 * medians['pair_error']:.3g} %</span>" in (
        ada.browser.get(f"{at}/calibrations").text
    )
    hours = ada.browser.get(f"{at}/hours.json").json()["hours"]
    assert len(hours) == 24
    n_jobs = sum(each["completed_jobs"] for each in hours)
    assert n_jobs >= 1
    rows = [*csv.reader(io.StringIO(ada.browser.get(f"{at}/hours.csv").text))][1:]
    assert rows == [[each["from"], str(each["completed_jobs"])] for each in hours]
    assert f"Table of {n_jobs} jobs" in ada.browser.get(at).text


def test_without_devices_the_page_says_who_adds_them(tmp_path: Path) -> None:
    with (
        running_server(tmp_path, "--workers", "0") as live,
        Person(live, "root", "admin") as root,
        Person(live, "ada") as ada,
    ):
        with (
            closing(sqlite3.connect(live.folder / "data" / "qwicket.db", timeout=30)) as file,
            file,
        ):
            file.execute("update provider set is_active = 0")
        assert "Add a device file" in root.browser.get("/ui/devices").text
        assert "Ask an administrator" in ada.browser.get("/ui/devices").text


def test_a_device_shows_its_reservations_and_maintenance(idle: LiveServer, carl: Person) -> None:
    at, none = "/ui/devices/rydberg", "No reservation or maintenance is planned."
    assert none in carl.browser.get(at).text
    idle.admin(
        *("device", "maintenance", "rydberg", "--from", "2h", "--to", "3h"),
        *("--reason", "new <lasers>"),
    )
    idle.admin(
        *("reservation", "add", "rydberg", "--project", carl.name),
        *("--from", "26h", "--to", "28h", "--slots", "1"),
    )
    until(lambda: f"Reserved for {carl.name}" in carl.browser.get(at).text, "both are shown")
    page = carl.browser.get(at).text
    rows = re.findall(r'<tr><th scope="row">(.*?)</th><td>.*?</td><td>(.*?)</td></tr>', page)
    assert rows == [
        ("Maintenance: new &lt;lasers&gt;", "The device is off: jobs wait."),
        (
            f"Reserved for {carl.name}",
            f"1 slot is for jobs of {carl.name}; others use the rest.",
        ),
    ]
    assert (page.count('class="mnt"'), page.count('class="res"')) == (1, 1)


def test_a_device_shows_when_it_took_jobs(server: LiveServer, ada: Person) -> None:
    # No other test of this server turns this device off.
    at = "/ui/devices/multiqudit"
    assert "No change has been recorded" in ada.browser.get(at).text
    server.admin("device", "off", "multiqudit", "--reason", "<cold>")
    server.admin("device", "on", "multiqudit")
    page = ada.browser.get(at).text
    rows = re.findall(r"</svg>(\w+)</span></td><td>(.*?)</td></tr>", page)
    assert rows == [("Ready", ""), ("Off", "&lt;cold&gt;")]
    assert page.count('<rect class="o') == 2 + 2  # with those of the legend


# --- projects -------------------------------------------------------------------------------------


def test_a_project_shows_members_budgets_and_use(server: LiveServer, ada: Person) -> None:
    team = server.unused("team")
    server.admin("project", "add", team, "--shares", "3")
    with Person(server, "ben") as ben:
        for name in (ada.name, ben.name):
            server.admin("project", "member", "add", team, name)
    server.admin("budget", "set", team, "--jobs", "10", "--per", "month")
    server.admin("budget", "set", team, "--jobs", "50", "--per", "month", "--member", "each")
    page = ada.browser.submit("/ui", "/ui/tokens", project=team)
    with qwicket.connect(server.url, TOKEN.findall(page.text)[0]) as client:
        for _ in range(2):
            client.submit(BELL, "simulator", shots=50).result(timeout=60)
    listed = ada.browser.get("/ui/projects").text
    row = listed.partition(f">{team}</a>")[2].partition("</tr>")[0]
    assert re.findall(r'class="r"><span>(\d+)<', row) == ["2", "3"]  # members, shares
    assert '<rect width="20"' in row
    assert "8 of 10 jobs left this month" in row
    at = f"/ui/projects/{team}"
    text = ada.browser.get(f"{at}?show=shots").text
    assert re.findall(r'<li><span class="wrap">(.*?)<', text) == [ada.name, ben.name]
    assert "<span>3 shares</span><span>2 members</span>" in text
    rows = re.findall(r"<tr><td>(\d{4}-\d\d-\d\d)</td><td>(.*?)</td>(.*?)</tr>", text)
    assert len(rows) == 30
    assert "<td>2</td><td>100</td>" in "".join(rest for *_, rest in rows)
    used = ada.browser.get(f"{at}/use.json").json()
    assert used["project"] == team
    assert sum(each["shots"] for each in used["days"]) == 100
    (left,) = set(re.findall(rf'href="({at}/budgets/[^"]*/left)\.csv"', text))
    found = ada.browser.get(f"{left}.json").json()
    wanted = {"unit": "jobs", "period": "month", "device": None, "maximum": 10}
    assert wanted.items() <= found.items()
    assert [each["left"] for each in found["days"]] == [10] * (len(found["days"]) - 1) + [8]
    assert found["days"][0]["day"][-2:] == "01"
    assert ada.browser.get(f"{left}.csv").text.splitlines()[-1].endswith(",8")
    assert ada.browser.get(f"{at}/budgets/none/left.csv").status_code == 404
    text = ada.browser.get(at).text
    (budget,) = re.findall(r'budget=([^"]*)#left', text)  # the one that is not plotted
    text = ada.browser.get(f"{at}?budget={budget}").text
    assert "Of 50 jobs a month on all devices, for you" in re.sub(r"\s+", " ", text)
    found = ada.browser.get(f"{at}/budgets/{budget}/left.json").json()
    assert [each["left"] for each in found["days"]] == [50] * (len(found["days"]) - 1) + [48]
    with Person(server, "bob") as bob:
        for path in (at, f"{at}/use.json", f"{left}.json"):
            assert bob.browser.get(path).status_code == 404


# --- clients and the editor -----------------------------------------------------------------------


def test_every_client_has_a_program_with_the_servers_address(
    server: LiveServer, ada: Person
) -> None:
    for name, snippet in SNIPPETS.items():
        page = ada.browser.get(f"/ui/connect/{name}")
        assert page.status_code == 200
        assert server.url.rpartition(":")[2] in page.text, name
        assert len(re.findall(r'<span class="no">\d</span>', page.text)) == 3
        needs_none = name.startswith("curl") or snippet.runs_in == "host"
        assert ('id="install">pip install ' in page.text) != needs_none, name
        assert 'href="/ui/devices/' in page.text, name
        for line in lines(name, server.url) if name in CLIENTS else ():
            assert line in unescape(page.text), name
    assert ada.browser.get("/ui/connect/none").status_code == 404
    moved = {"/ui/clients": "/ui/connect", "/ui/clients/%3Fa": "/ui/connect/%3Fa"}
    for old, new in moved.items():
        assert ada.browser.get(old).headers["location"] == new
    made = ada.browser.submit("/ui", "/ui/tokens", project=ada.name)
    (secret,) = {*TOKEN.findall(made.text)}
    assert f"export QWICKET_TOKEN={secret}" in re.sub(r"</?output.*?>", "", made.text)
    assert f"export QWICKET_URL={server.url}" in made.text
    assert "htmx" not in made.text


def test_a_person_makes_a_key_pair_for_clients_of_aws(server: LiveServer, ada: Person) -> None:
    made = ada.browser.submit("/ui", "/ui/tokens", project=ada.name, aws="yes").text
    text = unescape(re.sub(r"</?output.*?>", "", made))
    exported = dict(re.findall(r"export (QWICKET_AWS_\w+)=(\S+)", text))
    assert set(exported) == {"QWICKET_AWS_KEY_ID", "QWICKET_AWS_SECRET"}
    programs = re.findall(r"id=\"program-text-\d+\">(.*?)</pre>", text, re.DOTALL)
    shell, program = sorted(programs, key=lambda each: "os.environ" in each)
    for name, value in exported.items():
        assert f"export {name}={value}" in shell
        assert f'os.environ["{name}"] = "{value}"' in program
    assert f'"{server.url}/braket"' in program
    secret = exported["QWICKET_AWS_SECRET"]
    assert secret not in ada.browser.get("/ui/account").text
    pair = f"{exported['QWICKET_AWS_KEY_ID']} {secret}"
    with httpx.Client(base_url=f"{server.url}/sts") as http:
        form = {"Action": "GetCallerIdentity", "Version": "2011-06-15"}
        found = http.post("/", data=form, auth=braket.Signature(pair, "sts"))
    assert found.status_code == 200, found.text


def test_each_example_is_checked_shared_and_run(ada: Person) -> None:
    at = "/ui/jobs/new"
    page = ada.browser.get(at).text
    assert re.findall(r'href="/ui/jobs/new\?example=(\w+)"', page) == [*EXAMPLES]
    assert editor_fields(page)["program"] == EXAMPLES["qubits"].program
    assert "<li>" * 300 in page
    for name in EXAMPLES.keys() - {"empty"}:
        moved = ada.browser.get(f"/ui/try?example={name}")
        assert moved.status_code == 308
        page = ada.browser.get(moved.headers["location"]).text
        given = editor_fields(page)
        checked = ada.browser.submit(at, at, action="check", **given).text
        for each in (page, checked):
            assert "</svg>Valid</span>" in each, name
            assert 'class="circuit"' in each, name
            assert "<dt>Starts</dt><dd>at once</dd>" in each, name
        link = ada.browser.submit(at, at, action="link", **given).headers["location"]
        assert "csrf" not in link
        assert editor_fields(ada.browser.get(link).text) == given
        run = ada.browser.submit(at, at, action="run", **given)
        job = ada.client.job(run.headers["location"].rpartition("/")[2])
        job.result(timeout=60)
        assert job.refresh().state == "completed", name


def test_devices_that_take_the_program_now_are_offered(server: LiveServer, ada: Person) -> None:
    def offered(query: str) -> list[str]:
        page = ada.browser.get(f"/ui/jobs/new?{query}").text
        choice = page.partition(' name="device">')[2].partition("</select>")[0]
        return re.findall(r'<option value="(.*?)"', choice)

    assert {"simulator", "qwicket_line5"} <= {*offered("")}
    assert "simulon_gaussian" not in offered("")
    assert offered("example=photons") == ["X8_01", "simulon_gaussian", "tdm_small", "best"]
    # A device is chosen with an example that it takes.
    fields = editor_fields(ada.browser.get("/ui/jobs/new?device=X8_01").text)
    assert (fields["device"], fields["program"]) == ("X8_01", EXAMPLES["photons"].program)
    server.admin("device", "drain", "tdm_small", "--reason", "new mirrors")
    assert offered("example=photons") == ["X8_01", "simulon_gaussian", "best"]
    refused = ada.browser.get("/ui/jobs/new?device=tdm_small")
    assert "tdm_small" in error_of(refused)
    server.admin("device", "on", "tdm_small")
    # The device that was chosen stays, and the error names others.
    given = {"program": PHOTONS, "device": "simulator", "action": "check"}
    text = error_of(ada.browser.submit("/ui/jobs/new", "/ui/jobs/new", **given))
    assert "Devices that take such programs: X8_01, simulon_gaussian, tdm_small." in text


def test_the_program_of_a_job_is_edited_and_run_in_another_project(
    server: LiveServer, ada: Person
) -> None:
    team, other = server.unused("team"), server.unused("other")
    for name in (team, other):
        server.admin("project", "add", name)
    server.admin("project", "member", "add", team, ada.name)
    server.admin("budget", "set", team, "--shots", "40")
    job = ada.submit(BELL_QASM, "clifford", name="<first>", shots=7, outputs=["memory"])
    page = ada.browser.get(f"/ui/jobs/new?from={job.id}").text
    given = editor_fields(page)
    expected = {"program": BELL_QASM, "device": "clifford", "shots": "7", "output": "memory"}
    assert expected.items() <= given.items()
    assert 'name="name" value="&lt;first&gt;"' in page
    assert f"<option>{team}</option>" in page
    given |= {"project": team, "name": "second"}
    checked = ada.browser.submit("/ui/jobs/new", "/ui/jobs/new", action="check", **given).text
    assert "needs 7 of 40 shots left" in checked
    given["shots"] = "41"
    refused = ada.browser.submit("/ui/jobs/new", "/ui/jobs/new", action="check", **given)
    assert "is not enough" in error_of(refused)
    given["shots"] = "8"
    run = ada.browser.submit("/ui/jobs/new", "/ui/jobs/new", action="run", **given)
    made = ada.client.job(run.headers["location"].rpartition("/")[2])
    assert (made.body.name, made.body.shots) == ("second", 8)
    assert ada.rows(f"project={team}") == [made.id]
    given["project"] = other
    refused = ada.browser.submit("/ui/jobs/new", "/ui/jobs/new", action="run", **given)
    assert refused.status_code == 404
    with Person(server, "bob") as bob:
        assert bob.browser.get(f"/ui/jobs/new?from={job.id}").status_code == 404


ON_DEVICES = {
    "simulon_gaussian": PHOTONS,
    "singlequdit": json.dumps(ATOMS),
    "multiqudit": json.dumps(ATOMS),
    "simulator": BELL_QASM,
    "qwicket_line5": BELL_QASM,
    "statevector": json.dumps(BELL),
}


@pytest.mark.parametrize("device", ON_DEVICES)
def test_a_program_runs_on_a_device_that_is_chosen_alone(ada: Person, device: str) -> None:
    given = {"program": ON_DEVICES[device], "device": device, "shots": "3"}
    run = ada.browser.submit("/ui/jobs/new", "/ui/jobs/new", action="run", **given)
    assert run.status_code == 303, run.text
    job = ada.client.job(run.headers["location"].rpartition("/")[2])
    job.result(timeout=60)
    assert job.refresh().state == "completed"


def test_format_and_output_are_chosen(ada: Person) -> None:
    for device, program, chosen in (
        ("rydberg", json.dumps(ATOMS), {"format": "qlued.rydberg"}),
        ("simulator", BELL_QASM, {"output": "probabilities"}),
    ):
        page = ada.browser.get("/ui/jobs/new").text
        assert all(f"<option>{each}</option>" in page for each in chosen.values())
        given = {"program": program, "device": device, "shots": "3", **chosen}
        run = ada.browser.submit("/ui/jobs/new", "/ui/jobs/new", action="run", **given)
        assert run.status_code == 303, run.text
        ada.client.job(run.headers["location"].rpartition("/")[2]).result(timeout=60)


def test_an_error_of_a_program_has_its_line_and_column(ada: Person) -> None:
    for change in (
        {"program": BELL_QASM.replace("h q[0]", "h q[9]")},
        {"program": " "},
        {"shots": "x"},
        {"seed": "-1"},
        {"device": "none"},
        {"program": "x" * 9_000, "action": "link"},
    ):
        given = {"action": "run", "device": "simulator", "program": BELL_QASM, "shots": "10"}
        refused = ada.browser.submit("/ui/jobs/new", "/ui/jobs/new", **given | change)
        assert refused.status_code >= 400, change
        assert error_of(refused), change
        if "h q[9]" in change.get("program", ""):
            assert "<h2>Line 6, column" in refused.text
            assert 5 * "<li>" + '<li class="bad">' + 294 * "<li>" in refused.text
            assert "h q[9];" in editor_fields(refused.text)["program"]
    assert ada.rows() == []


# --- hostile texts --------------------------------------------------------------------------------


class Skeleton(HTMLParser):
    """The elements of a page with the names of their attributes, and its texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.texts += [value or "" for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_names_tags_and_programs_are_text_on_all_pages(ada: Person) -> None:
    plain = ada.submit(BELL_QASM.format("x"), name="x", tags=["x"], seed=1, shots=1)
    jobs = [
        ada.client.submit(
            BELL_QASM.format(text), "simulator", name=text, tags=[text], seed=1, shots=1
        )
        for text in PAYLOADS
    ]
    for job in jobs:
        job.result(timeout=120)
    page = Skeleton(without_times(ada.browser.get(f"/ui/jobs/{plain.id}").text))
    for job, text in zip(jobs, PAYLOADS, strict=True):
        found = Skeleton(without_times(ada.browser.get(f"/ui/jobs/{job.id}").text))
        assert found.elements == page.elements, text
        assert sum(text in each for each in found.texts) >= 4, text  # title, path, heading, tag
        source = Skeleton(ada.browser.get(f"/ui/jobs/{job.id}?show=source").text)
        assert text in "".join(source.texts)
        assert not {tag for tag, _ in source.elements} & {"b", "img"}, text
        tags = Skeleton(ada.browser.get(f"/ui/jobs/{job.id}/tags").text)
        assert text in "\n".join(tags.texts)
        assert not {tag for tag, _ in tags.elements} & {"b", "img", "script"}, text
    query = ""
    seen: list[str] = []
    while True:
        listed = ada.browser.get(f"/ui/jobs?{query}").text
        found = Skeleton(listed)
        assert {tag for tag, _ in found.elements} <= LISTED, "an element that no list has"
        assert not [names for _, names in found.elements if any(n.startswith("on") for n in names)]
        seen += found.texts
        older = re.findall(r'href="/ui/jobs\?(before=\d+&amp;at=\d+)"', listed)
        if not older:
            break
        query = unescape(older[0])
    missing = [text for text in PAYLOADS if text[:39] not in "\n".join(seen)]
    assert not missing


def without_times(page: str) -> str:
    """Return the page of a job without the card of its times and events.

    A job that was claimed with its submission and went back to the queue has more of them.
    """
    return re.sub(r'<section class="card" [^>]*id="time">.*?</section>', "", page, flags=re.DOTALL)


LISTED = {
    *("html", "head", "meta", "title", "link", "script", "body", "header", "nav", "a", "form"),
    *("input", "button", "main", "h1", "label", "datalist", "option", "select", "div", "table"),
    *("thead", "tbody", "tr", "th", "td", "span", "noscript", "p", "fieldset", "legend"),
    *("svg", "defs", "symbol", "use", "path", "rect", "circle", "details", "summary", "footer"),
    *("time", "strong"),
}


# --- in a browser ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        browser(Path(folder)) as opened,
    ):
        yield opened


@pytest.fixture(scope="module")
def eve(server: LiveServer) -> Iterator[Person]:
    """An account with a job of each kind."""
    with Person(server, "eve") as person:
        person.submit(BELL_QASM, "qwicket_line5", name="on a twin", tags=["t"])
        person.submit(BELL_QASM, "simulator", outputs=["counts", "memory"])
        yield person


def more_pages(server: LiveServer, eve: Person) -> list[str]:
    """Return pages of an error, a comparison, samples of atoms, budgets and a device's history."""
    first, second = eve.rows()[:2]
    samples = eve.submit(ATOMS, "singlequdit", format="qlued.singlequdit", outputs=["samples"])
    failed = eve.submit(BELL_QASM)
    with closing(sqlite3.connect(server.folder / "data" / "qwicket.db", timeout=30)) as file, file:
        file.execute(
            "update job set state = 'failed', error_code = 'device_error', error_text = 'x'"
            " where id = ?",
            (failed.id,),
        )
    server.admin("budget", "set", eve.name, "--jobs", "10", "--per", "month")
    server.admin("device", "off", "tdm_small", "--reason", "cold")
    server.admin("device", "on", "tdm_small")
    server.admin("device", "message", "tdm_small", "warm again")
    return [
        f"/ui/jobs/{first}?with={second}&order=bits&scale=log&show=source",
        f"/ui/jobs/{first}/confirm?action=delete",
        f"/ui/jobs/{samples.id}",
        f"/ui/jobs/{failed.id}",
        f"/ui/projects/{eve.name}",
        "/ui/devices/tdm_small",
        "/ui/devices",
        "/ui/connect",
        "/ui/sign-in",
    ]


def test_every_page_is_accessible_in_both_themes_and_on_small_screens(
    server: LiveServer, page: Page, eve: Person
) -> None:
    use_session(page, server, eve)
    twin, plain = eve.rows()[1], eve.rows()[0]
    paths = (
        "/ui",
        "/ui/account",
        "/ui/jobs",
        f"/ui/jobs/{twin}",
        f"/ui/jobs/{plain}",
        "/ui/devices",
        "/ui/devices/qwicket_heavyhex27",
        "/ui/jobs/none",
        "/ui/projects",
        f"/ui/projects/{eve.name}",
        f"/ui/projects/{eve.name}?show=jobs",
        f"/ui/projects/{eve.name}/webhooks",
        f"/ui/jobs/{plain}/tags",
        f"/ui/jobs/new?{urlencode({'program': LONG_PROGRAM})}",
        "/ui/jobs/new",
        "/ui/connect/curl",
        "/ui/help",
        *more_pages(server, eve),
    )
    wrong = []
    for path in paths:
        page.open(server.url + path, width=390)
        for width, scheme in SCREENS:
            page.set_screen(width, scheme)
            where = (path, width, scheme)
            wrong += [(where, each) for each in violations(page)]
            assert page.run("document.scrollingElement.scrollWidth") <= width, where
        # An icon of the browser's own date fields has an address with data in it.
        assert all(each.startswith((server.url, "data:")) for each in page.asked), path
        assert [each for each in page.complaints if "404" not in each] == [], path
    assert wrong == []


def test_enter_in_the_box_of_a_job_runs_no_other_job_again(
    server: LiveServer, page: Page, ada: Person
) -> None:
    failed = ada.submit(BELL_QASM)
    with closing(sqlite3.connect(server.folder / "data" / "qwicket.db", timeout=30)) as file, file:
        file.execute("update job set state = 'failed' where id = ?", (failed.id,))
    use_session(page, server, ada)
    page.open(f"{server.url}/ui/jobs?state=failed", width=1280)
    assert page.run("document.querySelector('tbody button').textContent") == "Run again"
    page.run("""window.sent = []; document.addEventListener('submit', event => {
        const of = (element, name) => element.getAttribute(name);
        sent.push(of(event.submitter, 'formaction') ?? of(event.target, 'action'));
        event.preventDefault(); })""")
    for each in ("input", "button"):
        page.run(f"document.querySelector('tbody {each}').focus()")
        page.press("Enter", "\r")
    assert page.run("sent") == ["/ui/jobs/confirm", f"/ui/jobs/{failed.id}"]


def test_pages_can_be_read_in_forced_colours(server: LiveServer, page: Page, eve: Person) -> None:
    def colour(element: str, name: str) -> str:
        style = f"getComputedStyle(document.querySelector({element!r}))[{name!r}]"
        return str(page.run(style))

    eve.browser.submit("/ui/account", "/ui/account/preferences", theme="light")
    use_session(page, server, eve)
    black, white = "rgb(0, 0, 0)", "rgb(255, 255, 255)"
    forced = [
        {"name": "forced-colors", "value": "active"},
        {"name": "prefers-color-scheme", "value": "dark"},
    ]
    page.open(f"{server.url}/ui/jobs/{eve.rows()[0]}", width=1280)
    page.call("Emulation.setEmulatedMedia", features=forced)
    assert colour(".circuit text", "fill") == white, "although the person prefers light pages"
    assert colour(".nav a:not([aria-current])", "borderBottomColor") == black
    assert colour(".nav [aria-current]", "borderBottomColor") != black
    assert colour(".steps .x", "backgroundColor") != black
    assert colour(".badge .i", "color") == white
    # Else the browser puts its own colour behind the text, which is the text's.
    assert colour(".btn.primary", "forcedColorAdjust") == "none"
    page.open(f"{server.url}/ui/jobs/new", width=1280)
    page.call("Emulation.setEmulatedMedia", features=forced)
    page.call("Emulation.setFocusEmulationEnabled", enabled=True)
    page.run("document.querySelector('.editor textarea').focus()")
    assert colour(".editor", "outlineStyle") == "solid"
    page.call("Emulation.setFocusEmulationEnabled", enabled=False)
    eve.browser.submit("/ui/account", "/ui/account/preferences", theme="")


def test_no_page_has_code_in_it_and_scripts_are_the_servers_own(eve: Person) -> None:
    paths = ["/ui/jobs", "/ui/devices", "/ui/devices/qwicket_line5", "/ui/projects", "/ui/jobs/new"]
    paths += [
        f"/ui/projects/{eve.name}/webhooks",
        f"/ui/jobs/new?{urlencode({'program': LONG_PROGRAM})}",
    ]
    for path in [*paths, "/ui/connect", *(f"/ui/jobs/{job}" for job in eve.rows())]:
        response = eve.browser.get(path)
        policy = dict(
            each.strip().partition(" ")[::2]
            for each in response.headers["content-security-policy"].split(";")
        )
        assert policy["default-src"] == policy["frame-ancestors"] == "'none'", path
        assert {policy.get("script-src", ""), policy["style-src"]} <= {"", "'self'"}, path
        assert not re.search(r"<script(?! src=)|<style|\sstyle=|\son\w+=", response.text), path
    for name in ("none", "%2e%2e%2fstyle.css", "LICENSE-htmx"):
        assert eve.browser.get(f"/ui/scripts/{name}").status_code == 404


def test_pages_are_small(server: LiveServer, eve: Person) -> None:
    paths = [
        "/ui",
        "/ui/account",
        "/ui/jobs",
        "/ui/devices",
        "/ui/devices/qwicket_heavyhex27",
        "/ui/projects",
    ]
    paths += [
        f"/ui/projects/{eve.name}",
        f"/ui/projects/{eve.name}/webhooks",
        "/ui/jobs/new?example=atoms",
        "/ui/connect/qiskit-ibm-runtime",
        "/ui/devices/qwicket_heavyhex27",
    ]
    for path in [*paths, *(f"/ui/jobs/{job}" for job in eve.rows())]:
        assert page_size(eve, path) <= MOST_BYTES, path


@pytest.mark.parametrize("mark", ["x", '"', "\U0001f600"])
def test_a_job_with_long_texts_has_a_small_page(
    server: LiveServer, ada: Person, idle: LiveServer, mark: str
) -> None:
    with Person(idle, "hal") as hal:
        for length, (person, live) in product((1_900, 5_900), ((ada, server), (hal, idle))):
            program = BELL_QASM.format(mark * length).replace("h q[0];\n", "h q[0];\n" * 160)
            long: dict[str, Any] = {
                "name": mark * 250,
                "tags": [f"{mark * 250}{k}" for k in range(8)],
            }
            job = person.client.submit(program, "simulator", shots=1_000, **long)
            if live is server:
                job.result(timeout=60)
            assert page_size(person, f"/ui/jobs/{job.id}") <= MOST_BYTES, (length, live is idle)
            job.cancel()


def large_machine() -> str:
    """Return the file of a device with a lattice of 12 times 13 qubits, each with own figures."""
    width, n_qubits = 13, 156
    pairs = [[k, k + 1] for k in range(n_qubits) if k % width < width - 1]
    pairs += [[k, k + width] for k in range(n_qubits - width)]
    lines = [
        'name = "large"\nfamily = "qubit"\nprovider = "qwicket"\ndriver = "simulated"',
        "position = 900\n[spec]",
        'description = "A large machine"',
        f"qubits = {n_qubits}",
        'formats = ["openqasm3", "openqasm2"]',
        'gates = ["id", "rz", "sx", "x", "cx"]\nnative_gates = ["rz", "sx", "x", "cx"]',
        "[calibration]\nvalid_from = 2026-01-31T12:00:00Z",
        'source = "A test"\nrelaxes_to = "mixed"\nreadout_s = 1.2e-6',
        f"connectivity = {pairs}",
        "qubit = { t1_s = 85e-6, t2_s = 75e-6, one_for_zero = 0.012, zero_for_one = 0.026 }",
        "one_qubit = { error = 0.0003, duration_s = 35.5e-9 }",
        "two_qubit = { error = 0.009, duration_s = 320e-9 }",
    ]
    for k in range(n_qubits):
        lines += [
            f"[calibration.qubits.{k}]\nt1_s = {71.3 + k / 7}e-6\nt2_s = {51.7 + k / 7}e-6",
            f"one_for_zero = 0.0{155 + k}\nzero_for_one = 0.0{286 + k}",
            f"gate = {{ error = 0.000{420 + k}, duration_s = 35.5e-9 }}",
        ]
    for k, pair in enumerate(pairs):
        lines.append(f"[[calibration.pairs]]\nqubits = {pair}\nerror = 0.0{100 + k}")
        lines.append("duration_s = 320e-9")
    return "\n".join(lines) + "\n"


def test_the_map_of_a_large_machine_is_a_small_page(tmp_path: Path) -> None:
    (tmp_path / "devices").mkdir()
    (tmp_path / "devices" / "large.toml").write_text(large_machine())
    options = ("--device-dir", str(tmp_path / "devices"))
    with running_server(tmp_path, *options) as live, Person(live, "ada") as ada:
        page = ada.browser.get("/ui/devices/large").text
        assert (page.count("<circle class"), len(COUPLING.findall(page))) == (156, 400 - 156)
        assert "The first 60 of 287 couplings" in page
        assert page_size(ada, "/ui/devices/large") <= MOST_BYTES


def test_a_list_and_a_job_change_while_they_are_open(
    idle: LiveServer, page: Page, carl: Person
) -> None:
    use_session(page, idle, carl)
    job = carl.client.submit(BELL, "simulator")
    box = "document.querySelector('[name=job][value=\"{}\"]')"
    page.open(f"{idle.url}/ui/jobs", width=1440)
    page.run(f"{box.format(job.id)}.click()")
    ended = carl.client.submit(BELL, "simulator")
    page.wait_for(f"{box.format(ended.id)} !== null")
    page.wait_for(f"{box.format(job.id)}.checked")  # what was selected stays so
    page.open(f"{idle.url}/ui/jobs/{job.id}", width=1440)
    page.wait_for("document.querySelector('.badge').textContent === 'Waiting'")
    for action in ("hold", "release", "hold", "release", "cancel"):
        getattr(job, action)()
        shown = {"hold": "Held", "release": "Waiting", "cancel": "Cancelled"}[action]
        page.wait_for(f"document.querySelector('.badge').textContent === {shown!r}")
    page.wait_for("document.querySelector('[sse-connect]') === null")
    assert page.complaints == []


@pytest.mark.parametrize("path", ["", "/{}"])
def test_a_change_while_a_page_reads_the_one_before_is_shown(
    idle: LiveServer, page: Page, carl: Person, path: str
) -> None:
    use_session(page, idle, carl)
    job = carl.client.submit(BELL, "simulator")
    page.open(f"{idle.url}/ui/jobs{path.format(job.id)}", width=1440)
    state = "document.querySelector('.queued')?.textContent"
    page.wait_for(f"{state}?.startsWith('Waiting')")
    slow = {"offline": False, "latency": 1_500, "downloadThroughput": -1, "uploadThroughput": -1}
    page.call("Network.emulateNetworkConditions", **slow)
    try:
        time.sleep(2)
        job.hold()
        time.sleep(0.7)  # the state is read, but the page does not have it yet
        job.release()
        time.sleep(4)  # 'Held' is shown by now, unless the machine was too busy to read it before
        page.wait_for(f"{state}?.startsWith('Waiting')")
    finally:
        page.call("Network.emulateNetworkConditions", **slow | {"latency": 0})
        job.cancel()


def test_the_place_of_a_waiting_job_changes_while_its_page_is_open(
    idle: LiveServer, page: Page, carl: Person
) -> None:
    use_session(page, idle, carl)
    first = [carl.client.submit(BELL, "clifford", shots=1) for _ in range(5)]
    job = carl.client.submit(BELL, "clifford", shots=1)
    page.open(f"{idle.url}/ui/jobs/{job.id}", width=1440)
    text = "document.getElementById('live').textContent.replace(/\\s+/g, ' ')"
    page.wait_for(f"{text}.includes('Position6 of 6')")

    def change(act: Callable[[], object], shown: str) -> None:
        act()
        page.wait_for(f"{text}.includes({shown!r})")

    change(first[0].cancel, "Before it: 4 of its own project")
    change(first[1].cancel, "Before it: 3 of")
    change(first[2].hold, "Before it: 2 of")
    change(first[2].release, "Before it: 3 of")
    change(lambda: idle.admin("device", "off", "clifford", "--reason", "cold <b>"), "off: cold <b>")
    change(lambda: idle.admin("device", "on", "clifford"), "Before it: 3 of")
    page.wait_for(f"!{text}.includes('off: cold')")
    for each in first[2:]:
        each.cancel()
    page.wait_for(f"{text}.includes('It is the next job of its device')")
    job.hold()
    page.wait_for(f"!{text}.includes('In the queue')")
    job.release()
    page.wait_for(f"{text}.includes('It is the next job of its device')")
    job.cancel()
    page.wait_for("document.getElementById('place') === null")
    assert page.complaints == []
    assert sum(each.endswith(job.id) for each in page.asked) < 10, "places need no requests"


def test_a_stream_sends_the_place_only_when_it_differs(idle: LiveServer, carl: Person) -> None:
    before, job = (carl.client.submit(BELL, "simulator", shots=1) for _ in range(2))
    other = carl.client.submit(BELL, "clifford", shots=1)
    with carl.browser.stream("GET", f"/ui/jobs/{job.id}/stream") as events:
        lines = events.iter_lines()
        while next(lines) != "event: place":
            pass
        first = next(lines)
        other.cancel()  # of another device
        before.cancel()
        while next(lines) != "event: place":
            pass
        assert next(lines) != first
    job.cancel()


def test_what_changes_while_a_page_opens_is_streamed(carl: Person) -> None:
    found = re.search(r'sse-connect="(.*?)"', carl.browser.get("/ui/jobs").text)
    assert found
    job = carl.client.submit(BELL, "simulator")  # before the browser opens the stream
    with carl.browser.stream("GET", found[1]) as events:
        text = ""
        for piece in events.iter_text():
            text += piece
            if job.id in text:
                break
    assert "event: job" in text
    for query in ("since=x", "since=-1", "from=1"):
        assert carl.browser.get(f"/ui/jobs/stream?{query}").status_code == 400, query


def test_the_keyboard_alone_suffices(server: LiveServer, page: Page, ada: Person) -> None:
    job = ada.submit()
    page.call("Network.clearBrowserCookies")
    page.open(f"{server.url}/", width=390)
    assert page.run("location.pathname") == "/ui/sign-in"
    page.open(f"{server.url}/ui/sign-in", width=390)

    def focus(selector: str) -> None:
        """Press Tab until an element has the focus."""
        for _ in range(60):
            if page.run(f"document.activeElement.matches({selector!r})"):
                return
            page.press("Tab")
        raise AssertionError(f"{selector} is not reached")

    focus("[name=name]")
    page.write(ada.name)
    focus("[name=password]")
    page.write(PASSWORD)
    page.wait_for_load(lambda: page.press("Enter", "\r"))
    focus("nav a[href$=jobs]")
    page.wait_for_load(lambda: page.press("Enter", "\r"))
    focus(f"#s{job.id}".replace("#s", "[value='") + "']")
    page.press(" ", " ")
    focus(".bulk button[value=delete]")
    page.wait_for_load(lambda: page.press("Enter", "\r"))
    assert str(page.run("document.querySelector('h1').textContent")).startswith("Delete 1 job")
    focus("main button")
    page.wait_for_load(lambda: page.press("Enter", "\r"))
    assert ada.rows() == []


def test_a_program_is_checked_while_it_is_typed(
    server: LiveServer, page: Page, ada: Person
) -> None:
    use_session(page, server, ada)
    page.open(f"{server.url}/ui/jobs/new", width=1440)
    editor = "document.querySelector('[name=program]')"
    page.run(f"{editor}.focus(); {editor}.setSelectionRange(0, 0)")
    page.write("x")
    page.wait_for("document.querySelector('.gutter .bad') !== null")
    page.wait_for(
        "document.querySelector('#check .failed')?.textContent.includes('Line 1, column 1')"
    )
    page.run(f"{editor}.value = {BELL_QASM!r}")
    page.write(" ")
    page.wait_for("document.querySelector('#check .completed') !== null")
    assert page.run("document.activeElement === document.querySelector('[name=program]')")
    page.run(f"{editor}.value = {PHOTONS!r}")
    page.write(" ")
    page.wait_for("document.querySelector('option[value=simulon_gaussian]') !== null")
    page.run("document.getElementById('device-name').focus()")
    page.run("document.activeElement.value = 'simulon_gaussian'")
    page.run("document.activeElement.dispatchEvent(new Event('change', {bubbles: true}))")
    page.wait_for("document.querySelector('#check .completed') !== null")
    assert page.run("document.activeElement.value") == "simulon_gaussian"
    assert page.complaints == []


def test_a_text_is_copied(server: LiveServer, page: Page, ada: Person) -> None:
    use_session(page, server, ada)
    permissions = ["clipboardReadWrite", "clipboardSanitizedWrite"]
    page.call("Browser.grantPermissions", permissions=permissions, origin=server.url)
    page.call("Emulation.setFocusEmulationEnabled", enabled=True)
    page.open(f"{server.url}/ui/connect/curl", width=1440)
    page.wait_for("!document.querySelector('button.copy').hidden")
    page.run("document.querySelector('button.copy').focus()")
    page.press("Enter", "\r")
    page.wait_for("document.querySelector('button.copy').textContent === 'Copied'")
    assert clipboard(page) == page.run("document.getElementById('program').textContent")
    page.open(f"{server.url}/ui/account", width=1440)
    page.wait_for_load(lambda: page.run("document.querySelector('main button.primary').click()"))
    page.wait_for("!document.querySelector('button.copy').hidden")
    page.run("document.querySelector('[data-copies=token]').focus()")
    page.press("Enter", "\r")
    page.wait_for("document.querySelector('[data-copies=token]').textContent === 'Copied'")
    (copied,) = TOKEN.findall(clipboard(page))
    assert clipboard(page) == copied
    with qwicket.connect(server.url, copied) as client:
        assert client.jobs() == []


def clipboard(page: Page) -> str:
    script = "navigator.clipboard.readText()"
    read = page.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
    return str(read["result"]["value"])
