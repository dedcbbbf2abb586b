"""The largest lists and results and the slowest filters leave the event loop free."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import pytest

from abuse.dialects import DIALECTS, Dialect
from abuse.test_untaken_answers import DIALECTS as LARGE_ANSWERS
from abuse.test_untaken_answers import Make
from support import ibm, runtime
from support.event_loop import MEASURED, assert_loop_stays_free
from support.server import LiveServer
from support.waiting import until
from support.xanadu import Caller, fetch_access_token

pytestmark = pytest.mark.extended

PAGE = 1_000
MAX_BYTES = 6_000_000
"""The most are 5.7 MB: a page has a hundred documents of 60 kB with long texts, which take 10 ms.
The pages and results have several times as much, and are written in chunks or in a thread."""
LONG = "n" * 255
TAGS = [f"{k:02}" + "t" * 253 for k in range(32)]
OBJECT = {f"{k:02}" + "k" * 200: "v" * 50 for k in range(32)}
KEYS = {f"key {k}": "v" * 80 for k in range(600)}
"""About 60 kB: the limit options_bytes, and of documents whose pages show a hundred."""


@pytest.fixture(scope="module")
def unharmed() -> None:
    """No shared server is in play."""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server on which each dialect has a page of the largest jobs, and everything was read."""
    live = LiveServer(
        tmp_path_factory.mktemp("answers"),
        *("--access-log", "--limit", "parse_time_s=120"),  # Qiskit is imported beside the jobs
        **MEASURED,
    )
    with httpx.Client(base_url=live.url, timeout=120) as http:
        _fill(http, live.token())
        for path, headers in lists(http, live.token()).values():
            http.get(path, headers=headers)
        until(lambda: not unfinished(http, live.token()), "all have run", timeout_s=150)
    yield live
    assert live.stop() == 0
    live.assert_calm()


def unfinished(http: httpx.Client, token: str) -> list[Any]:
    auth = {"Authorization": f"Bearer {token}"}
    listed = http.get("/v1/jobs?state=queued,running&limit=1", headers=auth)
    return list(listed.raise_for_status().json()["jobs"])


def _fill(http: httpx.Client, token: str) -> None:
    """Submit a page of jobs, each with the longest name, tags and documents of its dialect."""
    large: dict[str, dict[str, Any]] = {
        "/v1": {"name": LONG, "tags": TAGS},
        "/ionq/v0.4": {"name": LONG, "metadata": KEYS},
        "/v0.4": {"name": LONG, "metadata": KEYS},
        "/qbraid/api/v1": {"name": LONG, "tags": OBJECT},
        "/qbraid/api": {"tags": OBJECT},
    }

    def submit(asked: tuple[Dialect, dict[str, Any]]) -> None:
        dialect, fields = asked
        sent = http.post(dialect.jobs, content=dialect.text(**fields), headers=dialect.auth(token))
        assert sent.is_success, sent.text

    # A thousand of the native ones, whose pages are that long; others' pages have a hundred.
    asked = [
        (dialect, large[dialect.prefix])
        for dialect in DIALECTS
        for _ in range(PAGE if dialect.prefix == "/v1" else 100)
    ]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(submit, asked))
    of_ibm, of_runtime = ibm.Client(http, token), runtime.Client(http, token)
    for _ in range(50):
        of_ibm.submit(ibm.qobj())
        sent = of_runtime.call("POST", "/jobs", json=runtime.body(tags=["t" * 24] * 8))
        assert sent.status_code == 200, sent.text


def lists(http: httpx.Client, token: str) -> dict[str, tuple[str, dict[str, str]]]:
    """Return the path and the headers of each dialect's largest page."""
    access = {"X-Access-Token": ibm.Client(http, token).token}
    xanadu = {"Authorization": f"Bearer {fetch_access_token(http, token)}"}
    bearer = {"Authorization": f"Bearer {token}"}
    key = {"Authorization": f"apiKey {token}"}
    qbraid, former = {"X-API-Key": token}, {"api-key": token}
    return {
        "native": (f"/v1/jobs?limit={PAGE}", bearer),
        "native, by tag": (f"/v1/jobs?limit={PAGE}&tag={TAGS[-1]}", bearer),
        "native, by no tag that is there": (f"/v1/jobs?limit={PAGE}&tag=absent", bearer),
        "ionq": ("/ionq/v0.4/jobs?limit=100", key),
        "ionq 0.3": ("/ionq/v0.3/jobs?limit=100", key),
        "qbraid": ("/qbraid/api/v1/jobs?limit=100", qbraid),
        "qbraid, former": ("/qbraid/api/quantum-jobs?maxResults=100", former),
        "ibm": ('/ibm/api/jobs?filter={"limit":1000}', access),
        "ibm, summaries": ('/ibm/api/jobs/status?filter={"limit":1000}', access),
        "runtime": (f"{runtime.DIALECT}/jobs?limit=200", access),
        "xanadu": ("/jobs?size=1000", xanadu),
    }


LISTS = (
    *("native", "native, by tag", "native, by no tag that is there", "ionq", "ionq 0.3", "qbraid"),
    *("qbraid, former", "ibm", "ibm, summaries", "runtime", "xanadu"),
)


