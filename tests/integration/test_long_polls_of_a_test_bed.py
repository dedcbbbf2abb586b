"""Long polls end on the clock of a test bed, and on the real one where that stands still."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from qwicket import testing
from qwicket.testing import Cloud
from support.waiting import until

ONE = {"qubits": 1, "circuit": [{"gate": "x", "target": 0}]}
WAIT_S = 25


@pytest.fixture(scope="module")
def bed() -> Iterator[Cloud]:
    with testing.server() as cloud:
        yield cloud


@pytest.fixture
def cloud(bed: Cloud) -> Cloud:
    bed.reset()
    return bed


@pytest.fixture
def job(cloud: Cloud) -> Iterator[str]:
    """Return the address of a queued job."""
    cloud.scenario("stay_queued")
    with cloud.client() as client:
        yield f"{cloud.url}/v1/jobs/{client.submit(ONE, 'simulator', shots=1).id}"


def poll(cloud: Cloud, address: str, wait_s: int) -> str:
    headers = {"Authorization": f"Bearer {cloud.token}"}
    answer = httpx.get(address, params={"wait": wait_s}, headers=headers, timeout=60)
    state: str = answer.json()["state"]
    return state


def seconds(cloud: Cloud) -> list[float]:
    return [each.seconds for each in cloud.requests(method="GET", path="/v1/jobs/*")]


def test_a_long_poll_ends_sooner_when_the_clock_runs_faster(cloud: Cloud, job: str) -> None:
    cloud.run_clock(1_000)
    assert poll(cloud, job, WAIT_S) == "queued"
    assert all(each < WAIT_S - 10 for each in seconds(cloud))


def test_a_long_poll_ends_when_the_clock_jumps(cloud: Cloud, job: str) -> None:
    cloud.freeze()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(poll, cloud, job, WAIT_S)
        until(lambda: len(seconds(cloud)) == 1, "the long poll waits")
        cloud.advance(WAIT_S + 1)
        assert waiting.result(WAIT_S - 10) == "queued"


def test_a_long_poll_ends_where_the_clock_stands_still(cloud: Cloud, job: str) -> None:
    cloud.freeze()
    assert poll(cloud, job, 1) == "queued"


def test_a_long_poll_shows_the_end_of_a_job(cloud: Cloud) -> None:
    with cloud.client() as client:
        assert client.submit(ONE, "simulator", shots=5).result(timeout=30).counts == {"1": 5}
    cloud.run_clock(1_000)
    cloud.scenario("stay_queued", seconds=1_000)
    with cloud.client() as client:
        job = client.submit(ONE, "simulator", shots=5)
        assert job.result(timeout=60).counts == {"1": 5}


def test_long_polls_count_as_reads_and_do_not_wait(cloud: Cloud) -> None:
    cloud.scenario("stay_queued", polls=3)
    with cloud.client() as client:
        assert client.submit(ONE, "simulator", shots=5).result(timeout=30).counts == {"1": 5}
    found = cloud.requests(method="GET", path="/v1/jobs/*-*")
    assert len([each for each in found if each.path.count("/") == 3]) >= 3
    assert max(each.seconds for each in found) < WAIT_S - 10
