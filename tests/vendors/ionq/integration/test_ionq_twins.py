"""Twins through the IonQ dialect over HTTP: rows, characterizations, results, refusals."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from support.server import LiveServer
from support.waiting import until

DIALECT = "/ionq/v0.4"
BELL = [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}]


@pytest.fixture
def key(server: LiveServer) -> dict[str, str]:
    return {"Authorization": f"apiKey {server.token()}"}


@pytest.fixture
def bare(server: LiveServer) -> Any:
    with httpx.Client(base_url=server.url, timeout=60, verify=False) as client:
        yield client


def test_rows_of_twins_are_those_of_machines(bare: httpx.Client) -> None:
    rows = {row["backend"]: row for row in bare.get(f"{DIALECT}/backends").json()}
    assert list(rows) == ["simulator", "qpu.aria-1", "qpu.forte-1"]
    for name, qubits, native in (
        ("qpu.aria-1", 25, ["gpi", "gpi2", "ms"]),
        ("qpu.forte-1", 36, ["gpi", "gpi2", "zz"]),
    ):
        row = rows[name]
        assert (row["qubits"], row["status"], row["has_access"]) == (qubits, "available", True)
        assert row["supported_native_gates"] == native
        assert "noise_models" not in row
        assert bare.get(f"{DIALECT}/backends/{name}").json()["qubits"] == qubits
    assert "characterization_id" not in rows["simulator"]
    assert rows["simulator"]["noise_models"][0] == "ideal"


def test_characterizations_have_ionqs_fields(bare: httpx.Client, key: dict[str, str]) -> None:
    path = f"{DIALECT}/backends/qpu.forte-1/characterizations"
    answer = bare.get(path, params={"limit": 1}).json()
    (found,) = answer["characterizations"]
    assert answer["pages"] == 1
    row = bare.get(f"{DIALECT}/backends/qpu.forte-1").json()
    assert found["id"] == row["characterization_id"]
    assert (found["backend"], found["target"]) == ("qpu.forte-1", "qpu.forte-1")
    assert found["date"] == "2024-11-07T00:00:00.000Z"
    assert len(found["connectivity"]) == 36 * 35 // 2
    assert found["fidelity"]["2q"] == {"median": 0.99536, "mean": 0.99536}
    assert found["timing"] == {
        "readout": 0.00015,
        "reset": 2e-05,
        "1q": 0.00013,
        "2q": 0.00097,
        "t1": 100.0,
        "t2": 1.0,
    }
    assert bare.get(f"{path}/{found['id']}", headers=key).json() == found
    assert bare.get(f"{path}/{found['id']}").status_code == 401
    other = f"{DIALECT}/backends/qpu.aria-1/characterizations/{found['id']}"
    assert bare.get(other, headers=key).status_code == 404


def test_the_simulator_has_none_and_an_unknown_backend_is_unknown(bare: httpx.Client) -> None:
    found = bare.get(f"{DIALECT}/backends/simulator/characterizations").json()
    assert found == {"characterizations": [], "pages": 1}
    assert bare.get(f"{DIALECT}/backends/qpu.none/characterizations").status_code == 404


@pytest.mark.parametrize("limit", ["0", "11", "x", "", "-1", "1" * 400])
def test_a_wrong_limit_is_refused_by_name(bare: httpx.Client, limit: str) -> None:
    answer = bare.get(f"{DIALECT}/backends/qpu.aria-1/characterizations", params={"limit": limit})
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("limit")


def test_frequencies_of_a_twin_are_multiples_of_one_shot(
    bare: httpx.Client, key: dict[str, str]
) -> None:
    body = {
        "type": "ionq.circuit.v1",
        "backend": "qpu.aria-1",
        "shots": 1000,
        "input": {"gateset": "qis", "qubits": 2, "circuit": BELL},
    }
    job = bare.post(f"{DIALECT}/jobs", json=body, headers=key).json()["id"]

    def completed() -> Any:
        found = bare.get(f"{DIALECT}/jobs/{job}", headers=key).json()
        return found if found["status"] == "completed" else None

    found = until(completed, "the job completes")
    assert "noise" not in found
    p = bare.get(found["results"]["probabilities"]["url"], headers=key).json()
    assert sum(p.values()) == pytest.approx(1)
    assert all(round(1000 * each) / 1000 == each for each in p.values())


def test_noise_of_a_model_is_for_the_simulator_alone(
    bare: httpx.Client, key: dict[str, str]
) -> None:
    body = {
        "backend": "qpu.aria-1",
        "noise": {"model": "forte-1"},
        "input": {"gateset": "qis", "qubits": 2, "circuit": BELL},
    }
    answer = bare.post(f"{DIALECT}/jobs", json=body, headers=key)
    assert answer.status_code == 400
    assert "noise.model: qpu.aria-1 has no noise model 'forte-1'" in answer.json()["message"]


PUBLISHED = {
    "aria-1": (0.0005, 0.0133),
    "aria-2": (0.000657333, 0.01856),
    "forte-1": (0.000266667, 0.004949333),
    "forte-enterprise-1": (0.000266667, 0.004949333),  # not published: ours, as are harmony's
    "harmony": (0.001, 0.03),
    "harmony-1": (0.001, 0.03),
    "harmony-2": (0.001, 0.03),
}
"""IonQ's guide on simulation with noise models: after each gate ρ becomes (1-r) ρ + r/d, of which
these are the r of gates on one qubit and on two."""


@pytest.mark.parametrize("model", PUBLISHED)
def test_a_noise_model_has_the_strength_that_is_published(
    bare: httpx.Client, key: dict[str, str], model: str
) -> None:
    """Gates that undo each other leave only noise: after n of them (1-r)^n of the state is left."""
    shots, n_1q, n_2q = 8_000, 400, 40
    flips = [{"gate": "x", "target": 0}] * n_1q
    pairs = [{"gate": "cnot", "control": 0, "target": 1}] * n_2q
    r_1q, r_2q = PUBLISHED[model]
    for qubits, circuit, kept in ((1, flips, (1 - r_1q) ** n_1q), (2, pairs, (1 - r_2q) ** n_2q)):
        body = {
            "backend": "simulator",
            "shots": shots,
            "noise": {"model": model, "seed": 7},
            "input": {"qubits": qubits, "circuit": circuit},
        }
        job = bare.post(f"{DIALECT}/jobs", headers=key, json=body).json()["id"]
        path = f"{DIALECT}/jobs/{job}/results/probabilities"

        def completed(path: str = path) -> httpx.Response | None:
            found = bare.get(path, headers=key)
            return found if found.status_code == 200 else None

        answer = until(completed, "the job completes", timeout_s=60)
        expected = kept + (1 - kept) / 2**qubits
        sigma = (expected * (1 - expected) / shots) ** 0.5
        assert abs(answer.json()["0"] - expected) < 5 * sigma