@pytest.mark.parametrize("name", LISTS)
def test_no_list_keeps_the_loop(live: LiveServer, name: str) -> None:
    with httpx.Client(base_url=live.url, timeout=120) as http:
        path, headers = lists(http, live.token())[name]

        def send() -> None:
            for _ in range(3):
                answer = http.get(path, headers=headers)
                assert answer.status_code == 200, answer.text[:300]

        assert_loop_stays_free(live, send, max_bytes=MAX_BYTES)


@pytest.mark.parametrize("make", LARGE_ANSWERS, ids=lambda make: make.__name__)
def test_no_result_keeps_the_loop(live: LiveServer, make: Make) -> None:
    with httpx.Client(base_url=live.url, timeout=120) as http:
        large = make(http, live.token())
        name, _, value = large.header.partition(": ")

        def send(encoding: str) -> None:
            answer = http.get(large.path, headers={name: value, "Accept-Encoding": encoding})
            assert answer.status_code == 200, answer.text[:300]
            assert len(answer.content) > 500_000
            if make.__name__ == "native":
                for suffix in ("?format=npz", ""):
                    part = large.path.replace("/result", "/parts/0") + suffix
                    assert http.get(part, headers={name: value}).status_code == 200

        for encoding in ("identity", "gzip, br, zstd"):
            assert_loop_stays_free(live, partial(send, encoding), max_bytes=MAX_BYTES)


_PATTERN = ".*".join("abcdefghijklmnopqrstuvwxyz" * 4) + "(a|b|c){1,100}"
FILTERS: dict[str, Any] = {
    "patterns": {"where": {"and": [{"name": {"regexp": "(a+)+$"}}] * 90}, "limit": PAGE},
    "long pattern": {"where": {"name": {"regexp": _PATTERN[:250]}}, "limit": PAGE},
    "counted pattern": {"where": {"name": {"regexp": "((((a{0,9}){0,9}){0,9})|x)*b"}}},
    "values": {"where": {"name": {"inq": ["x" * 255] * 99}}, "limit": PAGE},
    "nested": {"where": {"or": [{"and": [{"name": "x"}] * 10}] * 9}, "limit": PAGE},
    "texts": {"where": {"tags": {"regexp": ".*x.*y.*z$"}}, "limit": PAGE},
}


def test_no_filter_of_ibm_keeps_the_loop(live: LiveServer) -> None:
    with httpx.Client(base_url=live.url, timeout=120) as http:
        client = ibm.Client(http, live.token())
        client.call("GET", "/jobs", params={"filter": '{"limit":1}'})

        def send(sought: dict[str, Any]) -> None:
            for path in ("/jobs", "/jobs/status"):
                answer = client.call("GET", path, params={"filter": json.dumps(sought)})
                assert answer.status_code in (200, 400), answer.text[:300]

        for sought in FILTERS.values():
            assert_loop_stays_free(live, partial(send, sought))


def _of_mb(text: str, unit: str, end: str) -> bytes:
    return (text + unit * ((1_000_000 - len(text) - len(end)) // len(unit)) + end).encode()


SEARCHES: dict[str, Callable[[], bytes]] = {
    "a long $in": lambda: _of_mb('{"name":{"$in":[', "1,", "1]}}"),
    "a long $in of texts": lambda: _of_mb('{"name":{"$in":[', '"a",', '"b"]}}'),
    "as many values as are taken": lambda: json.dumps(
        {f"a{k}": {"$in": list(range(1_000))} for k in range(100)}
    ).encode(),
    "a long list": lambda: _of_mb('{"name":[', "1,", "1]}"),
    "a long text": lambda: _of_mb('{"name":"', "a", '"}'),
    "long names": lambda: _of_mb('{"', "a.", 'a":1}'),
    "many conditions": lambda: json.dumps({f"a{k}": 1 for k in range(9_999)}).encode(),
    "patterns": lambda: json.dumps(
        {"name": {"$regex": ".*".join("a" * 66)}} | {f"a{k}": {"$regex": "x"} for k in range(90)}
    ).encode(),
    "nested": lambda: b'{"a":' + b"[" * 60 + b"]" * 60 + b"}",
}


@pytest.mark.parametrize("path", ["/public/lab/get-devices", "/get-user-jobs"])
def test_no_search_of_qbraid_keeps_the_loop(live: LiveServer, path: str) -> None:
    headers = {"api-key": live.token(), "Content-Type": "application/json"}

    def send(content: bytes) -> None:
        with httpx.Client(base_url=live.url + "/qbraid/api", timeout=60) as http:
            answer = http.post(path, content=content, headers=headers)
            assert answer.status_code in (200, 400, 413), answer.text[:300]

    for search in SEARCHES.values():
        assert_loop_stays_free(live, partial(send, search()))


def test_no_error_that_quotes_keeps_the_loop(live: LiveServer) -> None:
    """Long values in each place of a submission, which refusals and the log quote."""
    value = json.dumps("\u202e\x1b" * 100_000).encode()
    with httpx.Client(base_url=live.url, timeout=60) as http:

        def send() -> None:
            for dialect in DIALECTS:
                auth = dialect.auth(live.token())
                for field in (*dialect.valid, "name", "tags", "unheard", "metadata"):
                    text = dialect.text(**{field: value})
                    assert http.post(dialect.jobs, content=text, headers=auth).status_code < 500
            Caller(http, live.token()).post("name " + "a" * 1_000_000)

        assert_loop_stays_free(live, send)
