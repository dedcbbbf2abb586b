"""Estimates before a submission: over HTTP, from the client, the command and vendors' routes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

import qwicket
from abuse.every_route import SignedIn
from qwicket.clients.native import ApiError, ClientError
from support.agents import serving_token
from support.budgets import budgets
from support.held import held_job
from support.programs import BELL
from support.server import LiveServer, run_cli

JOB: dict[str, Any] = {"device": "simulator", "program": BELL, "shots": 100}


def count(http: httpx.Client) -> int:
    return len(http.get("/v1/jobs").json()["jobs"])


def test_an_estimate_says_what_a_job_would_take_and_stores_nothing(server: LiveServer) -> None:
    with server.client(server.token(server.unused("estimator"))) as http:
        found = http.post("/v1/estimates", json=JOB)
        assert found.status_code == 200, found.text
        body = found.json()
        assert (body["device"], body["shots"], body["circuits"]) == ("simulator", 100, 1)
        assert (body["qubits"], body["cost"], body["budgets"]) == (2, None, [])
        assert 0 < body["run_s"] < 1
        longer = http.post("/v1/estimates", json={**JOB, "program": held_job().program}).json()
        assert longer["run_s"] > 100 * body["run_s"]
        assert count(http) == 0


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"device": "nothing"}, 404),
        ({"shots": 0}, 400),
        ({"program": "no program"}, 400),
        ({"group": "01a1fc34-7a5e-7cc3-98c4-dc0c0c07398f"}, 404),
        ({"unheard": 1}, 400),
    ],
)
def test_what_a_submission_refuses_an_estimate_refuses_alike(
    server: LiveServer, change: dict[str, Any], status: int
) -> None:
    with server.client() as http:
        answers = [
            http.post(path, json={**JOB, **change}) for path in ("/v1/estimates", "/v1/jobs")
        ]
    assert [each.status_code for each in answers] == [status] * 2
    assert answers[0].json()["detail"] == answers[1].json()["detail"]


def test_an_estimate_names_the_budget_that_would_refuse(server: LiveServer, tmp_path: Path) -> None:
    name = server.unused("spender")
    token = server.token(name)

    async def limit(admin: Any) -> None:
        await budgets(admin).put(name, "shots", "week", 250)
        await budgets(admin).put(name, "jobs", "total", 5, device="clifford")

    server.as_admin(limit)
    with server.client(token) as http:
        (need,) = http.post("/v1/estimates", json=JOB).json()["budgets"]
        assert (need["unit"], need["period"], need["maximum"]) == ("shots", "week", 250)
        assert (need["left"], need["needed"], need["refusal"]) == (250, 100, "")
        (need,) = http.post("/v1/estimates", json={**JOB, "shots": 251}).json()["budgets"]
        refused = http.post("/v1/jobs", json={**JOB, "shots": 251})
        assert (refused.status_code, refused.json()["detail"]) == (403, need["refusal"])
        on_other = http.post("/v1/estimates", json={**JOB, "device": "clifford"}).json()
        assert {each["unit"] for each in on_other["budgets"]} == {"shots", "jobs"}
    with qwicket.connect(server.url, token) as client:
        estimate = client.estimate(BELL, "simulator", shots=200)
        assert (estimate.budgets[0].needed, estimate.budgets[0].refusal) == (200, "")
    file = tmp_path / "bell.json"
    file.write_text(json.dumps(BELL))
    env = {"QWICKET_URL": server.url, "QWICKET_TOKEN": token}
    words = ("submit", str(file), "--device", "simulator", "--dry-run", "--shots")
    done = run_cli(*words, "100", env=env)
    assert done.returncode == 0, done.stderr
    assert "needs 100 of 250 shots left (250 a week)" in done.stdout
    done = run_cli(*words, "300", env=env)
    assert done.returncode == 1
    assert "The budget of 250 shots a week" in done.stderr
    assert json.loads(run_cli(*words, "9", "--json", env=env).stdout)["shots"] == 9
    with server.client(token) as http:
        assert count(http) == 0


def test_vendors_estimates_have_the_cost_of_the_device(server: LiveServer) -> None:
    with httpx.Client(base_url=server.url, timeout=60) as http:
        signed = SignedIn(http, server.token())
        ionq = http.get(
            "/ionq/v0.4/jobs/estimate",
            params={"backend": "simulator", "shots": 100},
            headers=signed.headers("/ionq/v0.4"),
        ).json()
        assert (ionq["estimated_cost"], ionq["cost_unit"]) == (0.0, "usd")
        assert ionq["estimated_execution_time"] >= 0
        qbraid = http.get(
            "/qbraid/api/v1/jobs/cost-estimate",
            params={"deviceQrn": "qbraid:qbraid:sim:statevector", "shots": 100},
            headers=signed.headers("/qbraid/api/v1"),
        ).json()
        assert qbraid["data"]["estimatedCost"] == 0


def test_qbraids_estimates_have_the_cost_of_a_labs_device(tmp_path: Path) -> None:
    live = LiveServer(tmp_path)
    spec = {
        "description": "A lab's device",
        "qubits": 2,
        "formats": ["openqasm3"],
        "cost": {"per_job": 0.5, "per_shot": 0.01, "per_second": 0.1},
    }
    with live.client(serving_token(live, "bench")) as agent, live.client() as http:
        body = {"family": "qubit", "spec": spec, "dialects": ["qbraid"]}
        assert agent.put("/v1/agent/devices/bench", json=body).status_code == 200
        headers = {"api-key": live.token()}
        old, new = "/qbraid/api/quantum-jobs/cost-estimate", "/qbraid/api/v1/jobs/cost-estimate"
        devices = http.get("/qbraid/api/quantum-devices", headers=headers).json()
        (device,) = [each["qbraid_id"] for each in devices if "bench" in each["qbraid_id"]]

        def credits_of(**query: int) -> Any:
            asked = {"qbraidDeviceId": device, **query}
            return http.get(old, headers=headers, params=asked).json()["estimatedCredits"]

        assert credits_of() == 0.5 + 0.01 * 1000
        assert credits_of(shots=20, minutes=2) == pytest.approx(0.5 + 0.2 + 12)
        wrong = {"qbraidDeviceId": device, "minutes": "-1"}
        refused = http.get(old, headers=headers, params=wrong)
        assert refused.status_code == 400
        assert "minutes must be 0 to 525600" in refused.text
        devices = http.get("/qbraid/api/v1/devices", headers=headers).json()["data"]
        (device,) = [each["qrn"] for each in devices if "bench" in each["qrn"]]
        answer = http.get(new, headers=headers, params={"deviceQrn": device, "shots": 20})
        assert answer.json()["data"]["estimatedCost"] == pytest.approx(0.7)
    assert live.stop() == 0


def test_budgets_and_estimates_count_what_error_mitigation_runs(server: LiveServer) -> None:
    """32 runs of each group at two noise factors, and 32 calibrations, of 128 shots each."""
    name = server.unused("mitigator")
    token = server.token(name)
    asked: Any = {
        "observables": [{"ZZ": 1.0}, {"XX": 1.0}],
        "mitigation": {"readout": True, "noise_factors": [1, 3]},
        "seed": 7,
    }

    async def limit(admin: Any) -> None:
        await budgets(admin).put(name, "shots", "total", 30_000)

    server.as_admin(limit)
    shots = (2 * 2 * 32 + 32) * 128
    with qwicket.connect(server.url, token) as client:
        bare = client.estimate(BELL, "qwicket_line5", shots=4096, observables={"ZZ": 1.0})
        estimate = client.estimate(BELL, "qwicket_line5", shots=4096, **asked)
        assert (estimate.shots, estimate.circuits) == (shots, 1)
        assert estimate.budgets[0].needed == shots
        assert estimate.run_s > 20 * bare.run_s
        job = client.submit(BELL, "qwicket_line5", shots=4096, **asked)
        result = job.result(60)
        assert np.abs(1 - np.array(result.evs)).max() < 5 * max(result.stds)
        part = result[0]
        assert part.mitigation is not None
        assert (part.mitigation.circuits, part.mitigation.shots) == (160, shots)
        assert part.mitigation.noise_factors == [1, 3]
        assert [len(row) for row in part.mitigation.evs_noise_factors or ()] == [2, 2]
        with pytest.raises(ApiError, match="budget"):
            client.submit(BELL, "qwicket_line5", shots=4096, **asked)
        exact = client.device("simulator").run(BELL, 0, observables={"XX": 2.0, "ZI": 1.0})
        assert exact.result(60).evs == pytest.approx([2.0])
        with pytest.raises(ClientError, match="mitigation needs observables"):
            client.submit(BELL, "simulator", mitigation={})
