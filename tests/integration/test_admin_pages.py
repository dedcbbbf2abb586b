"""The pages of administrators: what they show is what the API says, what they do is recorded."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from qwicket.pages.admin_sections import SECTIONS
from support.axe import violations
from support.browser import browser
from support.pages import PASSWORD, Browser, Person, signed_in
from support.programs import BELL
from support.server import LiveServer


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
    of = SECTIONS[section]
    labels = [each.label for each in (*of.of_row, *of.of_page)]
    path = f"/ui/admin/{section}"
    return person.browser.submit(path, path, act=labels.index(label), **fields)


def cells(person: Person, section: str, query: str = "") -> list[list[str]]:
    """Return the rows of a page without their actions."""
    text = person.browser.get(f"/ui/admin/{section}?{query}").text
    body = text.partition("<tbody>")[2].partition("</tbody>")[0]
    width = len(SECTIONS[section].columns)
    rows = re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    found = [re.findall(r"<td>(.*?)</td>", row, re.DOTALL)[:width] for row in rows]
    return [[unescape(cell) for cell in row] for row in found]


def acts(person: Person) -> list[str]:
    return [row[4] for row in cells(person, "audit")]


def test_the_overview_shows_runners_and_limits(root: Person) -> None:
    page = root.browser.get("/ui/admin").text
    assert "<td>server</td>" in page
    assert "list_page</dt><dd>1000</dd>" in page
    assert "No job runs." in page


def test_an_account_is_added_disabled_enabled_and_deleted(live: LiveServer, root: Person) -> None:
    name = live.unused("zoe")
    made = do(root, "accounts", "Add an account", name=name, role="member", password=PASSWORD)
    assert made.status_code == 200
    row = next(row for row in cells(root, "accounts") if row[0] == name)
    assert (row[1], row[4]) == ("member", "")
    subject = {"path.account": name}
    with Browser(live.url) as zoe:
        assert zoe.sign_in(name, PASSWORD).status_code == 303
        do(root, "accounts", "Disable", **subject)
        assert zoe.account() is None
        do(root, "accounts", "Enable", **subject)
        assert zoe.sign_in(name, PASSWORD).status_code == 303
    do(root, "accounts", "Set the role", **subject, role="admin")
    assert next(row for row in cells(root, "accounts") if row[0] == name)[1] == "admin"
    do(root, "accounts", "Delete", **subject)
    assert name not in [row[0] for row in cells(root, "accounts")]
    do(root, "accounts", "Restore a deleted account", **{"/account": name})
    assert name in [row[0] for row in cells(root, "accounts")]
    newest = acts(root)
    assert newest[:3] == ["restore_account", "delete_account", "change_account"]
    assert PASSWORD not in root.browser.get("/ui/admin/audit").text


def test_an_invitation_is_shown_once(root: Person) -> None:
    made = do(root, "accounts", "Make an invitation", uses="2")
    assert "code" in made.text
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
        counted = do(root, "jobs", "Count what would be changed", **chosen)
        assert "&#34;number&#34;: 2" in counted.text
        assert jobs[1].refresh().state == "queued"
        assert "&#34;number&#34;: 2" in do(root, "jobs", "Change all that match", **chosen).text
        assert {job.refresh().state for job in jobs} == {"cancelled"}


def test_projects_devices_budgets_and_windows_are_set(live: LiveServer, root: Person) -> None:
    team = live.unused("team")
    do(root, "projects", "Add a project", name=team, shares="2")
    do(root, "projects", "Set the shares", **{"path.project": team}, shares="5")
    assert [team, "5", ""] in cells(root, "projects")
    do(root, "projects", "Add a member", **{"path.project": team, "/account": root.name})
    assert f">{team}</a>" in root.browser.get("/ui/projects").text
    device = {"path.name": "clifford"}
    do(root, "devices", "Turn off", **device, reason="cold")
    do(root, "devices", "Set the message", **device, message="<soon>")
    row = next(row for row in cells(root, "devices") if row[0] == "clifford")
    assert (row[1], row[3], row[5]) == ("no", "cold", "<soon>")
    do(root, "devices", "Set the message", **device, message="")
    do(root, "devices", "Turn on", **device)
    do(root, "budgets", "Set a budget", project=team, unit="jobs", period="month", maximum="7")
    (budget,) = cells(root, "budgets")
    assert budget[:5] == [team, "", "jobs", "month", "7"]
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    begin, end = f"{tomorrow:%Y-%m-%d}T00:00", f"{tomorrow:%Y-%m-%d}T02:00"
    window = {"device": "clifford", "from": begin, "until": end}
    reserved = do(
        root, "reservations", "Reserve a device", **window, projects=f"{team}, {root.name}"
    )
    assert reserved.is_success, reserved.text
    (found,) = cells(root, "reservations")
    assert found[:2] == ["reservation", "clifford"]
    (id_text,) = re.findall(
        r'name="path.reservation" value="(.*?)"', root.browser.get("/ui/admin/reservations").text
    )
    do(root, "reservations", "Remove", **{"path.reservation": id_text})
    assert cells(root, "reservations") == []
    assert acts(root)[:2] == ["remove_reservation", "create_reservation"]


@pytest.mark.parametrize(
    ("section", "label", "fields"),
    [
        ("projects", "Add a project", {"name": "x", "shares": "many"}),
        ("projects", "Set the shares", {"path.project": "none", "shares": "1"}),
        ("budgets", "Set a budget", {"project": "x", "unit": "hours", "maximum": "1"}),
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
        paths = ["/ui/admin", *(f"/ui/admin/{section}" for section in SECTIONS)]
        field = bob.browser.csrf("/ui")
        for path in paths:
            assert bob.browser.get(path).status_code == 403, path
            data = {"csrf": field, "act": "0", "path.account": bob.name}
            assert bob.browser.post(path, data=data).status_code in (403, 405), path
        assert bob.browser.account() == bob.name
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
        signed_in(page, live, root)
        for number, section in enumerate(("", *(f"/{each}" for each in SECTIONS))):
            scheme = ("light", "dark")[number % 2]
            page.open(f"{live.url}/ui/admin{section}", width=390, scheme=scheme)
            wrong += [(section, each) for each in violations(page)]
            assert page.run("document.scrollingElement.scrollWidth") <= 390, section
            assert page.complaints == []
    assert wrong == []
