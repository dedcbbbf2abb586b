"""Clients that close their side of a connection after their request, as `nc` and some proxies do.

The server cannot distinguish them from clients that have disconnected. So they receive their
responses, and disconnected clients do not occupy connections for long.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from support import raw
from support.agents import Lab, submit
from support.held import held_job
from support.pilots import offer
from support.processes import connections
from support.programs import BELL
from support.repetitions import databases
from support.server import LiveServer, server_on
from support.waiting import PROMPT_S, until

MAX_HALF_CLOSED = 3


@pytest.fixture(scope="module", params=databases("sqlite"))
def live(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("half-closed")
    with server_on(
        request.param, request, folder, "--limit", f"half_closed={MAX_HALF_CLOSED}"
    ) as live:
        yield live


@pytest.fixture
def http(live: LiveServer) -> Iterator[httpx.Client]:
    with live.client() as client:
        yield client


def ask(live: LiveServer, *requests: str, version: str = "1.1", rest: bytes = b"") -> socket.socket:
    """Ask for all of it, and close this side."""
    made = raw.connect(live.url)
    for request in requests:
        head = raw.head(request, f"Authorization: Bearer {live.token()}")
        made.sendall(head.replace(b"HTTP/1.1", b"HTTP/" + version.encode()))
    made.sendall(rest)
    made.shutdown(socket.SHUT_WR)
    return made


@pytest.fixture
def running(http: httpx.Client) -> Iterator[str]:
    """The id of a job that does not end by itself."""
    sent = http.post("/v1/jobs", json={"device": "simulator", "program": held_job().program})
    job = str(sent.json()["id"])
    until(lambda: http.get(f"/v1/jobs/{job}").json()["state"] == "running", "it runs")
    yield job
    http.post(f"/v1/jobs/{job}/cancel")


def n_open(live: LiveServer) -> int:
    return connections(live.process.pid, urlsplit(live.url).port or 0)


def settled(live: LiveServer) -> int:
    """Return how many connections are open once those of earlier tests are closed: our own."""
    until(lambda: n_open(live) == 1, "earlier connections were closed", timeout_s=PROMPT_S)
    return 1


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_it_gets_what_it_waits_for(
    live: LiveServer, http: httpx.Client, version: str, running: str
) -> None:
    with ask(live, f"GET /v1/jobs/{running}?wait=60", version=version) as asked:
        http.post(f"/v1/jobs/{running}/cancel")
        answer = raw.answer(asked)
        assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
        assert raw.is_ended(asked)


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs/{job}", "/v1/jobs/{job}/result"])
def test_it_gets_what_is_read(live: LiveServer, http: httpx.Client, path: str) -> None:
    job = http.post("/v1/jobs", json={"device": "simulator", "program": BELL}).json()["id"]
    path = path.format(job=job)
    assert http.get(f"/v1/jobs/{job}?wait=60").json()["state"] == "completed"
    with ask(live, f"GET {path}") as asked:
        assert raw.answer(asked).json() == http.get(path).json()
        assert raw.is_ended(asked)


def test_it_gets_all_of_an_answer_that_no_kernel_takes_whole(
    live: LiveServer, http: httpx.Client
) -> None:
    body = {"device": "simulator", "program": BELL, "shots": 1_000_000, "outputs": ["memory"]}
    job = http.post("/v1/jobs", json=body).json()["id"]
    assert http.get(f"/v1/jobs/{job}?wait=60").json()["state"] == "completed"
    with ask(live, f"GET /v1/jobs/{job}/result") as asked:
        assert raw.answer(asked).content == http.get(f"/v1/jobs/{job}/result").content
        assert raw.is_ended(asked)


def test_its_job_is_submitted_and_it_receives_the_response(
    live: LiveServer, http: httpx.Client
) -> None:
    body = json.dumps({"device": "simulator", "program": BELL}).encode()
    head = raw.head(
        "POST /v1/jobs", f"Authorization: Bearer {live.token()}", f"Content-Length: {len(body)}"
    )
    with ask(live, rest=head + body) as asked:
        answer = raw.answer(asked)
        assert answer.status_code == 201
        assert http.get(f"/v1/jobs/{answer.json()['id']}").status_code == 200
        assert raw.is_ended(asked)


@pytest.mark.parametrize("rest", [b"", b"GET /livez HTTP/1.1\r\nHost: x\r\n", b"unfinished"])
def test_nothing_that_it_asked_for_in_a_row_is_lost(
    live: LiveServer, running: str, rest: bytes
) -> None:
    if rest == b"unfinished":
        auth = f"Authorization: Bearer {live.token()}"
        rest = raw.head("POST /v1/jobs", auth, "Content-Length: 1000") + b"{"
    asked = ask(
        live, f"GET /v1/jobs/{running}?wait=1", "GET /livez", "GET /v1/jobs?wait=1", rest=rest
    )
    with asked:
        assert raw.answer(asked).json()["id"] == running
        assert raw.answer(asked).status_code == 200
        assert raw.answer(asked).status_code == 400  # a list waits for nothing
        assert raw.is_ended(asked)


def test_a_stream_of_events_ends_because_its_reader_may_be_gone(
    live: LiveServer, running: str
) -> None:
    with ask(live, f"GET /v1/jobs/{running}/stream") as asked:
        text = b""
        while piece := asked.recv(65_536):
            text += piece
        assert text.endswith(b"\r\n0\r\n\r\n"), "it ended well: no chunk is missing"


def test_an_agent_that_closed_its_side_is_given_no_job(live: LiveServer, tmp_path: Path) -> None:
    with Lab(live, tmp_path / "lab") as lab:
        asked_for = {"offer": offer(request=1, devices=[lab.device]), "settled": 0}
        body = json.dumps(asked_for).encode()
        head = raw.head(
            "POST /v1/pilots/onethatleft/pull?wait=60",
            f"Authorization: Bearer {lab.token}",
            f"Content-Length: {len(body)}",
        )
        with ask(live, rest=head + body) as asked, live.client() as client:
            answer = raw.answer(asked)
            assert (answer.status_code, answer.json()["tasks"]) == (200, [])
            job = submit(client)
            assert client.get(f"/v1/jobs/{job}").json()["state"] == "queued"


def test_those_that_are_gone_keep_no_more_than_a_few_places_and_none_for_long(
    live: LiveServer, http: httpx.Client, running: str
) -> None:
    before = settled(live)
    for _ in range(20):
        ask(live, f"GET /v1/jobs/{running}?wait=60").close()
    with ask(live, f"GET /v1/jobs/{running}?wait=60") as asked:
        until(
            lambda: n_open(live) == before + MAX_HALF_CLOSED,
            "those that waited longest were given up",
            timeout_s=PROMPT_S,
        )
        http.post(f"/v1/jobs/{running}/cancel")
        assert raw.answer(asked).json()["state"] in ("cancelling", "cancelled")
    until(lambda: n_open(live) == before, "all places were given back", timeout_s=PROMPT_S)
