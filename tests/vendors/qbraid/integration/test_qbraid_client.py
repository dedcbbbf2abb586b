"""Our client of qBraid's API against a live server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from qwicket.clients.qbraid import (
    ApiError,
    AuthError,
    QbraidSession,
    RequestsApiError,
    get_job_data,
    init_job,
)
from support.server import LiveServer

BELL = """OPENQASM 2.0;
include "qelib1.inc";
qreg q[2];
creg c[2];
h q[0];
cx q[0], q[1];
measure q -> c;
"""


class Device(NamedTuple):
    id: str
    vendor_device_id: str


class Circuit(NamedTuple):
    num_qubits: int
    depth: int


@pytest.fixture
def session(server: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> QbraidSession:
    monkeypatch.setenv("QBRAID_CONFIG_FILE", str(tmp_path / "qbraidrc"))
    made = QbraidSession(api_key=server.token(), base_url=f"{server.url}/qbraid/api/")
    made.save_config()
    return made


def test_settings_are_saved_with_the_users_own_address(
    server: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On an account as the README makes it, which has none; a known address is compared."""
    monkeypatch.setenv("QBRAID_CONFIG_FILE", str(tmp_path / "qbraidrc"))
    server.admin("user", "add", "plain")
    server.admin("user", "add", "mailed", "--email", "mailed@example.org")
    url = f"{server.url}/qbraid/api"
    for name, said, saved in (
        ("plain", "ada@example.org", "ada@example.org"),
        ("mailed", "mailed@example.org", "mailed@example.org"),
    ):
        key = server.admin("token", "create", "--user", name)
        QbraidSession(said, api_key=key, base_url=url).save_config()
        assert QbraidSession().user_email == saved
    with pytest.raises(AuthError, match=r"belong to mailed@example\.org, not to ada@example"):
        QbraidSession("ada@example.org", api_key=key, base_url=url).save_config()


def test_a_bell_pair_runs(session: QbraidSession) -> None:
    assert "qbraid_statevector" in [device["qbraid_id"] for device in session.devices()]
    (parked,) = session.devices(status="OFFLINE")
    assert parked["qbraid_id"] == "qbraid_parked"
    job = session.submit("qbraid_statevector", BELL, 100, tags={"run": "own"}, memory=True)
    found = session.result(job, timeout=60)
    assert set(found["measurementCounts"]) <= {"00", "11"}
    assert sum(found["measurementCounts"].values()) == len(found["measurements"]) == 100
    assert session.job(job)["tags"] == {"run": "own"}


def test_ionqs_json_and_an_analog_program_run(session: QbraidSession) -> None:
    circuit = {"qubits": 2, "circuit": [{"gate": "x", "target": 1}]}
    job = session.submit("qbraid_statevector", circuit, 5)
    assert session.result(job, timeout=60)["measurementCounts"] == {"10": 5}

    def field(value: float) -> dict[str, object]:
        series = {"values": [value, value], "times": [0, 1e-6]}
        return {"time_series": series, "pattern": "uniform"}

    half_turn = 3.141592653589793e6
    drive = {"amplitude": field(half_turn), "phase": field(0), "detuning": field(0)}
    register = {"sites": [["0", "0"], ["3e-5", "0"]], "filling": [1, 1]}
    analog = {"register": register, "hamiltonian": {"drivingFields": [drive]}}
    job = session.submit("qbraid_rydberg", analog, 20)
    found = session.result(job, timeout=60)
    assert found["measurementCounts"] == {"rr": 20}
    assert found["measurements"][0]["post_sequence"] == [0, 0]


def test_what_is_refused_says_why(session: QbraidSession, server: LiveServer) -> None:
    with pytest.raises(RequestsApiError, match="is off"):
        session.submit("qbraid_parked", BELL)
    with pytest.raises(RequestsApiError, match="limit shots"):
        session.submit("qbraid_statevector", BELL, 10**9)
    with pytest.raises(ApiError, match="There is no job"):
        session.job("qbraid_statevector-ada-qjob-00000000000000000000")
    done = session.submit("qbraid_statevector", BELL, 10)
    session.wait(done, timeout=60)
    with pytest.raises(RequestsApiError, match="cannot be cancelled"):
        session.cancel(done)
    stranger = QbraidSession(api_key=server.token("bob"), base_url=session.base_url)
    with pytest.raises(ApiError, match="There is no job"):
        stranger.job(done)
    with pytest.raises(AuthError, match="UNAUTHORIZED"):
        session.save_config(api_key="qw_wrong")


def test_the_registry_keeps_what_ran_elsewhere(session: QbraidSession) -> None:
    device, circuits = Device("aws_sv_sim", "arn:aws"), [Circuit(3, 7)]
    job = init_job("of-ours", device, circuits, 1_024)
    assert init_job("of-ours", device, circuits, 1_024) == job
    assert get_job_data(job)["circuitDepth"] == 7
    done = get_job_data(job, {"status": "DONE", "qbraidStatus": "COMPLETED"})
    assert done["qbraidStatus"] == "COMPLETED"
    of_ours = session.devices()[0]
    listed = init_job("listed", of_ours, [BELL, BELL], 10)
    assert get_job_data(listed)["qbraidDeviceId"] == of_ours["qbraid_id"]
    assert get_job_data(listed)["circuitBatchNumQubits"] == [2, 2]
    with pytest.raises(ApiError, match="no such document"):
        get_job_data("aws_sv_sim-ada-qjob-00000000000000000000")


def test_a_batch_of_the_native_dialect_is_one_job_with_a_result_each(server: LiveServer) -> None:
    members = [{"format": "openqasm2", "source": BELL}] * 2
    body = {"device": "statevector", "program": members, "format": "batch", "shots": 10}
    with server.client() as http:
        sent = http.post("/v1/jobs", content=json.dumps(body))
        assert sent.status_code == 201, sent.text
        job = http.get(f"/v1/jobs/{sent.json()['id']}?wait=60").json()
    assert (job["state"], job["circuits"]) == ("completed", 2)
