"""The pages as a whole: many people at once, no scripts, size and memory, hostile texts."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, urlencode

import httpx
import pytest

from qwicket.features.invitations.service import InvitationAdmin
from qwicket.gateway.admin import Admin
from qwicket.gateway.signin import digest
from support.browser import browser
from support.pages import PASSWORD, Browser, Person, use_session
from support.programs import BELL
from support.server import LiveServer

pytestmark = pytest.mark.extended

SESSIONS = 50
MARKS = (
    *("<b>{}</b>", '"><script>alert({})</script>', "' onload='alert({})", "{{{{{} * 7}}}}"),
    *("</title><img src=x{} onerror=alert(1)>", "</pre><svg/onload=alert({})>", "&lt;{}&amp;"),
    *("javascript:alert({})//", "%3Cb%3E{}", "\u202e{}"),
)
ROW = ("tr", "td", "time", "rect")
STATE = [("span", ("class",)), ("svg", ("class", "aria-hidden")), ("use", ("href",))]
"""Elements of which a device has more after each change of its state."""
PAYLOADS = [mark.format(number) for mark in MARKS for number in range(2)]


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that runs nothing, so that jobs wait."""
    live = LiveServer(tmp_path_factory.mktemp("whole"), "--workers", "0")
    yield live
    assert live.stop() == 0


@pytest.fixture(scope="module")
def root(idle: LiveServer) -> Iterator[Person]:
    with Person(idle, "root", "admin") as person:
        yield person


def test_pages_are_loaded_with_their_first_request(tmp_path: Path) -> None:
    live = LiveServer(tmp_path, "--workers", "0", PYTHONPROFILEIMPORTTIME="1")

    def loaded() -> set[str]:
        """Return which of the pages' own modules the server has imported."""
        lines = live.log.read_text().splitlines()
        names = {line.rpartition("|")[2].strip() for line in lines if "import time:" in line}
        assert "qwicket.server.app" in names
        return {name for name in names if name.startswith(("qwicket.pages", "jinja2"))}

    with Browser(live.url) as opened:
        auth = {"Authorization": f"Bearer {live.token()}"}
        assert opened.get("/v1/jobs", headers=auth).is_success
        assert loaded() == set()
        assert opened.get("/ui/sign-in").is_success
        assert {"qwicket.pages.handlers", "jinja2"} <= loaded()
        assert not {each for each in loaded() if each.startswith("qwicket.pages.admin_view")}
    assert live.stop() == 0


def test_each_of_many_sessions_sees_its_change(idle: LiveServer) -> None:
    names = [idle.unused("p") for _ in range(SESSIONS)]

    async def make(admin: Admin) -> list[tuple[str, str]]:
        """Make accounts with a session, whose passwords would take a minute, and a token."""
        found = []
        for name in names:
            account = await admin.add_account(name, email=None, password=None)
            secret, now = f"{name}-session", int(1000 * time.time())
            await admin.store.sessions.start(
                *(account.id, digest(secret)), now=now, expires_at=now + 3_600_000, replaced=None
            )
            token = (await admin.create_token(name)).secret
            found.append((f"qwicket_session={secret}", token))
        return found

    asyncio.run(_changes(idle.url, idle.as_admin(make)))


async def _changes(url: str, pairs: list[tuple[str, str]]) -> None:
    """Open a stream for each cookie, submit a job with its token, and wait until each has news."""
    are_open = asyncio.Semaphore(0)
    go = asyncio.Event()
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:

        async def follow(cookie: str, token: str) -> None:
            headers = {"Cookie": cookie}
            async with client.stream("GET", "/ui/jobs/stream", headers=headers) as response:
                assert response.status_code == 200
                are_open.release()
                await go.wait()
                made = asyncio.create_task(submit(token))
                async for line in response.aiter_lines():
                    if line.startswith("event: job"):
                        await made
                        return
            raise AssertionError("the stream has ended")

        async def submit(token: str) -> None:
            auth = {"Authorization": f"Bearer {token}"}
            body = {"device": "simulator", "program": BELL}
            made = await client.post("/v1/jobs", json=body, headers=auth)
            assert made.status_code == 201, made.text

        tasks = [asyncio.create_task(follow(*pair)) for pair in pairs]
        for _ in tasks:
            await are_open.acquire()
        go.set()
        async with asyncio.timeout(30):
            await asyncio.gather(*tasks)


