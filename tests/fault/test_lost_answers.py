"""Responses lost between commit and client: the repeated submission finds the stored job."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator

import httpx
import pytest

from support.cutting_proxy import Cut, CuttingProxy
from support.ledger import ledger
from support.programs import BELL
from support.repetitions import databases, runs
from support.server import LiveServer, server_on

pytestmark = pytest.mark.promise

LOSSES = runs(10, long=200)
BODY = {"program": BELL, "device": "simulator", "shots": 10}


@pytest.fixture(scope="module", params=databases("sqlite"))
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    with server_on(request.param, request, tmp_path_factory.mktemp("server")) as live:
        yield live


@pytest.fixture
def proxy(server: LiveServer) -> Iterator[CuttingProxy]:
    with CuttingProxy(server.url) as made:
        yield made


@pytest.fixture
def earlier(server: LiveServer) -> set[str]:
    """The jobs of earlier tests."""
    with ledger(server) as books:
        return {job for (job,) in books.rows("select id from job")}


def lose(server: LiveServer, proxy: CuttingProxy, key: str) -> None:
    """Submit through the proxy, which must lose the answer."""
    headers = {"Authorization": f"Bearer {server.token()}", "Idempotency-Key": key}
    with pytest.raises(httpx.TransportError):
        httpx.post(f"{proxy.url}/v1/jobs", json=BODY, headers=headers, timeout=30, trust_env=False)


def repeat(client: httpx.Client, key: str) -> str:
    answer = client.post("/v1/jobs", json=BODY, headers={"Idempotency-Key": key})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_a_retry_after_an_answer_cut_at_any_byte_gets_the_same_job(
    server: LiveServer, proxy: CuttingProxy, earlier: set[str]
) -> None:
    rng = random.Random(11)
    with server.client() as client, ledger(server) as books:
        length = len(client.post("/v1/jobs", json=BODY).content)
        jobs = []
        for _ in range(LOSSES):
            key = str(uuid.uuid4())
            # Short of the last bytes: a client that has the whole body need not notice the reset.
            proxy.plan(Cut("answer", rng.randrange(1, length)))
            lose(server, proxy, key)
            jobs.append(repeat(client, key))
            lost = json.loads(proxy.answers[-1].partition(b"\r\n\r\n")[2])
            assert lost["id"] == jobs[-1]
        assert len(set(jobs)) == LOSSES
        books.await_end()
        books.assert_all_completed_uncounted(set(jobs))
        assert books.number("select count(*) from job") == len(earlier) + LOSSES + 1


def test_a_retry_beside_a_submit_whose_client_is_gone_makes_no_second_job(
    server: LiveServer, proxy: CuttingProxy, earlier: set[str]
) -> None:
    with server.client() as client, ledger(server) as books:
        proxy.plan(Cut("request", 1.0, is_lasting=True))
        jobs = set()
        for _ in range(LOSSES):
            key = str(uuid.uuid4())
            lose(server, proxy, key)
            jobs.add(repeat(client, key))
        assert len(jobs) == LOSSES
        books.await_end()
        books.assert_all_completed_uncounted(jobs)
        assert {job for (job,) in books.rows("select id from job")} == jobs | earlier
