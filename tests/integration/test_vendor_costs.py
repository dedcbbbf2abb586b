"""Costs of devices and jobs in the vendors' dialects: estimated, and settled when a job ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import httpx
import pytest

from support import braket
from support.budgets import budgets
from support.held import held_job
from support.server import LiveServer, running_server
from support.waiting import until

OLD, NEW = "/qbraid/api", "/qbraid/api/v1"
FREE: Final = "qbraid:qbraid:sim:statevector"
PRICED: Final = "qbraid:qbraid:sim:priced"
BELL: Final = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;
"""
DEVICE: Final = """
name = "{name}"
family = "qubit"
provider = "qwicket"
driver = "simulated"
dialects = ["qbraid", "braket"]
position = 90

[spec]
description = "A simulator with a cost"
qubits = 26
formats = ["openqasm3", "batch", "braket.openqasm3"]
outputs = ["counts", "memory"]
cost = {{ {cost} }}
"""
DEVICES: Final = {
    "priced": "per_job = 0.5, per_shot = 0.01",
    "timed": "per_second = 0.2, per_job = 0.5",
    "flat": "per_job = 0.5",
}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with devices that have costs. Without an express slot, jobs wait for long ones."""
    folder = tmp_path_factory.mktemp("costs")
    devices = folder / "devices"
    devices.mkdir()
    for name, cost in DEVICES.items():
        (devices / f"{name}.toml").write_text(DEVICE.format(name=name, cost=cost))
    options = ("--device-dir", str(devices), "--express-slots", "0")
    with running_server(folder / "server", *options) as live:
        yield live


class Caller(NamedTuple):
    """A client of qBraid's API."""

    http: httpx.Client
    token: str

    def get(self, path: str, **query: str) -> Any:
        answer = self.http.get(path, params=query, headers={"X-API-Key": self.token})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self.http.post(path, json=body or {}, headers={"X-API-Key": self.token})
        assert answer.is_success, answer.text
        return answer.json()["data"]

    def submit(self, *sources: str, device: str = PRICED, **fields: Any) -> dict[str, Any]:
        programs = [{"format": "qasm3", "data": source} for source in sources]
        program = programs if len(programs) > 1 else programs[0]
        body = {"deviceQrn": device, "shots": 10, "program": program, **fields}
        found: dict[str, Any] = self.post(f"{NEW}/jobs", body)
        return found

    def job(self, qrn: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"{NEW}/jobs/{qrn}")["data"]
        return found

    def in_v0(self, job: dict[str, Any]) -> dict[str, Any]:
        (found,) = self.get(f"{OLD}/quantum-jobs", vendorJobId=job["jobVrn"])
        return dict(found)

    def ended(self, qrn: str) -> dict[str, Any]:
        def end() -> dict[str, Any] | None:
            found = self.job(qrn)
            return found if found["timeStamps"]["endedAt"] else None

        return until(end, f"job {qrn} ends", timeout_s=60)


@pytest.fixture(scope="module")
def call(live: LiveServer) -> Iterator[Caller]:
    with httpx.Client(base_url=live.url, timeout=60) as http:
        yield Caller(http, live.token())


# --- qBraid ---------------------------------------------------------------------------------------


def test_qbraids_job_shows_its_estimate_and_then_what_it_cost(call: Caller) -> None:
    new = call.submit(BELL)
    assert (new["estimatedCost"], new["cost"]) == (pytest.approx(0.6), None)
    job = call.ended(new["jobQrn"])
    assert job["status"] == "COMPLETED"
    assert (job["estimatedCost"], job["cost"]) == (pytest.approx(0.6), pytest.approx(0.6))
    result = call.get(f"{NEW}/jobs/{job['jobQrn']}/result")["data"]
    assert result["cost"] == pytest.approx(0.6)
    old = call.in_v0(job)
    assert (old["cost"], old["escrow"]) == (pytest.approx(0.6), 0)


def test_qbraids_batch_costs_what_its_programs_cost_together(call: Caller) -> None:
    job = call.ended(call.submit(BELL, BELL)["jobQrn"])
    assert job["cost"] == pytest.approx(0.5 + 0.01 * 20)
    result = call.get(f"{NEW}/jobs/{job['jobQrn']}/result")["data"]
    assert result["cost"] == pytest.approx(0.7)
    assert sum(each["cost"] for each in result["results"]) == pytest.approx(0.7)