def test_without_scripts_each_page_works_and_says_what_needs_them(server: LiveServer) -> None:
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        browser(Path(folder)) as page,
        Person(server, "ada") as ada,
    ):
        job = ada.submit(name="one")
        ada.submit(name="two")
        page.call("Emulation.setScriptExecutionDisabled", value=True)
        use_session(page, server, ada)

        def click(selector: str) -> None:
            page.wait_for_load(lambda: page.run(f"document.querySelector({selector!r}).click()"))

        def text() -> str:
            return str(page.run("document.body.innerText"))

        page.open(f"{server.url}/ui/jobs", width=1000)
        assert "Without JavaScript this list does not change by itself" in text()
        page.run("document.querySelector('[name=q]').value = 'one'")
        click(".filters > button")
        assert page.run("document.querySelectorAll('tbody tr').length") == 1
        click("tbody a")
        assert page.run("document.querySelector('h1').textContent") == "one"
        click("button[value=repeat]")
        assert page.run("location.pathname") != f"/ui/jobs/{job.id}"
        page.open(f"{server.url}/ui/jobs", width=1000)
        page.run(f"document.querySelector('[value=\"{job.id}\"]').click()")
        click(".bulk button[value=delete]")
        assert "Delete 1 job with" in text()
        click("main form button")
        assert "Done: 1." in text()
        page.open(f"{server.url}/ui/jobs/new", width=1000)
        assert "Without JavaScript the program is not checked while you type" in text()
        click("button[value=check]")
        assert "Valid" in text()
        click("button[value=run]")
        page.open(f"{server.url}/ui/account", width=1000)
        click("main button.primary")
        assert "Your new token" in text()
        long = urlencode({"program": "// " + 7_000 * "<"})
        page.open(f"{server.url}/ui/jobs/new?{long}", width=1000)
        click("button[value=edit]")
        assert page.run("document.querySelector('textarea').value.length") == 7_003
        for path in ("devices", "devices/qwicket_heavyhex27", "projects", "connect"):
            page.open(f"{server.url}/ui/{path}", width=1000)
            assert page.run("document.querySelector('h1') !== null"), path
        click("header form button")
        assert page.run("location.pathname") == "/ui/sign-in"


