"""The pages under `/docs` need no token: they reveal no data, and accept none."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Generator
from typing import Any, cast

import httpx
import pytest
from starlette.types import Scope

from abuse.dialects import NATIVE, docs_files, docs_html, harmless
from abuse.fixtures import Tokens
from qwicket.dialects import mounts
from qwicket.dialects.requests import PUBLIC_URL, RESPONSE_MEMORY
from qwicket.server.docs import HEADERS, docs
from support.for_each import for_each
from support.pairwise import pairs
from support.response_memory import response_memory

URL = "http://gate.example"


def test_a_page_minds_no_token_good_or_bad(
    subtests: pytest.Subtests, client: httpx.Client, tokens: Tokens
) -> None:
    for path, wrong in pairs(tuple(docs_files()), ["good", "revoked", "expired", "disabled"]):
        with subtests.test(f"{path}-{wrong}"):
            token = getattr(tokens, wrong)
            url = str(client.base_url).rstrip("/")
            response = client.get(f"{path}?token={token}", headers=NATIVE.auth(token))
            assert response.status_code == 200
            assert response.content == docs_files()[path].at(url).content
            assert token not in f"{response.text}{response.headers}"


@for_each("path", ["/docs", "/docs/errors/not_found", "/docs/nothing"])
@for_each(
    "name, value",
    [
        ("If-None-Match", ",".join(['"x"'] * 10_000)),
        ("If-None-Match", '"' * 5_000),
        ("If-Modified-Since", "yesterday"),
        ("Range", "bytes=0-0,1-1,2-2"),
        ("Accept", "text/html;q=9" * 500),
        ("Accept-Language", "<script>"),
        ("Host", "evil.example.org"),
        ("X-Forwarded-Host", "evil.example.org"),
        ("Cookie", "a=b;" * 1_000),
    ],
)
def test_no_header_changes_a_page(client: httpx.Client, path: str, name: str, value: str) -> None:
    response = client.get(path, headers={name: value})
    assert response.status_code == (404 if path.endswith("nothing") else 200)
    assert response.text == client.get(path).text
    assert "evil" not in f"{response.text}{response.headers}"
    for header, policy in HEADERS.items():
        assert response.headers[header] == policy


@for_each(
    "tail",
    [
        *(
            "<script>alert(1)</script>",
            "%3Cscript%3E",
            "..%2f..%2f..%2fetc%2fpasswd",
            "%00",
            "%0d%0a",
        ),
        *(
            "x" * 8_000,
            "a/" * 3_000,
            "%2e%2e",
            "%2e%2e/%2e%2e/server.log",
            "style.css%00.html",
            "%c0%ae%c0%ae",
        ),
    ],
)
def test_no_path_gets_into_a_page_or_out_of_it(client: httpx.Client, tail: str) -> None:
    request = client.build_request("GET", "/docs/x")
    request.url = request.url.copy_with(raw_path=f"/docs/{tail}".encode())
    response = client.send(request)
    harmless_page(response)
    assert response.status_code == 404
    assert "There is no such page" in docs_html(response)
    assert not re.search(r"\bscript|alert|passwd|server\.log", response.text)
    assert len(response.content) < 4_000


def harmless_page(response: httpx.Response) -> None:
    """As `harmless`, of what is HTML on purpose."""
    harmless(httpx.Response(response.status_code, text=response.text.replace("<html", "")))


class Counted:
    """Work to await, and how often it waited."""

    def __init__(self, work: Awaitable[None]) -> None:
        self._work = work
        self.steps = 0

    def __await__(self) -> Generator[Any, None, None]:
        for step in self._work.__await__():
            self.steps += 1
            yield step


def test_a_page_costs_the_loop_next_to_nothing() -> None:
    """A page is bytes that are there: between request and answer the dialect waits for nothing.

    Only the very first request waits, until all pages are made.
    """
    dialect = docs(mounts(cast(Any, None)))["/docs"]

    async def ask() -> int:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        scope: Scope = {"type": "http", "method": "GET", "path": "/docs", "headers": []}
        scope.update({PUBLIC_URL: URL, RESPONSE_MEMORY: response_memory()})
        work = Counted(dialect(scope, cast(Any, None), send))
        await work
        assert sent[1]["body"] == docs_files()["/docs"].at(URL).content
        return work.steps

    async def ask_twice() -> list[int]:
        return [await ask(), await ask()]

    first, second = asyncio.run(ask_twice())
    assert first > 0
    assert second == 0
