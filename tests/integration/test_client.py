"""Our own client against a live server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import qwicket
from qwicket.clients.native import ApiError, Client, JobFailed, WaitTimeout
from qwicket.gateway.recent import RECENT_S
from support.programs import BELL, slow
from support.server import LiveServer


@pytest.fixture
def client(server: LiveServer) -> Iterator[Client]:
    with qwicket.connect(server.url, server.token()) as client:
        yield client


def test_a_bell_pair_there_and_back(client: Client) -> None:
    job = client.submit(BELL, "simulator", shots=1000, seed=7, name="Bell", tags=["a"])
    result = job.result(timeout=60)
    assert (job.state, job.info["name"], job.info["tags"]) == ("completed", "Bell", ["a"])
    assert sum(result.counts.values()) == 1000
    assert set(result.counts) == {"00", "11"}
    assert result.parts[0].seed == 7
    assert result.parts[0].engine


def test_all_outputs_of_one_run_agree(client: Client) -> None:
    outputs = ("counts", "memory", "probabilities")
    result = client.submit(BELL, "simulator", shots=100, outputs=outputs).result(timeout=60)
    assert result.probabilities == pytest.approx({"00": 0.5, "11": 0.5})
    assert {key: result.memory.count(key) for key in result.counts} == result.counts


def test_the_same_seed_gives_the_same_memory(client: Client) -> None:
    runs = [
        client.submit(BELL, "simulator", shots=50, seed=5, outputs=["memory"]) for _ in range(2)
    ]
    first, second = (job.result(timeout=60).memory for job in runs)
    assert first == second


def test_a_job_is_found_again_by_its_id(client: Client, server: LiveServer) -> None:
    job = client.submit(BELL, "simulator")
    with qwicket.connect(server.url, server.token()) as other:
        found = other.job(job.id)
        assert found.result(timeout=60).counts == job.result(timeout=60).counts


def test_the_same_key_is_the_same_job(client: Client, server: LiveServer) -> None:
    first = client.submit(BELL, "simulator", key="run-1")
    with qwicket.connect(server.url, server.token()) as other:
        assert other.submit(BELL, "simulator", key="run-1").id == first.id
        with pytest.raises(ApiError, match="idempotency_key_reused"):
            other.submit(BELL, "simulator", shots=5, key="run-1")


def test_devices_are_listed(client: Client) -> None:
    assert "simulator" in [device["name"] for device in client.devices()]


@pytest.mark.parametrize(
    ("program", "device", "code"),
    [
        ("no JSON", "simulator", "invalid_program"),
        (BELL, "nowhere", "not_found"),
        ({**BELL, "qubits": 3000}, "simulator", "limit_exceeded"),
    ],
)
def test_a_refusal_says_what_and_why(client: Client, program: Any, device: str, code: str) -> None:
    with pytest.raises(ApiError) as caught:
        client.submit(program, device)
    assert caught.value.code == code
    assert caught.value.detail
    assert caught.value.remedy


@pytest.mark.parametrize("id_text", ["", "nothing", "../devices", "0198f3a0-0000-7000-8000-0000"])
def test_a_text_that_is_no_id_is_an_unknown_job(client: Client, id_text: str) -> None:
    with pytest.raises(ApiError) as caught:
        client.job(id_text)
    assert caught.value.status == 404


def test_the_job_of_another_is_an_unknown_job(client: Client, server: LiveServer) -> None:
    job = client.submit(BELL, "simulator")
    with (
        qwicket.connect(server.url, server.token("eve")) as other,
        pytest.raises(ApiError) as caught,
    ):
        other.job(job.id)
    assert caught.value.status == 404


def test_wait_returns_soon_after_the_end(client: Client) -> None:
    # A long poll: the answer comes with the end, and not with the next look at the job.
    job = client.submit(BELL, "simulator").wait(timeout=60)
    assert job.state == "completed"
    began = time.monotonic()
    client.submit(BELL, "simulator").wait(timeout=60)
    assert time.monotonic() - began < 5


def test_a_wait_that_is_over_leaves_the_job_running(client: Client) -> None:
    job = client.submit(slow(), "simulator")
    with pytest.raises(WaitTimeout, match=job.id):
        job.wait(timeout=0.2)
    assert not job.refresh().is_final
    assert job.cancel().wait(timeout=30).state == "cancelled"
    with pytest.raises(JobFailed, match=job.id):
        job.result()


def test_a_revoked_token_is_refused_and_not_quoted(server: LiveServer) -> None:
    server.admin("user", "add", "carol")
    token = server.admin("token", "create", "--user", "carol")
    with qwicket.connect(server.url, token) as client:
        client.devices()
        token_id = server.admin("token", "list", "--user", "carol").split()[0]
        server.admin("token", "revoke", token_id)
        time.sleep(RECENT_S)
        with pytest.raises(ApiError, match="unauthenticated") as caught:
            client.devices()
    assert token not in str(caught.value)


def test_several_threads_share_a_client(client: Client) -> None:
    counts: list[int] = []

    def work() -> None:
        result = client.submit(BELL, "simulator", shots=10).result(timeout=60)
        counts.append(sum(result.counts.values()))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert counts == [10] * 8


def test_a_wait_outlasts_a_killed_server(tmp_path: Path) -> None:
    server = LiveServer(tmp_path)
    with qwicket.connect(server.url, server.token()) as client:
        job = client.submit(slow(22, 200), "simulator")
        restart = threading.Thread(target=lambda: [step() for step in (server.kill, server.start)])
        restart.start()
        assert job.wait(timeout=120).state == "completed"
        restart.join()
    assert server.stop() == 0
