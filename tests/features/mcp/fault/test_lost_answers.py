"""Answers that never reach an assistant: the repeated submission finds the stored job."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support.cutting_proxy import Cut, CuttingProxy, TimingOutProxy
from support.ledger import ledger
from support.programs import BELL
from support.repetitions import databases, runs
from support.server import LiveServer, server_on

pytestmark = pytest.mark.promise

LOSSES = runs(10, long=200)


@pytest.fixture(scope="module", params=databases("sqlite"))
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    with server_on(request.param, request, tmp_path_factory.mktemp("server")) as live:
        yield live


def call(url: str, token: str, key: str) -> httpx.Response:
    arguments = {"device": "simulator", "program": BELL, "shots": 10, "idempotency_key": key}
    params = {"name": "submit_job", "arguments": arguments}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.post(f"{url}/mcp", json=message, headers=headers, timeout=30, trust_env=False)


def job(response: httpx.Response) -> str:
    result: dict[str, Any] = response.json()["result"]
    assert not result["isError"], result
    return str(result["structuredContent"]["id"])


def assert_one_job_each(server: LiveServer, jobs: set[str]) -> None:
    with ledger(server) as books:
        books.await_end()
        books.assert_all_completed_uncounted(jobs)
        assert {each for (each,) in books.rows("select id from job")} == jobs


def test_a_call_that_is_repeated_after_a_lost_answer_is_the_same_job(server: LiveServer) -> None:
    """The connection ends at any byte of the answer, or as soon as the request was sent."""
    rng, token = random.Random(11), server.token()
    jobs = {job(call(server.url, token, "first"))}
    with CuttingProxy(server.url) as proxy:
        for number in range(LOSSES):
            key = str(uuid.uuid4())
            # Short of the last bytes: a client that has the whole body need not notice the reset.
            is_early = number % 2 == 1
            proxy.plan(Cut("request", 1.0) if is_early else Cut("answer", rng.randrange(1, 500)))
            with pytest.raises(httpx.TransportError):
                call(proxy.url, token, key)
            jobs.add(job(call(server.url, token, key)))
            if not is_early:
                lost = json.loads(proxy.answers[-1].partition(b"\r\n\r\n")[2])
                assert lost["result"]["structuredContent"]["id"] in jobs
    assert len(jobs) == LOSSES + 1
    assert_one_job_each(server, jobs)


def test_a_call_whose_answer_a_proxy_replaced_is_one_job(server: LiveServer) -> None:
    token = server.token()
    with ledger(server) as books:
        jobs = {each for (each,) in books.rows("select id from job")}
    earlier = len(jobs)
    with TimingOutProxy(server.url) as proxy:
        for _ in range(LOSSES):
            key = str(uuid.uuid4())
            proxy.plan(Cut("answer", 0))
            assert call(proxy.url, token, key).status_code == 504
            jobs.add(job(call(proxy.url, token, key)))
    assert len(jobs) == LOSSES + earlier
    assert_one_job_each(server, jobs)
