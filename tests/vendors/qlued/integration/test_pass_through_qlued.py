"""A lab's machine whose server has qlued's API, behind an address of the same dialect."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from contract.environments import interpreter
from qwicket.clients.qlued import QluedClient
from support.budgets import budgets
from support.ledger import ledger
from support.own_addresses import own_url
from support.processes import connections, unread_bytes
from support.remotes import ATOMS, write_device
from support.server import IDLE, LiveServer
from support.waiting import until

pytestmark = pytest.mark.extended

V2, V3 = "/api/v2", "/api/v3"
MACHINE = "singlequdit"
ABSENT = "019f0000-0000-7000-8000-000000000000"
TEXT = json.dumps(ATOMS)
COLD_ATOM = """
from qiskit import QuantumCircuit
from qiskit_cold_atom.providers import ColdAtomProvider
provider = ColdAtomProvider({{"urls": [{url!r}], "username": "ada", "token": {token!r}}})
backend = provider.backends()[-1]
assert backend.name() == "qwicket_{machine}_simulator"
circuit = QuantumCircuit(1, 1)
circuit.rlx(3.141592653589793, 0)
circuit.measure(0, 0)
job = backend.run(circuit, shots=5)
assert job.result(timeout=60, wait=0.1).data()["memory"] == ["1"] * 5
"""


class Two(NamedTuple):
    front: LiveServer
    behind: LiveServer
    key: str

    @property
    def url(self) -> str:
        return own_url(self.front, "qlued")


class Caller:
    """Speaks version 2 to one of the two servers."""

    def __init__(self, http: httpx.Client, token: str) -> None:
        self.http = http
        self.token = token

    def post(self, device: str = MACHINE, job: str = TEXT, **fields: Any) -> httpx.Response:
        body = {"job": job, "token": self.token, **fields}
        return self.http.post(f"{V2}/{device}/post_job", json=body)

    def submit(self) -> str:
        sent = self.post()
        assert sent.status_code == 200, sent.text
        assert sent.json()["status"] == "INITIALIZING"
        return str(sent.json()["job_id"])

    def read(self, route: str, **query: str) -> httpx.Response:
        return self.http.get(f"{V2}/{MACHINE}/{route}", params={"token": self.token, **query})

    def done(self, job: str) -> httpx.Response:
        def end() -> httpx.Response | None:
            found = self.read("get_job_result", job_id=job)
            return found if "results" in found.json() else None

        return until(end, "it ends")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    behind = LiveServer(tmp_path_factory.mktemp("behind"), "--access-log")
    key = behind.token("gate")
    folder = write_device(
        *(tmp_path_factory.mktemp("devices"), behind, key),
        kind="qlued",
        name="lab",
        device=MACHINE,
        pass_through=True,
    )
    front = LiveServer(
        tmp_path_factory.mktemp("front"),
        *("--device-dir", str(folder), "--listen", "port=0,dialect=qlued,device=lab"),
        *(*IDLE, "--limit", "wait_s=3"),
    )
    with front.client() as http:
        until(lambda: http.get("/v1/devices/lab").json()["status"] == "on", "the device is seen")
    yield Two(front, behind, key)
    for server in (front, behind):
        assert server.stop() == 0
        server.assert_calm()
    assert key not in front.log.read_text()


@pytest.fixture
def http(two: Two) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=two.url, timeout=60) as client:
        yield client


@pytest.fixture
def ada(two: Two, http: httpx.Client) -> Caller:
    return Caller(http, two.front.token("ada"))


@pytest.fixture
def ben(two: Two, http: httpx.Client) -> Caller:
    return Caller(http, two.front.token("ben"))


@pytest.fixture
def direct(two: Two) -> Iterator[Caller]:
    """The machine's own account."""
    with httpx.Client(base_url=f"{two.behind.url}/qlued", timeout=60) as client:
        yield Caller(client, two.key)