class Elements(HTMLParser):
    """The elements of a page with the names of their attributes, and its texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_errors_of_jobs_are_text(idle: LiveServer, root: Person) -> None:
    jobs = [root.client.submit(BELL, "clifford", shots=1) for _ in PAYLOADS]
    with closing(sqlite3.connect(idle.folder / "data" / "qwicket.db", timeout=30)) as file, file:
        for job, payload in zip(jobs, PAYLOADS, strict=True):
            file.execute(
                "update job set state = 'failed', ended_at = created_at, error_code ="
                " 'device_error', error_text = ? where id = ?",
                (payload, job.id),
            )
    plain = None
    for job, payload in zip(jobs, PAYLOADS, strict=True):
        found = Elements(root.browser.get(f"/ui/jobs/{job.id}").text)
        assert any(payload in each for each in found.texts), payload
        plain = plain or found.found
        assert found.found == plain, payload
        of_admin = Elements(root.browser.get(f"/ui/admin/jobs/{job.id}").text)
        assert any(payload in each for each in of_admin.texts), payload
        assert not {name for name, _ in of_admin.found} & {"b", "img", "script"}, payload


def test_messages_and_reasons_of_devices_are_text(idle: LiveServer, root: Person) -> None:
    scope = {"scope": ["admin"], "project": root.name}
    secret = re.findall(
        r"qw_\w{43}", root.browser.submit("/ui/account", "/ui/tokens", **scope).text
    )[0]
    auth = {"Authorization": f"Bearer {secret}"}
    plain: dict[str, object] = {}
    n_set = 0
    job = root.client.submit(BELL, "clifford", name="x", tags=["x"])
    for payload in PAYLOADS:
        body = {"is_on": False, "reason": payload, "message": payload}
        done = root.browser.patch("/v1/admin/devices/clifford", json=body, headers=auth)
        if not done.is_success:
            continue
        n_set += 1
        paths = (
            *("devices", "devices/clifford", f"jobs/{job.id}"),
            *("admin/devices?q=clifford", "admin/devices/clifford"),
        )
        for path in paths:
            found = Elements(root.browser.get(f"/ui/{path}").text)
            assert any(payload in each for each in found.texts), (path, payload)
            shape = [each for each in found.found if each[0] not in ROW and each not in STATE]
            assert plain.setdefault(path, shape) == shape, (path, payload)
    root.browser.patch("/v1/admin/devices/clifford", json={"is_on": True}, headers=auth)
    job.cancel()
    assert n_set == 18  # a direction mark is refused


def test_what_agents_and_calibrations_say_is_text(idle: LiveServer, root: Person) -> None:
    """Progress and reasons of a lab's agent, sources of calibrations, and e-mail addresses."""
    job = root.client.submit(BELL, "clifford", name="x", tags=["x"])
    at = int(1000 * time.time())
    paths = (
        f"jobs/{job.id}",
        "devices/qwicket_line5",
        "account",
        "admin/people?q=" + root.name,
    )
    shapes: dict[str, object] = {}
    with closing(sqlite3.connect(idle.folder / "data" / "qwicket.db", timeout=30)) as file:
        with file:  # as while an agent runs it
            file.execute(
                "update job set state = 'running', started_at = queued_at where id = ?", (job.id,)
            )
            file.execute("insert into lease (job, fence, nonce) values (?, 1, 'x')", (job.id,))
            file.execute(
                'insert into job_event (job, version, at, "from", "to", actor, reason)'
                " values (?, 99, ?, 'running', 'queued', 'agent', '')",
                (job.id, at),
            )
            (body,) = file.execute(
                "select body from calibration where device = 'qwicket_line5'"
                " order by number desc limit 1"
            ).fetchone()
        for payload in PAYLOADS:
            source = json.dumps(json.loads(body) | {"source": payload})
            email = re.sub(r"[@\s]", "_", payload) + "@example.org"
            with file:
                file.execute(
                    "update lease set progress = ? where job = ?",
                    (json.dumps({"done": 0.5, "text": payload}), job.id),
                )
                file.execute(
                    "update job_event set reason = ? where job = ? and version = 99",
                    (payload, job.id),
                )
                file.execute(
                    "update calibration set body = ? where device = 'qwicket_line5'", (source,)
                )
                file.execute("update account set email = ? where name = ?", (email, root.name))
            for path, wanted in zip(paths, (payload, payload, email, email), strict=True):
                found = Elements(root.browser.get(f"/ui/{path}".rstrip("/")).text)
                n_shown = sum(wanted in each for each in found.texts)
                assert n_shown >= (2 if path.startswith("jobs/") else 1), (path, payload)
                assert shapes.setdefault(path, found.found) == found.found, (path, payload)
        with file:  # as it was
            file.execute("delete from lease where job = ?", (job.id,))
            file.execute("update calibration set body = ? where device = 'qwicket_line5'", (body,))
            file.execute(
                "update job set state = 'cancelled', ended_at = ? where id = ?", (at, job.id)
            )
            file.execute("update account set email = null where name = ?", (root.name,))