def test_qbraids_job_that_is_cancelled_before_it_runs_costs_nothing(
    live: LiveServer, call: Caller
) -> None:
    busy = [call.submit(held_job().openqasm, device=FREE)["jobQrn"] for _ in range(4)]
    group = call.post(f"{NEW}/jobs/group")["groupJobQrn"]
    job = call.submit(held_job().openqasm, groupJobQrn=group)
    waiting = call.job(job["jobQrn"])
    assert (waiting["estimatedCost"], waiting["cost"]) == (pytest.approx(0.6), None)
    old = call.in_v0(waiting)
    assert (old["cost"], old["escrow"]) == (None, pytest.approx(0.6))
    shown = call.get(f"{NEW}/jobs/group/{group}")["data"]
    assert (shown["totalEstimatedCost"], shown["totalCost"]) == (pytest.approx(0.6), 0)
    call.post(f"{NEW}/jobs/{job['jobQrn']}/cancel")
    found = call.ended(job["jobQrn"])
    assert (found["status"], found["cost"], found["estimatedCost"]) == ("CANCELLED", 0, 0)
    for each in busy:
        call.post(f"{NEW}/jobs/{each}/cancel")
        call.ended(each)


def test_qbraids_group_adds_up_the_costs_of_its_jobs(call: Caller) -> None:
    group = call.post(f"{NEW}/jobs/group")["groupJobQrn"]
    for device in (PRICED, PRICED, FREE):
        call.ended(call.submit(BELL, device=device, groupJobQrn=group)["jobQrn"])
    shown = call.get(f"{NEW}/jobs/group/{group}")["data"]
    assert shown["totalEstimatedCost"] == pytest.approx(1.2)
    assert shown["totalCost"] == pytest.approx(1.2)
    (listed,) = [
        each for each in call.get(f"{NEW}/jobs/group")["data"] if each["groupJobQrn"] == group
    ]
    assert listed["totalCost"] == pytest.approx(1.2)


def test_qbraids_job_shows_its_estimate_where_a_budget_reserves_it(
    live: LiveServer, call: Caller
) -> None:
    name = live.unused("spender")
    token = live.token(name)
    live.as_admin(lambda admin: budgets(admin).put(name, "cost", "total", 1.0))
    caller = Caller(call.http, token)
    new = caller.submit(BELL)
    assert new["estimatedCost"] == pytest.approx(0.6)
    assert caller.ended(new["jobQrn"])["cost"] == pytest.approx(0.6)


def test_qbraids_job_on_a_device_without_a_cost_costs_0(call: Caller) -> None:
    job = call.ended(call.submit(BELL, device=FREE)["jobQrn"])
    assert (job["estimatedCost"], job["cost"]) == (0, 0)
    assert call.in_v0(job)["cost"] == 0


def test_qbraids_devices_show_their_prices(call: Caller) -> None:
    """v1 has credits; clients of v0 read US dollars, of which one is 100 credits."""
    found = {each["vrn"]: each for each in call.get(f"{NEW}/devices")["data"]}
    assert found["priced"]["pricing"] == {"perTask": 0.5, "perShot": 0.01, "perMinute": 0}
    assert found["timed"]["pricing"]["perMinute"] == pytest.approx(12)
    assert set(found["statevector"]["pricing"].values()) == {0}
    old = {each["objArg"]: each["pricing"] for each in call.get(f"{OLD}/quantum-devices")}
    assert old["priced"] == pytest.approx({"perTask": 0.005, "perShot": 0.0001, "perMinute": 0})
    assert set(old["statevector"].values()) == {0}


# --- Braket ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def device_cost(live: LiveServer) -> Iterator[Callable[[str], Any]]:
    """Return the `deviceCost` of a device from its capabilities."""
    live.token()
    pair = live.admin("token", "create", "--user", "ada", "--aws")
    signed = braket.Signature(pair, "braket")
    with httpx.Client(base_url=live.url, auth=signed) as http:

        def read(arn: str) -> Any:
            answer = http.get(f"/braket/device/{arn.replace(':', '%3A').replace('/', '%2F')}")
            assert answer.status_code == 200, answer.text
            return json.loads(answer.json()["deviceCapabilities"])["service"]["deviceCost"]

        yield read


@pytest.mark.parametrize(
    ("device", "price", "unit"),
    [("priced", 0.01, "shot"), ("timed", 12.0, "minute"), ("flat", 0.5, "task")],
)
def test_brakets_device_shows_its_cost(
    device_cost: Callable[[str], Any], device: str, price: float, unit: str
) -> None:
    arn = f"arn:aws:braket:us-east-1::device/qpu/qwicket/{device}"
    assert device_cost(arn) == {"price": pytest.approx(price), "unit": unit}


def test_brakets_device_without_a_cost_shows_0(device_cost: Callable[[str], Any]) -> None:
    assert device_cost(braket.SV1) == {"price": 0.0, "unit": "task"}
