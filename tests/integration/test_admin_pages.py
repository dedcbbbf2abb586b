"""The pages of administrators: what they show is what the API says, what they do is recorded."""

from __future__ import annotations

import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

import qwicket
from qwicket.clients.native import ApiError, Client
from qwicket.gateway.admin import Admin
from qwicket.pages.admin import SECTIONS
from support import ibm
from support.axe import SCREENS, violations
from support.bad_server import Request
from support.browser import Page, browser
from support.held import held_job
from support.pages import PASSWORD, Browser, Person, use_session
from support.programs import BELL
from support.remotes import cloud_without_ids, write_device
from support.server import LiveServer, running_server
from support.waiting import until

pytestmark = pytest.mark.extended


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that runs nothing, so that jobs wait."""
    live = LiveServer(tmp_path_factory.mktemp("admin"), "--workers", "0")
    yield live
    assert live.stop() == 0


@pytest.fixture(scope="module")
def root(live: LiveServer) -> Iterator[Person]:
    with Person(live, "root", "admin") as person:
        yield person


def do(person: Person, section: str, label: str, **fields: Any) -> httpx.Response:
    """Press a button of a page of administrators."""
    actions = (*SECTIONS[section].row_actions, *SECTIONS[section].page_actions)
    labels = [each.label for each in actions]
    path = f"/ui/admin/{section}"
    return person.browser.submit(path, path, act=labels.index(label), **fields)


def cells(person: Person, section: str, query: str = "") -> list[list[str]]:
    """Return the rows of a page without their actions."""
    text = person.browser.get(f"/ui/admin/{section}?{query}").text
    body = text.partition("<tbody>")[2].partition("</tbody>")[0]
    width = len(SECTIONS[section].columns)
    rows = re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    found = [re.findall(r"<td>(.*?)</td>", row, re.DOTALL)[:width] for row in rows]
    return [[unescape(re.sub(r"<.*?>", "", cell)) for cell in row] for row in found]


def cells_of_all_pages(person: Person, section: str, query: str = "") -> list[list[str]]:
    """Return the rows of a list, of all its pages."""
    found = []
    while True:
        text = person.browser.get(f"/ui/admin/{section}?{query}").text
        assert len(text.encode()) <= 50_000
        found += cells(person, section, query)
        older = re.search(r'href="\?([^"]*)">Older</a>', text)
        if not older:
            return found
        query = unescape(older[1])


def acts(person: Person) -> list[str]:
    return [row[4] for row in cells(person, "audit")]


def test_the_overview_shows_runners_and_limits(root: Person) -> None:
    page = root.browser.get("/ui/admin").text
    assert "<td>server</td>" in page
    assert "list_page</dt><dd>1000</dd>" in page
    assert "No job runs." in page
    assert "<dt>lease_s</dt><dd>45.0</dd>" in page
    assert "<dt>workers</dt><dd>0</dd>" in page


def test_a_small_limit_of_lists_makes_more_pages_and_hides_nothing(tmp_path: Path) -> None:
    live = LiveServer(tmp_path, "--workers", "0", "--limit", "list_page=3")
    with Person(live, "root", "admin") as root:
        for name in ("ada", "eve", "zoe", "kim"):
            do(root, "accounts", "Add an account", name=name, role="member", password=PASSWORD)
        assert root.browser.get("/ui/admin").status_code == 200
        rows = cells_of_all_pages(root, "audit")
        assert [row[4] for row in rows].count("create_account") >= 4
        csv = root.browser.get("/ui/admin/audit.csv").text
        assert len(csv.splitlines()) == 1 + len(rows)
        for section in SECTIONS:
            assert root.browser.get(f"/ui/admin/{section}").status_code == 200, section
    assert live.stop() == 0


def test_an_account_is_added_disabled_enabled_and_deleted(live: LiveServer, root: Person) -> None:
    name = live.unused("zoe")
    made = do(root, "accounts", "Add an account", name=name, role="member", password=PASSWORD)
    assert made.status_code == 200
    row = next(row for row in cells(root, "accounts", f"name={name}") if row[0] == name)
    assert (row[1], row[4]) == ("member", "")
    subject = {"path.account": name}
    with Browser(live.url) as zoe:
        assert zoe.sign_in(name, PASSWORD).status_code == 303
        do(root, "accounts", "Disable", **subject)
        assert zoe.account() is None
        do(root, "accounts", "Enable", **subject)
        assert zoe.sign_in(name, PASSWORD).status_code == 303
    do(root, "accounts", "Set the role", **subject, role="admin")
    (row,) = cells(root, "accounts", f"name={name}")
    assert row[1] == "admin"
    asked = do(root, "accounts", "Delete", **subject)
    assert f"<h1>Delete {name}?</h1>" in asked.text
    assert name in [row[0] for row in cells(root, "accounts", f"name={name}")]
    confirmed = dict(
        re.findall(r'name="(path.account|act|csrf|confirmed)" value="(.*?)"', asked.text)
    )
    assert root.browser.post("/ui/admin/accounts", data=confirmed).status_code == 303
    assert name not in [row[0] for row in cells(root, "accounts", f"name={name}")]
    assert [row[0] for row in cells(root, "deleted", f"name={name}")] == [name]
    do(root, "deleted", "Restore", **subject)
    assert name in [row[0] for row in cells(root, "accounts", f"name={name}")]
    newest = acts(root)
    assert newest[:3] == ["restore_account", "delete_account", "change_account"]
    assert PASSWORD not in root.browser.get("/ui/admin/audit").text


def test_a_long_list_has_pages_and_is_searched(live: LiveServer, root: Person) -> None:
    names = [live.unused("many") for _ in range(60)]

    async def add(admin: Admin) -> None:
        for name in names:
            await admin.add_account(name, email=None, password=None)

    live.as_admin(add)
    found = cells_of_all_pages(root, "accounts", "name=MANY-")
    assert sorted(row[0] for row in found) == sorted(names)


def test_refused_sign_ins_are_on_pages_and_in_the_file(live: LiveServer, root: Person) -> None:
    minute = int(datetime.now(UTC).timestamp()) // 60 * 60_000
    addresses = [f"198.51.100.{number}" for number in range(240)]

    async def refuse(admin: Admin) -> None:  # three a minute, so that a page ends within one
        rows = [(minute - number // 3 * 60_000, each, 1) for number, each in enumerate(addresses)]
        await admin.store.maintenance.add_refusals(rows)

    live.as_admin(refuse)
    pages = [row[1] for row in cells_of_all_pages(root, "refusals")]
    lines = root.browser.get("/ui/admin/refusals.csv").text.splitlines()
    file = [line.split(",")[1] for line in lines]
    for found in (pages, file):
        shown = [address for address in found if address.startswith("198.51.100.")]
        assert sorted(shown) == sorted(addresses)


def test_a_form_below_filters_keeps_them(live: LiveServer, root: Person) -> None:
    with Person(live, "ida") as ida:
        job = ida.client.submit(BELL, "simulator")
        path = f"/ui/admin/jobs?account={ida.name}"
        form = {"act": "0", "path.id": job.id}
        done = root.browser.submit(path, path, **form)
        assert (done.status_code, done.headers["location"]) == (303, path)
        assert job.refresh().state == "cancelled"


def test_an_invitation_is_shown_once(root: Person) -> None:
    made = do(root, "accounts", "Make an invitation", uses="2")
    shown = dict(re.findall("<dt>(.*?)</dt><dd>(.*?)</dd>", made.text))
    assert re.fullmatch("[0-9A-Za-z_-]{10,}", shown["Code"])
    assert (shown["Uses"], shown["Project"]) == ("2", "none")
    assert made.headers["cache-control"] == "no-store"


def test_jobs_of_everybody_are_found_and_cancelled(live: LiveServer, root: Person) -> None:
    with Person(live, "ada") as ada:
        jobs = [ada.client.submit(BELL, "simulator", name="<i>") for _ in range(3)]
        found = cells(root, "jobs", f"account={ada.name}&state=queued")
        assert [row[0] for row in found] == [job.id for job in reversed(jobs)]
        assert (found[0][1], found[0][7]) == (ada.name, "<i>")
        do(root, "jobs", "Cancel", **{"path.id": jobs[0].id})
        assert jobs[0].refresh().state == "cancelled"
        chosen = {"action": "cancel", "account": ada.name}
        for states, number in (("", "2 jobs"), ("running", "0 jobs")):
            asked = do(root, "jobs", "Change all that match", **chosen, states=states)
            assert f"<h1>Cancel: {number}?</h1>" in asked.text
        assert jobs[1].refresh().state == "queued"
        done = do(root, "jobs", "Change all that match", **chosen, confirmed="yes")
        assert "<dt>Number</dt><dd>2</dd>" in done.text
        assert {job.refresh().state for job in jobs} == {"cancelled"}


def test_the_form_that_changes_jobs_begins_with_the_filters_of_the_list(
    live: LiveServer, root: Person
) -> None:
    with Person(live, "ivy") as ivy:
        job = ivy.client.submit(BELL, "simulator", tags=["t"])
        day = f"{datetime.now(UTC):%Y-%m-%d}"
        query = f"account={ivy.name}&tag=t&dialect=native&created_from={day}&created_to={day}"
        assert [row[0] for row in cells(root, "jobs", query)] == [job.id]
        assert cells(root, "jobs", f"account={ivy.name}&created_to=2020-01-01") == []
        assert cells(root, "jobs", f"account={ivy.name}&dialect=ionq") == []
        page = root.browser.get(f"/ui/admin/jobs?{query}&state=queued").text
        form = page.partition('<legend class="vh">Change all that match')[2]
        given = dict(re.findall(r'<input name="(\w+)" value="(.*?)"', form))
        shown = {name: value for name, value in given.items() if value}
        assert shown == {
            "account": ivy.name,
            "tags": "t",
            "states": "queued",
            "dialect": "native",
            "created_from": f"{day}T00:00:00.000",
            "created_to": f"{day}T23:59:59.999",
        }
        asked = do(root, "jobs", "Change all that match", action="cancel", **shown)
        assert "<h1>Cancel: 1 job?</h1>" in asked.text
        job.cancel()


def test_a_job_of_anybody_is_read(live: LiveServer, root: Person) -> None:
    with Person(live, "jim") as jim:
        job = jim.client.submit(BELL, "simulator", name="<i>mine</i>", tags=["t"])
        link = f'<a href="/ui/admin/jobs/{job.id}">{job.id}</a>'
        assert link in root.browser.get(f"/ui/admin/jobs?account={jim.name}").text
        page = root.browser.get(f"/ui/admin/jobs/{job.id}").text
        for name, value in (("Account", jim.name), ("State", "queued"), ("Device", "simulator")):
            assert f"<dt>{name}</dt><dd>{value}</dd>" in page
        assert "&lt;i&gt;mine&lt;/i&gt;" in page
        assert jim.browser.get(f"/ui/admin/jobs/{job.id}").status_code == 403
        assert root.browser.get("/ui/admin/jobs/none").status_code == 404
        job.cancel()


def test_people_are_added_from_lines_of_csv(live: LiveServer, root: Person) -> None:
    kim, lee = live.unused("kim"), live.unused("lee")
    lines = f"name,email\r\n{kim}, {kim}@b.example\r\n\r\n{lee}\r\n"
    label = "Add several accounts with a token each"
    made = do(root, "accounts", label, accounts=lines)
    assert len(re.findall(r"qw_\w{43}", made.text)) == 2
    assert [row[2] for row in cells(root, "accounts", f"name={kim}")] == [f"{kim}@b.example"]
    assert [row[2] for row in cells(root, "accounts", f"name={lee}")] == [f"{lee}@localhost"]
    for wrong in ("", "name,email", f"{kim}", '"'):
        assert do(root, "accounts", label, accounts=wrong).is_error, wrong


def test_an_account_is_deleted_with_its_jobs(live: LiveServer, root: Person) -> None:
    with Person(live, "max") as person:
        subject = {"path.account": person.name}
        label = "Delete with its jobs"
        assert "then its jobs are deleted" in do(root, "accounts", label, **subject).text
        assert do(root, "accounts", label, **subject, confirmed="yes").status_code == 303
        assert person.browser.account() is None
    assert cells(root, "accounts", f"name={person.name}") == []
    (act, *_) = cells(root, "audit")
    assert (act[4], act[5]) == ("delete_account", f"account/{person.name}")
    assert "remove" in act[6]


def test_projects_devices_budgets_and_windows_are_set(live: LiveServer, root: Person) -> None:
    team = live.unused("team")
    do(root, "projects", "Add a project", name=team, shares="2")
    do(root, "projects", "Set the shares", **{"path.project": team}, shares="5")
    assert [team, "5", ""] in cells(root, "projects", f"name={team}")
    do(root, "projects", "Add a member", **{"path.project": team, "/account": root.name})
    assert f">{team}</a>" in root.browser.get("/ui/projects").text
    device = {"path.name": "clifford"}
    do(root, "devices", "Turn off", **device, reason="cold", until="2126-01-01T00:00")
    assert cells(root, "devices", "name=clifford")[0][4] == "2126-01-01 00:00:00"
    do(root, "devices", "Set the message", **device, message="<soon>")
    row = next(row for row in cells(root, "devices") if row[0] == "clifford")
    assert (row[1], row[3], row[5]) == ("no", "cold", "<soon>")
    do(root, "devices", "Set the message", **device, message="")
    do(root, "devices", "Turn on", **device)
    do(root, "budgets", "Set a budget", project=team, unit="jobs", period="month", maximum="7")
    (budget,) = (row for row in cells(root, "budgets") if row[0] == team)
    assert budget[:5] == [team, "", "jobs", "month", "7"]
    for number in ("1,000", "nan"):
        fields = {"project": team, "unit": "jobs", "period": "month", "maximum": number}
        refused = do(root, "budgets", "Set a budget", **fields)
        assert f"Maximum: &#39;{number}&#39; is not a number." in refused.text
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    begin, end = f"{tomorrow:%Y-%m-%d}T00:00", f"{tomorrow:%Y-%m-%d}T02:00"
    window = {"device": "clifford", "from": begin, "until": end}
    exam = {"exam_waiting": "3", "withhold_results": "yes"}
    reserved = do(
        root, "reservations", "Reserve a device", **window, **exam, projects=f"{team}, {root.name}"
    )
    assert reserved.is_success, reserved.text

    def of_team() -> list[list[str]]:
        return [row for row in cells(root, "reservations") if any(team in cell for cell in row)]

    (found,) = of_team()
    assert (found[:2], found[6:8]) == (["reservation", "clifford"], ["3", "yes"])
    page = root.browser.get("/ui/admin/reservations").text
    (of_row,) = (row for row in page.split("<tr>") if team in row)
    (id_text,) = re.findall(r'name="path.reservation" value="(.*?)"', of_row)
    do(root, "reservations", "Remove", **{"path.reservation": id_text})
    assert of_team() == []
    assert acts(root)[:2] == ["remove_reservation", "create_reservation"]


@pytest.mark.parametrize(
    ("section", "label", "fields"),
    [
        ("projects", "Add a project", {"name": "x", "shares": "many"}),
        ("projects", "Set the shares", {"path.project": "none", "shares": "1"}),
        ("budgets", "Set a budget", {"project": "x", "unit": "hours", "maximum": "1"}),
        ("accounts", "Add several accounts with a token each", {"accounts": "x", "life_s": "nan"}),
        ("accounts", "Add several accounts with a token each", {"accounts": "x", "life_s": "inf"}),
        ("reservations", "Plan maintenance", {"device": "clifford", "until": "tomorrow"}),
    ],
)
def test_what_the_api_refuses_is_refused(
    root: Person, section: str, label: str, fields: dict[str, str]
) -> None:
    refused = do(root, section, label, **fields)
    assert refused.status_code in (400, 404)
    assert "<h1>" in refused.text


def test_members_reach_no_page_of_administrators(live: LiveServer, root: Person) -> None:
    with Person(live, "bob") as bob:
        paths = ["/ui/admin", "/ui/admin/export", "/ui/admin/export.zip"]
        paths += [f"/ui/admin/{section}{kind}" for section in SECTIONS for kind in ("", ".csv")]
        field = bob.browser.csrf("/ui")
        for path in paths:
            assert bob.browser.get(path).status_code == 403, path
            data = {"csrf": field, "act": "0", "path.account": bob.name}
            assert bob.browser.post(path, data=data).status_code in (403, 405), path
        assert bob.browser.account() == bob.name
        assert "/ui/admin" not in bob.browser.get("/ui").text
    assert '<a href="/ui/admin">Admin</a>' in root.browser.get("/ui/jobs").text
    assert root.browser.post("/ui/admin/accounts", data={"act": "0"}).status_code == 403
    for action in ("", "x", "99", "-1", "000099", "9" * 40):
        path = "/ui/admin/accounts"
        assert root.browser.submit(path, path, act=action).status_code == 400, action
    assert root.browser.get("/ui/admin/none").status_code == 404


def test_pages_of_administrators_are_accessible(live: LiveServer, root: Person) -> None:
    wrong = []
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        browser(Path(folder)) as page,
    ):
        use_session(page, live, root)
        job = root.client.submit(BELL, "simulator")
        _fill(live, root)
        queries = {
            name: f"?{each.required_filter}={root.name}" if each.required_filter else ""
            for name, each in SECTIONS.items()
        }
        sections = ["", f"/jobs/{job.id}", "/export", f"/export?project={root.name}", "/members"]
        sections += [f"/{name}{query}" for name, query in queries.items()]
        for name, query in queries.items():
            assert cells(root, name, query[1:]) != [], f"{name} has no row"
        for section in sections:
            page.open(f"{live.url}/ui/admin{section}", width=390)
            for width, scheme in SCREENS:
                page.set_screen(width, scheme)
                wrong += [(section, width, scheme, each) for each in violations(page)]
                assert page.run("document.scrollingElement.scrollWidth") <= width, section
            assert not [each for each in page.asked if not each.startswith((live.url, "data:"))]
            assert page.complaints == []
    assert wrong == []


def _fill(live: LiveServer, root: Person) -> None:
    """Give each section of the administrators' pages a row."""
    gone = live.unused("gone")
    do(root, "accounts", "Add an account", name=gone, role="member")
    do(root, "accounts", "Delete", **{"path.account": gone}, confirmed="yes")
    do(root, "accounts", "Make an invitation", uses="2")
    do(root, "providers", "Add a provider", name=live.unused("lab"))
    do(root, "budgets", "Set a budget", project=root.name, unit="jobs", period="day", maximum="9")
    day = datetime.now(UTC) + timedelta(days=3)
    window = {"from": f"{day:%Y-%m-%d}T00:00", "until": f"{day:%Y-%m-%d}T02:00"}
    do(root, "reservations", "Plan maintenance", device="rydberg", weeks="2", **window)

    async def refuse(admin: Admin) -> None:
        await admin.store.maintenance.add_refusals([(60_000, "192.0.2.7", 3)])

    live.as_admin(refuse)
    with closing(sqlite3.connect(live.folder / "data" / "qwicket.db", timeout=30)) as file, file:
        file.execute(  # nothing runs on this server
            "insert into daily_use (project, device, day, jobs, shots, us, cost)"
            " select id, 'simulator', 0, 1, 100, 1000, 1 from project where name = ?",
            (root.name,),
        )


