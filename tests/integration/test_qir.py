"""QIR over HTTP: in the native API, as CUDA-Q sends it to IonQ, and as qBraid's clients send it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.server import LiveServer
from support.waiting import until

V1, V0 = "/qbraid/api/v1", "/qbraid/api"
STATEVECTOR = "qbraid:qbraid:sim:statevector"
CUDA_Q = "qbraid:qbraid:sim:qir-sv"
"""CUDA-Q's default device, whose keys begin with qubit 0."""
DATA = Path(__file__).parents[1] / "data" / "qir"

X0_OF_3 = """define void @main() #0 {
  call void @__quantum__qis__x__body(ptr null)
  call void @__quantum__qis__mz__body(ptr null, ptr null)
  call void @__quantum__qis__mz__body(ptr inttoptr (i64 1 to ptr), ptr inttoptr (i64 1 to ptr))
  call void @__quantum__qis__mz__body(ptr inttoptr (i64 2 to ptr), ptr inttoptr (i64 2 to ptr))
  ret void
}
attributes #0 = { "entry_point" "required_num_qubits"="3" "required_num_results"="3" }
"""
"""Flips qubit 0 of three and measures all."""
BASE64 = base64.b64encode(X0_OF_3.encode()).decode()
BITCODE = base64.b64encode((DATA / "opaque.bc").read_bytes()).decode()


@pytest.fixture(scope="module")
def http(server: LiveServer) -> Iterator[httpx.Client]:
    token = server.token("qir")
    headers = {"Authorization": f"Bearer {token}", "api-key": token}
    with httpx.Client(base_url=server.url, timeout=60, verify=False, headers=headers) as client:
        yield client


@pytest.fixture(scope="module")
def ionq(server: LiveServer) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"apiKey {server.token('qir')}"}
    with httpx.Client(base_url=server.url, timeout=60, verify=False, headers=headers) as client:
        yield client


# --- the native API -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "stated"),
    [(X0_OF_3, {}), (X0_OF_3, {"format": "qir"}), (BASE64, {"format": "qir"})],
)
def test_the_native_api_runs_qir(http: httpx.Client, program: str, stated: dict[str, str]) -> None:
    body = {"device": "statevector", "program": program, "shots": 10, **stated}
    answer = http.post("/v1/jobs", json=body)
    assert answer.status_code == 201, answer.text
    job = answer.json()["id"]
    until(lambda: http.get(f"/v1/jobs/{job}").json()["state"] == "completed", "the job ends")
    (part,) = http.get(f"/v1/jobs/{job}/result").json()["parts"]
    assert part["counts"] == {"001": 10}


def test_bitcode_in_base64_is_recognised(http: httpx.Client) -> None:
    body = {"device": "statevector", "program": BITCODE, "shots": 10}
    answer = http.post("/v1/jobs", json=body)
    assert answer.status_code == 201, answer.text


def test_an_error_says_line_and_column(http: httpx.Client) -> None:
    text = X0_OF_3.replace("x__body", "xx__body")
    body = {"device": "statevector", "program": text, "shots": 10, "format": "qir"}
    answer = http.post("/v1/jobs", json=body)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("line 2, column 3: '__quantum__qis__xx__body' is")


def test_a_device_for_photons_says_that_it_is_qir(http: httpx.Client) -> None:
    body = {
        "device": "simulon_gaussian",
        "program": X0_OF_3,
        "shots": 10,
        "format": "blackbird",
        "outputs": ["samples"],
    }
    answer = http.post("/v1/jobs", json=body)
    assert answer.status_code == 400
    assert "this is QIR" in answer.json()["detail"]


# --- IonQ, as CUDA-Q uses it ----------------------------------------------------------------------


def completed(ionq: httpx.Client, job: str) -> dict[str, Any]:
    def end() -> dict[str, Any] | None:
        answer = ionq.get("/ionq/v0.3/jobs", params={"id": job})
        assert answer.status_code == 200, answer.text
        (found,) = answer.json()["jobs"]
        return found if found["status"] == "completed" else None

    return until(end, "the job completes", timeout_s=60)


def submit_to_ionq(ionq: httpx.Client, data: object) -> httpx.Response:
    program = {"format": "qir", "data": data}
    return ionq.post(
        "/ionq/v0.3/jobs", json={"target": "simulator", "input": program, "shots": 100}
    )


