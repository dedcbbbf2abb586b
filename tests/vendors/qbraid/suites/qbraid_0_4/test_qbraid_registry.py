"""qbraid 0.4.5, unmodified, with the module of the registry generation: documents about jobs."""

import os
import uuid
from pathlib import Path

import pytest
import qbraid
from qbraid.api import AuthError, QbraidSession, RequestsApiError, get_job_data, init_job

from support.vendors import within

URL = os.environ["QWICKET_URL"] + "/qbraid/api"
TOKEN = os.environ["QWICKET_TOKEN"]
FILE = Path.home() / ".qbraid" / "qbraidrc"
FILE.parent.mkdir(exist_ok=True)
FILE.write_text(f"[default]\nurl = {URL}\napi-key = {TOKEN}\nemail = vendor@localhost\n")


class Device:
    vendor = "AWS"
    id = "aws_sv_sim"
    vendor_device_id = "arn:aws:braket:::device/quantum-simulator/amazon/sv1"


class Circuit:
    def __init__(self, num_qubits, depth):
        self.num_qubits = num_qubits
        self.depth = depth


def register(*circuits, shots=1_024):
    vendor_job = str(uuid.uuid4())
    return init_job(vendor_job, Device(), list(circuits) or [Circuit(3, 7)], shots), vendor_job


def test_the_key_is_that_of_its_account():
    session = QbraidSession()
    assert session.get("/identity").json()["email"] == "vendor@localhost"
    session.save_config()
    with pytest.raises(AuthError):
        session.save_config(user_email="other@example.org")
    FILE.write_text(f"[default]\nurl = {URL}\napi-key = {TOKEN}\nemail = vendor@localhost\n")


def test_a_wrong_key_is_refused_with_its_reason():
    with pytest.raises(RequestsApiError, match="Error code: UNAUTHORIZED"), within():
        QbraidSession(api_key="qw_wrong", base_url=URL).get("/identity")


@pytest.mark.parametrize("header", ["api_key", "refresh_token", "id_token"])
def test_a_token_is_taken_in_any_of_the_three_headers(header):
    FILE.write_text(f"[default]\nurl = {URL}\n")
    try:
        session = QbraidSession(**{header: TOKEN})
        assert session.get("/identity").json()["userName"] == "vendor"
    finally:
        FILE.write_text(f"[default]\nurl = {URL}\napi-key = {TOKEN}\nemail = vendor@localhost\n")


def test_a_registered_job_is_read_back_and_updated():
    job, vendor_job = register()
    found = get_job_data(job)
    assert found["vendorJobId"] == vendor_job
    assert (found["shots"], found["circuitNumQubits"]) == (1_024, 3)
    assert (found["status"], found["qbraidStatus"]) == ("UNKNOWN", "INITIALIZING")
    done = get_job_data(job, {"status": "JobStatus.DONE", "qbraidStatus": "COMPLETED"})
    assert (done["status"], done["qbraidStatus"]) == ("JobStatus.DONE", "COMPLETED")
    assert get_job_data(job, {"status": "only one of the two"})["status"] == "JobStatus.DONE"


def test_a_batch_keeps_a_number_for_each_circuit():
    job, _ = register(Circuit(2, 3), Circuit(4, 5))
    found = get_job_data(job)
    assert found["circuitBatchNumQubits"] == [2, 4]
    assert found["circuitBatchDepth"] == [3, 5]


def test_a_job_is_registered_once():
    vendor_job = str(uuid.uuid4())
    ids = {init_job(vendor_job, Device(), [Circuit(1, 1)], 10) for _ in "ab"}
    assert len(ids) == 1


def test_an_unknown_job_is_refused():
    with pytest.raises(RequestsApiError, match="NOT_FOUND"):
        get_job_data("aws_sv_sim-vendor-qjob-00000000000000000000")


def test_a_foreign_job_looks_absent():
    job, vendor_job = register()
    other = QbraidSession(api_key=os.environ["QWICKET_OTHER_TOKEN"], base_url=URL)
    with pytest.raises(RequestsApiError, match="NOT_FOUND"):
        other.put("/update-job", data={"qbraidJobId": job})
    found = other.post("/get-user-jobs", json={"vendorJobId": vendor_job}).json()
    assert found == []


def test_jobs_are_searched_and_listed(capsys):
    job, vendor_job = register(shots=77)
    get_job_data(job, {"status": "JobStatus.DONE", "qbraidStatus": "COMPLETED"})
    session = QbraidSession()
    query = {"shots": {"$gte": 77, "$lt": 78}, "vendorJobId": {"$in": [vendor_job]}}
    (found,) = session.post("/get-user-jobs", json=query).json()
    assert found["qbraidJobId"] == job
    qbraid.get_jobs(filters={"vendorJobId": vendor_job})
    assert job in capsys.readouterr().out


def test_devices_are_listed(capsys):
    qbraid.get_devices()
    shown = capsys.readouterr().out
    assert "qbraid_statevector" in shown
    assert "qbraid_parked" in shown
    qbraid.get_devices(filters={"status": "OFFLINE", "name": {"$regex": "parked"}})
    assert "qbraid_statevector" not in capsys.readouterr().out