class Keyboard:
    """Does what administrators do in a real browser, with keys alone."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.done: set[tuple[str, str]] = set()
        self.checked: set[str] = set()
        self.section = ""

    def open(self, section: str, query: str = "") -> None:
        self.section = section
        self.page.open(f"{self.url}/ui/admin/{section}?{query}", width=1440)

    def do(self, label: str, row: str = "", **fields: str) -> None:
        """Fill in and send a form of a row, or of the page, and confirm it if that is asked."""
        page = self.page
        scope = (
            f"[...document.querySelectorAll('tbody tr')].find(row => [...row.cells].some("
            f"cell => cell.textContent === {row!r}))"
            if row
            else "[...document.querySelectorAll('fieldset')].find(each =>"
            f" each.querySelector('legend').textContent === {label!r})"
        )
        page.run(
            f"window.wanted = [...{scope}.querySelectorAll('button')]"
            f".find(each => each.textContent === {label!r})"
        )
        if page.run("wanted.closest('details') !== null"):
            page.run("wanted.closest('details').querySelector('summary').focus()")
            page.press("Enter", "\r")
        for name, value in fields.items():
            self._write(name, value)
        page.run("wanted.focus()")
        page.wait_for_load(lambda: page.press("Enter", "\r"))
        if page.run("document.querySelector('[name=confirmed]') !== null"):
            self._check("a page that asks for a confirmation")
            page.run("document.querySelector('main button.danger').focus()")
            page.wait_for_load(lambda: page.press("Enter", "\r"))
        if page.run("document.querySelector('h1').textContent").startswith("Done"):
            self._check("a page of what is done")
        assert page.run("document.querySelector('main .failed, .oops')?.textContent ?? ''") == ""
        self.done.add((self.section, label))

    def _check(self, kind: str) -> None:
        """Check once that people with other senses can use pages that follow a form."""
        if kind in self.checked:
            return
        self.checked.add(kind)
        for width, scheme in SCREENS:
            self.page.set_screen(width, scheme)
            assert violations(self.page) == [], (kind, width, scheme)
            assert self.page.run("document.scrollingElement.scrollWidth") <= width, kind

    def _write(self, name: str, value: str) -> None:
        page = self.page
        page.run(f"window.field = wanted.form.querySelector('[name=\"{name}\"]')")
        if page.run("field.type") == "datetime-local":  # its keys depend on the language
            page.run(f"field.value = {value!r}")
            return
        page.run("field.focus(); field.select?.()")
        if page.run("field.tagName") != "SELECT":
            page.write(value)
            return
        for _ in range(6):
            if page.run("field.value") != value:
                page.press(value[0], value[0])
        assert page.run("field.value") == value

    def text(self) -> str:
        """Return what the page shows."""
        return str(self.page.run("document.querySelector('main').textContent"))

    def row(self, name: str) -> list[str]:
        """Return the cells of the row that has this value; none without one."""
        script = (
            "([...document.querySelectorAll('tbody tr')].map(row => [...row.cells].map("
            f"cell => cell.textContent)).find(row => row.includes({name!r})) ?? [])"
        )
        return list(self.page.run(script))

    def of(self, section: str, name: str, query: str = "") -> list[str]:
        """Open a section and return the row that has this value."""
        self.open(section, query)
        return self.row(name)


@pytest.fixture(scope="module")
def keyboard(live: LiveServer, root: Person) -> Iterator[Keyboard]:
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        browser(Path(folder)) as page,
    ):
        use_session(page, live, root)
        yield Keyboard(page, live.url)


def test_each_action_of_an_administrator_is_done_in_a_real_browser(
    live: LiveServer, server: LiveServer, root: Person, keyboard: Keyboard, tmp_path: Path
) -> None:
    with Person(live, "uma") as uma:
        _accounts(keyboard, live, uma)
        _jobs(keyboard, uma)
        _projects(keyboard, live, uma)
        _devices(keyboard, uma)
        _windows(keyboard, uma)
    with Person(server, "root", "admin") as chief:
        job = chief.client.submit(ibm.held_qobj(held_job()), "simulator", format="qobj")
        until(lambda: job.status == "running", "it runs", timeout_s=60)
        use_session(keyboard.page, server, chief)
        keyboard.url = server.url
        keyboard.open("jobs", f"account={chief.name}")
        keyboard.do("Requeue", job.id)
        sees(chief, f"/ui/jobs/{job.id}", "queued again by an administrator")
        job.cancel()
    _jobs_in_doubt(keyboard, tmp_path)
    every = {
        (name, action.label)
        for name, section in SECTIONS.items()
        for action in (*section.row_actions, *section.page_actions)
    }
    assert every == keyboard.done
    assert len(keyboard.checked) == 2


def sees(person: Person, path: str, text: str) -> None:
    """Wait until a page shows a text: devices are read at most every 0.1 s."""
    until(lambda: text in person.browser.get(path).text, f"{path} shows {text}")


def is_refused(client: Client) -> bool:
    try:
        client.jobs()
    except ApiError as error:
        return error.status == 401
    return False


def _accounts(keyboard: Keyboard, live: LiveServer, uma: Person) -> None:
    zoe, kim, lee = (live.unused(name) for name in ("zoe", "kim", "lee"))
    keyboard.open("accounts")
    keyboard.do("Add an account", name=zoe, role="admin", password=PASSWORD)
    at = f"name={zoe}"
    assert keyboard.of("accounts", zoe, at)[1] == "admin"
    keyboard.do("Set the role", zoe, role="member")
    keyboard.do("Set the e-mail", keyboard.of("accounts", zoe, at)[0], email=f"{zoe}@b.example")
    assert keyboard.of("accounts", zoe, at)[1:3] == ["member", f"{zoe}@b.example"]
    keyboard.do("Disable", zoe)
    assert keyboard.row(zoe)[4] != ""
    keyboard.do("Enable", zoe)
    assert keyboard.row(zoe)[4] == ""
    assert f"name={zoe}" in str(keyboard.page.run("location.search")), "the filter stays"
    with Browser(live.url) as person:
        assert person.sign_in(zoe, PASSWORD).status_code == 303
        keyboard.do("Reset", zoe, password=PASSWORD[::-1])
        until(lambda: person.account() is None, "the session has ended")
        assert person.sign_in(zoe, PASSWORD[::-1]).status_code == 303
        keyboard.of("accounts", zoe, at)
        keyboard.do("Delete", zoe)
        until(lambda: person.account() is None, "the session has ended")
    assert keyboard.of("accounts", zoe, at) == []
    keyboard.of("deleted", zoe, at)
    keyboard.do("Restore", zoe)
    assert keyboard.of("accounts", zoe, at) != []
    keyboard.do("Delete with its jobs", zoe)
    assert keyboard.of("accounts", zoe, at) == []
    keyboard.do("Add several accounts with a token each", accounts=f"{kim}\n{lee}", life_s="2")
    assert len(re.findall(r"qw_\w{43}", keyboard.text())) == 2
    assert keyboard.of("accounts", lee, f"name={lee}") != []
    keyboard.do("Make an invitation", uses="2")
    assert re.search(r"Code\s*qw_", keyboard.text())
    keyboard.open("invitations")
    keyboard.do("Make an invitation", uses="7", life_s="1")
    row = keyboard.of("invitations", "7")
    keyboard.do("Delete", row[0])
    assert keyboard.of("invitations", row[0]) == []
    keyboard.open("tokens", f"account={uma.name}")
    keyboard.do("Make a token", scopes="jobs:read, jobs:write")
    (secret,) = re.findall(r"qw_\w{43}", keyboard.text())
    row = keyboard.of("tokens", "jobs:read, jobs:write", f"account={uma.name}")
    with qwicket.connect(live.url, secret) as client:
        assert client.jobs() == []
        keyboard.do("Revoke", row[0])
        until(lambda: is_refused(client), "the token is refused")
    assert row[7] == "" != keyboard.of("tokens", row[0], f"account={uma.name}")[7]
    keyboard.do("Rotate the keys of access tokens")
    assert keyboard.of("audit", "rotate_keys") != []
    keyboard.do("Verify that no act was changed")
    assert re.search(r"Broken at\s*none", keyboard.text())


def _jobs(keyboard: Keyboard, uma: Person) -> None:
    first, second = (uma.client.submit(BELL, "simulator") for _ in range(2))
    at = f"account={uma.name}"
    keyboard.open("jobs", at)
    keyboard.do("Hold", first.id)
    assert first.refresh().body.held_by == "admin"
    keyboard.do("Release", first.id)
    assert first.refresh().body.held_by is None
    keyboard.of("jobs", first.id, at)
    keyboard.do("Set the priority", first.id, priority="7")
    assert first.refresh().body.priority == 7
    keyboard.of("jobs", first.id, at)
    keyboard.do("Cancel", first.id)
    assert first.refresh().state == "cancelled"
    keyboard.open("jobs", at)
    keyboard.do("Change all that match", action="priority", priority="3", account=uma.name)
    assert second.refresh().body.priority == 3


def _jobs_in_doubt(keyboard: Keyboard, folder: Path) -> None:
    """Resolve one job whose id at another cloud is unknown, and abandon another."""
    posts: list[Request] = []
    with cloud_without_ids(posts) as cloud:
        devices = write_device(folder / "devices", cloud, "a-key-of-it", kind="ionq", settle_s=0.5)
        with (
            running_server(folder / "front", "--device-dir", str(devices)) as front,
            Person(front, "root", "admin") as chief,
        ):
            until(lambda: chief.client.device("far").status == "on", "it is seen")
            jobs = [chief.client.submit(BELL, "far", shots=5) for _ in range(2)]
            until(lambda: {each.refresh().state for each in jobs} == {"uncertain"}, "they wait")
            use_session(keyboard.page, front, chief)
            keyboard.url = front.url
            keyboard.open("jobs")
            keyboard.do("Abandon", jobs[0].id)
            assert jobs[0].refresh().state == "failed"
            keyboard.open("jobs")
            keyboard.do("Resolve", jobs[1].id, sent_as="seven")
            sees(chief, f"/ui/jobs/{jobs[1].id}", "a person says that it was sent and is seven")
            assert len(posts) == 2
            keyboard.open("jobs")
            until(lambda: jobs[1].refresh().state != "uncertain", "it is followed there")


def _projects(keyboard: Keyboard, live: LiveServer, uma: Person) -> None:
    team, lab = live.unused("team"), live.unused("lab")
    keyboard.open("projects")
    keyboard.do("Add a project", name=team, shares="2")
    assert keyboard.of("projects", team, f"name={team}")[1] == "2"
    keyboard.do("Set the shares", team, shares="5")
    keyboard.of("projects", team, f"name={team}")
    keyboard.do("Set the days", team, retention_days="30")
    assert keyboard.of("projects", team, f"name={team}")[1:3] == ["5", "30"]
    keyboard.do("Set the days", team, retention_days="")
    assert keyboard.of("projects", team, f"name={team}")[2] == ""
    keyboard.do("Add a member", team, **{"/account": uma.name})
    assert keyboard.of("members", uma.name, f"project={team}") != []
    keyboard.do("Remove", uma.name)
    assert keyboard.row(uma.name) == []
    keyboard.do("Add", **{"/account": uma.name})
    assert keyboard.of("members", uma.name, f"project={team}") != []
    keyboard.of("projects", team, f"name={team}")
    keyboard.do("Remove a member", team, **{"/account": uma.name})
    assert keyboard.of("members", uma.name, f"project={team}") == []
    keyboard.open("providers")
    keyboard.do("Add a provider", name=lab)
    assert keyboard.of("providers", lab)[1] == "yes"
    keyboard.do("Deactivate", lab)
    assert keyboard.row(lab)[1] == "no"
    keyboard.do("Activate", lab)
    assert keyboard.row(lab)[1] == "yes"


def _devices(keyboard: Keyboard, uma: Person) -> None:
    keyboard.open("devices")
    keyboard.do("Turn off", "clifford", reason="cold")
    assert keyboard.of("devices", "clifford")[1:4] == ["no", "no", "cold"]
    keyboard.do("Drain", "clifford", reason="later")
    assert keyboard.of("devices", "clifford")[1:4] == ["yes", "yes", "later"]
    keyboard.do("Set the message", "clifford", message="<soon>")
    sees(uma, "/ui/devices/clifford", "&lt;soon&gt;")
    keyboard.of("devices", "clifford")
    keyboard.do("Set the message", "clifford", message="")
    keyboard.of("devices", "clifford")
    keyboard.do("Turn on", "clifford")
    assert keyboard.of("devices", "clifford")[1:6] == ["yes", "no", "", "", ""]


def _windows(keyboard: Keyboard, uma: Person) -> None:
    keyboard.open("budgets")
    keyboard.do("Set a budget", project=uma.name, unit="shots", period="week", maximum="9000")
    assert keyboard.of("budgets", uma.name)[2:5] == ["shots", "week", "9000"]
    sees(uma, f"/ui/projects/{uma.name}", "9,000")
    keyboard.of("budgets", uma.name)
    keyboard.do("Remove", uma.name)
    assert keyboard.row(uma.name) == []
    day = datetime.now(UTC) + timedelta(days=2)
    window = {"from": f"{day:%Y-%m-%d}T00:00", "until": f"{day:%Y-%m-%d}T02:00"}
    keyboard.open("reservations")
    keyboard.do(
        "Reserve a device",
        **{"device": "clifford", "projects": uma.name, **window, "reason": "lecture"},
        exam_waiting="3",
        withhold_results="yes",
        exclusive="yes",
        drain_s="5",
    )
    assert keyboard.of("reservations", "lecture")[6:8] == ["3", "yes"]
    sees(uma, "/ui/devices/clifford", "lecture")
    keyboard.of("reservations", "lecture")
    keyboard.do("Remove", "lecture")
    assert keyboard.row("lecture") == []
    weekly = {"weeks": "2", "timezone": "Europe/Vienna", "reason": "new laser"}
    keyboard.do("Plan maintenance", device="clifford", **weekly, **window)
    assert keyboard.of("reservations", "new laser")[0] == "maintenance"
    sees(uma, "/ui/devices/clifford", "new laser")
    keyboard.of("reservations", "new laser")
    keyboard.do("Remove all weeks", "new laser")
    assert keyboard.of("reservations", "new laser") == []
