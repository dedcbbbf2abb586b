"""A lab's device through the qlued dialect: announced and served with our sqooler storage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from qwicket.clients.qlued import Circuit, QluedAPIError, QluedClient, QluedJobError, shots
from qwicket.vendors.qlued.sqooler import Storage
from support.server import LiveServer
from support.waiting import PROMPT_S, until

SODIUM: dict[str, Any] = {
    "description": "Sodium in a trap",
    "version": "0.7",
    "cold_atom_type": "spin",
    "gates": [
        {
            "name": "kick",
            "description": "Kick the atoms",
            "parameters": ["omega, delta"],
            "qasm_def": "gate kick(omega, delta) {}",
            "coupling_map": [[0], [1], [2]],
        }
    ],
    "max_experiments": 10,
    "max_shots": 500,
    "simulator": False,
    "supported_instructions": ["kick", "measure", "barrier"],
    "num_wires": 3,
    "wire_order": "sequential",
    "num_species": 1,
}
FULL = "heidelberg_sodium_hardware"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server of its own: others count on the devices that they know."""
    live = LiveServer(tmp_path_factory.mktemp("labs"))
    yield live
    assert live.stop() == 0


@pytest.fixture(scope="module")
def client(live: LiveServer) -> Iterator[QluedClient]:
    with QluedClient(f"{live.url}/qlued/api/v2", live.token()) as made:
        yield made


@pytest.fixture(scope="module")
def storage(live: LiveServer) -> Storage:
    live.token("heidelberg")
    token = live.admin(
        *("token", "create", "--user", "heidelberg", "--scope", "devices:serve"),
        *("--device", "sodium"),
    )
    made = Storage(live.url, token)
    made.update_config(SODIUM, "sodium")
    return made


def serve_one(storage: Storage, status: str, memory: list[str]) -> dict[str, Any]:
    """Do what sqooler's main loop does with the next job; return that job."""
    found = until(
        lambda: (
            claim if (claim := storage.get_next_job_in_queue("sodium")).job_id != "None" else None
        ),
        "a job is claimed",
        timeout_s=30,
    )
    job = storage.get_job(found.job_json_path, found.job_id)
    result = {"results": [{"shots": len(memory), "data": {"memory": memory}}]}
    told = {"status": status, "error_message": "The trap is open.", "detail": "The trap is open."}
    storage.update_in_database(result, told, found.job_id, "sodium")
    return job


def circuit() -> Circuit:
    return Circuit(3, shots=2).instruction("kick", [0], 0.1, 0.2).measure(2, 0)


def test_it_is_listed_under_its_providers_name(client: QluedClient, storage: Storage) -> None:
    (config,) = [each for each in client.backends() if each["display_name"] == "sodium"]
    assert config == client.config(FULL)
    assert (config["backend_name"], config["backend_version"]) == (FULL, "0.7")
    assert (config["simulator"], config["cold_atom_type"]) == (False, "spin")
    assert config["supported_instructions"] == ["kick", "measure", "barrier"]
    (gate,) = config["gates"]
    assert gate["parameters"] == ["omega, delta"]
    for wrong in ("sodium", "heidelberg_sodium_simulator", "qwicket_sodium_hardware"):
        with pytest.raises(QluedAPIError, match="Unknown back-end"):
            client.config(wrong)


def test_its_jobs_are_run_by_the_lab(client: QluedClient, storage: Storage) -> None:
    job = client.post(FULL, circuit())
    seen = serve_one(storage, "DONE", ["7 -1", "0 3"])
    assert seen["experiment_0"]["instructions"][0] == ["kick", [0], [0.1, 0.2]]
    result = client.wait(FULL, job, timeout=30)
    assert shots(result)[0].tolist() == [[7, -1], [0, 3]]
    assert result["results"][0]["data"]["counts"] == {"7 -1": 1, "0 3": 1}


def test_it_works_while_its_agent_is_there(client: QluedClient, storage: Storage) -> None:
    storage.get_next_job_in_queue("sodium")
    assert client.backend_status(FULL)["operational"] is True


def test_what_waits_for_the_lab_is_counted(client: QluedClient, storage: Storage) -> None:
    jobs = [client.post(FULL, circuit()) for _ in range(3)]
    # A forecast is at most a second old.
    until(
        lambda: client.backend_status(FULL)["pending_jobs"] == 3,
        "all three are counted",
        timeout_s=PROMPT_S,
    )
    for job in jobs:
        serve_one(storage, "DONE", ["0 0", "0 0"])
        client.wait(FULL, job, timeout=30)
    until(
        lambda: client.backend_status(FULL)["pending_jobs"] == 0,
        "none waits any more",
        timeout_s=PROMPT_S,
    )


def test_a_refusal_of_the_lab_ends_the_job_with_its_text(
    client: QluedClient, storage: Storage
) -> None:
    job = client.post(FULL, circuit())
    serve_one(storage, "ERROR", [])
    with pytest.raises(QluedJobError, match="The trap is open"):
        client.wait(FULL, job, timeout=30)


def test_a_provider_that_is_off_hides_its_lab(
    client: QluedClient, storage: Storage, live: LiveServer
) -> None:
    job = client.post(FULL, circuit())
    live.admin("device", "provider", "off", "heidelberg")
    try:
        with pytest.raises(QluedAPIError, match="Unknown back-end"):
            client.post(FULL, circuit())
        serve_one(storage, "DONE", ["1 1", "1 1"])
        with live.client() as http:
            assert http.get(f"/v1/jobs/{job}?wait=30").json()["state"] == "completed"
    finally:
        live.admin("device", "provider", "on", "heidelberg")
    assert shots(client.result(FULL, job))[0].tolist() == [[1, 1], [1, 1]]
