"""The qBraid dialect over plain HTTP: what no client asks for by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from support.for_each import for_each
from support.held import held_job
from support.server import LiveServer
from support.waiting import PROMPT_S, until
from vendors.qbraid.described import hold_to_description

OLD, NEW = "/qbraid/api", "/qbraid/api/v1"
DEVICE = "qbraid:qbraid:sim:statevector"
BELL = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;
"""
SILENT = "OPENQASM 3.0;\nqubit q;\n"
TINY = "OPENQASM 3.0;\nqubit q;\nbit c;\nc = measure q;\n"


class Caller:
    """A client that holds each answer to the dialect's description."""

    def __init__(self, http: httpx.Client, token: str) -> None:
        self.http = http
        hold_to_description(http)
        self.headers = {"X-API-Key": token}

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.http.request(method, path, headers=self.headers, **options)

    def submit(self, *sources: str, **fields: Any) -> dict[str, Any]:
        programs = [{"format": "qasm3", "data": source} for source in sources]
        program = programs if len(programs) > 1 else programs[0]
        body = {"deviceQrn": DEVICE, "shots": 10, "program": program, **fields}
        answer = self("POST", f"{NEW}/jobs", json=body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()["data"]
        return found

    def ended(self, qrn: str) -> dict[str, Any]:
        def end() -> dict[str, Any] | None:
            found: dict[str, Any] = self("GET", f"{NEW}/jobs/{qrn}").json()["data"]
            return found if found["timeStamps"]["endedAt"] else None

        return until(end, f"job {qrn} ends", timeout_s=60)


@pytest.fixture(scope="module")
def call(server: LiveServer) -> Iterator[Caller]:
    with httpx.Client(base_url=server.url, timeout=60, verify=False) as http:
        yield Caller(http, server.token())


@pytest.fixture(scope="module")
def stranger(server: LiveServer, call: Caller) -> Caller:
    return Caller(call.http, server.token("bob"))


def test_one_job_has_one_tail_in_all_generations(server: LiveServer, call: Caller) -> None:
    job = call.ended(call.submit(BELL, name="both")["jobQrn"])
    tail = job["jobQrn"].rpartition("-")[2]
    (native,) = call("GET", f"{OLD}/quantum-jobs", params={"qbraidJobId": f"x-qjob-{tail}"}).json()
    assert native["qbraidJobId"] == f"qbraid_statevector-{server.account}-qjob-{tail}"
    assert native["vendorJobId"] == job["jobVrn"]
    assert native["measurementCounts"]
    for name in ("_id", "vendorJobId"):
        (again,) = call("GET", f"{OLD}/quantum-jobs", params={name: native[name]}).json()
        assert again["qbraidJobId"] == native["qbraidJobId"]
    listed = call("GET", f"{NEW}/jobs", params={"search": "both"}).json()["data"]
    assert job["jobQrn"] in [each["jobQrn"] for each in listed]


def test_a_batch_has_no_counts_where_batches_are_unknown(call: Caller) -> None:
    job = call.ended(call.submit(BELL, BELL)["jobQrn"])
    (native,) = call("GET", f"{OLD}/quantum-jobs", params={"vendorJobId": job["jobVrn"]}).json()
    assert "measurementCounts" not in native
    found = call("GET", f"{OLD}/quantum-jobs/result/{native['qbraidJobId']}").json()
    assert "measurementCounts" not in found["data"]


def test_an_ionq_program_of_several_circuits_has_several_results(call: Caller) -> None:
    circuits = [{"circuit": [{"gate": "x", "target": k}]} for k in range(2)]
    program = {"format": "ionq.circuit.v0", "data": {"qubits": 2, "circuits": circuits}}
    job = call.ended(call.submit(BELL, program=program)["jobQrn"])
    assert job["numCircuits"] == 2
    found = call("GET", f"{NEW}/jobs/{job['jobQrn']}/result").json()["data"]
    counts = [each["resultData"]["measurementCounts"] for each in found["results"]]
    assert counts == [{"01": 10}, {"10": 10}]
    sent = call("GET", f"{NEW}/jobs/{job['jobQrn']}/program").json()["data"]
    assert sent == program


def test_programs_of_a_batch_come_back_as_they_were_sent(call: Caller) -> None:
    circuit = {"qubits": 1, "circuit": [{"gate": "x", "target": 0}]}
    programs = [
        {"format": "ionq.circuit.v0", "data": circuit},
        {"format": "ionq.circuit.v0", "data": json.dumps(circuit)},
        {"format": "qasm3", "data": BELL},
    ]
    job = call.ended(call.submit(BELL, program=programs)["jobQrn"])
    assert call("GET", f"{NEW}/jobs/{job['jobQrn']}/program").json()["data"] == programs


TWIN = "qbraid:qbraid:sim:qpu.aria-1"
ROTATED = BELL.replace("cx q[0]", "ry(0.7) q[1];\ncx q[0]")


def compiled(call: Caller, job: dict[str, Any]) -> httpx.Response:
    return call("GET", f"{NEW}/jobs/{job['jobQrn']}/compiled-program")


@pytest.mark.parametrize(
    ("device", "gates"),
    [("qpu.aria-1", {"gpi", "gpi2", "ms"}), ("qpu.forte-1", {"gpi", "gpi2", "zz"})],
)
def test_a_twin_gives_its_compiled_program_which_runs_as_the_one_that_was_sent(
    call: Caller, device: str, gates: set[str]
) -> None:
    qrn = f"qbraid:qbraid:sim:{device}"
    job = call.ended(call.submit(ROTATED, shots=4000, deviceQrn=qrn)["jobQrn"])
    program = compiled(call, job).json()["data"]
    assert program["format"] == "ionq.circuit.v0"
    found = json.loads(program["data"])
    assert (found["gateset"], found["qubits"]) == ("native", 2)
    assert {gate["gate"] for gate in found["circuit"]} <= gates
    assert any(len(gate.get("targets", ())) == 2 for gate in found["circuit"])
    body = {"deviceQrn": qrn, "shots": 4000, "program": program}
    answer = call("POST", f"{NEW}/jobs", json=body)
    again = call.ended(answer.json()["data"]["jobQrn"])
    counts = [
        call("GET", f"{NEW}/jobs/{each['jobQrn']}/result").json()["data"]["resultData"][
            "measurementCounts"
        ]
        for each in (job, again)
    ]
    keys = {*counts[0], *counts[1]}
    distance = sum(abs(counts[0].get(k, 0) - counts[1].get(k, 0)) for k in keys) / 8000
    assert distance < 0.06  # four outcomes, twice 4,000 shots: 5 sigma
    assert counts[0]["00"] > 1000, "the rotation leaves both outcomes of each likely"


def test_a_batch_on_a_twin_is_compiled_program_by_program(call: Caller) -> None:
    ones = BELL.replace("h q[0];\ncx q[0], q[1];", "x q[0];")
    job = call.ended(call.submit(BELL, ones, deviceQrn=TWIN)["jobQrn"])
    first, second = compiled(call, job).json()["data"]
    assert len(json.loads(first["data"])["circuit"]) > 1
    assert [gate["gate"] for gate in json.loads(second["data"])["circuit"]] == ["gpi"]


def test_what_has_no_compiled_program_is_a_404_that_says_why(
    call: Caller, stranger: Caller
) -> None:
    job = call.ended(call.submit(BELL)["jobQrn"])
    answer = compiled(call, job)
    assert answer.status_code == 404
    assert "as it was submitted" in answer.json()["message"]
    midway = BELL.replace("cx q[0]", "c[0] = measure q[0];\ncx q[0]")
    answer = compiled(call, call.ended(call.submit(midway, deviceQrn=TWIN)["jobQrn"]))
    assert answer.status_code == 404
    assert "mid-circuit measurement" in answer.json()["message"]
    long = "".join(f"rx(0.1) q[{k}];\ncx q[{k}], q[{k + 1}];\n" for k in range(15)) * 20
    job = call.submit(BELL.replace("[2]", "[16]") + long, deviceQrn=TWIN, shots=1000)
    assert compiled(call, job).status_code == 404
    call("POST", f"{NEW}/jobs/{job['jobQrn']}/cancel")
    assert call.ended(job["jobQrn"])["status"] == "CANCELLED"
    assert "not completed" in compiled(call, job).json()["message"]
    many = call.ended(call.submit(*[BELL] * 101, deviceQrn=TWIN, shots=1)["jobQrn"])
    answer = compiled(call, many)
    assert answer.status_code == 404
    assert "100" in answer.json()["message"]
    assert compiled(stranger, many).json()["message"] == "There is no such job."


def test_a_program_that_measures_nothing_is_refused(call: Caller) -> None:
    program = {"format": "qasm3", "data": SILENT}
    sent = call("POST", f"{NEW}/jobs", json={"deviceQrn": DEVICE, "shots": 10, "program": program})
    assert sent.status_code == 400
    assert "measures nothing; add a measurement" in sent.json()["message"]


def test_a_result_that_is_not_there_is_a_conflict(call: Caller) -> None:
    qrn = call.submit(held_job().openqasm)["jobQrn"]
    assert call("GET", f"{NEW}/jobs/{qrn}/result").status_code == 409
    assert call("DELETE", f"{NEW}/jobs/{qrn}").status_code == 409
    assert call("POST", f"{NEW}/jobs/{qrn}/cancel").json()["data"]["status"] == "CANCELLING"
    shown = call("GET", f"{NEW}/jobs/{qrn}").json()["data"]["status"]
    assert shown in ("CANCELLING", "CANCELLED")
    assert call.ended(qrn)["status"] == "CANCELLED"
    assert call("GET", f"{NEW}/jobs/{qrn}/result").status_code == 409
    assert call("POST", f"{NEW}/jobs/{qrn}/cancel").status_code == 409


def test_several_jobs_are_deleted_together_or_not_at_all(call: Caller) -> None:
    done, running = (
        call.ended(call.submit(BELL)["jobQrn"])["jobQrn"],
        call.submit(held_job().openqasm)["jobQrn"],
    )
    names = f'["{done}", "{running}"]'
    assert call("DELETE", f"{NEW}/jobs", params={"qrns": names}).status_code == 409
    assert call("GET", f"{NEW}/jobs/{done}").status_code == 200
    call("POST", f"{NEW}/jobs/{running}/cancel")
    call.ended(running)
    assert call("DELETE", f"{NEW}/jobs", params={"qrns": names}).status_code == 200
    assert call("GET", f"{NEW}/jobs/{done}").status_code == 404


def test_a_group_that_is_cancelled_stops_its_jobs(call: Caller, stranger: Caller) -> None:
    body = {"name": "g", "tags": {"a": 1}, "maxTTL": 60}
    group = call("POST", f"{NEW}/jobs/group", json=body).json()["data"]
    at = f"{NEW}/jobs/group/{group['groupJobQrn']}"
    jobs = [
        call.submit(held_job().openqasm, groupJobQrn=group["groupJobQrn"])["jobQrn"]
        for _ in range(3)
    ]
    assert call("GET", at).json()["data"]["jobCount"] == 3
    for method, path in (("GET", ""), ("POST", "/close"), ("POST", "/cancel"), ("DELETE", "")):
        assert stranger(method, at + path).status_code == 404
    foreign = {"deviceQrn": DEVICE, "program": {"format": "qasm3", "data": BELL}}
    foreign["groupJobQrn"] = group["groupJobQrn"]
    assert stranger("POST", f"{NEW}/jobs", json=foreign).status_code == 404
    assert call("POST", f"{at}/close").json()["data"]["status"] == "CLOSED"
    assert call("POST", f"{at}/cancel").json()["data"]["status"] == "CANCELLED"
    assert {call.ended(qrn)["status"] for qrn in jobs} == {"CANCELLED"}
    found = call("GET", at).json()["data"]
    assert (found["cancelledCount"], found["tags"]) == (3, {"a": 1})
    listed = call("GET", f"{NEW}/jobs/group", params={"status": "CANCELLED"}).json()["data"]
    assert group["groupJobQrn"] in [each["groupJobQrn"] for each in listed]
    assert call("DELETE", at).status_code == 200
    assert call("GET", at).status_code == 404
    assert call("GET", f"{NEW}/jobs/{jobs[0]}").status_code == 200


@pytest.mark.extended
def test_lists_of_jobs_with_long_options_are_bounded_in_bytes(call: Caller) -> None:
    group = call("POST", f"{NEW}/jobs/group", json={}).json()["data"]["groupJobQrn"]
    options = {"note": "x" * 65_000}
    for n in range(280):
        call.submit(TINY, groupJobQrn=group, runtimeOptions=options, tags={"k": f"{n}"})
    answer = call("GET", f"{NEW}/jobs/group/{group}/jobs")
    assert answer.status_code == 400
    assert "exceed 16 MiB" in answer.text
    page = call("GET", f"{NEW}/jobs", params={"limit": "100"}).json()
    assert len(page["data"]) == 100, "a page of a hundred is whole"


def test_a_group_closes_by_itself_when_its_time_is_over(call: Caller) -> None:
    group = call("POST", f"{NEW}/jobs/group", json={"maxTTL": 1}).json()["data"]
    at = f"{NEW}/jobs/group/{group['groupJobQrn']}"
    assert group["status"] == "OPEN"
    until(
        lambda: call("GET", at).json()["data"]["status"] == "COMPLETED",
        "the group closes",
        timeout_s=PROMPT_S,
    )


@pytest.mark.parametrize("life", [0, 86_401, -1, "60"])
def test_a_group_lives_a_day_at_most(call: Caller, life: object) -> None:
    answer = call("POST", f"{NEW}/jobs/group", json={"maxTTL": life})
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == "maxTTL"


@for_each("header", ["api-key", "X-API-Key", "X-Access-Token", "refresh-token"])
@for_each("path", [f"{OLD}/identity", f"{OLD}//identity", f"{NEW}/users/verify"])
def test_every_credential_opens_every_generation(
    server: LiveServer, call: Caller, header: str, path: str
) -> None:
    headers = {header: server.token(), "email": "somebody@else.example"}
    assert call.http.get(path, headers=headers).status_code == 200


def test_a_truth_value_is_found_as_either_language_writes_it(call: Caller) -> None:
    job = call.submit(BELL, tags={"mark": "truth", "ok": True})
    for text in ("true", "True"):
        asked = {"tags.mark": "truth", "tags.ok": text}
        (found,) = call("GET", f"{OLD}/quantum-jobs", params=asked).json()
        assert found["vendorJobId"] == job["jobVrn"]


def test_a_search_is_for_so_many_tags(call: Caller) -> None:
    tags = json.dumps({f"t{k}": k for k in range(33)})
    answer = call("GET", f"{NEW}/jobs", params={"tags": tags})
    assert answer.status_code == 400
    assert "limit tags" in answer.json()["message"]


def test_the_public_lists_need_no_credential(call: Caller) -> None:
    devices = call.http.get(f"{OLD}/public/lab/get-devices?qbraid_id=qbraid_parked").json()
    assert [device["status"] for device in devices] == ["OFFLINE"]
    asked = {"numberQubits": {"$lte": 5}}
    found = call.http.post(f"{OLD}/public/lab/get-devices", json=asked).json()
    assert [device["qbraid_id"] for device in found] == ["qbraid_rydberg"]
    assert call.http.get(f"{OLD}/public/lab/get-sdk-version").json() == "0.4.5"
    body = {"qbraid_id": "qbraid_parked", "status": "ONLINE"}
    assert call("PUT", f"{OLD}/lab/update-device", data=body).status_code == 403


def test_a_device_that_the_administrator_turns_on_takes_jobs(
    server: LiveServer, call: Caller
) -> None:
    server.admin("device", "on", "parked")
    job = call.submit(BELL, deviceQrn="qbraid:qbraid:sim:parked")
    assert call.ended(job["jobQrn"])["status"] == "COMPLETED"
    server.admin("device", "pause", "parked", "--reason", "a visit")
    paused = call("GET", f"{NEW}/devices/qbraid:qbraid:sim:parked").json()["data"]
    assert (paused["status"], paused["statusMsg"]) == ("UNAVAILABLE", "a visit")
    server.admin("device", "off", "parked", "--reason", "maintenance")
    shown = call("GET", f"{NEW}/devices/qbraid:qbraid:sim:parked").json()["data"]
    assert (shown["status"], shown["statusMsg"]) == ("OFFLINE", "maintenance")


@pytest.mark.extended
def test_a_search_of_long_documents_is_bounded_in_bytes(call: Caller) -> None:
    numbers = [("circuitBatchNumQubits", "1000000")] * 4_000

    def register(name: str, form: list[tuple[str, str]]) -> httpx.Response:
        device = ("qbraidDeviceId", "long")
        text = urlencode([("vendorJobId", name), device, *form])
        return call("POST", f"{OLD}/init-job", content=text)

    for n in range(160):
        assert register(str(n), numbers).status_code == 200
    query = {"qbraidDeviceId": "long", "numResults": 1000}
    answer = call("POST", f"{OLD}/get-user-jobs", json=query)
    assert len(answer.content) < 5 << 20
    found = [document["vendorJobId"] for document in answer.json()]
    assert found == [str(n) for n in range(159, 159 - len(found), -1)]
    assert len(found) > 50
    answer = register("huge", [("circuitBatchDepth", "9" * 18)] * 5_000)
    assert answer.status_code == 400
    assert "options_bytes" in answer.json()["message"]


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"shots": 0}, "shots"),
        ({"shots": 10**9}, "limit shots"),
        ({"tags": {"a": 1.5}}, "tags"),
        ({"tags": {str(k): k for k in range(33)}}, "limits tags"),
        ({"tags": {"a": "x" * 300}}, "name_chars"),
        ({"runtimeOptions": {"noiseModel": "depolarizing"}}, "noise"),
        ({"runtimeOptions": {"seed": -1}}, "seed"),
        ({"runtimeOptions": []}, "runtimeOptions"),
        ({"name": "x" * 256}, "name_chars"),
        ({"deviceQrn": "qbraid:qbraid:qpu:statevector"}, "no device"),
        ({"deviceQrn": "qbraid:qbraid:sim:simulator"}, "no device"),
        ({"deviceQrn": "statevector"}, "no device"),
        ({"program": []}, "program"),
        ({"groupJobQrn": "qbraid:group-nothing"}, 'no group "qbraid:group-nothing"'),
        ({"program": {"format": "qasm9", "data": ""}}, "program.format"),
        ({"program": {"format": "qasm3", "data": " "}}, "program.data"),
        ({"program": {"format": "analog", "data": "{}"}}, "takes programs in qasm2"),
        (
            {
                "deviceQrn": "qbraid:qbraid:sim:rydberg",
                "program": [{"format": "analog", "data": "{}"}],
            },
            "takes no batches",
        ),
    ],
)
def test_a_refusal_names_its_field_or_limit(
    call: Caller, fields: dict[str, Any], word: str
) -> None:
    body = {"deviceQrn": DEVICE, "program": {"format": "qasm3", "data": BELL}, **fields}
    answer = call("POST", f"{NEW}/jobs", json=body)
    assert 400 <= answer.status_code < 500
    assert word in answer.json()["message"]


