"""A machine whose server has IQM's API, behind an address of the same dialect."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from contract.environments import interpreter
from support.budgets import budgets
from support.cutting_proxy import Cut, CuttingProxy
from support.held import held_job
from support.iqm import BELL, body, measure, prx
from support.ledger import ledger
from support.own_addresses import own_url
from support.remotes import write_device
from support.server import IDLE, LiveServer
from support.waiting import until

pytestmark = [pytest.mark.extended, pytest.mark.timeout(300)]

MACHINE = "garnet"
SUBMIT = f"/jobs/{MACHINE}/circuit"
COMPUTER = f"/quantum-computers/{MACHINE}"
CALIBRATION = f"/calibration-sets/{MACHINE}"
ABSENT = "019f0000-0000-7000-8000-000000000000"
OF_A_JOB = (
    *(("GET", ""), ("GET", "/payload"), ("GET", "/artifacts/measurements")),
    *(("GET", "/artifacts/measurement_counts"), ("GET", "/artifacts/other")),
    *(("POST", "/cancel"), ("DELETE", "")),
)
CLIENT = """
import json, os
from iqm.iqm_client import IQMClient
from iqm.qiskit_iqm import IQMProvider
from qiskit import QuantumCircuit, transpile

def of_machine(client):
    architecture = client.get_dynamic_quantum_architecture()
    id = architecture.calibration_set_id
    return [
        architecture, client.get_static_quantum_architecture(), client.get_calibration_set(id),
        client.get_quality_metric_set(id), client.get_health(), client.get_about(),
    ]

def of_job(client, id):
    found = client.get_job(id)
    return [found.job_data, found.payload(), found.result(), found.result_counts()]

gate = os.environ["GATE_URL"], os.environ["GATE_TOKEN"]
machine = os.environ["MACHINE_URL"], os.environ["MACHINE_TOKEN"]
provider = IQMProvider(gate[0], token=gate[1])  # only one computer is there
backend = provider.get_backend(use_metrics=True)
direct = IQMProvider(machine[0], quantum_computer="garnet", token=machine[1])
there = direct.get_backend(use_metrics=True)
assert backend.architecture == there.architecture
assert backend.target["cz"].keys() == there.target["cz"].keys()
bell = QuantumCircuit(2)
bell.h(0)
bell.cx(0, 1)
bell.measure_all()
job = backend.run(transpile(bell, backend), shots=200)
counts = job.result().get_counts()
assert sum(counts.values()) == 200 and counts["00"] + counts["11"] > 120
here = IQMClient.from_url(gate[0], token=gate[1])
far = IQMClient.from_url(machine[0], quantum_computer="garnet", token=machine[1])
assert of_machine(here) == of_machine(far)
assert of_job(here, job.job_id()) == of_job(far, job.job_id())
assert IQMProvider(gate[0], token=gate[1]).get_backend().retrieve_job(job.job_id()).result() \\
    .get_counts() == counts
print(json.dumps(job.job_id()))
"""


class Two(NamedTuple):
    """The gate and the machine's own server, between which a proxy may lose answers."""

    front: LiveServer
    behind: LiveServer
    proxy: CuttingProxy
    key: str

    @property
    def url(self) -> str:
        return own_url(self.front, "iqm")

    def n_jobs(self) -> int:
        """Return the number of jobs that the machine has received."""
        with ledger(self.behind) as books:
            ((number,),) = books.rows("select count(*) from job")
        return int(number)


class Caller:
    """Speaks IQM's API to one of the two servers."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self.http = httpx.Client(base_url=f"{url}/api/v1", headers=headers, timeout=60)

    def submit(self, *circuits: list[dict[str, object]], shots: int = 10) -> str:
        sent = self.http.post(SUBMIT, json=body(*circuits, shots=shots))
        assert sent.status_code == 200, sent.text
        return str(sent.json()["id"])

    def done(self, job: str) -> str:
        until(lambda: self.http.get(f"/jobs/{job}").json()["status"] == "completed", "it completes")
        return job


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    behind = LiveServer(tmp_path_factory.mktemp("behind"), "--express-slots", "0")
    key = behind.token("gate")
    with CuttingProxy(behind.url) as proxy:
        folder = write_device(
            *(tmp_path_factory.mktemp("devices"), behind, key),
            kind="iqm",
            name="lab",
            device=MACHINE,
            url=proxy.url,
            pass_through=True,
        )
        front = LiveServer(
            tmp_path_factory.mktemp("front"),
            *("--device-dir", str(folder), "--listen", "port=0,dialect=iqm,device=lab"),
            *(*IDLE, "--limit", "wait_s=3"),
        )
        with front.client() as http:
            until(lambda: http.get("/v1/devices/lab").json()["status"] == "on", "it is seen")
        yield Two(front, behind, proxy, key)
        for server in (front, behind):
            assert server.stop() == 0
            server.assert_calm()
        assert key not in front.log.read_text()


def called(two: Two, name: str) -> Iterator[Caller]:
    caller = Caller(two.url, two.front.token(name))
    with caller.http:
        yield caller


@pytest.fixture
def ada(two: Two) -> Iterator[Caller]:
    yield from called(two, "ada")


@pytest.fixture
def ben(two: Two) -> Iterator[Caller]:
    yield from called(two, "ben")


@pytest.fixture
def direct(two: Two) -> Iterator[Caller]:
    """The machine's own account."""
    caller = Caller(two.behind.url, two.key)
    with caller.http:
        yield caller


