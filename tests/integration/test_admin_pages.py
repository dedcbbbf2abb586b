"""The pages of administrators: what they show is what the API says, what they do is recorded."""

from __future__ import annotations

import csv
import io
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
from qwicket.model.accounts import Preferences
from qwicket.pages.admin import FILES, PAGES
from qwicket.pages.admin_acts import ALL_ACTS
from support import ibm
from support.axe import SCREENS, violations
from support.bad_server import Request
from support.browser import Page, browser
from support.for_each import for_each
from support.held import held_job
from support.pages import PASSWORD, Browser, Person, error_of, use_session
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


def do(person: Person, page: str, act: str, **fields: Any) -> httpx.Response:
    """Send a form of a page of administrators."""
    data = {"csrf": person.browser.csrf("/ui"), "act": act, **fields}
    return person.browser.post(f"/ui/admin/{page}", data=data)


def read(person: Person, page: str) -> str:
    """Return the text of a page of administrators."""
    response = person.browser.get(f"/ui/admin/{page}")
    assert response.status_code == 200, page
    assert len(response.content) <= 50_000, page
    return response.text


def rows(person: Person, file: str, query: str = "") -> list[dict[str, str]]:
    """Return the rows of a file of administrators."""
    text = person.browser.get(f"/ui/admin/{file}.csv?{query}").text
    return list(csv.DictReader(io.StringIO(text, newline="")))


def row(person: Person, file: str, name: str) -> dict[str, str]:
    (found,) = [each for each in rows(person, file) if each["name"] == name]
    return found


def of_all_pages(person: Person, page: str, pattern: str, label: str = "Next") -> list[str]:
    """Return what a pattern finds on all pages of a list."""
    found: list[str] = []
    while True:
        text = read(person, page)
        found += re.findall(pattern, text)
        older = re.search(rf'href="/ui/admin/([^"]*)">{label}</a>', text)
        if not older:
            return found
        page = unescape(older[1])


SELECTED = ("prioritize_jobs", "hold_jobs", "release_jobs", "cancel_jobs", "delete_jobs")
PERSON = r'href="/ui/admin/people/([^"]*)">\1</a>'


def acts(person: Person) -> list[str]:
    return [each["action"] for each in rows(person, "activity")]


def test_the_overview_shows_servers_jobs_and_limits(live: LiveServer, root: Person) -> None:
    with Person(live, "ova") as ova:
        job = ova.client.submit(BELL, "simulator")
        page = root.browser.get("/ui/admin").text
        assert re.search(r"Waiting</dt><dd><a [^>]*>[1-9]", page)
        job.cancel()
    page = root.browser.get("/ui/admin").text
    assert re.search(r"Ended today</dt><dd><a [^>]*>[1-9]", page)
    assert re.search(r"<p class=\"small\">server, 0 slots", page)
    assert "list_page</dt><dd>1000</dd>" in page
    assert "No job runs." in page
    assert "Nothing needs you now." in page
    assert "<dt>lease_s</dt><dd>45.0</dd>" in page
    assert "<dt>workers</dt><dd>0</dd>" in page


def test_a_small_limit_of_lists_makes_more_pages_and_hides_nothing(tmp_path: Path) -> None:
    live = LiveServer(tmp_path, "--workers", "0", "--limit", "list_page=3")
    with Person(live, "root", "admin") as root:
        names = ("ada", "eve", "zoe", "kim")
        for name in names:
            do(root, "people", "create_account", name=name, role="member", password=PASSWORD)
        assert root.browser.get("/ui/admin").status_code == 200
        assert sorted(of_all_pages(root, "people", PERSON)) == sorted((*names, root.name))
        assert len(of_all_pages(root, "activity", "added the account", "Older")) == len(names)
        assert acts(root).count("create_account") == len(names)
        for page in PAGES:
            assert root.browser.get(f"/ui/admin/{page}").status_code in {200, 307}, page
    assert live.stop() == 0


def test_an_account_is_added_disabled_enabled_and_deleted(live: LiveServer, root: Person) -> None:
    name = live.unused("zoe")
    form = {"name": name, "role": "member", "password": PASSWORD}
    made = do(root, "people", "create_account", **form)
    assert made.headers["location"] == f"/ui/admin/people/{name}?done=create_account"
    at, subject = f"people/{name}", {"account": name}
    assert "The account was added." in read(root, f"{at}?done=create_account")
    assert row(root, "people", name)["disabled_at"] == ""
    with Browser(live.url) as zoe:
        assert zoe.sign_in(name, PASSWORD).status_code == 303
        assert "127.0.0.1, since" in read(root, at)  # the session
        do(root, at, "disable", **subject)
        assert zoe.account() is None
        assert 'value="password_link"' not in read(root, at)  # it would be refused
        do(root, at, "enable", **subject)
        assert zoe.sign_in(name, PASSWORD).status_code == 303
    do(root, at, "set_role", **subject, role="admin")
    assert row(root, "people", name)["role"] == "admin"
    asked = do(root, at, "delete_account", **subject)
    assert f"<h1>Delete {name}, and keep the jobs?</h1>" in asked.text
    assert row(root, "people", name)
    confirmed = dict(re.findall(r'name="(account|act|csrf|confirmed)" value="(.*?)"', asked.text))
    assert root.browser.post(f"/ui/admin/{at}", data=confirmed).status_code == 303
    assert name not in [each["name"] for each in rows(root, "people")]
    assert name in read(root, f"people?which=deleted&q={name}")
    assert 'value="restore_account"' in read(root, at)
    do(root, at, "restore_account", **subject)
    assert row(root, "people", name)
    assert acts(root)[:3] == ["restore_account", "delete_account", "change_account"]
    activity = read(root, f"activity?q={name}")
    for text in ("restored the account", "deleted the account", "disabled", "an administrator"):
        assert text in activity, text
    assert PASSWORD not in activity
    assert "> disabled <" not in read(root, f"activity?q={name}&action=restore_account")
    assert "restored the account" in read(root, at)  # what happened