def test_responses_pass_as_they_are(ada: Caller, direct: Caller) -> None:
    job = ada.submit()
    through, theirs = ada.done(job), direct.done(job)
    assert (through.status_code, through.content) == (theirs.status_code, theirs.content)
    for query in ({"job_id": job}, {"json": json.dumps({"job_id": job})}):
        through, theirs = (each.read("get_job_status", **query) for each in (ada, direct))
        assert (through.status_code, through.content) == (theirs.status_code, theirs.content)
    assert through.json()["status"] == "DONE"
    # What the machine refuses, it says itself: its job ends in an error.
    wrong = json.dumps({"experiment_0": {**ATOMS["experiment_0"], "num_wires": 99}})
    job = ada.post(job=wrong).json()["job_id"]
    until(lambda: ada.read("get_job_status", job_id=job).status_code == 406, "it ends")
    through, theirs = (each.read("get_job_status", job_id=job) for each in (ada, direct))
    assert through.content == theirs.content


def test_the_own_client_and_version_3_pass(two: Two, http: httpx.Client) -> None:
    client = QluedClient(two.url + V2, two.front.token("ada"))
    assert client.wait(MACHINE, client.post(MACHINE, ATOMS), timeout=60)["status"] == "DONE"
    assert client.config(MACHINE)["display_name"] == MACHINE
    headers = {"Authorization": f"Bearer {two.front.token('ada')}"}
    sent = http.post(f"{V3}/{MACHINE}/post_job", json={"payload": ATOMS}, headers=headers)
    query = {"job_id": sent.raise_for_status().json()["job_id"]}
    path = f"{V3}/{MACHINE}/get_job_status"
    until(
        lambda: http.get(path, params=query, headers=headers).json()["status"] == "DONE", "it ends"
    )
    assert http.get(path, params=query).status_code == 401
    assert http.post(f"{V3}/{MACHINE}/post_job", json={"payload": ATOMS}).status_code == 401


