"""A client for the pages, without scripts: it keeps cookies and submits forms as a browser does."""

from __future__ import annotations

import re
import time
from html import unescape
from typing import Any, Literal

import httpx

import qwicket
from qwicket.clients.native import Client, Job
from support.browser import Page
from support.passwords import cheap_hash
from support.programs import BELL
from support.server import LiveServer

PASSWORD = "correct horse"

FIELD = re.compile(r'name="csrf" value="([0-9a-f]+)"')
TOKEN = re.compile(r"qw_[A-Za-z0-9]{43}")
ERROR = re.compile(r'<div class="notice failed"[^>]*>.*?<div>(.*?)</div>', re.DOTALL)
"""Message of a form that was refused."""


class Browser(httpx.Client):
    """A browser that follows no redirect by itself."""

    def __init__(self, url: str) -> None:
        super().__init__(base_url=url, timeout=60, verify=False)

    def set_cookie(self, name: str, value: str) -> None:
        """Set a cookie in place of the one that the server has set."""
        self.cookies.set(name, value, domain="127.0.0.1", path="/ui")

    def csrf(self, path: str) -> str:
        """Return the hidden field of the forms of a page."""
        found = FIELD.search(self.get(path).text)
        assert found, path
        return found[1]

    def submit(self, page: str, path: str, **fields: Any) -> httpx.Response:
        """Send a form of a page."""
        return self.post(path, data={"csrf": self.csrf(page), **fields})

    def sign_in(self, name: str, password: str) -> httpx.Response:
        return self.submit("/ui/sign-in", "/ui/sign-in", name=name, password=password)

    def account(self) -> str | None:
        """Return the name of the account that is signed in."""
        response = self.get("/ui")
        if response.status_code == 303:
            assert response.headers["location"] == "/ui/sign-in"
            return None
        found = re.search(r'<span class="name[^"]*">(.*?)</span>', response.text)
        assert found
        return found[1]


def error_of(response: httpx.Response) -> str:
    """Return the error message of a page."""
    found = ERROR.search(response.text)
    assert found, response.text
    return unescape(found[1])


def add_account(server: LiveServer, name: str, role: Literal["member", "admin"] = "member") -> str:
    """Make an account with `PASSWORD`; return its name, which no other test has."""
    name, hashed = server.unused(name), cheap_hash(PASSWORD)
    server.as_admin(
        lambda admin: admin.store.accounts.add(
            name, role, email=None, password_hash=hashed, now=time.time_ns() // 10**6
        )
    )
    return name


class Person:
    """An account with a signed-in browser that has no scripts, and a client."""

    def __init__(
        self, server: LiveServer, name: str, role: Literal["member", "admin"] = "member"
    ) -> None:
        self.name = add_account(server, name, role)
        self.browser = Browser(server.url)
        assert self.browser.sign_in(self.name, PASSWORD).status_code == 303
        scopes = ["jobs:read", "jobs:write", "devices:read"]
        page = self.browser.submit("/ui", "/ui/tokens", project=self.name, scope=scopes)
        self.token = TOKEN.findall(page.text)[0]
        self.client: Client = qwicket.connect(server.url, self.token)

    def __enter__(self) -> Person:
        return self

    def __exit__(self, *exc: object) -> None:
        self.browser.close()
        self.client.close()

    def submit(self, program: Any = BELL, device: str = "simulator", **options: Any) -> Job:
        job = self.client.submit(program, device, **{"shots": 100, **options})
        job.result(timeout=60)
        return job

    def change(self, path: str, **fields: Any) -> httpx.Response:
        return self.browser.submit("/ui/jobs", path, **fields)

    def rows(self, query: str = "") -> list[str]:
        """Return the ids of the jobs of a list."""
        return re.findall(r'name="job" value="(.*?)"', self.browser.get(f"/ui/jobs?{query}").text)


def use_session(page: Page, server: LiveServer, person: Person) -> None:
    """Give a real browser the session of a person."""
    page.call(
        "Network.setCookie",
        name="qwicket_session",
        value=person.browser.cookies["qwicket_session"],
        url=f"{server.url}/ui",
        path="/ui",
        httpOnly=True,
        sameSite="Lax",
    )


def page_size(person: Person, path: str) -> int:
    """Return the bytes of a page without a cache, as a browser receives them."""
    response = person.browser.get(path)
    assert response.status_code == 200, path
    return size_with_files(person, response)


def size_with_files(person: Person, response: httpx.Response) -> int:
    """Return the bytes of a page with its style sheet and scripts, as a browser receives them."""
    size = response.num_bytes_downloaded
    for each in re.findall(r'(?:src|href)="(/ui/(?:scripts/[^"]*|style.css))"', response.text):
        with person.browser.stream("GET", each) as file:
            size += sum(map(len, file.iter_raw()))
    return size


def editor_fields(page: str) -> dict[str, str]:
    """Return the fields of the editor."""
    found = dict(re.findall(r'name="(shots|seed)"[^>]*value="(.*?)"', page))
    (found["program"],) = re.findall(r"<textarea.*?>\n(.*?)</textarea>", page, re.DOTALL)
    for name in ("device", "format", "output"):
        choice = page.partition(f' name="{name}">')[2].partition("</select>")[0]
        chosen = re.findall(r'<option(?: value="([^"]*)")? selected>(.*?)</option>', choice)
        found[name] = "".join(value or text for value, text in chosen)
    return {name: unescape(value) for name, value in found.items()}