@pytest.mark.parametrize("data", [BASE64, X0_OF_3])
def test_ionq_runs_qir_and_its_job_is_polled_by_a_query(ionq: httpx.Client, data: str) -> None:
    answer = submit_to_ionq(ionq, data)
    assert answer.status_code == 200, answer.text
    job = completed(ionq, answer.json()["id"])
    assert job["qubits"] == 3
    found = ionq.get(f"/ionq{job['results_url']}").json()
    assert found == {"1": 1.0}
    again = ionq.post(f"/ionq/v0.3/jobs/{job['id']}/clone", json={"shots": 7})
    assert again.status_code == 200, again.text
    assert completed(ionq, again.json()["id"])["shots"] == 7


def test_a_query_for_one_unknown_job_finds_none(ionq: httpx.Client) -> None:
    answer = ionq.get("/ionq/v0.3/jobs", params={"id": "00000000-0000-7000-8000-000000000000"})
    assert answer.json()["jobs"] == []


def test_ionq_refuses_qir_that_is_no_text(ionq: httpx.Client) -> None:
    answer = submit_to_ionq(ionq, {"a": 1})
    assert answer.status_code == 400
    assert answer.json()["message"] == "input.data must be text in QIR."


# --- qBraid ---------------------------------------------------------------------------------------


def run_at_qbraid(http: httpx.Client, program: object, device: str) -> tuple[str, Any]:
    body = {"deviceQrn": device, "shots": 10, "program": program, "runtimeOptions": {}}
    answer = http.post(f"{V1}/jobs", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["data"]["deviceQrn"] == device
    job = answer.json()["data"]["jobQrn"]

    def end() -> Any:
        found = http.get(f"{V1}/jobs/{job}").json()["data"]
        return found["status"] == "COMPLETED"

    until(end, "the job completes", timeout_s=60)
    return job, http.get(f"{V1}/jobs/{job}/result").json()["data"]


@pytest.mark.parametrize(("device", "key"), [(STATEVECTOR, "001"), (CUDA_Q, "100")])
@pytest.mark.parametrize("format_", ["qir.ll", "qasm3"])
def test_cuda_qs_default_device_has_qubit_0_first(
    http: httpx.Client, device: str, key: str, format_: str
) -> None:
    qasm = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[3] q;\nbit[3] c;\nx q[0];\n'
    data = BASE64 if format_ == "qir.ll" else f"{qasm}c = measure q;\n"
    program = {"format": format_, "data": data}
    job, result = run_at_qbraid(http, program, device)
    assert result["resultData"]["measurementCounts"] == {key: 10}
    assert http.get(f"{V1}/jobs/{job}/program").json()["data"] == program


def test_the_rows_of_cuda_qs_default_device_begin_with_qubit_0(http: httpx.Client) -> None:
    body = {
        "deviceQrn": CUDA_Q,
        "shots": 2,
        "program": {"format": "qir.ll", "data": BASE64},
        "runtimeOptions": {"memory": True},
    }
    job = http.post(f"{V1}/jobs", json=body).json()["data"]["jobQrn"]
    until(
        lambda: http.get(f"{V1}/jobs/{job}").json()["data"]["status"] == "COMPLETED", "the job ends"
    )
    found = http.get(f"{V1}/jobs/{job}/result").json()["data"]["resultData"]
    assert found["measurements"] == [[1, 0, 0]] * 2


def test_the_alias_is_a_device_that_lists_leave_out(http: httpx.Client) -> None:
    shown = http.get(f"{V1}/devices/{CUDA_Q}").json()["data"]
    assert shown["qrn"] == CUDA_Q
    assert shown["vrn"] == "statevector"
    listed = [each["qrn"] for each in http.get(f"{V1}/devices").json()["data"]]
    assert STATEVECTOR in listed
    assert CUDA_Q not in listed
    assert http.get(f"{V1}/devices/qbraid:qbraid:sim:qir-sw").status_code == 404


def test_a_batch_may_contain_qir(http: httpx.Client) -> None:
    programs = [{"format": "qir.bc", "data": BITCODE}, {"format": "qir.ll", "data": BASE64}]
    job, result = run_at_qbraid(http, programs, STATEVECTOR)
    counts = [each["resultData"]["measurementCounts"] for each in result["results"]]
    assert counts[1] == {"001": 10}
    assert http.get(f"{V1}/jobs/{job}/program").json()["data"] == programs


@pytest.mark.parametrize(("field", "data"), [("qir", BASE64), ("bitcode", BITCODE)])
def test_the_native_generation_sends_qir(http: httpx.Client, field: str, data: str) -> None:
    body = {"qbraidDeviceId": "qbraid_statevector", "shots": 10, field: data}
    answer = http.post(f"{V0}/quantum-jobs", json=body)
    assert answer.status_code in (200, 201), answer.text
