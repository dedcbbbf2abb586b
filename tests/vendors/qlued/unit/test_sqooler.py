"""sqooler's storage without sqooler: documents in, documents out, and a lease that is renewed.

The unmodified main loop is in tests/vendors/qlued/suites/sqooler_0_9.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from qwicket.agents.circuits import UnknownCircuit
from qwicket.clients.native import ApiError, ClientError
from qwicket.vendors.qlued.sqooler import NextJob, Storage
from support.agents import serving_token
from support.server import LiveServer
from support.waiting import until

DEVICE = "bench"
LEASE_S = 4.0
CONFIG: dict[str, Any] = {
    "description": "A bench",
    "version": "0.1",
    "cold_atom_type": "spin",
    "gates": [
        {
            "name": "kick",
            "description": "Kick",
            "parameters": ["omega, delta"],
            "coupling_map": [[0]],
            "qasm_def": "{}",
        }
    ],
    "max_experiments": 10,
    "max_shots": 100,
    "simulator": False,
    "supported_instructions": ["kick", "measure"],
    "num_wires": 2,
    "wire_order": "sequential",
    "num_species": 1,
}
DONE = {"status": "DONE", "error_message": "None"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server of this module's own, with a short lease."""
    live = LiveServer(tmp_path_factory.mktemp("server"), "--lease-s", str(LEASE_S))
    yield live
    assert live.stop() == 0


@pytest.fixture(scope="module")
def storage(server: LiveServer) -> Storage:
    server.token()
    made = Storage(server.url, serving_token(server, DEVICE), wait_s=10)
    made.update_config(CONFIG, DEVICE)
    return made


def submit(server: LiveServer, shots: int = 2) -> str:
    gates = [["kick", [0], [0.1, 0.2]], ["measure", [0], []], ["measure", [1], []]]
    program = {"experiment_0": {"instructions": gates, "num_wires": 2, "shots": shots}}
    body = {"device": DEVICE, "format": "qlued.lab", "program": program, "outputs": ["samples"]}
    with server.client() as client:
        sent = client.post("/v1/jobs", json={**body, "shots": shots})
        assert sent.status_code == 201, sent.text
        return str(sent.json()["id"])


def read(server: LiveServer, job: str) -> dict[str, Any]:
    with server.client() as client:
        found: dict[str, Any] = client.get(f"/v1/jobs/{job}").json()
        return found


def result(*memory: str) -> dict[str, Any]:
    return {"results": [{"shots": 2, "data": {"memory": list(memory)}}]}


def test_a_device_of_real_atoms_is_announced_as_hardware(
    server: LiveServer, storage: Storage
) -> None:
    with server.client() as client:
        url = f"/qlued/api/v2/ada_{DEVICE}_hardware/get_config"
        assert client.get(url).json()["gates"][0]["parameters"] == ["omega, delta"]


def test_a_job_is_handed_over_with_all_that_readers_of_sqooler_ask_for(
    server: LiveServer, storage: Storage
) -> None:
    job = submit(server)
    claimed = storage.get_next_job_in_queue(DEVICE)
    assert claimed == NextJob(job, DEVICE)
    assert storage.get_job(DEVICE, job) == {
        "experiment_0": {
            "instructions": [["kick", [0], [0.1, 0.2]], ["measure", [0], []], ["measure", [1], []]],
            "num_wires": 2,
            "shots": 2,
            "wire_order": "sequential",
        }
    }
    storage.update_in_database(result("0 1", "2 3"), DONE, job, DEVICE)
    with server.client() as client:
        (part,) = client.get(f"/v1/jobs/{job}/result").json()["parts"]
    assert part["samples"] == [[0, 1], [2, 3]]


def test_the_lease_is_kept_while_the_spooler_works(server: LiveServer, storage: Storage) -> None:
    job = submit(server)
    storage.get_next_job_in_queue(DEVICE)
    with server.client() as client:
        seen = client.get(f"/v1/devices/{DEVICE}").json()["last_seen_at"]

        def later() -> bool:
            """Whether the device was heard of well after its lease would have been lost."""
            now = client.get(f"/v1/devices/{DEVICE}").json()["last_seen_at"]
            return bool(seconds(now) - seconds(seen) > 1.5 * LEASE_S)

        until(later, "the lease would be lost by now", timeout_s=30)
    storage.update_in_database(result("0 1", "2 3"), DONE, job, DEVICE)
    found = read(server, job)
    assert (found["state"], found["version"]) == ("completed", 3), "it was never offered again"


def seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (result("0 1"), "it has 1 shots, not 2"),
        (result("0 x", "1 1"), "a shot is not a list of numbers"),
        (result("0 1", "2"), "different numbers of readings"),
        (result("0 1 2", "0 1 2"), "it has 3 columns, not 0 to 2"),
        ({"results": []}, "there must be 1 outcomes"),
        ({}, "the result has another form than sqooler's"),
        ({"results": [{"shots": 2, "data": {}}]}, "the result has another form than sqooler's"),
        ({"results": [{"shots": 2, "data": {"memory": [[0, 1], [2, 3]]}}]}, "another form"),
    ],
)
def test_a_result_that_does_not_fit_fails_the_job_with_an_explanation(
    server: LiveServer, storage: Storage, given: dict[str, Any], said: str
) -> None:
    job = submit(server)
    storage.get_next_job_in_queue(DEVICE)
    storage.update_in_database(given, DONE, job, DEVICE)
    found = read(server, job)
    assert found["state"] == "failed"
    assert said in found["error"]["message"]


def test_a_spoolers_refusal_is_the_jobs_error_on_one_line(
    server: LiveServer, storage: Storage
) -> None:
    job = submit(server)
    storage.get_next_job_in_queue(DEVICE)
    status = {"status": "ERROR", "error_message": "None; The trap\n   \udcff is\0 open."}
    storage.update_in_database({}, status, job, DEVICE)
    error = read(server, job)["error"]
    assert error == {"code": "device_failed", "message": "The trap ? is open."}


def test_a_job_that_cannot_be_read_fails_and_the_spooler_goes_on(
    server: LiveServer, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def newer(*_: object) -> None:
        raise UnknownCircuit("a newer server")

    job = submit(server)
    with monkeypatch.context() as patch:
        patch.setattr("qwicket.vendors.qlued.sqooler.unpack", newer)
        assert storage.get_next_job_in_queue(DEVICE) == NextJob()
    found = read(server, job)
    assert (found["state"], found["error"]["code"]) == ("failed", "device_failed")
    job = submit(server)
    assert storage.get_next_job_in_queue(DEVICE).job_id == job
    storage.update_in_database(result("0 0", "0 0"), DONE, job, DEVICE)


def test_a_server_that_is_away_has_no_jobs() -> None:
    lone = Storage("http://127.0.0.1:1", "qw_" + "s" * 43)
    assert lone.get_next_job_in_queue(DEVICE) == NextJob("None", "None")
    with pytest.raises(ClientError):
        lone.update_config(CONFIG, DEVICE)


def test_a_device_that_the_token_does_not_serve_is_refused(storage: Storage) -> None:
    with pytest.raises(ApiError, match="does not serve"):
        storage.get_next_job_in_queue("another")


def test_no_key_is_stored(storage: Storage) -> None:
    storage.upload_public_key(Path("nothing"), DEVICE)
