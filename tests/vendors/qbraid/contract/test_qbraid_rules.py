"""The fifteen rules that break qBraid's public clients when they are missed, each a test.

What the clients do was seen by running them: qbraid 0.4.5 (R), 0.10.2 with qbraid-core 0.1.50 (N),
0.13.0 with qbraid-core 0.6.37 (V1).
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support.described import described_by
from support.held import held_job
from support.server import LiveServer
from support.waiting import until
from vendors.qbraid.described import ROUTES, hold_to_description

OLD, NEW = "/qbraid/api", "/qbraid/api/v1"
DEVICE, NATIVE_DEVICE = "qbraid:qbraid:sim:statevector", "qbraid_statevector"
TWIN = "qbraid:qbraid:sim:qpu.aria-1"
BELL = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;
"""
MEASURE_ALL = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[3];\ncreg a[1];\ncreg b[2];\n'
WORDS = {"INITIALIZING", "QUEUED", "RUNNING", "CANCELLING", "CANCELLED", "COMPLETED", "FAILED"}
FINAL = {"CANCELLED", "COMPLETED", "FAILED"}


class Client:
    """Speaks all generations over plain HTTP, and holds each answer to the description."""

    def __init__(self, http: httpx.Client, token: str) -> None:
        self.http = http
        self.described = hold_to_description(http)
        self.token = token

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"api-key": self.token, **options.pop("headers", {})}
        return self.http.request(method, path, headers=headers, **options)

    def data(self, method: str, path: str, **options: Any) -> Any:
        answer = self.call(method, NEW + path, **options)
        assert answer.is_success, answer.text
        assert answer.json()["success"] is True
        return answer.json()["data"]

    def submit(self, source: str = BELL, **fields: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.data("POST", "/jobs", json=body(source, **fields))
        return found

    def ended(self, qrn: str) -> dict[str, Any]:
        def end() -> dict[str, Any] | None:
            found: dict[str, Any] = self.data("GET", f"/jobs/{qrn}")
            return found if found["status"] in FINAL else None

        return until(end, f"job {qrn} ends", timeout_s=60)

    def done(self, source: str = BELL, **fields: Any) -> dict[str, Any]:
        """Submit a job; return its result when it is completed."""
        job = self.ended(self.submit(source, **fields)["jobQrn"])
        assert job["status"] == "COMPLETED", job
        found: dict[str, Any] = self.data("GET", f"/jobs/{job['jobQrn']}/result")
        return found

    def native(self, **fields: Any) -> dict[str, Any]:
        sent = {"qbraidDeviceId": NATIVE_DEVICE, "openQasm": BELL, "shots": 100, **fields}
        answer = self.call("POST", OLD + "/quantum-jobs", json=sent)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def native_job(self, job: str) -> dict[str, Any]:
        answer = self.call("GET", OLD + "/quantum-jobs", params={"qbraidJobId": job})
        (found,) = answer.json()
        return dict(found)

    def native_ended(self, job: str) -> dict[str, Any]:
        def end() -> dict[str, Any] | None:
            found = self.native_job(job)
            return found if found["status"] in FINAL else None

        return until(end, f"job {job} ends", timeout_s=60)


def body(source: str = BELL, **fields: Any) -> dict[str, Any]:
    program = {"format": "qasm3", "data": source}
    unset: dict[str, object] = {"name": None, "tags": {}, "runtimeOptions": {}, "groupJobQrn": None}
    return {"deviceQrn": DEVICE, "shots": 100, "program": program, **unset, **fields}


@pytest.fixture(scope="module")
def client(server: LiveServer) -> Iterator[Client]:
    with httpx.Client(base_url=server.url, timeout=60, verify=False) as http:
        yield Client(http, server.token())


@pytest.fixture(scope="module")
def stranger(server: LiveServer, client: Client) -> Client:
    return Client(client.http, server.token("stranger"))


def refused(answer: httpx.Response, status: int, code: str) -> str:
    found = answer.json()
    assert answer.status_code == status, answer.text
    assert found["success"] is False
    assert found["error"]["code"] == code
    assert found["message"] == found["error"]["message"]
    return str(found["message"])


def test_the_answer_of_every_route_is_as_described(server: LiveServer) -> None:
    """The answers in the other tests are held to the description, too."""
    with httpx.Client(base_url=server.url, timeout=60, verify=False) as http:
        mine = Client(http, server.token("described"))
        call_v1(mine)
        call_v0(mine)
        for prefix, routes in ROUTES.items():
            assert mine.described[prefix].checked == described_by(routes)


def call_v1(client: Client) -> None:
    for path in ("/users/verify", "/users/context", "/billing/credits/balance"):
        client.data("GET", path)
    for path in ("/devices", "/providers", f"/devices/{DEVICE}"):
        client.data("GET", path)
    assert client.data("GET", f"/devices/{DEVICE}/calibrations") is None
    assert client.data("GET", f"/devices/{TWIN}/calibrations")
    group = client.data("POST", "/jobs/group", json={"name": "described"})["groupJobQrn"]
    twin = client.submit(deviceQrn=TWIN, groupJobQrn=group)["jobQrn"]
    client.ended(twin)
    batch = [{"format": "qasm3", "data": BELL}] * 2
    job = client.submit(program=batch, runtimeOptions={"memory": True})["jobQrn"]
    client.ended(job)
    for qrn in (twin, job):
        for path in ("result", "program"):
            client.data("GET", f"/jobs/{qrn}/{path}")
    client.data("GET", f"/jobs/{twin}/compiled-program")
    for path in (
        "",
        "/statuses",
        f"/cost-estimate?deviceQrn={DEVICE}",
        "/group",
        f"/group/{group}",
    ):
        client.data("GET", f"/jobs{path}")
    client.data("GET", f"/jobs/group/{group}/jobs")
    for path in ("close", "cancel"):
        client.data("POST", f"/jobs/group/{group}/{path}")
    client.data("POST", f"/jobs/{client.submit(held_job().openqasm)['jobQrn']}/cancel")
    client.data("DELETE", f"/jobs/{job}")
    client.data("DELETE", "/jobs", params={"qrns": json.dumps([twin])})
    client.data("DELETE", f"/jobs/group/{group}")


def call_v0(client: Client) -> None:
    for path in ("identity", "billing/credits/get-user-credits", "quantum-devices"):
        client.call("GET", f"{OLD}/{path}")
    for path in ("get-devices", "get-sdk-version"):
        client.call("GET", f"{OLD}/public/lab/{path}")
    client.call("POST", OLD + "/public/lab/get-devices", json={})
    sent = {"vendorJobId": "described", "qbraidDeviceId": "aws_sv1", "shots": 5}
    registered = client.call("POST", OLD + "/init-job", data=sent).json()
    client.call("PUT", OLD + "/update-job", data={"qbraidJobId": registered})
    client.call("POST", OLD + "/get-user-jobs", json={})
    job = client.native()["qbraidJobId"]
    client.native_ended(job)
    client.call("GET", OLD + "/quantum-jobs")
    client.call("GET", f"{OLD}/quantum-jobs/cost-estimate?qbraidDeviceId={NATIVE_DEVICE}")
    client.call("GET", f"{OLD}/quantum-jobs/result/{job}")
    client.call("DELETE", f"{OLD}/quantum-jobs/{job}")
    running = client.native(openQasm=held_job().openqasm)["qbraidJobId"]
    client.call("PUT", f"{OLD}/quantum-jobs/cancel/{running}")


def test_rule_1_everything_is_wrapped_and_users_verify_answers_first(client: Client) -> None:
    verified = client.call("GET", NEW + "/users/verify").json()
    assert verified["success"] is True
    keys = {"userId", "userName", "email", "organizationId", "organizationUserId"}
    assert verified["data"].keys() == keys
    assert all(isinstance(value, str) and value for value in verified["data"].values())
    for path in ("/devices", f"/devices/{DEVICE}", "/jobs", "/jobs/statuses", "/providers"):
        assert client.call("GET", NEW + path).json().keys() >= {"success", "data"}


def test_rule_2_cost_and_times_are_there_on_every_job_that_is_final(client: Client) -> None:
    done = client.submit()["jobQrn"]
    running = client.submit(held_job().openqasm)["jobQrn"]
    assert client.call("POST", f"{NEW}/jobs/{running}/cancel").status_code == 202
    for qrn, word in ((done, "COMPLETED"), (running, "CANCELLED")):
        job = client.ended(qrn)
        assert job["status"] == word
        assert job["cost"] == 0
        assert isinstance(job["timeStamps"]["executionDuration"], int)
        assert all(job["timeStamps"][name] for name in ("createdAt", "endedAt"))


def test_rule_3_no_field_of_a_job_is_null_that_clients_take_for_granted(client: Client) -> None:
    submitted = client.submit(tags=None, runtimeOptions=None, shots=None)
    for job in (submitted, client.ended(submitted["jobQrn"]), client.data("GET", "/jobs")[0]):
        assert job["estimatedCost"] == 0
        assert job["tags"] == job["runtimeOptions"] == job["metadata"] == {}
        assert job["shots"] == 1_000
        assert job["numCircuits"] == 1


def test_rule_4_a_device_has_a_name_of_four_parts_and_a_neutral_provider(client: Client) -> None:
    devices = client.data("GET", "/devices")
    assert DEVICE in [device["qrn"] for device in devices]
    for device in devices:
        vendor, provider, kind, name = device["qrn"].split(":")
        assert (vendor, provider) == ("qbraid", "qbraid")
        assert kind in ("sim", "qpu")
        assert name == device["vrn"]


def test_rule_5_vendor_provider_and_type_are_of_the_closed_lists(client: Client) -> None:
    for device in client.data("GET", "/devices", params={"retired": "false"}):
        assert device["vendor"] == device["provider"] == "qbraid"
        assert device["deviceType"] in ("SIMULATOR", "QPU")
        assert device["directAccess"] is True


def test_rule_6_times_have_a_fraction_and_a_z(client: Client) -> None:
    job = client.native_ended(client.native()["qbraidJobId"])
    form = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
    times = (job["createdAt"], job["timeStamps"]["createdAt"], job["timeStamps"]["endedAt"])
    assert all(form.fullmatch(text) for text in times), times


def test_rule_7_native_jobs_have_all_keys_but_metadata_and_tags_are_objects(
    client: Client,
) -> None:
    submitted = client.native(tags='{"run": "a"}')
    for job in (submitted, client.native_job(submitted["qbraidJobId"])):
        assert job.keys() >= {"qbraidJobId", "status", "experimentType", "createdAt"}
        assert "metadata" not in job
        assert job["tags"] == {"run": "a"}
        assert job["experimentType"] == "gate_model"


def test_a_native_job_shows_its_text_where_clients_can_take_it(client: Client) -> None:
    """A client that is given no depth reads the text itself, and fails where it cannot."""
    told = client.native(circuitNumQubits=2, circuitDepth=3)["qbraidJobId"]
    assert client.native_ended(told)["openQasm"] == BELL
    untold = client.native()["qbraidJobId"]
    assert "openQasm" not in client.native_ended(untold)


def test_rule_8_native_results_are_below_data(client: Client) -> None:
    job = client.native(seed=7, memory=True)["qbraidJobId"]
    client.native_ended(job)
    found = client.call("GET", f"{OLD}/quantum-jobs/result/{job}").json()
    assert found.keys() == {"data"}
    counts, rows = found["data"]["measurementCounts"], found["data"]["measurements"]
    assert sum(counts.values()) == len(rows) == 100
    assert counts == {key: ["".join(map(str, r)) for r in rows].count(key) for key in counts}


def test_rule_9_ids_of_native_jobs_are_24_hex_digits_and_cancel_them(client: Client) -> None:
    job = client.native(openQasm=held_job().openqasm)
    assert re.fullmatch(r"[0-9a-f]{24}", job["_id"])
    answer = client.call("PUT", f"{OLD}/quantum-jobs/cancel/{job['_id']}")
    assert answer.json()["status"] == "CANCELLING"
    assert answer.json()["qbraidJobId"] == job["qbraidJobId"]
    assert client.native_ended(job["qbraidJobId"])["status"] == "CANCELLED"
    again = client.call("PUT", f"{OLD}/quantum-jobs/cancel/{job['_id']}")
    refused(again, 409, "INVALID_STATE")


def test_rule_10_native_devices_are_of_vendor_qbraid_in_exact_case(client: Client) -> None:
    devices = client.call("GET", OLD + "/quantum-devices").json()
    needed = {"provider", "vendor", "name", "paradigm", "status", "isAvailable", "type"}
    needed |= {"numberQubits", "runInputTypes", "qbraid_id"}
    assert {device["vendor"] for device in devices} == {"qBraid"}
    assert all(device.keys() >= needed for device in devices)
    found = {device["qbraid_id"]: device for device in devices}
    assert found[NATIVE_DEVICE]["status"] == "ONLINE"
    assert found["qbraid_parked"]["status"] == "OFFLINE"
    assert found["qbraid_parked"]["isAvailable"] is False


def test_rule_11_the_registry_takes_forms_and_gives_numbers_back(
    server: LiveServer, client: Client
) -> None:
    vendor_job = str(uuid.uuid4())
    sent = {
        "qbraidJobId": "",
        "vendorJobId": vendor_job,
        "qbraidDeviceId": "aws_sv_sim",
        "vendorDeviceId": "arn:aws:braket",
        "shots": "10",
        "createdAt": "2026-01-31 12:34:56.789012",
        "status": "UNKNOWN",
        "qbraidStatus": "INITIALIZING",
        "circuitBatchNumQubits": ["2", "4"],
        "circuitBatchDepth": ["3", "5"],
    }
    registered = client.call("POST", OLD + "/init-job", data=sent)
    job = registered.json()
    assert isinstance(job, str)
    assert re.fullmatch(rf"aws_sv_sim-{server.account}-qjob-[a-z0-9]{{20}}", job)
    (document,) = client.call("PUT", OLD + "/update-job", data={"qbraidJobId": job}).json()
    assert document["shots"] == 10
    assert (document["circuitBatchNumQubits"], document["circuitBatchDepth"]) == ([2, 4], [3, 5])
    assert document["vendorJobId"] == vendor_job
    assert document["timeStamps"]["jobStarted"] == document["createdAt"]
    words = {"qbraidJobId": job, "status": "JobStatus.DONE", "qbraidStatus": "COMPLETED"}
    (document,) = client.call("PUT", OLD + "/update-job", data=words).json()
    assert (document["status"], document["qbraidStatus"]) == ("JobStatus.DONE", "COMPLETED")


def test_rule_12_what_lasts_is_no_5xx_and_a_repeated_registration_is_one(client: Client) -> None:
    sent = {"vendorJobId": str(uuid.uuid4()), "qbraidDeviceId": "aws_sv_sim", "shots": "1"}
    first, second = (client.call("POST", OLD + "/init-job", data=sent).json() for _ in "ab")
    assert first == second
    found = client.call(
        "POST", OLD + "/get-user-jobs", json={"vendorJobId": sent["vendorJobId"]}
    ).json()
    assert len(found) == 1
    parked = body(deviceQrn="qbraid:qbraid:sim:parked")
    refused(client.call("POST", NEW + "/jobs", json=parked), 409, "INVALID_STATE")
    parked_native = {"qbraidDeviceId": "qbraid_parked", "openQasm": BELL}
    refused(client.call("POST", OLD + "/quantum-jobs", json=parked_native), 409, "INVALID_STATE")
    pulser = {"format": "pulser.sequence", "data": {"sequence_builder": {}}}
    said = refused(
        client.call("POST", NEW + "/jobs", json=body(program=pulser)), 501, "NOT_IMPLEMENTED"
    )
    assert "pulser.sequence" in said


def test_rule_13_errors_say_the_same_to_every_generation(client: Client) -> None:
    for prefix, path in ((OLD, "/nowhere"), (NEW, "/nowhere"), ("/qbraid", "/elsewhere")):
        refused(client.call("GET", prefix + path), 404, "NOT_FOUND")
    for path in (OLD + "/identity", OLD + "/quantum-jobs", NEW + "/users/verify", NEW + "/jobs"):
        refused(client.http.get(path), 401, "UNAUTHORIZED")
        refused(client.http.get(path, headers={"api-key": "qw_no"}), 401, "UNAUTHORIZED")
    refused(client.call("PATCH", NEW + "/jobs"), 405, "METHOD_NOT_ALLOWED")
    refused(client.call("POST", NEW + "/jobs", content=b"{"), 400, "VALIDATION_ERROR")
    refused(client.call("GET", NEW + "/projects"), 501, "NOT_IMPLEMENTED")
    refused(client.call("GET", OLD + "/lab/environments"), 501, "NOT_IMPLEMENTED")


def test_rule_14_the_rightmost_bit_is_classical_bit_0_of_the_first_register(
    client: Client,
) -> None:
    source = MEASURE_ALL + "x q[0];\nx q[2];\nmeasure q[0] -> a[0];\nmeasure q[2] -> b[1];\n"
    program = {"format": "qasm2", "data": source}
    found = client.done(program=program, runtimeOptions={"memory": True}, shots=3)
    assert found["resultData"]["measurementCounts"] == {"101": 3}
    assert found["resultData"]["measurements"] == [[1, 0, 1]] * 3


def test_rule_15_tags_come_back_exactly_as_given(client: Client) -> None:
    tags = {"run": "a", "n": 7, "ok": True, "ü ": "=\"'"}
    qrn = client.submit(tags=tags)["jobQrn"]
    assert client.ended(qrn)["tags"] == tags
    native = client.native(tags=json.dumps(tags))["qbraidJobId"]
    assert client.native_job(native)["tags"] == tags


def test_every_status_is_one_that_clients_know(client: Client) -> None:
    seen = {job["status"] for job in client.data("GET", "/jobs", params={"limit": 100})}
    assert seen <= WORDS
    assert set(client.data("GET", "/jobs/statuses")) >= WORDS


def test_foreign_jobs_look_absent_in_all_generations(client: Client, stranger: Client) -> None:
    job, native = client.submit(), client.native()
    for method, path in (
        ("GET", ""),
        ("GET", "/result"),
        ("GET", "/program"),
        ("POST", "/cancel"),
        ("DELETE", ""),
    ):
        refused(stranger.call(method, f"{NEW}/jobs/{job['jobQrn']}{path}"), 404, "NOT_FOUND")
    named = {"qbraidJobId": native["qbraidJobId"]}
    assert stranger.call("GET", OLD + "/quantum-jobs", params=named).json() == []
    cancel = stranger.call("PUT", f"{OLD}/quantum-jobs/cancel/{native['_id']}")
    refused(cancel, 404, "NOT_FOUND")
    found = stranger.data("GET", "/jobs")
    assert job["jobQrn"] not in [each["jobQrn"] for each in found]
