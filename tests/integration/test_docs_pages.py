"""`/docs` of a live server: over plain HTTP, and in a real browser."""

from __future__ import annotations

import html
import re
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from abuse.dialects import docs_files, docs_html
from qwicket.dialects import descriptions, mounts, native
from qwicket.model.states import JobState
from qwicket.server.docs import HEADERS, files
from support.axe import SCREENS, violations
from support.browser import Page, browser
from support.server import LiveServer

pytestmark = pytest.mark.extended

DIALECTS = descriptions(mounts(cast(Any, None)))
FILES = files(native.description(), DIALECTS)


@pytest.fixture(scope="module")
def web(server: LiveServer) -> Iterator[httpx.Client]:
    """A client that signs in nowhere."""
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


# --- over HTTP ------------------------------------------------------------------------------------


def test_every_page_is_answered_with_its_policy_and_a_tag(
    web: httpx.Client, server: LiveServer
) -> None:
    for path in docs_files():
        check_page(web, server, path)


def check_page(web: httpx.Client, server: LiveServer, path: str) -> None:
    response = web.get(path)
    assert response.status_code == 200, path
    assert response.content == FILES[path].at(server.url).content, path
    assert response.headers["content-type"] == FILES[path].media_type
    for name, value in HEADERS.items():
        assert response.headers[name] == value
    assert "set-cookie" not in response.headers
    again = web.get(path, headers={"If-None-Match": f'"x", W/{response.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == response.headers["etag"]
    head = web.head(path)
    assert head.status_code == 200
    assert head.headers["content-length"] == response.headers["content-length"]
    assert response.headers["content-encoding"] == "gzip"
    plain = web.get(path, headers={"Accept-Encoding": "identity"})
    assert (plain.content, "content-encoding" in plain.headers) == (response.content, False)
    assert plain.headers["etag"] != response.headers["etag"]
    style = web.get("/docs/style.css")
    assert response.num_bytes_downloaded + style.num_bytes_downloaded < 60_000, path


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/docs/x",
            "/docs/errors/",
            "/docs/errors/x",
            "/docs/errors/not_found/x",
            "/docs//errors",
        ),
        *("/docs/%2e%2e/v1/jobs", "/docs/errors/..%2f..%2fetc%2fpasswd"),
        *("/docs/html.py", "/docs/errors.py", "/docs/style.css/", "/docs/errors/%00", "/docs/%ff"),
    ],
)
def test_what_is_no_page_is_not_found_and_not_repeated(server: LiveServer, path: str) -> None:
    with httpx.Client() as client:
        request = client.build_request("GET", server.url)
        request.url = request.url.copy_with(raw_path=path.encode())
        response = client.send(request)
    assert response.status_code == 404
    assert "There is no such page" in docs_html(response)
    assert "passwd" not in response.text
    for name, value in HEADERS.items():
        assert response.headers[name] == value


def test_a_missing_page_leads_back_from_any_depth(web: httpx.Client) -> None:
    response = web.get("/docs/a/b/c")
    assert 'href="../../../docs/style.css"' in response.text
    assert web.get("/docs/a/b/../../../docs/style.css").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("GET", "/v1/jobs/none", None, 404),
        ("POST", "/v1/jobs", b"{", 400),
        ("POST", "/v1/jobs", b'{"device": "simulator", "program": "no program"}', 400),
        ("DELETE", "/v1/jobs", None, 405),
        ("GET", "/v1/nothing", None, 404),
        ("POST", "/v1/leases/x/finish", b"{}", 403),
    ],
)
def test_the_type_of_a_problem_leads_to_its_page(
    http: httpx.Client, method: str, path: str, content: bytes | None, status: int
) -> None:
    problem = http.request(method, path, content=content)
    assert problem.status_code == status
    page = httpx.get(problem.url.join(problem.json()["type"]))
    assert page.status_code == 200
    assert problem.json()["code"] in docs_html(page)
    assert problem.json()["remedy"].split("`")[0] in page.text.replace("<code>", "")


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("text/html,application/xhtml+xml", 303),
        ("application/json", 404),
        ("*/*", 404),
        (None, 404),
    ],
)
def test_browsers_alone_are_sent_from_the_root_to_the_pages(
    server: LiveServer, accept: str | None, status: int
) -> None:
    with httpx.Client() as client:
        client.headers = httpx.Headers({"Accept": accept} if accept else {})
        response = client.get(f"{server.url}/")
        without_body = client.head(f"{server.url}/")
    assert response.status_code == without_body.status_code == status
    if status == 303:
        assert response.headers["location"] == "ui"
        landed = httpx.get(response.url.join("ui"), follow_redirects=True)
        assert landed.status_code == 200
        assert "Sign in" in landed.text


