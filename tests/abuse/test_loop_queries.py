"""No query, path or header keeps the event loop."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from abuse.every_route import SUBMISSIONS
from support import raw
from support.event_loop import MEASURED, assert_loop_stays_free
from support.pairwise import by_row, pairs
from support.server import LiveServer

pytestmark = pytest.mark.extended

AT = (
    *(f"{prefix}/jobs" for prefix in SUBMISSIONS),
    *("/ibm/api/Network", "/qlued/api/v2/singlequdit/get_job_status", "/nowhere"),
    *("/braket/device/x", "/s3/some-bucket?X-Amz-Signature=x", "/sts/"),
    *("/ui/sign-in", "/ui/jobs", "/ui/admin/activity"),
)
QUERIES = {
    "parameters": "a&" * 31_000,
    "parameters with values": "&a=b" * 15_000,
    "parameters with escapes": "a=%41+&" * 9_000,
    "escapes": "filter=" + "%41" * 21_000,
    "too many parameters": "a&" * 2_048,
    "too many escapes": "%41" * 8_193,
}
ALLOWED = {
    "parameters": "&".join(["id=" + "%41" * 4] * 2_047),
    "escapes": "a=" + "%41" * 8_192,
}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    live = LiveServer(tmp_path_factory.mktemp("queries"), "--access-log", **MEASURED)
    with live.client() as client:
        for at in AT:
            client.get(at)
    yield live
    assert live.stop() == 0
    live.assert_calm()


def get(live: LiveServer, target: str, *lines: str) -> httpx.Response:
    with raw.connect(live.url) as connection:
        connection.sendall(raw.head(f"GET {target}", *lines))
        return raw.answer(connection)


@pytest.mark.parametrize(("query", "places"), by_row(pairs(QUERIES, AT)))
def test_no_query_keeps_the_loop(live: LiveServer, query: str, places: list[str]) -> None:
    def send() -> None:
        for at in places:
            answer = get(live, f"{at}{'&' if '?' in at else '?'}{QUERIES[query]}")
            assert answer.status_code == (406 if at.startswith("/qlued") else 400)
            assert "are allowed" in answer.text

    assert_loop_stays_free(live, send)


@pytest.mark.parametrize("query", ALLOWED)
def test_a_query_within_the_bounds_is_parsed_in_time(live: LiveServer, query: str) -> None:
    def send() -> None:
        for at in AT:
            answer = get(live, f"{at}{'&' if '?' in at else '?'}{ALLOWED[query]}")
            assert answer.status_code < 500, at
            assert "at most 2048" not in answer.text
            assert "at most 8192" not in answer.text

    assert_loop_stays_free(live, send)


def test_no_path_keeps_the_loop(live: LiveServer) -> None:
    def send() -> None:
        for path in ("/", "/v1/jobs/", "/ui/jobs/", "/ibm/api/", "/s3/some-bucket/"):
            answer = get(live, path + "%41" * 21_000)
            assert answer.status_code == 400
            assert "21000 escapes such as %20; at most 8192" in answer.text
            assert "escapes" not in get(live, path + "%41" * 8_192).text

    assert_loop_stays_free(live, send)


FORMS = ("a=b&" * 15_000, "json=" + "%41" * 21_000, "&" * 60_000)
FORM_AT = (
    *("/ui/sign-in", "/qlued/api/v2/singlequdit/post_job", "/sts/"),
    "/auth/realms/platform/protocol/openid-connect/token",
)


@pytest.mark.parametrize("path", FORM_AT)
def test_no_small_form_keeps_the_loop(live: LiveServer, path: str) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    def send() -> None:
        for form in FORMS:
            answer = httpx.post(live.url + path, content=form, headers=headers, timeout=60)
            assert 400 <= answer.status_code < 500

    assert_loop_stays_free(live, send)


@pytest.mark.parametrize(
    ("path", "line", "status"),
    [
        ("/ui/sign-in", "Cookie: a=b" + ";" * 128_000, 400),
        ("/docs", "If-None-Match: *" + "," * 128_000, 200),
    ],
    ids=["cookies", "tags"],
)
def test_no_list_in_a_header_keeps_the_loop(
    live: LiveServer, path: str, line: str, status: int
) -> None:
    def send() -> None:
        answer = get(live, path, line)
        assert answer.status_code == status, answer.text[:300]
        assert ("Cookie has 128003 characters" in answer.text) == (status == 400)

    assert_loop_stays_free(live, send)


@pytest.mark.parametrize("lines", [1, 100])
def test_no_preference_keeps_the_loop(live: LiveServer, lines: int) -> None:
    with live.client() as client:
        headers = {"Authorization": f"Bearer {live.token()}"}
        body = {"device": "nowhere", "program": "OPENQASM 3.0;"}
        prefer = [("Prefer", "," * (128_000 // lines - 40))] * lines

        def send() -> None:
            answer = client.post("/v1/jobs", json=body, headers=[*headers.items(), *prefer])
            assert answer.status_code == 404, answer.text[:300]

        assert_loop_stays_free(live, send)
