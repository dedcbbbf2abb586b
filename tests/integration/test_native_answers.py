"""What `/v1` answers is what its OpenAPI document says."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest

from qwicket.dialects.native import ROUTES
from qwicket.dialects.native.openapi import DOCUMENTED_TYPES
from qwicket.dialects.schemas import Schemas
from support.pilots import RawAgent
from support.programs import BELL
from support.server import LiveServer

BY_NAME = {f"{each.method} {each.path}": each for each in ROUTES}
SPEC = {
    "description": "Five qubits on a bench",
    "qubits": 5,
    "formats": ["openqasm3", "ionq.circuit.v1"],
    "outputs": ["counts", "memory"],
}


def fits(response: httpx.Response, way: str) -> Any:
    """Check an answer against the struct that describes it; return it as JSON."""
    route = BY_NAME[way]
    assert response.status_code == route.status, response.text
    (answer,) = route.responses
    value = response.json()
    msgspec.json.decode(response.content, type=answer)
    # As strict as the document.
    as_described = Schemas([answer], DOCUMENTED_TYPES).described(answer)
    msgspec.json.decode(response.content, type=as_described)
    known = {field.encode_name for field in msgspec.structs.fields(answer)}
    assert value.keys() <= known
    return value


def test_every_operation_that_answers_json_says_what(http: httpx.Client) -> None:
    silent = {way for way, each in BY_NAME.items() if each.is_listed and not each.responses}
    streams = {way for way in silent if BY_NAME[way].media_type == "text/event-stream"}
    texts = {way for way in silent if BY_NAME[way].media_type == "text/plain"}
    files = {way for way in silent if BY_NAME[way].media_type == "application/zip"}
    empty = {way for way in silent if BY_NAME[way].status == 204}
    assert silent - streams - empty - texts - files == set()


def test_account_tokens_and_projects_are_as_described(
    server: LiveServer, http: httpx.Client
) -> None:
    for path in ("account", "projects", "tokens"):
        fits(http.get(f"/v1/{path}"), f"GET /{path}")
    with server.client(server.managing_token()) as maker:
        fits(maker.post("/v1/tokens", json={"scopes": ["jobs:read"]}), "POST /tokens")


def test_devices_are_as_described(http: httpx.Client) -> None:
    for device in fits(http.get("/v1/devices"), "GET /devices")["devices"]:
        name = device["name"]
        fits(http.get(f"/v1/devices/{name}"), "GET /devices/{name}")
        if device["calibration"]:
            answer = http.get(f"/v1/devices/{name}/calibration")
            fits(answer, "GET /devices/{name}/calibration")


@pytest.mark.parametrize(
    "asked",
    [
        {"device": "simulator", "program": BELL},
        {"device": "simulator", "program": BELL, "outputs": ["counts", "memory", "probabilities"]},
        {
            "device": "singlequdit",
            "format": "qlued.singlequdit",
            "outputs": ["samples"],
            "program": {
                "experiment_0": {
                    "instructions": [["load", [0], [5]], ["measure", [0], []]],
                    "num_wires": 1,
                    "shots": 3,
                }
            },
        },
    ],
    ids=["counts", "all", "samples"],
)
def test_jobs_and_results_are_as_described(http: httpx.Client, asked: dict[str, Any]) -> None:
    job = fits(http.post("/v1/jobs", json=asked), "POST /jobs")
    path = f"/v1/jobs/{job['id']}"
    done = fits(http.get(f"{path}?wait=30"), "GET /jobs/{id}")
    assert done["state"] == "completed", done
    fits(http.get(f"{path}/result"), "GET /jobs/{id}/result")
    fits(http.get(f"{path}/parts/0"), "GET /jobs/{id}/parts/{part}")
    fits(http.get(f"{path}/events"), "GET /jobs/{id}/events")
    fits(http.get("/v1/jobs"), "GET /jobs")
    fits(http.post(f"{path}/cancel"), "POST /jobs/{id}/cancel")


def test_groups_are_as_described(http: httpx.Client) -> None:
    group = fits(http.post("/v1/groups", json={"name": "three", "life_s": 60}), "POST /groups")
    path = f"/v1/groups/{group['id']}"
    http.post("/v1/jobs", json={"device": "parked", "program": BELL, "group": group["id"]})
    fits(http.get("/v1/groups"), "GET /groups")
    fits(http.get(path), "GET /groups/{id}")
    fits(http.post(f"{path}/cancel"), "POST /groups/{id}/cancel")
    fits(http.post(f"{path}/close"), "POST /groups/{id}/close")


def test_responses_to_agents_are_as_described(server: LiveServer, http: httpx.Client) -> None:
    serve = ("--scope", "devices:serve", "--device", "bench7")
    token = server.admin("token", "create", "--user", server.account, *serve)
    spec = {"family": "qubit", "spec": SPEC}
    with server.client(token) as lab:
        path = "/v1/agent/devices/bench7"
        fits(lab.put(path, json=spec), "PUT /agent/devices/{name}")
        calibration = {
            "valid_from": "2026-01-31T12:00:00Z",
            "source": "a test",
            "qubit": {"t1_s": 1e-4, "t2_s": 1e-4, "one_for_zero": 0.1, "zero_for_one": 0.1},
            "one_qubit": {"error": 0.001, "duration_s": 1e-8},
            "two_qubit": {"error": 0.01, "duration_s": 1e-7},
        }
        answer = lab.put(f"{path}/calibration", json=calibration)
        fits(answer, "PUT /agent/devices/{name}/calibration")
        agent = RawAgent(lab, "bench7")
        pull, results = "POST /pilots/{name}/pull", "POST /pilots/{name}/results"
        assert fits(agent.pull(), pull)["tasks"] == []
        for end in (agent.release, agent.fail):
            job = http.post("/v1/jobs", json={"device": "bench7", "program": BELL, "shots": 5})
            assert job.status_code == 201, job.text
            ((task,),) = fits(agent.pull(wait=20), pull)["tasks"]
            assert msgspec.json.decode(task["program"]["source"]) == BELL
            fits(agent.pull([{**task["lease"], "done": 0.5}], tasks=0), pull)
            fits(end(task["lease"]), results)
            http.post(f"/v1/jobs/{task['lease']['id']}/cancel")
        fits(http.get("/v1/devices/bench7"), "GET /devices/{name}")
        fits(agent.leave(), "DELETE /pilots/{name}")