def test_what_a_request_says_is_text(idle: LiveServer, root: Person) -> None:
    """Filters, fields of forms, and errors that name them, on pages of all kinds."""
    job = root.client.submit(BELL, "clifford", shots=1)
    job.cancel()  # its page stays the same from here on
    code = idle.as_admin(
        lambda admin: InvitationAdmin(admin.store, admin.now_ms).add(
            project=None, uses=1, life_s=3600
        )
    ).code
    field = root.browser.csrf("/ui/jobs")
    shapes: dict[str, object] = {}
    with Browser(idle.url) as nobody:
        invited = nobody.csrf(f"/ui/invitation?code={code}")
        for payload in PAYLOADS:
            search = urlencode({"name": payload, "tag": payload, "device": payload})
            program = dict.fromkeys(("program", "device", "shots", "seed", "format"), payload)
            change = {"of": "all", "search": search, "action": "tag", "tag": payload}
            person = {"code": code, "name": payload, "email": payload, "password": PASSWORD}
            form = {"csrf": field}
            budget = {**form, "act": "set_budget", "project": payload, "unit": "jobs"}
            change_all = {**form, "act": "change_jobs", "action": "cancel"}
            member = {**form, "act": "add_member", "account": root.name, "project": payload}
            revoke = {**form, "act": "revoke_token", "token": payload, "label": payload}
            post, get = root.browser.post, root.browser.get
            for name, response in {
                "jobs": get(f"/ui/jobs?{search}"),
                "compare": get(f"/ui/jobs/{job.id}?{urlencode({'with': payload})}"),
                "confirm": post("/ui/jobs/confirm", data=form | change),
                "try": post("/ui/jobs/new", data={**form, **program}),
                "invitation": nobody.post("/ui/invitation", data={"csrf": invited, **person}),
                "jobs of everyone": get(f"/ui/jobs?who=everyone&{search}"),
                "people": get(f"/ui/admin/people?{urlencode({'q': payload, 'which': payload})}"),
                "projects": get(f"/ui/admin/projects?{urlencode({'q': payload})}"),
                "activity": get(f"/ui/admin/activity?{urlencode({'q': payload})}"),
                "budget": post(f"/ui/admin/projects/{root.name}", data=budget),
                "member": post(f"/ui/admin/people/{root.name}", data=member),
                "revoke": post(f"/ui/admin/people/{root.name}", data=revoke),
                "admin confirm": post("/ui/admin/jobs", data={**change_all, "name": payload}),
                "webhooks": post(
                    f"/ui/projects/{root.name}/webhooks",
                    data={**form, "url": payload, "event": "job.failed", "device": payload},
                ),
                "long": post(
                    "/ui/jobs/new", data={**form, **program, "program": (60_000 * payload)[:60_000]}
                ),
                "export": get(f"/ui/admin/export?{urlencode({'project': payload})}"),
                "nothing": get(f"/ui/{quote(payload, safe='')}"),
            }.items():
                assert response.status_code < 500, (name, payload)
                found = Elements(response.text)
                assert shapes.setdefault(name, found.found) == found.found, (name, payload)


def test_names_and_reasons_are_text_on_pages_of_administrators(
    idle: LiveServer, root: Person
) -> None:
    at = "/ui/admin/windows"
    form = {"csrf": root.browser.csrf(at), "act": "create_maintenance", "device": "fermions"}
    refused = set()
    for number, payload in enumerate(PAYLOADS):
        day = datetime.now(UTC) + timedelta(days=2 + number)
        window = {"from": f"{day:%Y-%m-%d}T00:00", "until": f"{day:%Y-%m-%d}T01:00"}
        made = root.browser.post(at, data={**form, **window, "reason": payload})
        assert made.status_code in (303, 400), payload
        if made.status_code == 400:
            refused.add(payload)
    assert len(refused) <= 20  # direction marks are refused
    jobs = [root.client.submit(BELL, "clifford", name=each, shots=1) for each in PAYLOADS]
    for path, query in (
        (at, ""),
        ("/ui/devices/fermions", ""),
        ("/ui/jobs", f"who=everyone&account={root.name}"),
        ("/ui/admin/activity", ""),
    ):
        texts, names = _everything(root, path, query)
        missing = [each for each in {*PAYLOADS} - refused if each not in texts]
        # A device shows the windows of the next weeks alone.
        assert len(missing) < (len(PAYLOADS) if "devices" in path else 1), (path, missing[:3])
        of_page = {"b"} if "activity" in path else set()  # an unescaped one would lack its text
        assert not (names - of_page) & {"b", "img", "script"}, path
    for job in jobs:
        job.cancel()


def _everything(person: Person, path: str, query: str) -> tuple[str, set[str]]:
    """Return the texts of all pages of a list, and the names of their elements."""
    texts: list[str] = []
    names: set[str] = set()
    while True:
        text = person.browser.get(f"{path}?{query}").text
        found = Elements(text)
        texts += found.texts
        names |= {name for name, _ in found.found}
        older = re.search(r'href="[^"?]*\?([^"]*)"[^>]*>(?:Older|Next)</a>', text)
        if not older:
            return "\n".join(texts), names
        query = unescape(older[1])