@pytest.fixture
def root(two: Two) -> Iterator[httpx.Client]:
    name = two.front.unused("root")
    two.front.as_admin(lambda admin: admin.add_account(name, "admin", email=None, password=None))
    token = two.front.as_admin(lambda admin: admin.create_token(name, scopes=("admin",))).secret
    with two.front.client(token) as client:
        yield client


@pytest.mark.vendor
@pytest.mark.timeout(600)
def test_the_unmodified_client_gets_the_machines_own_answers(two: Two, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(interpreter("iqm/iqm_client_36")), "-c", CLIENT],
        capture_output=True,
        text=True,
        timeout=300,
        env={
            "HOME": str(tmp_path),
            "PATH": os.environ["PATH"],
            "GATE_URL": two.url,
            "GATE_TOKEN": two.front.token("ada"),
            "MACHINE_URL": two.behind.url,
            "MACHINE_TOKEN": two.key,
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1])


def test_answers_pass_as_they_are(ada: Caller, direct: Caller) -> None:
    calibration = direct.http.get(f"{CALIBRATION}/default").json()["observation_set_id"]
    job = ada.done(ada.submit(BELL, [prx(0), measure(0, key="k")]))
    for path in (
        "/about",
        *(f"{COMPUTER}{each}" for each in ("/health", "/artifacts/about", "/artifacts/settings")),
        f"{COMPUTER}/artifacts/static-quantum-architectures",
        *(
            f"{CALIBRATION}/{id}{each}"
            for id in ("default", calibration, ABSENT)
            for each in ("", "/dynamic-quantum-architecture", "/metrics")
        ),
        *(f"/jobs/{job}{each}" for method, each in OF_A_JOB if method == "GET"),
    ):
        through, theirs = ada.http.get(path), direct.http.get(path)
        assert (through.status_code, through.content) == (theirs.status_code, theirs.content), path
        assert through.headers["content-type"] == theirs.headers["content-type"]
    assert direct.http.get(f"/jobs/{job}").json()["status"] == "completed"
    # What this server would refuse, the machine decides.
    refused, theirs = (
        each.http.post(SUBMIT, json=body([prx(30), measure(30)])) for each in (ada, direct)
    )
    assert (refused.status_code, refused.content) == (theirs.status_code, theirs.content)
    assert refused.status_code == 422


def test_only_the_machine_is_there(two: Two, ada: Caller) -> None:
    (computer,) = ada.http.get("/quantum-computers").json()["quantum_computers"]
    assert computer["alias"] == MACHINE
    for path in ("/quantum-computers/crystal54/health", "/calibration-sets/crystal54/default"):
        refused = ada.http.get(path)
        assert (refused.status_code, refused.json()["source"]) == (404, "qwicket"), path
    before = two.n_jobs()
    assert ada.http.post("/jobs/crystal54/circuit", json=body()).status_code == 404
    assert ada.http.post(f"/jobs/{MACHINE}/run", json=body()).status_code == 404
    assert two.n_jobs() == before
    for path in ("/quantum-computers", "/about", f"/jobs/{ABSENT}"):
        assert httpx.get(f"{two.url}/api/v1{path}").status_code == 401


def test_an_account_without_the_device_sees_nothing_of_it(two: Two, ada: Caller) -> None:
    options = ("--user", "ada", "--device", "simulator")
    other = Caller(two.url, two.front.admin("token", "create", *options))
    with other.http as http:
        assert http.get("/quantum-computers").json() == {"quantum_computers": []}
        for path in ("/about", f"{COMPUTER}/health", f"{CALIBRATION}/default"):
            assert http.get(path).status_code == 404, path
        job = ada.submit()
        assert http.get(f"/jobs/{job}").status_code == 404


def test_a_job_is_the_accounts_alone(ada: Caller, ben: Caller, direct: Caller) -> None:
    mine, theirs, foreign = ada.submit(), ben.submit(), direct.submit()
    for job in (theirs, foreign, ABSENT, "%2e%2e", "x" * 4000):
        for method, path in OF_A_JOB:
            refused = ada.http.request(method, f"/jobs/{job}{path}")
            assert refused.status_code == 404, (method, path, job)
            assert refused.json()["source"] == "qwicket"
            assert job not in refused.text
    ben.done(theirs)
    assert direct.http.get(f"/jobs/{foreign}").status_code == 200
    ada.done(mine)
    assert ada.http.delete(f"/jobs/{mine}").status_code == 204
    assert direct.http.get(f"/jobs/{mine}").status_code == 404


