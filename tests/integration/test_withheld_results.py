"""Exams whose results are withheld until their end: in every dialect their jobs run until then."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

import qwicket
from qwicket.clients.ibm_qx import IBMQXAPIError, IBMQXClient
from qwicket.clients.ionq import Circuit, IonQClient
from qwicket.clients.native import Client as NativeClient
from qwicket.gateway.ttl_cache import CACHE_TTL_S
from qwicket.schema import archives
from support import braket, ibm
from support.held import held_job
from support.ledger import ledger
from support.pages import Person
from support.programs import BELL
from support.remotes import ATOMS
from support.runtime import Client, body, sampler
from support.server import LiveServer, server_on
from support.waiting import until

DEVICES = ("simulator", "qwicket_simulator", "statevector", "singlequdit")
HOUR_S = 3600
QASM = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[1]; creg c[1]; h q[0]; measure q -> c;'


@pytest.fixture(scope="module")
def live(
    database_kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp(f"withheld_{database_kind}")
    with server_on(
        database_kind, request, folder, QWICKET_AWS_MASTER_FILE=str(folder / "master")
    ) as server:
        server.token()
        yield server


@pytest.fixture(scope="module")
def admin(live: LiveServer) -> Iterator[httpx.Client]:
    live.admin("user", "add", "root", "--role", "admin")
    token = live.admin("token", "create", "--user", "root", "--scope", "admin")
    with live.client(token) as http:
        yield http


@pytest.fixture
def exam(live: LiveServer, admin: httpx.Client) -> Iterator[Callable[[], None]]:
    """An exam of ada on all devices; yield what ends it."""
    made = [reserve(admin, device) for device in DEVICES]
    time.sleep(2 * CACHE_TTL_S)  # for so long the server may still remember devices without it

    def end() -> None:
        while made:
            removed = admin.delete(f"/v1/admin/reservations/{made.pop()}")
            assert removed.status_code == 204, removed.text

    yield end
    end()


def reserve(admin: httpx.Client, device: str, **changes: Any) -> str:
    until_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + HOUR_S))
    body = {"device": device, "projects": ["ada"], "until": until_at, "exam_waiting": 20}
    made = admin.post("/v1/admin/reservations", json={**body, "withhold_results": True, **changes})
    assert made.status_code == 201, made.text
    assert made.json()["withhold_results"] is True
    return str(made.json()["id"])


def completed(live: LiveServer, job: str) -> bool:
    """Return whether a job has really completed, by the database."""
    with ledger(live) as books:
        return books.rows(f"select state from job where id = '{job}'") == [("completed",)]


@pytest.fixture
def client(live: LiveServer) -> Iterator[NativeClient]:
    with qwicket.connect(live.url, live.token()) as made:
        yield made


@pytest.mark.both_databases
def test_a_job_of_the_exam_runs_until_its_end_and_then_has_its_result(
    live: LiveServer,
    admin: httpx.Client,
    client: NativeClient,
    exam: Callable[[], None],
    tmp_path: Path,
) -> None:
    with live.client() as http:
        group = http.post("/v1/groups", json={"name": "exam"}).json()["id"]
        body = {"program": BELL, "device": "simulator", "shots": 20, "group": group}
        job = client.job(http.post("/v1/jobs", json=body).json()["id"])
    until(lambda: completed(live, job.id), "it has completed", timeout_s=60)
    with live.client() as http:
        use = http.get(f"/v1/groups/{group}").json()
        assert (use["jobs"], use["unfinished"], use["run_seconds"]) == (1, 1, 0.0)
        requeued = admin.post(f"/v1/admin/jobs/{job.id}/requeue")
        assert requeued.status_code == 409
        assert "withheld until the exam ends" in requeued.text
        path = f"/v1/jobs/{job.id}"
        shown = http.get(path, params={"wait": 1}).json()
        assert (shown["state"], shown["ended_at"]) == ("running", None)
        assert shown["results_at"] is not None
        (listed,) = [each for each in http.get("/v1/jobs").json()["jobs"] if each["id"] == job.id]
        assert listed["state"] == "running"
        running = http.get("/v1/jobs", params={"state": "running"}).json()["jobs"]
        assert job.id in [each["id"] for each in running]
        ended = http.get("/v1/jobs", params={"state": "completed"}).json()["jobs"]
        assert job.id not in [each["id"] for each in ended]
        for refused in ("/result", "/parts/0", "/parts/0?format=npz", "/archive"):
            answer = http.get(path + refused)
            assert answer.status_code == 409, (refused, answer.text)
            assert "counts" not in answer.text
        for delete in (http.delete(path), http.post("/v1/bulk/delete", json={"ids": [job.id]})):
            assert delete.status_code in (404, 409), delete.text
        link = http.post(f"{path}/shares", json={"life_s": 600})
        assert link.status_code == 201, link.text
        open_ = httpx.get(link.json()["url"])
        assert "counts" not in open_.text
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(job.result, timeout=60)
        time.sleep(0.5)
        assert not waiting.done()
        exam()
        assert sum(waiting.result(30).counts.values()) == 20
    job.archive(tmp_path / "job.zip")


def test_a_repeated_submission_does_not_show_the_result(
    live: LiveServer, exam: Callable[[], None]
) -> None:
    with live.client() as http:
        body = {"device": "simulator", "program": BELL, "shots": 10}
        headers = {"Idempotency-Key": "exam-1"}
        job = http.post("/v1/jobs", json=body, headers=headers).json()["id"]
        until(lambda: completed(live, job), "it has completed", timeout_s=60)
        again = http.post("/v1/jobs", json=body, headers=headers, params={"wait": 1})
        assert again.json()["id"] == job
        assert again.json()["state"] == "running"
        assert "counts" not in again.text


def test_vendors_clients_wait_for_the_end(live: LiveServer, exam: Callable[[], None]) -> None:
    pair = live.admin("token", "create", "--user", "ada", "--aws")
    sign = braket.Signature(pair, "braket")
    token = live.token()
    with (
        IonQClient(token, f"{live.url}/ionq/v0.4") as ions,
        IBMQXClient(token, url=live.url + ibm.DIALECT) as qx,
        live.client() as http,
    ):
        ionq = ions.submit_job(Circuit(2).h(0).cnot(0, 1))["id"]
        ibmq = qx.run_qobj(ibm.qobj(), ibm.SIMULATOR).id
        task = http.post("/braket/quantum-task", json=braket.body(), auth=sign)
        arn = task.json()["quantumTaskArn"]
        for job in (ionq, ibmq, arn.rpartition("/")[2]):
            until(partial(completed, live, native(job)), "it has completed", timeout_s=60)
        assert ions.retrieve_job(ionq)["status"] in ("ready", "running", "started")
        assert qx.job(ibmq).status == "RUNNING"
        assert "qObjectResult" not in dict(qx.job(ibmq))
        assert http.get(f"/braket/quantum-task/{arn}", auth=sign).json()["status"] == "RUNNING"
        exam()
        assert ions.wait(ionq, timeout=30)["status"] == "completed"
        assert ions.get_results(ionq) == pytest.approx({"0": 0.5, "3": 0.5})
        assert qx.wait(ibmq, timeout=30).status == "COMPLETED"
        assert http.get(f"/braket/quantum-task/{arn}", auth=sign).json()["status"] == "COMPLETED"


def test_nobody_else_reads_a_program_until_the_end(
    live: LiveServer, admin: httpx.Client, exam: Callable[[], None]
) -> None:
    """Not even with its id: only the account that submitted the job, and administrators."""
    bell = {"qubits": 2, "circuit": [{"gate": "h", "target": 0}]}
    ionq = {"type": "ionq.circuit.v1", "backend": "simulator", "shots": 10, "input": bell}
    of_ada = {"Authorization": f"apiKey {live.token()}"}
    root = live.admin("token", "create", "--user", "root", "--scope", "jobs:read")
    with Person(live, "ben") as ben, live.client() as http:
        for member in (ben.name, "root"):
            live.admin("project", "member", "add", "ada", member)
        qx = [IBMQXClient(token, url=live.url + ibm.DIALECT) for token in (live.token(), ben.token)]
        signs = [
            braket.Signature(live.admin("token", "create", "--user", name, "--aws"), "braket")
            for name in ("ada", ben.name)
        ]
        submission = {"program": BELL, "device": "simulator", "shots": 10}
        job = http.post("/v1/jobs", json=submission).json()["id"]
        http.post(f"/v1/jobs/{job}/shares", json={"account": ben.name}).raise_for_status()
        in_qx = qx[0].run_qobj(ibm.qobj(), ibm.SIMULATOR).id
        in_ionq = http.post("/ionq/v0.4/jobs", json=ionq, headers=of_ada).json()["id"]
        task = http.post("/braket/quantum-task", json=braket.body(), auth=signs[0])
        arn = task.json()["quantumTaskArn"]

        def found() -> list[bool]:
            token = {"Authorization": f"Bearer {ben.token}"}
            key = {"Authorization": f"apiKey {ben.token}"}
            answers = [
                ben.browser.get(f"/ui/jobs/{job}"),
                ben.browser.get(f"/ui/jobs/new?from={job}"),
                httpx.get(f"{live.url}/v1/jobs/{job}", headers=token),
                httpx.get(f"{live.url}/v1/jobs/{job}/archive", headers=token),
                httpx.get(f"{live.url}/ionq/v0.4/jobs/{in_ionq}", headers=key),
                httpx.get(f"{live.url}/braket/quantum-task/{arn}", auth=signs[1]),
            ]
            try:
                is_in_qx = qx[1].job(in_qx).id == in_qx
            except IBMQXAPIError:
                is_in_qx = False
            return [is_in_qx, *(each.status_code != 404 for each in answers)]

        assert not any(found())
        assert job in ben.browser.get("/ui/jobs?who=projects").text
        with live.client(root) as reader:
            assert reader.get(f"/v1/jobs/{job}").status_code == 200
        assert http.get(f"/v1/jobs/{job}").status_code == 200
        exam()
        assert all(found())


def test_no_page_shows_a_seed_before_the_end(live: LiveServer, admin: httpx.Client) -> None:
    """With it, a simulator that is not reserved would give the same result."""
    with Person(live, "eve") as eve:
        exam = reserve(admin, "clifford", projects=[eve.name])
        time.sleep(2 * CACHE_TTL_S)
        job = eve.client.submit(BELL, "clifford", shots=20)
        until(lambda: completed(live, job.id), "it has completed", timeout_s=60)
        at = f"/ui/jobs/{job.id}"
        shown = eve.browser.get(at).text
        assert "shown after the exam" in shown
        assert "with the same seed" not in shown
        repeated = eve.browser.submit(at, at, action="repeat-seed")
        assert (repeated.status_code, "and so is the seed" in repeated.text) == (409, True)
        admin.delete(f"/v1/admin/reservations/{exam}").raise_for_status()
        seed = str(job.result(timeout=60).parts[0].seed)
        assert seed not in shown
        after = eve.browser.get(at).text
        assert (seed in after, "with the same seed" in after) == (True, True)


def test_no_dialect_takes_a_seed_while_results_are_withheld(
    live: LiveServer, exam: Callable[[], None]
) -> None:
    token = live.token()
    bell = {"qubits": 2, "circuit": [{"gate": "h", "target": 0}]}
    ionq = {"type": "ionq.circuit.v1", "backend": "simulator", "shots": 10, "input": bell}
    qbraid = {"deviceQrn": "qbraid:qbraid:sim:statevector", "shots": 10}
    qbraid["program"] = {"format": "qasm2", "data": QASM}
    atoms = json.dumps({"experiment_0": {**ATOMS["experiment_0"], "seed": 7}})
    with live.client() as http, httpx.Client(base_url=live.url) as open_:
        runtime = Client(http, token)
        sent = {
            "seed": http.post("/v1/jobs", json={"device": "simulator", "program": BELL, "seed": 7}),
            "message": open_.post(
                "/ionq/v0.4/jobs",
                json={**ionq, "noise": {"model": "ideal", "seed": 7}},
                headers={"Authorization": f"apiKey {token}"},
            ),
            "config.seed_simulator": runtime.other_dialect.call(
                "POST",
                "/jobs",
                json={
                    "qObject": ibm.qobj(seed_simulator=7),
                    "backend": {"name": ibm.SIMULATOR},
                },
            ),
            "params.options.simulator.seed_simulator": runtime.call(
                "POST", "/jobs", json=body(params=sampler(simulator={"seed_simulator": 7}))
            ),
            "success": open_.post(
                "/qbraid/api/v1/jobs",
                json={**qbraid, "runtimeOptions": {"seed": 7}},
                headers={"X-API-Key": token},
            ),
        }
        for field, refused in sent.items():
            assert refused.status_code == 400, (field, refused.text)
            assert "the server draws the seed: leave it out" in refused.text
            assert field in refused.text
        # As for each invalid program, qlued's clients get a failed job.
        stored = open_.post(
            "/qlued/api/v2/singlequdit/post_job", json={"job": atoms, "token": token}
        )
        query = {"job_id": stored.json()["job_id"], "token": token}
        failed = open_.get("/qlued/api/v2/singlequdit/get_job_status", params=query)
        assert "the server draws the seed: leave it out" in failed.text


@pytest.mark.both_databases
def test_a_job_that_fails_in_part_has_no_results_until_the_end(
    live: LiveServer, exam: Callable[[], None]
) -> None:
    fails = {"gate": "pauliexp", "targets": [0, 1], "terms": ["XX", "ZI"], "time": 1}
    bell = [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}]
    circuits = [{"circuit": bell}, {"circuit": [fails | {"coefficients": [1e6, 1e6]}]}]
    body = {"type": "ionq.multi-circuit.v1", "backend": "simulator", "shots": 100}
    body["input"] = {"gateset": "qis", "qubits": 2, "circuits": circuits}
    ionq = {"Authorization": f"apiKey {live.token()}"}
    with live.client() as http, httpx.Client(base_url=live.url, headers=ionq) as ions:
        job = ions.post("/ionq/v0.4/jobs", json=body).json()["id"]
        path = f"/v1/jobs/{job}"
        shown = http.get(path, params={"wait": 30}).json()
        assert shown["state"] == "failed", shown
        children = ions.get(f"/ionq/v0.4/jobs/{job}").json()["child_job_ids"]
        link = http.post(f"{path}/shares", json={"life_s": 600}).json()["url"]
        for part in ("/result", "/parts/0", "/parts/0?format=npz"):
            answer = http.get(path + part)
            assert answer.status_code == 409, (part, answer.text)
            assert "shown after the end of the exam" in answer.text
        results = {archives.RESULT, archives.arrays_of(0)}
        assert not results & members(http, path)
        assert "seed" not in options_of(http, path)
        assert "counts" not in http.get(path, params={"wait": 1}).text
        assert "counts" not in httpx.get(link).text
        for child in children:
            assert ions.get(f"/ionq/v0.4/jobs/{child}").json()["status"] == "failed"
            answer = ions.get(f"/ionq/v0.4/jobs/{child}/results/probabilities")
            assert answer.status_code >= 400, answer.text
        exam()
        until(lambda: http.get(f"{path}/result").status_code == 200, "it is shown", timeout_s=60)
        assert results <= members(http, path)
        assert "seed" in options_of(http, path)
        assert "counts" in httpx.get(link).text
        probabilities = ions.get(f"/ionq/v0.4/jobs/{children[0]}/results/probabilities").json()
        assert probabilities == pytest.approx({"0": 0.5, "3": 0.5})


def archive_of(http: httpx.Client, path: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(http.get(f"{path}/archive").content))


def members(http: httpx.Client, path: str) -> set[str]:
    """Return the names of the members of a job's archive."""
    return set(archive_of(http, path).namelist())


