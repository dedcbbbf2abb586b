"""The pages under `/docs`, as they are made."""

from __future__ import annotations

import ast
import asyncio
import posixpath
import re
from functools import cache
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import pytest

import qwicket
from qwicket.agents import Failed
from qwicket.dialects import descriptions, mounts, native
from qwicket.model import errors
from qwicket.model.failures import FAILURES
from qwicket.model.limits import Limits
from qwicket.server.docs import HEADERS, File, docs, files
from qwicket.server.docs.errors import table
from qwicket.server.docs.html import Html, prose, tag
from qwicket.server.router import Router

SOURCES = sorted(Path(qwicket.__file__).parent.rglob("*.py"))
EXTERNAL = {"/v1/openapi.json", "/ui", "/ui/help", "/readyz"}
"""What pages lead to beside each other."""


class Reader(HTMLParser):
    """What a page says, which elements it is made of, and where it leads."""

    def __init__(self, file: File) -> None:
        super().__init__()
        self.text = ""
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self._open: list[str] = []
        self.feed(file.content.decode())
        assert not self._open, "an element is not closed"

    def handle_starttag(self, name: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(name)
        for key, value in attrs:
            self.attributes.add(key)
            if key in ("href", "src", "action"):
                self.links.append(value or "")
            if key == "id":
                self.ids.append(value or "")
        if name not in ("meta", "link", "wbr", "br"):
            self._open.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self._open.pop() == name

    def handle_data(self, data: str) -> None:
        self.text += data


@cache
def made() -> dict[str, File]:
    """Return all files under `/docs`, by path."""
    return files(native.description(), descriptions(mounts(cast(Any, None))))


def pages() -> dict[str, File]:
    return {path: file for path, file in made().items() if file.media_type.startswith("text/html")}


@cache
def read() -> dict[str, Reader]:
    """Return what the pages say, by path."""
    return {path: Reader(file) for path, file in pages().items()}


def flat(text: str) -> str:
    return " ".join(text.replace("`", "").split())


# --- the table of codes ---------------------------------------------------------------------------


def every_kind() -> list[type[errors.QwicketError]]:
    kinds = [*errors.QwicketError.__subclasses__()]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return kinds


def test_every_refusal_is_in_the_table() -> None:
    for kind in every_kind():
        assert kind.code in table()
        for word in (kind.title, kind.cause, kind.remedy):
            assert word.endswith("."), kind
            assert len(word) > 10, kind


def test_every_end_of_a_job_says_what_it_means() -> None:
    for code, words in FAILURES.items():
        for word in words:
            assert word.endswith("."), code
            assert len(word) > 10, code


def codes_in_sources() -> set[str]:
    """Codes that are written out where a failure is made."""
    found = set()
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            place = {"Failure": 0, "CannotRun": 0, "Failed": 1}.get(name, len(node.args))
            told = node.args[place : place + 1]
            found |= {str(each.value) for each in told if isinstance(each, ast.Constant)}
    return found


def test_every_code_that_a_job_can_end_with_is_in_the_table() -> None:
    found = codes_in_sources()
    found.add(Failed("").code)
    assert {"unsupported", "run_time_exceeded", "worker_died", "bad_outcome"} <= found
    assert found <= FAILURES.keys() | table().keys()


def test_every_code_has_a_page_with_meaning_cause_and_remedy() -> None:
    for code in table().values():
        page = read()[f"/docs/errors/{code.name}"]
        for of in (code.refusal, code.failure):
            for word in (of.title, of.cause, of.remedy) if of is not None else ():
                assert flat(word) in flat(page.text), code.name
        assert code.name in read()["/docs/errors"].text
        assert flat(code.title) in flat(read()["/docs/errors"].text), code.name


# --- the API --------------------------------------------------------------------------------------


def test_every_route_scope_and_field_is_on_the_page() -> None:
    document, text = native.description(), read()["/docs"].text
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert f"{method.upper()}{path}" in text
            assert flat(operation["summary"]) in flat(text)
            assert flat(operation.get("description", "")) in flat(text)
            for parameter in operation["parameters"]:
                assert flat(parameter["description"]) in flat(text)
    for name, schema in document["components"]["schemas"].items():
        assert name in read()["/docs"].ids
        for field, of in schema.get("properties", {}).items():
            assert field in text
            assert flat(of["description"]) in flat(text)


def test_every_operation_has_an_address_of_its_own() -> None:
    ids = read()["/docs"].ids
    assert len(ids) == len(set(ids))
    operations = sum(len(methods) for methods in native.description()["paths"].values())
    assert len([each for each in ids if "-v1-" in each]) == operations


# --- all pages ------------------------------------------------------------------------------------


def test_every_link_leads_to_a_page_and_a_place_that_are_there() -> None:
    links = [(path, link) for path, page in read().items() for link in page.links]
    assert len(links) > 100
    for path, link in links:
        parts = urlsplit(link)
        assert not parts.scheme, (path, link)
        assert not parts.netloc, (path, link)
        assert not parts.path.startswith("/"), "a proxy may have put a prefix before it"
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), parts.path))
        target = path if not parts.path else target
        assert target in made() or target in EXTERNAL, (path, link)
        if parts.fragment:
            assert parts.fragment in read()[target].ids, (path, link)


def test_nothing_leads_or_is_loaded_from_outside() -> None:
    for path, file in made().items():
        text = file.content.decode()
        addresses = set(re.findall(r"(?:https?:)?//[\w.-]+", text))
        assert addresses <= {"http://127.0.0.1", "http://www.w3.org"}, (
            path
        )  # an example; SVG's name
        assert "@import" not in text, path
        assert "url(" not in text, path


def test_no_page_has_what_its_policy_would_refuse() -> None:
    assert "default-src 'none'" in HEADERS["Content-Security-Policy"]
    for path, page in read().items():
        assert not page.tags & {"script", "style", "iframe", "form", "img", "base"}, path
        assert "style" not in page.attributes, path
        assert not [name for name in page.attributes if name.startswith("on")], path


def test_every_page_has_a_title_a_heading_and_a_language() -> None:
    for path, page in pages().items():
        text = page.content.decode()
        assert text.startswith('<!doctype html>\n<html lang="en">'), path
        assert re.search(r"<title>[^<]+ · Qwicket</title>", text), path
        assert text.count("<h1>") == 1, path


def test_what_is_not_html_is_escaped() -> None:
    made = tag("p", "<script>", Html("<b>&amp;</b>"), prose("a `<i>` & b"), title='"<')
    assert made == (
        '<p title="&quot;&lt;">&lt;script&gt;<b>&amp;</b>a <code>&lt;i&gt;</code> &amp; b</p>'
    )


def test_the_assets_are_in_the_package() -> None:
    package = resources.files("qwicket")
    for path in ("server/docs/style.css", "pages/style.css", "pages/templates/icon.svg"):
        assert package.joinpath(path).is_file(), path


@pytest.mark.anyio
async def test_many_first_readers_wait_for_one_that_makes_the_pages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[int] = []

    def description() -> dict[str, Any]:
        made.append(1)
        return original()

    original = native.description
    monkeypatch.setattr(native, "description", description)
    app = docs(mounts(cast(Any, None)))["/docs"]
    router = Router({"/docs": app}, Limits())
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(router), base_url="http://localhost"
    ) as http:
        answers = await asyncio.gather(*(http.get("/docs/") for _ in range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8
    assert len({answer.headers["etag"] for answer in answers}) == 1
    assert len(made) == 1