def test_no_page_shows_a_regular_expression(web: httpx.Client) -> None:
    for path in docs_files():
        kinds = re.findall(r'<span class="kind">(.*?)</span>', web.get(path).text)
        assert [kind for kind in kinds if "^" in kind or "like" in kind] == [], path


def test_the_states_to_list_are_named(web: httpx.Client) -> None:
    kinds = re.findall(
        r"<code>state</code> <span[^>]*>(.*?)</span>.*?commas", web.get("/docs").text
    )
    assert len(kinds) == 2  # one's own jobs, and those of everybody
    (kind,) = set(kinds)
    text = re.sub(r"</?code>", "", kind)
    states = " ".join(JobState)
    assert text == f"query, text with one or more of {states}, separated by commas"


# --- in a browser ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        browser(Path(folder)) as opened,
    ):
        yield opened


SIZES = [*product((320, 390, 820, 1280), ("light", "dark"))]


@pytest.mark.parametrize(
    "path",
    [
        *("/docs", "/docs/errors", "/docs/errors/limit_exceeded", "/docs/a/b"),
        *(f"/docs/{name}" for name in DIALECTS),
    ],
)
def test_a_page_can_be_read_on_every_screen(server: LiveServer, page: Page, path: str) -> None:
    page.open(server.url + path, width=320)
    for width, scheme in SIZES:
        page.set_screen(width, scheme)
        assert page.run("document.scrollingElement.scrollWidth") <= width
        red, green, blue = page.run(
            "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
        )
        assert (min(red, green, blue) > 200) == (scheme == "light")
    # Entries are alike, and axe takes long for all of them.
    page.run("[...document.querySelectorAll('.entry')].slice(9).forEach(each => each.remove())")
    for width, scheme in SCREENS:
        page.set_screen(width, scheme)
        assert violations(page) == []
    missing = [each for each in page.complaints if "404" not in each or not path.endswith("a/b")]
    assert not missing
    assert {each for each in page.asked if not each.startswith(server.url)} == set()
    assert any(each.endswith("/docs/style.css") for each in page.asked)


def test_a_link_of_the_contents_leads_to_its_operation(server: LiveServer, page: Page) -> None:
    page.open(f"{server.url}/docs", width=1440)
    page.run("document.querySelector('.contents a[href=\"#post-v1-jobs\"]').click()")
    top = page.run("document.getElementById('post-v1-jobs').getBoundingClientRect().top")
    assert 0 <= top < 200  # not under the header that stays
    assert page.run("location.hash") == "#post-v1-jobs"
    assert "Idempotency-Key" in page.run("document.getElementById('post-v1-jobs').innerText")


def example(url: str, **options: Any) -> str:
    """Return the first commands that the page of the API shows."""
    text = httpx.get(f"{url}/docs", timeout=60, **options).text
    return html.unescape(text.partition("<pre")[2].partition("</pre>")[0])


def test_the_example_of_the_api_uses_the_servers_own_address(server: LiveServer) -> None:
    assert f" {server.url}/v1/jobs" in example(server.url)
    assert ":8000" not in httpx.get(f"{server.url}/docs").text


def test_the_example_of_the_api_uses_the_public_address(tmp_path: Path) -> None:
    live = LiveServer(tmp_path, "--public-url", "https://lab.example:18435/q")
    try:
        assert " https://lab.example:18435/q/v1/jobs" in example(live.url)
    finally:
        assert live.stop() == 0