def options_of(http: httpx.Client, path: str) -> dict[str, Any]:
    """Return the options in a job's archive."""
    found: dict[str, Any] = json.loads(archive_of(http, path).read(archives.OPTIONS))["options"]
    return found


def native(job: str) -> str:
    """Return the id of a job in the database, which some dialects write without dashes."""
    plain = job.replace("-", "")
    return f"{plain[:8]}-{plain[8:12]}-{plain[12:16]}-{plain[16:20]}-{plain[20:32]}"


def test_a_cancelled_job_has_no_result_to_withhold(
    client: NativeClient, exam: Callable[[], None]
) -> None:
    job = client.submit(held_job().program, "simulator")
    job.cancel()
    job.wait(timeout=60)
    assert (job.state, job.body.results_at) == ("cancelled", None)


@pytest.mark.parametrize(
    ("changes", "text"),
    [({"exam_waiting": None}, "needs exam_waiting"), ({"withhold_results": 1}, "withhold_results")],
)
def test_only_exams_withhold_results(
    admin: httpx.Client, changes: dict[str, Any], text: str
) -> None:
    body = {"device": "clifford", "projects": ["ada"], "until": "2999-01-01T00:00:00Z"}
    made = admin.post("/v1/admin/reservations", json={**body, "withhold_results": True, **changes})
    assert made.status_code == 400
    assert text in made.text
