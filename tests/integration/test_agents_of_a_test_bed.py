"""A lab's agent at a test bed: its token, and leases that follow the test bed's clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from qwicket import testing
from qwicket.testing import Cloud
from support.agents import BELL_QASM, LiveAgent, ended, submit
from support.lab_machine import entries
from support.pilots import RawAgent, states
from support.waiting import until

DEVICE = "mylab"
LEASE_S = 45
"""The lease time of servers without `--lease-s`, and so of test beds."""
SPEC = {
    "family": "qubit",
    "spec": {
        "description": "A machine on a bench",
        "qubits": 8,
        "formats": ["openqasm3"],
        "outputs": ["counts", "memory"],
        "shot_s": 0.001,
    },
}


@pytest.fixture(scope="module")
def bed() -> Iterator[Cloud]:
    server = testing.server()
    with server as cloud:
        yield cloud
    for sign in ("Traceback", "ERROR", "never retrieved"):
        assert sign not in server.log, server.log


@pytest.fixture
def cloud(bed: Cloud) -> Cloud:
    bed.reset()
    return bed


@pytest.fixture
def http(cloud: Cloud) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {cloud.token}"}
    with httpx.Client(base_url=cloud.url, headers=headers, timeout=70) as client:
        yield client


class PlainAgent(RawAgent):
    """An agent that announces its device, and renews only when it is told to."""

    def __init__(self, cloud: Cloud, name: str = "plainagent") -> None:
        http = httpx.Client(
            base_url=cloud.url,
            headers={"Authorization": f"Bearer {cloud.agent_token(DEVICE)}"},
            timeout=30,
        )
        super().__init__(http, DEVICE, name)
        announced = self.http.put(f"/v1/agent/devices/{DEVICE}", json=SPEC)
        assert announced.is_success, announced.text


@pytest.fixture
def agent(cloud: Cloud) -> Iterator[PlainAgent]:
    made = PlainAgent(cloud)
    yield made
    made.http.close()


class Bench:
    """The folder and environment of `qwicket agent` at a test bed."""

    device = DEVICE

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self.folder = folder
        self._variables = {
            "QWICKET_URL": cloud.url,
            "QWICKET_TOKEN": cloud.agent_token(DEVICE),
            "LAB_LOG": str(folder / "lab.log"),
        }

    def environment(self) -> dict[str, str]:
        return self._variables


def state(http: httpx.Client, job: str) -> str:
    return str(http.get(f"/v1/jobs/{job}").json()["state"])


def leased(agent: PlainAgent, http: httpx.Client) -> tuple[str, dict[str, Any]]:
    """Submit a job that the agent claims; return its id and lease."""
    job = submit(http, device=DEVICE)
    lease = agent.claim()
    assert lease is not None
    assert lease["id"] == job
    assert state(http, job) == "running"
    return job, lease


def agents(http: httpx.Client) -> int:
    return int(http.get(f"/v1/devices/{DEVICE}").json()["agents"])


# --- the token ------------------------------------------------------------------------------------


def test_an_unmodified_agent_serves_a_device_of_a_test_bed(
    cloud: Cloud, http: httpx.Client, agent: PlainAgent, tmp_path: Path
) -> None:
    job = submit(http, device=DEVICE)
    live = LiveAgent(Bench(cloud, tmp_path), 0, "run")
    try:
        assert ended(http, job) == "completed"
        (part,) = http.get(f"/v1/jobs/{job}/result").json()["parts"]
        assert (part["counts"], part["engine"]) == ({"00": 20}, DEVICE)
        cloud.assert_no_warnings()
        assert live.stop() == 0
    finally:
        live.kill()


def test_the_token_serves_its_devices_and_nothing_else(cloud: Cloud) -> None:
    token = cloud.agent_token(DEVICE, "other")
    with httpx.Client(base_url=cloud.url, headers={"Authorization": f"Bearer {token}"}) as http:
        for name in (DEVICE, "other"):
            assert http.put(f"/v1/agent/devices/{name}", json=SPEC).is_success
        assert http.put("/v1/agent/devices/third", json=SPEC).status_code == 403
        assert http.get("/v1/jobs").status_code == 403
        body = {"device": DEVICE, "program": BELL_QASM}
        assert http.post("/v1/jobs", json=body).status_code == 403


def test_a_token_for_no_device_or_an_invalid_one_is_refused(cloud: Cloud) -> None:
    for devices in ((), ("no/name",)):
        with pytest.raises(testing.TestBedError):
            cloud.agent_token(*devices)


def test_the_token_is_in_no_journal(cloud: Cloud, http: httpx.Client) -> None:
    token = cloud.agent_token(DEVICE)
    http.put(f"/v1/agent/devices/{DEVICE}", json={"name": token})
    http.get(f"/v1/jobs?cursor={token}", headers={"Authorization": f"Bearer {token}"})
    journal = cloud.journal()
    assert len(journal.exchanges) == 2
    assert token not in repr(journal)


def test_a_fault_is_for_an_agent_by_its_account(cloud: Cloud) -> None:
    for account, status in (("lab", 503), ("tester", 200)):
        cloud.fault("status", status=503, account="lab")
        token = cloud.agent_token(DEVICE, account="lab") if account == "lab" else cloud.token
        answer = httpx.get(f"{cloud.url}/v1/devices", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == status
        cloud.clear()


def test_a_reset_removes_the_token_the_agent_and_its_device(
    cloud: Cloud, http: httpx.Client, agent: PlainAgent
) -> None:
    leased(agent, http)
    assert agents(http) == 1
    cloud.reset()
    assert agent.http.put(f"/v1/agent/devices/{DEVICE}", json=SPEC).status_code == 401
    assert http.get(f"/v1/devices/{DEVICE}").status_code == 404
    PlainAgent(cloud, "nextagent").http.close()
    assert agents(http) == 0


def test_a_reset_ends_an_agent_that_waits(
    cloud: Cloud, http: httpx.Client, agent: PlainAgent, tmp_path: Path
) -> None:
    live = LiveAgent(Bench(cloud, tmp_path), 0, "run")
    try:
        until(lambda: agents(http) == 1, "the agent waits for a job", timeout_s=30)
        cloud.reset()
        assert live.process.wait(30) != 0
        assert "token" in live.log_text().lower()
        PlainAgent(cloud, "nextagent").http.close()
        assert agents(http) == 0
    finally:
        live.kill()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("fail", {}),
        ("cancel", {}),
        ("slow", {"seconds": 1}),
        ("counts", {"counts": {"0": 1}}),
        ("partial", {"parts": [0]}),
    ],
)
def test_a_scenario_that_an_agent_would_not_follow_is_refused(
    kind: Any, options: Any, cloud: Cloud, http: httpx.Client, agent: PlainAgent
) -> None:
    """Only jobs that the test bed itself runs can end as a scenario says."""
    cloud.scenario(kind, **options)
    refused = http.post("/v1/jobs", json={"device": DEVICE, "program": BELL_QASM})
    assert refused.status_code == 400
    assert DEVICE in refused.json()["detail"]


def test_faults_and_waiting_are_for_agents_too(
    cloud: Cloud, http: httpx.Client, agent: PlainAgent
) -> None:
    cloud.freeze()
    cloud.scenario("stay_queued", seconds=60)
    cloud.fault("lost_answer", path="*/pull", skip=1, times=1)
    job = submit(http, device=DEVICE)
    assert agent.claim(wait=0) is None
    cloud.advance(60)
    with pytest.raises(httpx.TransportError):
        agent.claim()
    assert state(http, job) == "running"
    lease = agent.claim()
    assert lease is not None
    assert (lease["id"], lease["fence"]) == (job, 2)


# --- leases ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [LEASE_S, 3600])
def test_a_lease_is_lost_at_once_when_the_clock_jumps(
    seconds: float, cloud: Cloud, http: httpx.Client, agent: PlainAgent
) -> None:
    job, lease = leased(agent, http)
    cloud.freeze()
    cloud.advance(seconds)
    assert state(http, job) == "queued"
    assert states(agent.fail(lease)) == [None]
    assert agent.renew(lease) == "lost"
    again = agent.claim()
    assert again is not None
    assert (again["id"], again["fence"] > lease["fence"]) == (job, True)
    assert again["nonce"] != lease["nonce"]
    assert agent.fail(again).is_success
    assert state(http, job) == "failed"


def test_a_lease_is_lost_when_the_clock_is_set_later(
    cloud: Cloud, http: httpx.Client, agent: PlainAgent
) -> None:
    job, _ = leased(agent, http)
    cloud.freeze(datetime(2031, 5, 1, tzinfo=UTC))
    assert state(http, job) == "queued"


def test_a_lease_outlives_shorter_jumps_while_its_agent_renews(
    cloud: Cloud, http: httpx.Client, agent: PlainAgent
) -> None:
    job, lease = leased(agent, http)
    cloud.freeze()
    for _ in range(3):
        cloud.advance(LEASE_S - 1)
        assert agent.renew(lease) == "go on"
    cloud.advance(LEASE_S - 1)
    assert state(http, job) == "running"
    cloud.advance(1)  # in all the lease time since the last renewal
    assert state(http, job) == "queued"


def test_a_clock_that_is_set_back_ends_no_lease_and_prolongs_none(
    cloud: Cloud, http: httpx.Client, agent: PlainAgent
) -> None:
    job, _ = leased(agent, http)
    cloud.freeze(datetime(2001, 5, 1, tzinfo=UTC))
    assert state(http, job) == "running"
    cloud.advance(LEASE_S)
    assert state(http, job) == "queued"


def test_a_lease_lasts_its_time_on_a_faster_clock(
    cloud: Cloud, http: httpx.Client, agent: PlainAgent
) -> None:
    job, _ = leased(agent, http)
    rate = 30
    began = time.monotonic()
    cloud.run_clock(rate)
    until(lambda: state(http, job) == "queued", "the lease is lost")
    passed = rate * (time.monotonic() - began)
    assert passed > LEASE_S * 0.9


def test_a_lease_never_ends_on_a_clock_that_stands_still(
    cloud: Cloud, http: httpx.Client, agent: PlainAgent
) -> None:
    """Shown with a lease that would end in a tenth of a second if the clock ran on."""
    job, lease = leased(agent, http)
    cloud.freeze()
    cloud.advance(LEASE_S - 0.1)
    time.sleep(1.5)
    assert state(http, job) == "running"
    assert agent.renew(lease) == "go on"
    cloud.run_clock(1000)
    until(lambda: state(http, job) == "queued", "the lease is lost")


def test_a_real_agent_keeps_its_lease_at_the_real_rate_and_loses_it_when_the_clock_jumps(
    cloud: Cloud, http: httpx.Client, agent: PlainAgent, tmp_path: Path
) -> None:
    live = LiveAgent(Bench(cloud, tmp_path), 0, "run")
    try:
        job = submit(http, 4000, DEVICE)  # runs for four seconds
        until(lambda: state(http, job) == "running", "the job runs", timeout_s=30)
        until(lambda: words(tmp_path) == ["begins"], "the machine runs")
        cloud.advance(LEASE_S)
        assert ended(http, job) == "completed"
        assert words(tmp_path) == ["begins", "stops", "begins", "ends"]
        assert "was lost; its result is dropped" in live.log_text()
        assert "its runner is dead" in http.get(f"/v1/jobs/{job}/events").text
    finally:
        live.kill()


def words(folder: Path) -> list[str]:
    """Return what the machine has logged."""
    return [word for _, word, _ in entries(folder)]