@pytest.mark.vendor
@pytest.mark.timeout(600)
def test_the_unmodified_client_cannot_tell(two: Two, tmp_path: Path) -> None:
    url = f"{two.url}{V2}/{MACHINE}"
    text = COLD_ATOM.format(url=url, token=two.front.token("ada"), machine=MACHINE)
    python = str(interpreter("qlued/qiskit_cold_atom_0_2_1"))
    done = subprocess.run(
        [python, "-c", text],
        capture_output=True,
        text=True,
        timeout=300,
        env={"HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_job_is_the_accounts_alone(ada: Caller, ben: Caller, direct: Caller) -> None:
    mine, theirs, foreign = ada.submit(), ben.submit(), direct.submit()
    for job in (theirs, foreign, ABSENT, "../..", "x" * 4000):
        for route in ("get_job_status", "get_job_result"):
            refused = ada.read(route, job_id=job)
            assert refused.status_code == 406, (route, job)
            assert refused.json()["error_message"] == f"Missing status file for {job}."
    # The machine might read another one of several ids.
    for query in (
        f"job_id={theirs}&job_id={mine}",
        f"job_id={mine}&json=%7B%22job_id%22%3A%22{theirs}%22%7D",
    ):
        found = ada.http.get(f"{V2}/{MACHINE}/get_job_status?{query}&token={ada.token}")
        assert found.json()["job_id"] == mine
    for other in ("Job_ID", "JSON", "Token"):
        refused = ada.read("get_job_status", job_id=mine, **{other: theirs})
        assert refused.status_code == 406, other
        assert f'"{other}" resembles "' in refused.json()["error_message"]
    old = ada.read("get_job_result", job_id=ABSENT, username="ada")
    assert (old.status_code, old.json()["status"]) == (406, "error")
    assert ben.done(theirs).status_code == 200


def test_a_token_reaches_neither_the_machine_nor_the_database(
    two: Two, ada: Caller, ben: Caller
) -> None:
    ada.done(ada.submit())
    for fields in ({"password": ada.token}, {"password": ben.token}):
        assert ada.post(**fields).status_code == 200
    with ledger(two.front) as books:
        stored = b"".join(bytes(source) for (source,) in books.rows("select source from program"))
    assert b"experiment_0" in stored
    for secret in (ada.token, ben.token, two.key):
        assert secret.encode() not in stored
        assert secret not in two.behind.log.read_text()


def test_only_the_device_is_there_and_is_public(ada: Caller, direct: Caller) -> None:
    (device,) = ada.http.get(f"{V2}/backends").json()
    assert device["display_name"] == MACHINE
    for route in ("get_config", "get_backend_status"):
        through, theirs = (each.http.get(f"{V2}/{MACHINE}/{route}/") for each in (ada, direct))
        assert (through.status_code, through.content) == (theirs.status_code, theirs.content)
        absent = ada.http.get(f"{V2}/rydberg/{route}")
        assert (absent.status_code, absent.json()["status"]) == (404, "ERROR")
    assert ada.post("rydberg").status_code == 404
    job = ada.submit()
    query = {"job_id": job, "token": ada.token}
    assert ada.http.get(f"{V2}/rydberg/get_job_status", params=query).status_code == 404


def test_requests_without_a_token_share_one_to_the_machine(two: Two, ada: Caller) -> None:
    """Otherwise anyone could take all threads, for example while the machine is slow."""
    path = f"{V2}/{MACHINE}/get_config"
    before = two.behind.log.read_text().count("get_config")
    port = ada.http.base_url.port
    assert port
    two.behind.pause()
    try:
        with ThreadPoolExecutor(41) as threads:
            reads = [threads.submit(ada.http.get, path) for _ in range(40)]
            until(lambda: connections(two.front.process.pid, port) >= 40, "all have come")
            until(lambda: not unread_bytes(port), "all were read")
            for _ in range(3):  # and what was read has had its turn
                httpx.get(f"{two.front.url}/livez").raise_for_status()
            with pytest.raises(TimeoutError):
                reads[0].result(timeout=0.5)
            read = threads.submit(ada.read, "get_job_status", job_id=ABSENT)
            assert read.result(timeout=30).status_code == 406
            two.behind.resume()
            assert {each.result().status_code for each in reads} == {200}
    finally:
        two.behind.resume()

    def n_logged() -> int:
        return two.behind.log.read_text().count("get_config") - before

    until(n_logged, "it is logged")
    assert n_logged() <= 2


def test_a_body_that_is_no_submission_is_refused_here(two: Two, ada: Caller) -> None:
    before = n_jobs(two)
    wrong = Caller(ada.http, "qw_wrong")
    assert (
        wrong.post().status_code == wrong.read("get_job_status", job_id=ABSENT).status_code == 401
    )
    for job in ("[]", "3", "{", ""):
        refused = ada.post(job=job)
        assert refused.status_code == 406, refused.text
        assert refused.json()["error_message"] == "The encoding of your json seems not work out!"
    for body in (b"", b"[]", b'{"token": "x"}', json.dumps({"token": ada.token}).encode()):
        refused = ada.http.post(f"{V2}/{MACHINE}/post_job", content=body)
        assert refused.status_code in (401, 422), (body, refused.text)
    form = {"json": TEXT, "username": "ada", "password": ada.token}
    assert ada.http.post(f"{V2}/{MACHINE}/post_job", data=form).status_code == 406
    assert n_jobs(two) == before


def test_a_budget_counts_the_shots_of_all_experiments(two: Two, http: httpx.Client) -> None:
    max_ = Caller(http, two.front.token("max"))
    two.front.as_admin(lambda admin: budgets(admin).put("max", "shots", "total", 10, device="lab"))
    one = ATOMS["experiment_0"]
    job = json.dumps({"experiment_0": one, "experiment_1": one})  # 3 shots each
    assert max_.post(job=job).status_code == 200
    before = n_jobs(two)
    refused = max_.post(job=job, payload={})  # the machine does not read this field
    assert refused.status_code == 406
    assert "budget" in refused.json()["error_message"]
    hidden = max_.post(job=json.dumps({"experiment_0": {**one, "shots": "1000000"}}))
    assert hidden.status_code == 406
    assert "shots must be a whole number" in hidden.json()["error_message"]
    for sent in (
        max_.post(JOB=TEXT),
        max_.post(Password="x"),
        max_.post(job=json.dumps({"experiment_0": {**one, "Shots": 1_000_000}})),
    ):
        assert sent.status_code == 406
        assert " resembles " in sent.json()["error_message"]
    assert n_jobs(two) == before


def n_jobs(two: Two) -> int:
    """Return the number of jobs that the machine has received."""
    with ledger(two.behind) as books:
        ((number,),) = books.rows("select count(*) from job")
    return int(number)