def test_a_password_link_is_shown_once_and_sets_the_password(
    live: LiveServer, root: Person
) -> None:
    name = live.unused("lin")
    do(root, "people", "create_account", name=name, role="member")
    made = do(root, f"people/{name}", "password_link", account=name)
    assert made.headers["cache-control"] == "no-store"
    (link,) = re.findall(r'id="copied">(.*?)</pre>', made.text)
    with Browser(live.url) as lin:
        page = lin.get(link)
        (code,) = re.findall(r'name="code" value="(.*?)"', page.text)
        (field,) = re.findall(r'name="csrf" value="(.*?)"', page.text)
        sent = {"csrf": field, "code": code, "password": PASSWORD}
        assert lin.post("/ui/link", data=sent).status_code == 303
        assert lin.account() == name
    assert code not in read(root, f"activity?q={name}")


def test_nothing_is_offered_that_would_be_refused(live: LiveServer, root: Person) -> None:
    own = read(root, f"people/{root.name}")
    of_others = {"set_role", "disable", "delete_account", "reset_account", "password_link"}
    offered = set(re.findall(r'name="act" value="(.*?)"', own))
    assert "set_email" in offered
    assert not offered & of_others
    for act in of_others:
        confirmed = {"account": root.name, "role": "member", "confirmed": "yes"}
        refused = do(root, f"people/{root.name}", act, **confirmed)
        assert refused.status_code == 409, act
        assert "your own account" in error_of(refused)
    assert 'value="remove_member"' not in read(root, f"projects/{root.name}")
    assert 'value="turn_on"' not in read(root, "devices/clifford")
    do(root, "devices/clifford", "turn_off", name="clifford", reason="")
    assert 'value="turn_off"' not in read(root, "devices/clifford")
    do(root, "devices/clifford", "turn_on", name="clifford")


def test_a_long_list_has_pages_and_is_searched(live: LiveServer, root: Person) -> None:
    names = [live.unused("many") for _ in range(60)]

    async def add(admin: Admin) -> None:
        for name in names:
            await admin.add_account(name, email=f"{name}@b.example", password=None)
            await admin.add_project(f"{name}-team")

    live.as_admin(add)
    for part in ("MANY-", "@B.Example"):
        assert of_all_pages(root, f"people?q={part}", PERSON) == sorted(names)
    project = r'href="/ui/admin/projects/([^"]*)">\1</a>'
    assert of_all_pages(root, "projects?q=many-", project) == sorted(
        (*names, *(f"{name}-team" for name in names))
    )
    shared = of_all_pages(root, "projects?q=many-&which=shared", project)
    assert shared == sorted(f"{name}-team" for name in names)
    personal = of_all_pages(root, "projects?q=many-&which=personal", project)
    assert personal == sorted(names)
    assert "No person matches “nobody-is”." in read(root, "people?q=nobody-is")