def test_a_cancelled_job_is_cancelled_there_and_here(two: Two, ada: Caller, direct: Caller) -> None:
    held = [held_job() for _ in range(2)]  # there are two workers
    with two.behind.client(two.key) as native, two.front.client(two.front.token("ada")) as own:
        for each in held:
            sent = {"device": "simulator", "program": each.program, "shots": 1}
            assert native.post("/v1/jobs", json=sent).status_code == 201
        for each in held:
            each.wait_until_running()
        job = ada.submit([prx(k) for k in range(20)] * 40 + [measure(*range(20))], shots=1)
        assert ada.http.get(f"/jobs/{job}").json()["status"] == "waiting"
        assert ada.http.post(f"/jobs/{job}/cancel").status_code == 204
        assert direct.http.get(f"/jobs/{job}").json()["status"] == "cancelled"

        def state() -> str:
            return str(own.get("/v1/jobs", params={"limit": 1}).json()["jobs"][0]["state"])

        until(lambda: state() == "cancelled", "it is cancelled here")
    for each in held:
        each.release()


def test_a_budget_counts_the_shots_of_all_circuits(two: Two) -> None:
    two.front.token("max")
    two.front.as_admin(lambda admin: budgets(admin).put("max", "shots", "total", 25, device="lab"))
    caller = Caller(two.url, two.front.token("max"))
    with caller.http as http:
        caller.submit(BELL, BELL)
        before = two.n_jobs()
        refused = http.post(SUBMIT, json=body())
        assert refused.status_code == 403
        assert "budget" in refused.json()["message"]
        for sent in (
            *(body(shots=each) for each in ("1", None, 1.5, 0, -1, 10**9)),
            *(body(**{each: 1}) for each in ("Shots", "CIRCUITS", "circuit_s")),
            *({"circuits": each, "shots": 1} for each in ([[]], {}, None)),
        ):
            refused = http.post(SUBMIT, json=sent)
            assert refused.status_code == 422, (sent, refused.text)
            said = refused.json()["message"].lower()
            assert "shots" in said or "circuits" in said
        for text in (b'{"shots": 1, "shots": 5}', b"[]", b"{", b"\xff"):
            assert http.post(SUBMIT, content=text).status_code in (400, 422), text
        slot = http.post(f"{SUBMIT}?use_timeslot=true", json=body())
        assert slot.status_code == 422
        assert "use_timeslot must be false" in slot.json()["message"]
        assert two.n_jobs() == before


def test_a_reservation_and_an_exam_hold(
    two: Two, root: httpx.Client, ada: Caller, ben: Caller
) -> None:
    until_at = (datetime.now(UTC) + timedelta(minutes=10)).isoformat()
    exam = {"device": "lab", "projects": ["ben"], "until": until_at, "exam_waiting": 3}
    window = root.post("/v1/admin/reservations", json={**exam, "withhold_results": True})
    assert window.status_code == 201, window.text
    try:
        # A server keeps the state of a device for a moment.
        until(lambda: ada.http.post(SUBMIT, json=body()).status_code == 403, "it refuses others")
        before = two.n_jobs()
        assert ada.http.post(SUBMIT, json=body()).status_code == 403
        assert two.n_jobs() == before
        job = ben.submit()
        assert two.n_jobs() == before + 1
        for method, path in OF_A_JOB:
            refused = ben.http.request(method, f"/jobs/{job}{path}")
            assert refused.status_code == 409, (method, path)
            assert "exam" in refused.json()["message"]
    finally:
        root.delete(f"/v1/admin/reservations/{window.json()['id']}").raise_for_status()


def test_a_lost_answer_leaves_one_job_and_a_person_names_it(
    two: Two, root: httpx.Client, ada: Caller, direct: Caller
) -> None:
    before = two.n_jobs()
    two.proxy.plan(Cut("answer", 0.0, path="/circuit"))
    refused = ada.http.post(SUBMIT, json=body(), headers={"Idempotency-Key": "one"})
    assert refused.status_code == 409, "no client of IQM repeats it"
    assert "unknown whether" in refused.json()["message"]
    assert two.n_jobs() == before + 1
    with two.behind.client(two.key) as there, two.front.client(two.front.token("ada")) as own:
        sent = there.get("/v1/jobs", params={"limit": 1}).json()["jobs"][0]["id"]
        here = own.get("/v1/jobs", params={"limit": 1}).json()["jobs"][0]["id"]
    assert ada.http.get(f"/jobs/{sent}").status_code == 404

    def is_resolved() -> bool:
        path = f"/v1/admin/jobs/{here}/resolve"
        return root.post(path, json={"sent_as": sent}).status_code == 200

    until(is_resolved, "it waits for a person")
    again = ada.http.post(SUBMIT, json=body(), headers={"Idempotency-Key": "one"})
    assert again.status_code == 409
    assert f"has this job as {sent}" in again.json()["message"]
    ada.done(sent)
    assert two.n_jobs() == before + 1
