"""Each action of a member, done with keys alone in a real browser on a small screen."""

from __future__ import annotations

import csv
import io
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from qwicket.features.invitations.service import InvitationAdmin
from qwicket.gateway.admin import Admin
from support.axe import violations
from support.browser import Page, browser
from support.pages import PASSWORD, TOKEN, Person, use_session
from support.programs import BELL
from support.server import LiveServer
from support.waiting import until

pytestmark = pytest.mark.extended


class Hands:
    """Reads pages and presses their links and buttons, with keys alone.

    Args:
        page: The browser.
        url: Address of the server.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.wrong: list[tuple[str, str, str]] = []
        self.seen: set[str] = set()

    def open(self, path: str) -> None:
        self.page.open(f"{self.url}{path}", width=390, scheme="dark")
        self._check()

    def press(self, label: str) -> None:
        """Press the button or link with this text, which leads to another page."""
        page = self.page
        found = page.run(
            "(window.wanted = [...document.querySelectorAll('button, a')].find(each =>"
            f" !each.hidden && each.textContent.trim() === {label!r})) !== undefined"
            " && (wanted.focus(), document.activeElement === wanted)"
        )
        assert found, f"{label}: {self.text()}"
        page.wait_for_load(lambda: page.press("Enter", "\r"))
        self._check()

    def write(self, **fields: str) -> None:
        """Write into fields by their names; a choice by the first letters of its text."""
        page = self.page
        for name, value in fields.items():
            page.run(f"window.field = document.querySelector('main [name=\"{name}\"]')")
            page.run("field.focus(); field.select?.()")
            if page.run("field.tagName") == "SELECT":
                for letter in value:
                    page.press(letter, letter)
            else:
                page.write(value)

    def open_menu(self, label: str = "") -> None:
        """Open a menu by its label; without one, that of the person in the head of the page."""
        self.page.run(
            "window.menu = [...document.querySelectorAll('.menu summary')].find(each =>"
            f" each.textContent.trim().startsWith({label!r})); menu.focus()"
        )
        self.page.press("Enter", "\r")
        assert self.page.run("menu.parentElement.open")

    def mark(self, selector: str) -> None:
        """Set a checkbox or a radio button."""
        self.page.run(f"document.querySelector({selector!r}).focus()")
        self.page.press(" ", " ")
        assert self.page.run("document.activeElement.checked"), selector

    def download(self, label: str, folder: Path) -> bytes:
        """Press a link that gives a file; return the file."""
        page, before, part = self.page, set(folder.iterdir()), ".crdownload"
        page.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        page.run(
            "[...document.querySelectorAll('main a')].find(each =>"
            f" each.textContent === {label!r}).focus()"
        )
        assert page.run("document.activeElement.textContent") == label
        page.press("Enter", "\r")

        def whole() -> Path | None:
            new = [each for each in folder.iterdir() if each not in before]
            # Chromium makes an empty file of the name first, and writes into another one.
            return next((each for each in new if each.suffix != part and each.stat().st_size), None)

        return until(whole, f"{label} is downloaded", timeout_s=30).read_bytes()

    def text(self) -> str:
        return " ".join(str(self.page.run("document.querySelector('main').textContent")).split())

    def path(self) -> str:
        return str(self.page.run("location.pathname + location.search"))

    def _check(self) -> None:
        """Note what the page lacks for people with other senses, and what it loads from others."""
        page = self.page
        heading = str(page.run("location.pathname + document.querySelector('h1').textContent"))
        for scheme in ("light", "dark") if heading not in self.seen else ():
            features = [{"name": "prefers-color-scheme", "value": scheme}]
            page.call("Emulation.setEmulatedMedia", features=features)
            self.wrong += [(self.path(), scheme, each) for each in violations(page)]
        self.seen.add(heading)
        assert page.run("document.scrollingElement.scrollWidth") <= 390, self.path()
        assert all(each.startswith((self.url, "data:")) for each in page.asked), page.asked
        # A refused password is one that the browser reports.
        assert [each for each in page.complaints if "401" not in each] == []


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        browser(Path(folder)) as opened,
    ):
        yield opened


@pytest.fixture
def hands(server: LiveServer, page: Page) -> Iterator[Hands]:
    page.call("Network.clearBrowserCookies")
    made = Hands(page, server.url)
    yield made
    assert made.wrong == []


def test_an_account_is_made_used_and_left_in_a_real_browser(
    server: LiveServer, hands: Hands
) -> None:
    name, team = server.unused("nora"), server.unused("team")

    async def invite(admin: Admin) -> str:
        await admin.add_project(team)
        return (
            await InvitationAdmin(admin.store, admin.now_ms).add(project=team, uses=1, life_s=3600)
        ).code

    hands.open(f"/ui/invitation?code={server.as_admin(invite)}")
    assert team in hands.text()
    hands.write(name=name, password=PASSWORD)
    hands.press("Create the account")
    assert name in str(hands.page.run("document.querySelector('.who').textContent"))
    hands.open("/ui/account")
    hands.write(days="7")
    hands.press("Make a token")
    assert len({*TOKEN.findall(hands.text())}) == 1
    hands.press("program of your client")
    assert hands.path() == "/ui/connect"
    hands.press("curl")
    assert hands.path() == "/ui/connect/curl"
    hands.open_menu()
    hands.press("Account and tokens")
    assert "not yet" in hands.text()
    hands.press("Revoke")
    assert "not yet" not in hands.text()
    hands.press("Projects")
    hands.press(team)
    assert name in hands.text()
    hands.open_menu()
    hands.press("Sign out")
    assert hands.path() == "/ui/sign-in"
    hands.open("/ui/jobs")
    assert hands.path() == "/ui/sign-in"
    hands.write(name=name, password="wrong")
    hands.press("Sign in")
    assert "password" in hands.text()
    hands.write(name=name, password=PASSWORD)
    hands.press("Sign in")
    assert hands.path().startswith("/ui")
    assert "Sign out" in str(hands.page.run("document.body.textContent"))


def test_a_program_is_tried_and_its_job_read_in_a_real_browser(
    server: LiveServer, hands: Hands, tmp_path: Path
) -> None:
    with Person(server, "mia") as mia:
        use_session(hands.page, server, mia)
        hands.open("/ui/jobs/new?example=qubits")
        hands.press("Check")
        assert "If you run it now" in hands.text()
        hands.press("Link to this program")
        assert "program=" in hands.path()
        hands.press("Run")
        (job,) = mia.client.jobs()
        assert hands.path() == f"/ui/jobs/{job.id}"
        job.result(timeout=60)
        hands.page.wait_for("document.querySelector('svg.hbar') !== null")
        other = mia.submit(seed=3)
        hands.open_menu("Compare")
        hands.write(**{"with": other.id})
        hands.press("Compare with it")
        assert "Other job" in hands.text()
        hands.press("End the comparison")
        assert hands.path() == f"/ui/jobs/{job.id}"
        hands.press("qwicket")
        assert "client.submit(" in hands.text()
        hands.press("Rename or tag")
        hands.write(name="named", tags="one")
        hands.press("Save")
        assert job.refresh().body.tags == ("one",)
        assert "named" in hands.text()
        hands.open_menu("More")
        hands.press("Run again with the same seed")
        assert hands.path() != f"/ui/jobs/{job.id}"
        again = mia.client.jobs()[0]
        assert again.result(timeout=60).parts[0].seed == job.result().parts[0].seed
        hands.open(f"/ui/jobs/{job.id}")
        counts = job.result().counts
        hands.open_menu("Download")
        (part,) = json.loads(hands.download("JSON", tmp_path))["parts"]
        assert part["counts"] == counts
        _, *rows = csv.reader(io.StringIO(hands.download("CSV", tmp_path).decode()))
        assert {bits: int(count) for bits, count, _ in rows} == counts
        arrays = np.load(io.BytesIO(hands.download("NumPy (npz)", tmp_path)))
        assert sorted(arrays["counts"]) == sorted(counts.values())
        assert hands.download("Archive with program", tmp_path)[:2] == b"PK"
        hands.press("Run again")
        mia.client.jobs()[0].result(timeout=60)
        hands.open(f"/ui/jobs/{job.id}")
        hands.press("simulator")
        assert "Availability" in hands.text()
        hands.press("My jobs here")
        assert re.fullmatch(r"/ui/jobs\?device=\w+", hands.path())
        hands.page.run("document.querySelector('.filters summary').focus()")
        hands.page.press("Enter", "\r")
        hands.write(tag="one")
        hands.press("Search")
        assert "tag=one" in hands.path()
        assert job.id in hands.download("Download CSV", tmp_path).decode()
        assert (
            len(hands.page.run("[...document.querySelectorAll('[name=job]')].map(e => e.id)")) == 3
        )
        hands.mark("[name=job]")
        hands.press("Add a tag")
        assert "Tag 1 job?" in hands.text()
        hands.press("Back to the list")
        hands.page.run("document.querySelector('#all summary').focus()")
        hands.page.press("Enter", "\r")
        hands.page.run("document.querySelector('#all [value=tag]').focus()")
        hands.page.wait_for_load(lambda: hands.page.press("Enter", "\r"))
        assert "Tag 3 jobs?" in hands.text()
        hands.write(tag="two")
        hands.press("Tag 3 jobs")
        assert "Done: 3." in hands.text()
        assert job.refresh().body.tags == ("one", "two")
        hands.open(f"/ui/jobs/{job.id}")
        hands.open_menu("More")
        hands.press("Delete job")
        hands.press("Delete job")
        assert hands.path() == "/ui/jobs"
        assert job.id not in mia.rows()


def test_a_waiting_job_is_held_released_and_cancelled_in_a_real_browser(
    tmp_path: Path, hands: Hands
) -> None:
    idle = LiveServer(tmp_path, "--workers", "0")
    with Person(idle, "leo") as leo:
        job = leo.client.submit(BELL, "clifford", shots=1)
        hands.url = idle.url
        use_session(hands.page, idle, leo)
        hands.open(f"/ui/jobs/{job.id}")
        assert "It is the next job of its device" in hands.text()
        hands.press("Hold")
        assert "You hold this job" in hands.text()
        hands.press("Release")
        assert "You hold this job" not in hands.text()
        hands.press("Cancel job")
        assert job.refresh().state == "queued"
        hands.press("Keep it")
        hands.press("Cancel job")
        hands.press("Cancel job")
        assert job.refresh().state == "cancelled"
        hands.open_menu("More")
        hands.press("Delete job")
        hands.press("Delete job")
        assert hands.path() == "/ui/jobs"
        assert leo.rows() == []
    assert idle.stop() == 0