def test_refused_sign_ins_are_on_pages_and_in_the_file(live: LiveServer, root: Person) -> None:
    minute = int(datetime.now(UTC).timestamp()) // 60 * 60_000
    addresses = [f"198.51.100.{number}" for number in range(240)]

    async def refuse(admin: Admin) -> None:  # three a minute, so that a page ends within one
        found = [(minute - number // 3 * 60_000, each, 1) for number, each in enumerate(addresses)]
        await admin.store.maintenance.add_refusals(found)

    live.as_admin(refuse)
    pages = of_all_pages(root, "refusals", r'class="mono">(198[\d.]*)<', "Older")
    file = [each["address"] for each in rows(root, "refusals")]
    for found in (pages, file):
        shown = [address for address in found if address.startswith("198.51.100.")]
        assert sorted(shown) == sorted(addresses)
    assert "198.51.100.0" in read(root, "activity")


def test_a_form_of_a_list_keeps_what_was_searched(root: Person) -> None:
    kept = do(root, "devices?q=clif", "drain", name="clifford", reason="later")
    assert kept.headers["location"] == "/ui/admin/devices?q=clif&done=drain"
    again = do(root, "devices?q=clif&done=drain", "turn_on", name="clifford")
    assert again.headers["location"] == "/ui/admin/devices?q=clif&done=turn_on"


def test_an_invitation_is_shown_once(root: Person) -> None:
    made = do(root, "invitations", "create_invitation", uses="2")
    shown = dict(re.findall("<dt>(.*?)</dt><dd>(.*?)</dd>", made.text))
    assert re.search("/ui/invitation[?]code=[0-9A-Za-z_-]{10,}</pre>", made.text)
    assert (shown["Uses"], shown["Project"]) == ("2", "none")
    assert made.headers["cache-control"] == "no-store"


def test_jobs_of_everybody_are_changed_after_they_were_counted(
    live: LiveServer, root: Person
) -> None:
    with Person(live, "ada") as ada:
        jobs = [ada.client.submit(BELL, "simulator", name="<i>") for _ in range(3)]
        found = rows(root, "jobs", f"account={ada.name}&state=queued")
        assert [each["id"] for each in found] == [job.id for job in reversed(jobs)]
        assert (found[0]["account"], found[0]["name"]) == (ada.name, "<i>")
        do(root, f"jobs/{jobs[0].id}", "cancel_job", id=jobs[0].id)
        assert jobs[0].refresh().state == "cancelled"
        chosen = {"action": "cancel", "account": ada.name}
        for states, number in (("", "2 jobs"), ("running", "0 jobs")):
            asked = do(root, "jobs", "change_jobs", **chosen, states=states)
            assert f"<h1>Cancel: {number}?</h1>" in asked.text
        assert jobs[1].refresh().state == "queued"
        done = do(root, "jobs", "change_jobs", **chosen, confirmed="yes")
        assert "<dt>Number</dt><dd>2</dd>" in done.text
        assert {job.refresh().state for job in jobs} == {"cancelled"}


def test_selected_jobs_of_anybody_are_changed(live: LiveServer, root: Person) -> None:
    with Person(live, "ida") as ida, Person(live, "joe") as joe:
        jobs = [each.client.submit(BELL, "simulator") for each in (ida, joe, ida)]
        page = root.browser.get(f"/ui/jobs?who=everyone&account={joe.name}").text
        assert f'<input type="checkbox" name="ids" value="{jobs[1].id}"' in page
        assert {*re.findall(r'<button [^>]*name="act" value="(.*?)"', page)} == {*SELECTED}
        chosen = [jobs[0].id, jobs[1].id, "none"]
        asked = do(root, "jobs", "hold_jobs", ids=chosen)
        assert "<h1>Hold 2 jobs?</h1>" in asked.text
        assert jobs[0].refresh().body.held_by is None
        for act, fields, seen in (
            ("hold_jobs", {}, ("admin", 0, "queued")),
            ("prioritize_jobs", {"priority": "7"}, ("admin", 7, "queued")),
            ("release_jobs", {}, (None, 7, "queued")),
            ("cancel_jobs", {}, (None, 7, "cancelled")),
        ):
            done = do(root, "jobs", act, ids=chosen, **fields, confirmed="yes")
            assert "<dt>Number</dt><dd>2</dd>" in done.text
            found = [job.refresh().body for job in jobs]
            assert [(job.held_by, job.priority, job.state) for job in found] == [
                seen,
                seen,
                (None, 0, "queued"),
            ]
            assert jobs[1].id in rows(root, "activity")[0]["details"]
        jobs[2].cancel()
    assert "changed selected jobs: <b>cancel</b>" in read(root, "activity")


def test_a_job_of_anybody_is_read(live: LiveServer, root: Person) -> None:
    with Person(live, "jim") as jim:
        job = jim.client.submit(BELL, "simulator", name="<i>mine</i>", tags=["t"])
        assert f'href="/ui/admin/jobs/{job.id}"' in read(root, f"people/{jim.name}")
        page = read(root, f"jobs/{job.id}")
        for name, value in (("Person", jim.name), ("Device", "simulator"), ("Sent by", "Qwicket")):
            assert f"<dt>{name}</dt><dd>{value}</dd>" in page
        assert "&lt;i&gt;mine&lt;/i&gt;" in page
        assert set(re.findall(r'name="act" value="(.*?)"', page)) == {
            *("hold_job", "cancel_job", "set_priority"),
        }
        assert jim.browser.get(f"/ui/admin/jobs/{job.id}").status_code == 403
        assert root.browser.get("/ui/admin/jobs/none").status_code == 404
        job.cancel()


def test_people_are_added_from_lines_of_csv(live: LiveServer, root: Person) -> None:
    kim, lee = live.unused("kim"), live.unused("lee")
    lines = f"name,email\r\n{kim}, {kim}@b.example\r\n\r\n{lee}\r\n"
    made = do(root, "import", "create_accounts", accounts=lines)
    assert len(re.findall(r"qw_\w{43}", made.text)) == 2
    assert row(root, "people", kim)["email"] == f"{kim}@b.example"
    assert row(root, "people", lee)["email"] == f"{lee}@localhost"
    for wrong in ("", "name,email", f"{kim}", '"'):
        refused = do(root, "import", "create_accounts", accounts=wrong)
        assert refused.is_error, wrong
        assert f">\n{wrong}</textarea>" in unescape(refused.text)


def test_an_account_is_deleted_with_its_jobs(live: LiveServer, root: Person) -> None:
    with Person(live, "max") as person:
        at, act = f"people/{person.name}", "delete_account_and_jobs"
        subject = {"account": person.name}
        assert "Then its jobs are deleted" in do(root, at, act, **subject).text
        assert do(root, at, act, **subject, confirmed="yes").status_code == 303
        assert person.browser.account() is None
    newest = rows(root, "activity")[0]
    assert (newest["action"], newest["subject"]) == ("delete_account", f"account/{person.name}")
    assert "remove" in newest["details"]
    assert "with all jobs" in read(root, f"activity?q={person.name}")


def test_projects_devices_budgets_and_windows_are_set(live: LiveServer, root: Person) -> None:
    team = live.unused("team")
    made = do(root, "projects", "create_project", name=team, shares="2")
    assert made.headers["location"] == f"/ui/admin/projects/{team}?done=create_project"
    at, of_team = f"projects/{team}", {"project": team}
    do(root, at, "change_project", **of_team, shares="5", retention_days="30")
    found = row(root, "projects", team)
    assert (found["shares"], found["retention_days"]) == ("5", "30")
    do(root, at, "change_project", **of_team, shares="5", retention_days="")
    assert row(root, "projects", team)["retention_days"] == ""
    do(root, at, "add_member", **of_team, account=root.name)
    do(root, at, "change_member", **of_team, account=root.name, role="lead", shares="3")
    assert "lead, 3 shares" in read(root, at)
    assert f">{team}</a>" in root.browser.get("/ui/projects").text
    assert f"{root.name}, {team}" in read(root, f"people?q={root.name}")
    device = {"name": "clifford"}
    do(root, "devices/clifford", "turn_off", **device, reason="cold", until="2126-01-01T00:00")
    found = row(root, "devices", "clifford")
    assert (found["is_on"], found["reason"]) == ("no", "cold")
    assert found["until"].startswith("2126-01-01T00:00:00")
    do(root, "devices/clifford", "set_message", **device, message="<soon>")
    assert row(root, "devices", "clifford")["message"] == "<soon>"
    do(root, "devices/clifford", "turn_on", **device)
    assert row(root, "devices", "clifford")["message"] == ""
    budget = {**of_team, "unit": "jobs", "period": "month", "device": ""}
    do(root, at, "set_budget", **budget, maximum="7")
    (listed,) = [each for each in rows(root, "budgets") if each["project"] == team]
    assert (listed["unit"], listed["period"], listed["maximum"]) == ("jobs", "month", "7")
    assert "7 jobs each month" in read(root, at)
    assert "7 of 7 jobs left this month" in read(root, f"projects?q={team}")
    for number in ("1,000", "nan"):
        refused = do(root, at, "set_budget", **budget, maximum=number)
        assert f"'{number}' is not a number." in error_of(refused)
        assert f'value="{number}"' in refused.text
        assert 'name="maximum" aria-invalid="true" aria-describedby="wrong"' in refused.text
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    begin, end = f"{tomorrow:%Y-%m-%d}T00:00", f"{tomorrow:%Y-%m-%d}T02:00"
    window = {"device": "clifford", "from": begin, "until": end}
    exam = {"exam_waiting": "3", "withhold_results": "yes"}
    projects = [team, f"{root.name}, {team}"]
    reserved = do(root, "windows", "create_reservation", **window, **exam, projects=projects)
    assert reserved.status_code == 303, reserved.text

    def windows() -> list[dict[str, str]]:
        return [each for each in rows(root, "windows") if team in each["projects"]]

    (found,) = windows()
    assert (found["device"], found["exam_waiting"], found["withhold_results"]) == (
        *("clifford", "3", "yes"),
    )
    for page in ("devices", "devices/clifford", "windows"):
        assert "exam: 3 waiting jobs each, results withheld" in read(root, page), page
    assert 'class="res"' in read(root, "devices")  # the drawing of the week
    remove = {"reservation": found["id"], "confirmed": "yes"}
    assert do(root, "windows", "remove_window", **remove).status_code == 303
    assert windows() == []
    assert acts(root)[:2] == ["remove_reservation", "create_reservation"]


def test_times_of_forms_and_pages_are_in_the_persons_zone(live: LiveServer) -> None:
    with Person(live, "root", "admin") as viola:

        async def prefer(admin: Admin) -> None:
            account = await admin.account(viola.name)
            await admin.store.accounts.set_preferences(account.id, Preferences(None, "Asia/Tokyo"))

        live.as_admin(prefer)
        viola.browser.sign_in(viola.name, PASSWORD)
        do(viola, "devices/fermions", "turn_off", name="fermions", until="2126-01-01T09:00")
        assert row(viola, "devices", "fermions")["until"].startswith("2126-01-01T00:00:00")
        assert ">1 Jan 2126 09:00</time>" in read(viola, "devices/fermions")
        do(viola, "devices/fermions", "turn_on", name="fermions")


def test_what_needs_attention_is_on_the_overview(live: LiveServer, root: Person) -> None:
    budget = {"project": root.name, "unit": "shots", "period": "total", "maximum": "10"}
    do(root, f"projects/{root.name}", "set_budget", **budget)
    job = root.client.submit(BELL, "simulator", shots=10)
    page = root.browser.get("/ui/admin").text
    assert f'href="/ui/admin/projects/{root.name}">{root.name} has used 100 % of its shots' in page
    assert "0 of 10 shots left in all: new jobs are refused" in read(
        root, f"projects?q={root.name}&which=personal"
    )
    (found,) = [each for each in rows(root, "budgets") if each["project"] == root.name]
    job.cancel()
    remove = {"budget": found["id"], "confirmed": "yes"}
    do(root, f"projects/{root.name}", "delete_budget", **remove)
    assert "Nothing needs you now." in root.browser.get("/ui/admin").text


@for_each(
    "page, act, fields",
    [
        ("projects", "create_project", {"name": "x", "shares": "many"}),
        ("projects/root", "change_project", {"project": "none", "shares": "1"}),
        ("projects/root", "set_budget", {"project": "x", "unit": "hours", "maximum": "1"}),
        ("import", "create_accounts", {"accounts": "x", "life_s": "nan"}),
        ("import", "create_accounts", {"accounts": "x", "life_s": "inf"}),
        ("windows", "create_maintenance", {"device": "clifford", "until": "tomorrow"}),
        ("jobs", "change_jobs", {"action": "dance"}),
        ("jobs", "cancel_jobs", {}),  # none is selected, which does not mean all
        ("jobs", "prioritize_jobs", {"ids": "x"}),
    ],
)
def test_what_the_api_refuses_is_refused(
    root: Person, page: str, act: str, fields: dict[str, str]
) -> None:
    refused = do(root, page.replace("root", root.name), act, **fields)
    assert refused.status_code in (400, 404)
    assert "<h1>" in refused.text


@for_each(
    "old, new",
    [
        ("accounts?name=ada", "people?q=ada"),
        ("deleted", "people?which=deleted"),
        ("tokens?account=ada", "people/ada"),
        ("members?project=a%2Fb", "projects/a%2Fb"),
        ("providers", "devices"),
        ("audit", "activity"),
        ("budgets", "projects"),
        ("reservations", "windows"),
    ],
)
def test_former_addresses_lead_to_the_present_ones(root: Person, old: str, new: str) -> None:
    moved = root.browser.get(f"/ui/admin/{old}")
    assert (moved.status_code, moved.headers["location"]) == (308, f"/ui/admin/{new}")


def test_the_list_of_everyones_jobs_is_among_the_other_jobs(root: Person) -> None:
    moved = root.browser.get("/ui/admin/jobs?account=ada&state=")
    assert moved.headers["location"] == "/ui/jobs?who=everyone&account=ada"


def test_members_reach_no_page_of_administrators(live: LiveServer, root: Person) -> None:
    with Person(live, "bob") as bob:
        paths = ["/ui/admin", "/ui/admin/export", "/ui/admin/export.zip", "/ui/admin/usage.json"]
        paths += [f"/ui/admin/{page}" for page in PAGES]
        paths += [f"/ui/admin/{page}/{root.name}" for page in PAGES]
        paths += [f"/ui/admin/{name}.csv" for name in FILES]
        field = bob.browser.csrf("/ui")
        for path in paths:
            refused = bob.browser.get(path)
            assert refused.status_code == 403, path
            assert "Only administrators may do this." in refused.text, path
            data = {"csrf": field, "act": "disable", "account": root.name}
            assert bob.browser.post(path, data=data).status_code in (403, 404, 405), path
        assert bob.browser.account() == bob.name
        assert root.browser.account() == root.name
        assert "/ui/admin" not in bob.browser.get("/ui").text
    assert '<a href="/ui/admin">Admin</a>' in root.browser.get("/ui/jobs").text
    assert root.browser.post("/ui/admin/people", data={"act": "disable"}).status_code == 403
    for act in ("", "x", "0", "000099", "9" * 40):
        assert do(root, "people", act).status_code == 400, act
    assert do(root, "none", "verify_audit").status_code == 404
    for path in ("none", "none/x", "people/none", "projects/none", "devices/none"):
        assert root.browser.get(f"/ui/admin/{path}").status_code == 404, path


def test_pages_of_administrators_are_accessible(live: LiveServer, root: Person) -> None:
    wrong = []
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        browser(Path(folder)) as page,
    ):
        use_session(page, live, root)
        job = root.client.submit(BELL, "simulator")
        gone = _fill(live, root)
        pages = ["", "/people?show=add&q=none", f"/people/{root.name}", f"/people/{gone}"]
        pages += [f"/projects/{root.name}", "/projects?show=add", "/devices/rydberg"]
        pages += [f"/jobs/{job.id}", f"/export?project={root.name}"]
        pages += [f"/{name}" for name in PAGES if name not in ("jobs", "projects")]
        for each in pages:
            page.open(f"{live.url}/ui/admin{each}", width=390)
            page.run("document.querySelectorAll('main details').forEach(e => e.open = true)")
            for width, scheme in SCREENS:
                page.set_screen(width, scheme)
                wrong += [(each, width, scheme, found) for found in violations(page)]
                assert page.run("document.scrollingElement.scrollWidth") <= width, each
            assert not [url for url in page.asked if not url.startswith((live.url, "data:"))]
            assert page.complaints == []
        job.cancel()
    assert wrong == []


def _fill(live: LiveServer, root: Person) -> str:
    """Give each page of administrators something to show; return the name of a deleted account."""
    gone = live.unused("gone")
    do(root, "people", "create_account", name=gone, role="member")
    do(root, f"people/{gone}", "delete_account", account=gone, confirmed="yes")
    do(root, "invitations", "create_invitation", uses="2")
    do(root, "devices", "create_provider", name=live.unused("lab"))
    budget = {"project": root.name, "unit": "jobs", "period": "day", "maximum": "9"}
    do(root, f"projects/{root.name}", "set_budget", **budget)
    day = datetime.now(UTC) + timedelta(days=3)
    window = {"from": f"{day:%Y-%m-%d}T00:00", "until": f"{day:%Y-%m-%d}T02:00"}
    do(root, "windows", "create_maintenance", device="rydberg", weeks="2", **window)

    async def refuse(admin: Admin) -> None:
        await admin.store.maintenance.add_refusals([(60_000, "192.0.2.7", 3)])

    live.as_admin(refuse)
    today = int(datetime.now(UTC).timestamp()) // 86_400 * 86_400_000
    with closing(sqlite3.connect(live.folder / "data" / "qwicket.db", timeout=30)) as file, file:
        file.execute(  # nothing runs on this server
            "insert into daily_use (project, device, day, jobs, shots, us, cost)"
            " select id, 'simulator', ?, 1, 100, 1000, 1 from project where name = ?",
            (today, root.name),
        )
    return gone


class Keyboard:
    """Does what administrators do in a real browser, with keys alone."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.done: set[str] = set()
        self.checked: set[str] = set()

    def open(self, page: str) -> None:
        self.page.open(f"{self.url}/ui/admin/{page}", width=1440)

    def do(self, act: str, of: str = "", **fields: str) -> None:
        """Fill in and send a form, of a thing with this name, and confirm it if that is asked."""
        page = self.page
        page.run(
            "window.wanted = [...document.querySelectorAll('main form')].find(form =>"
            f" form.act?.value === {act!r} && ({of!r} === '' ||"
            f" [...new FormData(form).values()].includes({of!r})))"
        )
        for closed in ("details:not([open]) details:not([open])", "details:not([open])"):
            if page.run(f"wanted.closest({closed!r}) !== null"):
                page.run(f"wanted.closest({closed!r}).querySelector('summary').focus()")
                page.press("Enter", "\r")
        for name, value in fields.items():
            self._write(name, value)
        page.run("wanted.querySelector('button').focus()")
        page.wait_for_load(lambda: page.press("Enter", "\r"))
        if page.run("document.querySelector('[name=confirmed]') !== null"):
            self.check("a page that asks for a confirmation")
            page.run("document.querySelector('main button.danger').focus()")
            page.wait_for_load(lambda: page.press("Enter", "\r"))
        if not page.run("location.search.includes('done=')"):
            self.check("a page that shows a response")
        assert (
            page.run("document.querySelector('main .failed[role], .oops')?.textContent ?? ''") == ""
        )
        self.done.add(act)

    def check(self, kind: str) -> None:
        """Check once that people with other senses can use a kind of page."""
        if kind in self.checked:
            return
        self.checked.add(kind)
        for width, scheme in SCREENS:
            self.page.set_screen(width, scheme)
            assert violations(self.page) == [], (kind, width, scheme)
            assert self.page.run("document.scrollingElement.scrollWidth") <= width, kind

    def _write(self, name: str, value: str) -> None:
        page = self.page
        page.run(f"window.field = [...wanted.querySelectorAll('[name=\"{name}\"]')].pop()")
        if page.run("field.type") in ("datetime-local", "hidden"):  # keys depend on the language
            page.run(f"field.value = {value!r}")
            return
        fold = "field.closest('details:not([open])')"
        if page.run(f"{fold} !== null"):
            page.run(f"{fold}.querySelector('summary').focus()")
            page.press("Enter", "\r")
        page.run("field.focus(); field.select?.()")
        if page.run("field.type") == "checkbox":
            page.press(" ", " ")
            return
        if page.run("field.tagName") != "SELECT":
            page.write(value)
            return
        text = page.run(
            f"[...field.options].find(each => each.value === {value!r}).textContent.trim()[0]"
        )
        for _ in range(20):
            if page.run("field.value") != value:
                page.press(text, text)
        assert page.run("field.value") == value

    def text(self) -> str:
        """Return what the page shows."""
        return str(self.page.run("document.querySelector('main').textContent"))


@pytest.fixture(scope="module")
def keyboard(live: LiveServer, root: Person) -> Iterator[Keyboard]:
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        browser(Path(folder)) as page,
    ):
        use_session(page, live, root)
        yield Keyboard(page, live.url)


def test_each_form_of_an_administrator_is_sent_in_a_real_browser(
    live: LiveServer, server: LiveServer, root: Person, keyboard: Keyboard, tmp_path: Path
) -> None:
    with Person(live, "uma") as uma:
        _people(keyboard, live, root)
        _tokens(keyboard, live, root, uma)
        _jobs(keyboard, root, uma)
        _projects(keyboard, live, root, uma)
        _devices(keyboard, live, root, uma)
        _windows(keyboard, root, uma)
    with Person(server, "root", "admin") as chief:
        job = chief.client.submit(ibm.held_qobj(held_job()), "simulator", format="qobj")
        until(lambda: job.status == "running", "it runs", timeout_s=60)
        use_session(keyboard.page, server, chief)
        keyboard.url = server.url
        keyboard.open(f"jobs/{job.id}")
        keyboard.do("requeue_job")
        sees(chief, f"/ui/jobs/{job.id}", "queued again by an administrator")
        job.cancel()
    _jobs_in_doubt(keyboard, tmp_path)
    # The list of everyone's jobs has the forms of these.
    assert {*ALL_ACTS} - {"change_jobs", *SELECTED} == keyboard.done
    assert len(keyboard.checked) == 3


def sees(person: Person, path: str, text: str) -> None:
    """Wait until a page shows a text: devices are read at most every 0.1 s."""
    until(lambda: text in person.browser.get(path).text, f"{path} shows {text}")


def is_refused(client: Client) -> bool:
    try:
        client.jobs()
    except ApiError as error:
        return error.status == 401
    return False


def _people(keyboard: Keyboard, live: LiveServer, root: Person) -> None:
    zoe, kim, lee = (live.unused(name) for name in ("zoe", "kim", "lee"))
    keyboard.open("people?show=add")
    keyboard.do("create_account", name=zoe, role="admin", password=PASSWORD)
    assert row(root, "people", zoe)["role"] == "admin"
    keyboard.do("set_role", "member")
    keyboard.do("set_email", email=f"{zoe}@b.example")
    found = row(root, "people", zoe)
    assert (found["role"], found["email"]) == ("member", f"{zoe}@b.example")
    keyboard.do("disable")
    assert row(root, "people", zoe)["disabled_at"] != ""
    keyboard.do("enable")
    assert row(root, "people", zoe)["disabled_at"] == ""
    keyboard.do("password_link")
    assert "/ui/link?code=" in keyboard.text()
    keyboard.open(f"people/{zoe}")
    with Browser(live.url) as person:
        assert person.sign_in(zoe, PASSWORD).status_code == 303
        keyboard.do("reset_account", password=PASSWORD[::-1])
        until(lambda: person.account() is None, "the session has ended")
        assert person.sign_in(zoe, PASSWORD[::-1]).status_code == 303
        keyboard.do("delete_account")
        until(lambda: person.account() is None, "the session has ended")
    keyboard.do("restore_account")
    assert row(root, "people", zoe)
    keyboard.do("delete_account_and_jobs")
    assert zoe not in [each["name"] for each in rows(root, "people")]
    keyboard.open("import")
    keyboard.do("create_accounts", accounts=f"{kim}\n{lee}", life_s="2")
    assert len(re.findall(r"qw_\w{43}", keyboard.text())) == 2
    assert row(root, "people", lee)
    keyboard.open("import")
    keyboard.do("import_people", csv=f"name,email\n{kim},{kim}@c.example")
    assert row(root, "people", kim)["email"] == f"{kim}@c.example"
    keyboard.open("invitations")
    keyboard.do("create_invitation", uses="7", life_s="1")
    assert re.search(r"/ui/invitation\?code=qw_", keyboard.text())
    (made,) = [each for each in rows(root, "invitations") if each["uses"] == "7"]
    keyboard.open("invitations")
    keyboard.do("delete_invitation", made["id"])
    assert made["id"] not in [each["id"] for each in rows(root, "invitations")]


def _tokens(keyboard: Keyboard, live: LiveServer, root: Person, uma: Person) -> None:
    keyboard.open(f"people/{uma.name}")
    keyboard.do("create_token", name="laptop")
    (secret,) = {*re.findall(r"qw_\w{43}", keyboard.text())}
    tokens = rows(root, "tokens", f"account={uma.name}")
    (made,) = [each for each in tokens if each["name"] == "laptop"]
    with qwicket.connect(live.url, secret) as client:
        assert client.jobs() == []
        keyboard.open(f"people/{uma.name}")
        keyboard.do("revoke_token", made["id"])
        until(lambda: is_refused(client), "the token is refused")
    keyboard.open("activity")
    keyboard.do("rotate_keys")
    assert acts(root)[0] == "rotate_keys"
    keyboard.do("verify_audit")
    assert re.search(r"Broken at\s*none", keyboard.text())


def _jobs(keyboard: Keyboard, root: Person, uma: Person) -> None:
    job = uma.client.submit(BELL, "simulator")
    keyboard.open(f"jobs/{job.id}")
    keyboard.do("hold_job")
    assert job.refresh().body.held_by == "admin"
    keyboard.do("release_job")
    assert job.refresh().body.held_by is None
    keyboard.do("set_priority", priority="7")
    assert job.refresh().body.priority == 7
    page = keyboard.page
    page.open(f"{keyboard.url}/ui/jobs?who=everyone&account={uma.name}", width=1440)
    page.run("document.querySelector('[name=ids]').focus()")
    page.press(" ", " ")
    keyboard.check("a list with a selection")
    page.run("document.querySelector('.bulk [name=priority]').focus()")
    page.write("9")
    for _ in range(2):  # the second one on the page that asks
        page.wait_for_load(lambda: page.press("Enter", "\r"))
        page.run("document.querySelector('main button.danger')?.focus()")
    assert job.refresh().body.priority == 9
    keyboard.open(f"jobs/{job.id}")
    keyboard.do("cancel_job")
    assert job.refresh().state == "cancelled"


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
            overview = chief.browser.get("/ui/admin").text
            for job in jobs:
                assert f'href="/ui/admin/jobs/{job.id}">Resolve</a>' in overview
            keyboard.open(f"jobs/{jobs[0].id}")
            keyboard.do("abandon_job")
            assert jobs[0].refresh().state == "failed"
            keyboard.open(f"jobs/{jobs[1].id}")
            keyboard.do("resolve_job", sent_as="seven")
            sees(chief, f"/ui/jobs/{jobs[1].id}", "a person says that it was sent and is seven")
            assert len(posts) == 2
            until(lambda: jobs[1].refresh().state != "uncertain", "it is followed there")


def _projects(keyboard: Keyboard, live: LiveServer, root: Person, uma: Person) -> None:
    team = live.unused("team")
    keyboard.open("projects?show=add")
    keyboard.do("create_project", name=team, shares="2")
    assert row(root, "projects", team)["shares"] == "2"
    keyboard.do("change_project", shares="5", retention_days="30")
    found = row(root, "projects", team)
    assert (found["shares"], found["retention_days"]) == ("5", "30")
    keyboard.do("add_member", account=uma.name)
    assert uma.name in [each["name"] for each in rows(root, "members", f"project={team}")]
    keyboard.do("change_member", account=uma.name, role="lead", shares="3")
    (member,) = rows(root, "members", f"project={team}")
    assert (member["role"], member["shares"]) == ("lead", "3")
    keyboard.do("remove_member", uma.name)
    assert rows(root, "members", f"project={team}") == []
    keyboard.do("set_budget", unit="shots", period="week", maximum="9000")
    (budget,) = [each for each in rows(root, "budgets") if each["project"] == team]
    assert (budget["unit"], budget["period"], budget["maximum"]) == ("shots", "week", "9000")
    assert "9,000 shots each week" in keyboard.text()
    keyboard.do("delete_budget", budget["id"])
    assert [each for each in rows(root, "budgets") if each["project"] == team] == []


def _devices(keyboard: Keyboard, live: LiveServer, root: Person, uma: Person) -> None:
    lab = live.unused("lab")
    keyboard.open("devices")
    keyboard.do("create_provider", name=lab)
    assert row(root, "providers", lab)["is_active"] == "yes"
    keyboard.do("deactivate_provider", lab)
    assert row(root, "providers", lab)["is_active"] == "no"
    keyboard.do("activate_provider", lab)
    assert row(root, "providers", lab)["is_active"] == "yes"

    def state() -> tuple[str, ...]:
        found = row(root, "devices", "clifford")
        return tuple(found[each] for each in ("is_on", "is_draining", "reason"))

    keyboard.open("devices/clifford")
    keyboard.do("drain", reason="later")
    assert state() == ("yes", "yes", "later")
    keyboard.do("pause", reason="warm")
    assert (state(), row(root, "devices", "clifford")["is_paused"]) == (("no", "no", "warm"), "yes")
    sees(uma, "/ui/devices/clifford", "Paused")
    keyboard.do("turn_on", "clifford")
    keyboard.do("turn_off", reason="cold")
    assert state() == ("no", "no", "cold")
    keyboard.do("set_message", message="<soon>")
    sees(uma, "/ui/devices/clifford", "&lt;soon&gt;")
    keyboard.do("set_message", message="")
    keyboard.open("devices")
    keyboard.do("turn_on", "clifford")
    assert state() == ("yes", "no", "")


def _windows(keyboard: Keyboard, root: Person, uma: Person) -> None:
    def of(reason: str) -> list[dict[str, str]]:
        return [each for each in rows(root, "windows") if each["reason"] == reason]

    day = datetime.now(UTC) + timedelta(days=2)
    window = {"from": f"{day:%Y-%m-%d}T00:00", "until": f"{day:%Y-%m-%d}T02:00"}
    keyboard.open("windows")
    keyboard.do(
        "create_reservation",
        **{"device": "clifford", "projects": uma.name, **window, "reason": "lecture"},
        exam_waiting="3",
        withhold_results="yes",
        exclusive="yes",
        drain_s="5",
    )
    (made,) = of("lecture")
    assert (made["exam_waiting"], made["withhold_results"], made["exclusive"]) == (
        "3",
        "yes",
        "yes",
    )
    sees(uma, "/ui/devices/clifford", "lecture")
    keyboard.do("remove_window", made["id"])
    assert of("lecture") == []
    weekly = {"weeks": "2", "timezone": "Europe/Vienna", "reason": "new laser"}
    keyboard.do("create_maintenance", device="clifford", **weekly, **window)
    made, _ = of("new laser")
    assert made["kind"] == "maintenance"
    sees(uma, "/ui/devices/clifford", "new laser")
    keyboard.do("remove_series", made["id"])
    assert of("new laser") == []
