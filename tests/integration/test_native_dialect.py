"""The native API over HTTP: the whole journey of a job, against a live server."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from qwicket.gateway.admin import Admin
from support.held import held_job
from support.processes import is_alive
from support.programs import BELL
from support.server import LiveServer
from support.waiting import until


def submit(http: httpx.Client, **changes: Any) -> httpx.Response:
    body = {"program": BELL, "device": "simulator", "shots": 1000, **changes}
    return http.post("/v1/jobs", json=body)


def ended(http: httpx.Client, job: str) -> dict[str, Any]:
    found: dict[str, Any] = http.get(f"/v1/jobs/{job}", params={"wait": 60}).json()
    return found


def test_a_job_travels_the_whole_house(http: httpx.Client) -> None:
    made = submit(http, name="bell", tags=["a"], seed=7)
    assert made.status_code == 201
    job = made.json()
    address = str(http.base_url).rstrip("/")
    assert made.headers["location"] == f"{address}/v1/jobs/{job['id']}"
    assert (job["state"], job["shots"], job["circuits"], job["qubits"]) == ("queued", 1000, 1, 2)
    after = ended(http, job["id"])
    assert (after["state"], after["name"], after["tags"]) == ("completed", "bell", ["a"])
    assert after["created_at"] <= after["started_at"] <= after["ended_at"]
    result = http.get(f"/v1/jobs/{job['id']}/result").json()
    (part,) = result["parts"]
    assert set(part["counts"]) == {"00", "11"}
    assert sum(part["counts"].values()) == 1000
    assert part["seed"] >= 0
    assert part["engine"]


def test_equal_seeds_give_equal_counts(http: httpx.Client) -> None:
    jobs = [submit(http, seed=seed).json()["id"] for seed in (5, 5, 6)]
    for job in jobs:
        ended(http, job)
    first, second, third = (http.get(f"/v1/jobs/{job}/result").json()["parts"] for job in jobs)
    assert first[0]["counts"] == second[0]["counts"]
    assert first[0]["counts"] != third[0]["counts"]


def test_outputs_are_those_asked_for(http: httpx.Client) -> None:
    job = submit(http, outputs=["memory", "probabilities"], shots=20).json()["id"]
    ended(http, job)
    (part,) = http.get(f"/v1/jobs/{job}/result").json()["parts"]
    assert part["probabilities"] == pytest.approx({"00": 0.5, "11": 0.5})
    assert len(part["memory"]) == 20
    assert set(part["memory"]) <= {"00", "11"}
    assert "counts" not in part


def test_a_program_may_come_as_text_or_as_its_object(http: httpx.Client) -> None:
    text = '{"gateset": "qis", "qubits": 1, "circuit": [{"gate": "x", "target": 0}]}'
    job = submit(http, program=text).json()["id"]
    ended(http, job)
    (part,) = http.get(f"/v1/jobs/{job}/result").json()["parts"]
    assert part["counts"] == {"1": 1000}


def test_many_circuits_give_as_many_parts_in_order(http: httpx.Client) -> None:
    circuits = [{"circuit": [{"gate": "x", "target": k}] if k < 2 else []} for k in range(3)]
    program = {"gateset": "qis", "qubits": 2, "circuits": circuits}
    job = submit(http, program=program).json()
    assert job["circuits"] == 3
    ended(http, job["id"])
    parts = http.get(f"/v1/jobs/{job['id']}/result").json()["parts"]
    assert [list(part["counts"]) for part in parts] == [["01"], ["10"], ["00"]]
    assert [part["part"] for part in parts] == [0, 1, 2]


@pytest.mark.promise
def test_the_same_idempotency_key_is_the_same_job(http: httpx.Client) -> None:
    body = {"program": BELL, "device": "simulator"}
    headers = {"Idempotency-Key": "one"}
    first, second = (http.post("/v1/jobs", json=body, headers=headers) for _ in range(2))
    assert first.json()["id"] == second.json()["id"]
    other = http.post("/v1/jobs", json={**body, "shots": 5}, headers=headers)
    assert other.status_code == 422
    assert other.json()["code"] == "idempotency_key_reused"


def test_jobs_are_listed_newest_first_in_pages(server: LiveServer) -> None:
    with server.client(server.token(server.unused("lister"))) as http:
        made = [submit(http, name=str(i)).json()["id"] for i in range(5)]
        first = http.get("/v1/jobs", params={"limit": 3}).json()
        rest = http.get("/v1/jobs", params={"limit": 3, "before": first["next"]}).json()
        for job in made:
            ended(http, job)
        done = http.get("/v1/jobs", params={"state": "completed,failed"}).json()
        none = http.get("/v1/jobs", params={"device": "nowhere"}).json()
    assert [job["id"] for job in first["jobs"] + rest["jobs"]] == made[::-1]
    assert rest["next"] is None
    assert len(done["jobs"]) == 5
    assert none == {"jobs": [], "next": None}


def test_a_long_poll_answers_when_the_job_ends(http: httpx.Client) -> None:
    held = held_job()
    job = submit(http, program=held.program).json()["id"]
    release = threading.Timer(0.5, held.release)
    release.start()
    assert ended(http, job)["state"] == "completed"
    release.join()


def test_a_long_poll_gives_up_after_its_seconds(http: httpx.Client) -> None:
    job = submit(http, program=held_job().program).json()["id"]
    began = time.monotonic()
    state = http.get(f"/v1/jobs/{job}", params={"wait": 0.2}).json()["state"]
    assert state in {"queued", "running"}
    assert time.monotonic() - began >= 0.2
    http.post(f"/v1/jobs/{job}/cancel")


def test_a_wait_beyond_the_limit_is_a_wait_of_the_limit(http: httpx.Client) -> None:
    job = submit(http).json()["id"]
    answer = http.get(f"/v1/jobs/{job}", params={"wait": 100_000})
    assert (answer.status_code, answer.json()["state"]) == (200, "completed")


def test_there_is_no_result_yet_is_said_with_when_to_ask(http: httpx.Client) -> None:
    job = submit(http, program=held_job().program).json()["id"]
    answer = http.get(f"/v1/jobs/{job}/result")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_finished")
    assert int(answer.headers["retry-after"]) >= 1
    http.post(f"/v1/jobs/{job}/cancel")


@pytest.mark.promise
def test_a_running_job_is_really_stopped(http: httpx.Client) -> None:
    held = held_job()
    job = submit(http, program=held.program).json()["id"]
    worker = held.wait_until_running()
    asked = http.post(f"/v1/jobs/{job}/cancel").json()
    assert asked["state"] in {"cancelling", "cancelled"}
    assert ended(http, job)["state"] == "cancelled"
    until(lambda: not is_alive(worker), "its process is gone")
    answer = http.get(f"/v1/jobs/{job}/result")
    assert (answer.status_code, answer.json()["code"]) == (409, "no_result")
    quick = submit(http).json()["id"]
    assert ended(http, quick)["state"] == "completed"


@pytest.mark.promise
def test_a_waiting_job_is_cancelled_at_once(http: httpx.Client) -> None:
    blockers = [submit(http, program=held_job().program).json()["id"] for _ in range(2)]
    job = submit(http).json()["id"]
    assert http.post(f"/v1/jobs/{job}/cancel").json()["state"] == "cancelled"
    for blocker in blockers:
        http.post(f"/v1/jobs/{blocker}/cancel")
        assert ended(http, blocker)["state"] == "cancelled"


def test_devices_say_what_they_take(http: httpx.Client) -> None:
    (simulator,) = (
        device
        for device in http.get("/v1/devices").json()["devices"]
        if device["name"] == "simulator"
    )
    assert simulator["status"] == "on"
    assert {"openqasm3", "ionq.circuit.v1"} <= {*simulator["formats"]}
    alone = http.get("/v1/devices/simulator").json()
    assert alone.pop("queue").keys() == {
        *("length", "starts_in_s", "starts_after_s", "starts_before_s")
    }
    assert alone.pop("reservations") == []
    assert alone == simulator
    assert http.get("/v1/devices/nowhere").status_code == 404


def test_a_twin_shows_its_calibration_and_runs_by_it(http: httpx.Client) -> None:
    device = http.get("/v1/devices/qpu.aria-1").json()
    assert (device["qubits"], device["exact"]) == (25, False)
    assert device["native_gates"] == ["gpi", "gpi2", "ms"]
    answer = http.get("/v1/devices/qpu.aria-1/calibration")
    calibration = answer.json()
    assert calibration["id"] == device["calibration"]
    assert calibration["valid_from"] == "2024-10-24T00:00:00Z"
    assert calibration["two_qubit"] == {"error": 0.004, "duration_s": 0.0006}
    job = submit(http, device="qpu.aria-1", shots=20_000).json()
    assert job["calibration"] == calibration["id"]
    assert ended(http, job["id"])["state"] == "completed"
    (part,) = http.get(f"/v1/jobs/{job['id']}/result").json()["parts"]
    # Readout alone flips one of two bits with 2 · 0.0039; gates add about half as much.
    assert 0.006 < (part["counts"]["01"] + part["counts"]["10"]) / 20_000 < 0.02


@pytest.mark.parametrize(
    ("at", "status"),
    [
        ("2024-10-24T00:00:00Z", 200),
        ("2024-10-24T02:00:00+02:00", 200),
        ("2024-10-23T23:59:59Z", 404),
        ("2024-10-24T00:00:00", 400),
        ("yesterday", 400),
        ("0001-01-01T00:00:00+23:59", 404),
        ("", 400),
    ],
)
def test_a_calibration_of_another_time_is_asked_for_by_instant(
    http: httpx.Client, at: str, status: int
) -> None:
    answer = http.get("/v1/devices/qpu.aria-1/calibration", params={"at": at})
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["field"] == "at"


@pytest.mark.parametrize("name", ["simulator", "nothing"])
def test_a_device_without_a_calibration_has_none_to_show(http: httpx.Client, name: str) -> None:
    assert http.get(f"/v1/devices/{name}/calibration").status_code == 404


def test_a_twin_takes_no_other_noise_and_no_foreign_gate(http: httpx.Client) -> None:
    refused = submit(http, device="qpu.aria-1", noise="ideal")
    assert (refused.status_code, refused.json()["field"]) == (400, "noise")
    zz = {"gate": "zz", "targets": [0, 1], "angle": 0.2}
    program = {"gateset": "native", "qubits": 2, "circuit": [zz]}
    refused = submit(http, device="qpu.aria-1", program=program)
    assert refused.status_code == 400
    assert "gpi, gpi2, ms, not zz" in refused.json()["detail"]


def test_a_calibration_outlives_the_server_and_is_not_doubled(tmp_path: Path) -> None:
    server = LiveServer(tmp_path)
    try:
        path = "/v1/devices/qpu.forte-1/calibration"
        with server.client() as http:
            before = http.get(path).json()
        server.kill()
        server.start()
        with server.client() as http:
            assert http.get(path).json() == before
    finally:
        server.stop()


def test_an_error_names_field_cause_and_remedy(http: httpx.Client) -> None:
    answer = submit(http, shots=0)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["field"], body["status"]) == ("shots", 400)
    assert body["detail"]
    assert body["remedy"]
    assert answer.headers["x-request-id"]


def test_a_revoked_token_is_refused(server: LiveServer) -> None:
    account = server.unused("revoked")
    server.admin("user", "add", account)
    secret = server.admin("token", "create", "--user", account)
    with server.client(secret) as http:
        assert http.get("/v1/devices").status_code == 200
        (line,) = server.admin("token", "list", "--user", account).splitlines()
        server.admin("token", "revoke", line.split()[0])
        until(lambda: http.get("/v1/devices").status_code == 401, "a refusal")


@pytest.mark.parametrize("way", ["disabled", "removed"])
def test_who_leaves_is_refused(server: LiveServer, way: str) -> None:
    account = f"leaver-{way}"

    async def join(admin: Admin) -> str:
        await admin.add_account(account, email=None, password=None)
        await admin.add_project(way)
        await admin.add_member(way, account)
        return (await admin.create_token(account, project=way)).secret

    async def leave(admin: Admin) -> None:
        if way == "disabled":
            await admin.disable_account(account)
        else:
            await admin.remove_member(way, account)

    with server.client(server.as_admin(join)) as http:
        assert http.get("/v1/devices").status_code == 200
        server.as_admin(leave)
        until(lambda: http.get("/v1/devices").status_code == 401, "a refusal")


def test_a_long_poll_does_not_outlive_its_token(server: LiveServer) -> None:
    leaver = server.unused("leaver")
    server.admin("user", "add", leaver)
    secret = server.admin("token", "create", "--user", leaver)
    (line,) = server.admin("token", "list", "--user", leaver).splitlines()
    another = server.admin("token", "create", "--user", leaver)
    with server.client(secret) as http, server.client(another) as submitter:
        job = submit(submitter, program=held_job().program).json()["id"]
        answers: list[int] = []
        polling = threading.Thread(
            target=lambda: answers.append(
                http.get(f"/v1/jobs/{job}", params={"wait": 60}).status_code
            )
        )
        polling.start()
        server.admin("token", "revoke", line.split()[0])
        ending = submitter.post(f"/v1/jobs/{job}/cancel").json()
        polling.join(60)
    assert ending["state"] in {"cancelling", "cancelled"}, "it went on until then"
    assert answers == [401]


def test_the_public_address_is_that_of_the_socket_never_of_the_host_header(
    http: httpx.Client,
) -> None:
    body = {"program": BELL, "device": "simulator"}
    made = http.post("/v1/jobs", json=body, headers={"Host": "evil.example"})
    assert made.headers["location"].startswith(str(http.base_url).rstrip("/"))
    assert made.json()["url"].startswith(str(http.base_url).rstrip("/"))


def test_a_public_address_that_was_set_is_the_one_named(tmp_path: Path) -> None:
    live = LiveServer(tmp_path, "--public-url", "https://lab.example/qwicket/")
    with live.client() as http:
        made = submit(http)
        assert made.headers["location"].startswith("https://lab.example/qwicket/v1/jobs/")
        assert made.json()["url"].startswith("https://lab.example/qwicket/ui/jobs/")
        page = http.get("/v1/jobs/nothing").json()["type"]
        assert page == "https://lab.example/qwicket/docs/errors/not_found"
    live.stop()


def test_without_a_public_address_a_problem_leads_to_a_path(http: httpx.Client) -> None:
    # No address that the server knows by itself need be one that its clients can reach.
    page = http.get("/v1/jobs/nothing").json()["type"]
    assert page == "/docs/errors/not_found"
    assert http.get(page).status_code == 200


def test_twenty_clients_at_once_all_get_their_results(server: LiveServer) -> None:
    problems: list[str] = []

    def work() -> None:
        with server.client() as http:
            for _ in range(10):
                job = submit(http, shots=50).json()["id"]
                if ended(http, job)["state"] != "completed":
                    problems.append(job)

    token = server.token()
    assert token
    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


OPENQASM3 = """OPENQASM 3.0;
include "stdgates.inc";
input angle theta;
qubit[2] q;
bit[2] c;
rx(theta) q[0];
cx q[0], q[1];
c = measure q;
"""

OPENQASM2 = """OPENQASM 2.0;
include "qelib1.inc";
qreg q[2];
creg c[2];
x q[1];
measure q -> c;
"""


def counts_of(http: httpx.Client, **changes: Any) -> dict[str, int]:
    made = submit(http, **changes)
    assert made.status_code == 201, made.text
    assert ended(http, made.json()["id"])["state"] == "completed"
    (part,) = http.get(f"/v1/jobs/{made.json()['id']}/result").json()["parts"]
    counts: dict[str, int] = part["counts"]
    return counts


def test_openqasm_is_recognised_by_its_text_and_its_inputs_are_bound(http: httpx.Client) -> None:
    pi = 3.141592653589793
    assert counts_of(http, program=OPENQASM3, inputs={"theta": pi}) == {"11": 1000}
    assert counts_of(http, program=OPENQASM3, inputs={"theta": 0}) == {"00": 1000}
    assert counts_of(http, program=OPENQASM2) == {"10": 1000}
    assert counts_of(http, program=OPENQASM2, format="openqasm2") == {"10": 1000}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"program": OPENQASM2.replace("x q[1]", "warp q[1]")}, "line 5, column 1"),
        ({"program": OPENQASM3}, "theta"),
        ({"program": OPENQASM3, "inputs": {"theta": 1, "phi": 2}}, "phi"),
        ({"program": OPENQASM2, "inputs": {"theta": 1}}, "theta"),
        ({"inputs": {"theta": 1}}, "inputs"),
        ({"program": OPENQASM2, "format": "openqasm4"}, "format"),
        ({"program": 'OPENQASM 2.0; include "/etc/passwd"; qreg q[1];'}, "include"),
    ],
)
def test_a_refused_text_says_where_and_nothing_is_stored(
    server: LiveServer, changes: dict[str, Any], said: str
) -> None:
    with server.client(server.token(server.unused("refused"))) as http:
        answer = submit(http, **changes)
        assert answer.status_code == 400
        assert said in answer.json()["detail"]
        assert http.get("/v1/jobs").json()["jobs"] == []


TELEPORT = """OPENQASM 3;
include "stdgates.inc";
qubit[3] q;
bit[2] m;
bit out;
ry(2.0943951023931953) q[0];
h q[1];
cx q[1], q[2];
cx q[0], q[1];
h q[0];
m[0] = measure q[0];
m[1] = measure q[1];
if (m[1]) x q[2];
if (m[0]) z q[2];
out = measure q[2];
"""


def test_a_circuit_that_measures_midway_and_decides_runs(http: httpx.Client) -> None:
    """Teleportation keeps cos²(π/3) = 1/4 for 0; the two other bits are uniform."""
    counts = counts_of(http, program=TELEPORT, shots=8000, seed=1)
    ones = sum(n for key, n in counts.items() if key[0] == "1")
    assert abs(ones / 8000 - 0.75) < 0.03
    assert len(counts) == 8


def test_noise_is_asked_for_by_name(http: httpx.Client) -> None:
    ideal = counts_of(http, shots=20_000, seed=3)
    noisy = counts_of(http, shots=20_000, seed=3, noise="aria-1")
    assert set(ideal) == {"00", "11"}
    assert set(noisy) == {"00", "01", "10", "11"}
    flipped = (noisy["01"] + noisy["10"]) / 20_000
    assert abs(flipped - 8 * (15 * 0.0133 / 16) / 15) < 0.003  # 8 of the 15 Paulis flip one bit
    refused = submit(http, noise="perfect")
    assert (refused.status_code, refused.json()["field"]) == (400, "noise")


def test_an_engine_is_asked_for_by_name(http: httpx.Client) -> None:
    """A Bell pair runs on state vectors unless somebody wants it otherwise."""
    for name, engine in (("", "qulacs"), ("statevector", "qulacs"), ("clifford", "stim")):
        job = submit(http, engine=name).json()["id"]
        found = http.get(f"/v1/jobs/{job}/result", params={"wait": 60}).json()["parts"][0]
        assert found["engine"] == engine
    refused = submit(http, engine="abacus")
    assert (refused.status_code, refused.json()["field"]) == (400, "engine")
    offered = http.get("/v1/devices/simulator").json()["engines"]
    assert {"statevector", "clifford"} <= set(offered)
    assert all(name in refused.json()["detail"] for name in offered)


def ghz(qubits: int, last: str = "") -> str:
    lines = [f"qubit[{qubits}] q; bit[{qubits}] c;", "h q[0];"]
    lines += [f"cx q[{i}], q[{i + 1}];" for i in range(qubits - 1)]
    return "\n".join(['OPENQASM 3; include "stdgates.inc";', *lines, last, "c = measure q;"])


def test_clifford_circuits_of_thousands_of_qubits_run(http: httpx.Client) -> None:
    counts = counts_of(http, program=ghz(2_000), device="clifford", shots=100)
    assert set(counts) == {"0" * 2_000, "1" * 2_000}


def test_the_clifford_device_refuses_other_circuits(http: httpx.Client) -> None:
    refused = submit(http, program=ghz(3, "t q[1];"), device="clifford")
    assert refused.status_code == 400
    assert "Clifford" in refused.json()["detail"]
    too_wide = submit(http, program=ghz(5_001), device="clifford")
    assert too_wide.status_code == 400
    assert "qubits" in too_wide.json()["detail"]


def test_a_result_too_large_to_read_is_refused(http: httpx.Client) -> None:
    program = 'OPENQASM 3; include "stdgates.inc"; qubit q; bit[10000] c; c[0] = measure q;'
    refused = submit(http, program=program, outputs=["memory"], shots=60_000)
    assert refused.status_code == 400
    assert "result_bytes" in refused.json()["detail"]


def test_few_qubits_read_into_many_bits_come_back_whole(http: httpx.Client) -> None:
    """Small by its shots and qubits, large by its bits: it is worded beside the loop."""
    program = 'OPENQASM 3; include "stdgates.inc"; qubit q; bit[5000] c; x q; c[4999] = measure q;'
    made = submit(http, program=program, outputs=["memory"], shots=50).json()
    ended(http, made["id"])
    (part,) = http.get(f"/v1/jobs/{made['id']}/result").json()["parts"]
    assert part["memory"] == ["1" + "0" * 4_999] * 50


def test_no_answer_lets_pages_of_other_origins_read_it(
    server: LiveServer, http: httpx.Client
) -> None:
    origin = {"Origin": "https://elsewhere.example"}
    asked = {**origin, "Access-Control-Request-Method": "POST"}
    for answer in (http.options("/v1/jobs", headers=asked), http.get("/v1/jobs", headers=origin)):
        assert not [name for name in answer.headers if name.startswith("access-control")]