def test_a_crowd_of_programs_of_one_account_is_read_in_turn_and_none_refused(
    call: Caller,
) -> None:
    """The native dialect answers 429 from the 17th on; these clients never repeat such a POST."""
    with ThreadPoolExecutor(40) as pool:
        body = {"deviceQrn": DEVICE, "shots": 1, "program": {"format": "qasm3", "data": BELL}}
        sent = [pool.submit(call, "POST", f"{NEW}/jobs", json=body) for _ in range(40)]
        assert {each.result().status_code for each in sent} == {201}


@pytest.mark.extended
def test_a_page_that_would_be_too_large_is_refused_and_smaller_ones_have_all_jobs(
    server: LiveServer,
) -> None:
    with httpx.Client(base_url=server.url, timeout=60) as http:
        call = Caller(http, server.token(server.unused("large")))
        options = {"note": "x" * 60_000}
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda _: call.submit(TINY, runtimeOptions=options), range(290)))
        large = call("GET", f"{OLD}/quantum-jobs", params={"resultsPerPage": 290})
        assert large.status_code == 400
        assert "exceed 16 MiB: list fewer jobs in a page" in large.text
        pages = [
            call("GET", f"{OLD}/quantum-jobs", params={"resultsPerPage": 100, "page": page}).json()
            for page in (1, 2, 3)
        ]
        assert [len(page) for page in pages] == [100, 100, 90]
        assert len({job["_id"] for page in pages for job in page}) == len(made)
