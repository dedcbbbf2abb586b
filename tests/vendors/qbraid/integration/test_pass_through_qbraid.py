"""A machine whose server has qBraid's API, version 1, behind an address of the same dialect."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from contract.environments import interpreter
from support.bad_server import BadServer, Request, answer
from support.budgets import budgets
from support.held import held_job
from support.own_addresses import own_url
from support.remotes import BELL, write_device
from support.server import IDLE, LiveServer
from support.waiting import until

pytestmark = pytest.mark.extended

MACHINE = "qbraid:qbraid:sim:statevector"
OTHER = "qbraid:qbraid:sim:clifford"
ABSENT = f"{MACHINE}-0000-qjob-00000000000000000000"
JOB: dict[str, Any] = {
    "deviceQrn": MACHINE,
    "program": {"format": "qasm3", "data": BELL},
    "shots": 20,
}
CLIENT = """
from qbraid.runtime import DeviceStatus, JobStatus, QbraidProvider
from qbraid_core.services.runtime import QuantumRuntimeClient
from qbraid_core.sessions import QbraidSessionV1

client = QuantumRuntimeClient(session=QbraidSessionV1(api_key={token!r}, base_url={url!r}))
assert client.session.get("/users/verify").json()["data"]["userName"] == "vendor"
provider = QbraidProvider(client=client)
(device,) = provider.get_devices()
assert device.id == {machine!r} and device.status() is DeviceStatus.ONLINE
job = device.run({bell!r}, shots=50, name="mine")
counts = job.result().data.get_counts()
assert sum(counts.values()) == 50 and set(counts) <= {{"00", "11"}}, counts
assert job.status() is JobStatus.COMPLETED
assert "cx q[0], q[1];" in job.program().data
two = device.run([{bell!r}] * 2, shots=10, as_batch=True)
assert len(two.result().results) == 2
found = client.list_platform_jobs_paginated(page=1, limit=1)
assert [each.jobQrn for each in found.data] == [two.id], found
assert (found.pagination.total, found.pagination.hasNext) == (2, True), found.pagination
assert [each.jobQrn for each in client.list_jobs()] == [two.id, job.id]
"""


class Two(NamedTuple):
    front: LiveServer
    behind: LiveServer

    @property
    def url(self) -> str:
        return own_url(self.front, "qbraid") + "/api/v1"

    def client(self, name: str) -> httpx.Client:
        headers = {"X-API-Key": self.front.token(name)}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60)


def served(folder: Path, behind: LiveServer | BadServer, token: str) -> LiveServer:
    """Return a server that passes requests on to another."""
    files = write_device(
        folder / "devices",
        behind,
        token,
        kind="qbraid",
        name="lab",
        device=MACHINE,
        pass_through=True,
    )
    return LiveServer(
        folder / "front",
        *("--device-dir", str(files), "--listen", "port=0,dialect=qbraid,device=lab"),
        *(*IDLE, "--limit", "wait_s=3"),
    )


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    behind = LiveServer(tmp_path_factory.mktemp("behind"))
    front = served(tmp_path_factory.mktemp("two"), behind, behind.token("gate"))
    with front.client() as http:
        until(lambda: http.get("/v1/devices/lab").json()["status"] == "on", "the device is seen")
    yield Two(front, behind)
    for server in (front, behind):
        assert server.stop() == 0
        server.assert_calm()
    assert behind.token("gate") not in front.log.read_text()


@pytest.fixture
def ada(two: Two) -> Iterator[httpx.Client]:
    with two.client("ada") as client:
        yield client


@pytest.fixture
def ben(two: Two) -> Iterator[httpx.Client]:
    with two.client("ben") as client:
        yield client


@pytest.fixture
def direct(two: Two) -> Iterator[httpx.Client]:
    headers = {"X-API-Key": two.behind.token("gate")}
    url = two.behind.url + "/qbraid/api/v1"
    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
        yield client


def submit(client: httpx.Client, **changes: Any) -> str:
    made = client.post("/jobs", json={**JOB, **changes})
    assert made.status_code == 201, made.text
    return str(made.json()["data"]["jobQrn"])


def ended(client: httpx.Client, job: str) -> str:
    def status() -> str | None:
        found: str = client.get(f"/jobs/{job}").raise_for_status().json()["data"]["status"]
        return found if found in ("COMPLETED", "FAILED", "CANCELLED") else None

    return until(status, "it ends")


def listed(client: httpx.Client, **query: Any) -> list[str]:
    found = client.get("/jobs", params=query)
    assert found.status_code == 200, found.text
    return [each["jobQrn"] for each in found.json()["data"]]


def count(direct: httpx.Client) -> int:
    return int(direct.get("/jobs").json()["pagination"]["total"])


@pytest.mark.vendor
@pytest.mark.timeout(600)
def test_the_unmodified_client_cannot_tell(two: Two, tmp_path: Path) -> None:
    text = CLIENT.format(token=two.front.token("vendor"), url=two.url, machine=MACHINE, bell=BELL)
    python = str(interpreter("qbraid/qbraid_0_13"))
    environment = {"HOME": str(tmp_path), "DISABLE_CACHE": "1"}
    done = subprocess.run(
        [python, "-c", text], capture_output=True, text=True, timeout=120, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_bodies_pass_as_they_are(ada: httpx.Client, direct: httpx.Client) -> None:
    job = submit(ada, name="mine", tags={"a": "b"})
    assert ended(ada, job) == "COMPLETED"
    for part in ("", "/result", "/program", "/compiled-program"):
        through, theirs = ada.get(f"/jobs/{job}{part}"), direct.get(f"/jobs/{job}{part}")
        assert (through.status_code, through.content) == (theirs.status_code, theirs.content)
        assert through.headers["content-type"] == theirs.headers["content-type"]
    assert direct.get(f"/jobs/{job}").json()["data"]["name"] == "mine"
    # What this server would refuse, the other one decides.
    broken = {"format": "nonsense", "data": BELL}
    refused, theirs = (
        each.post("/jobs", json={**JOB, "program": broken}) for each in (ada, direct)
    )
    assert refused.status_code == theirs.status_code == 400
    assert refused.content == theirs.content


def test_a_job_is_the_accounts_alone(
    ada: httpx.Client, ben: httpx.Client, direct: httpx.Client
) -> None:
    mine, theirs, foreign = submit(ada), submit(ben), submit(direct)
    for job in (theirs, foreign, ABSENT):
        for method, part in (
            *(("GET", part) for part in ("", "/result", "/program", "/compiled-program")),
            ("POST", "/cancel"),
            ("DELETE", ""),
        ):
            refused = ada.request(method, f"/jobs/{job}{part}")
            assert refused.status_code == 404, (method, part)
            assert job not in refused.text
    assert ended(ben, theirs) == "COMPLETED"
    assert direct.get(f"/jobs/{foreign}").status_code == 200
    # The machine finds a job by its short id, too, which is no id here.
    short = direct.get(f"/jobs/{theirs}").json()["data"]["jobVrn"].replace("-", "")[:24]
    assert direct.get(f"/jobs/{short}").status_code == 200
    assert ada.get(f"/jobs/{short}").status_code == 404
    assert mine in listed(ada)
    assert not {theirs, foreign} & {*listed(ada, limit=100)}


def test_a_list_has_pages(two: Two) -> None:
    with two.client("eve") as eve:
        empty = eve.get("/jobs").json()
        assert (empty["success"], empty["data"], empty["pagination"]["total"]) == (True, [], 0)
        sent = [submit(eve) for _ in range(12)][::-1]
        for page in (1, 2, 3, 4):
            found = eve.get("/jobs", params={"page": page, "limit": 5}).json()
            assert [each["jobQrn"] for each in found["data"]] == sent[5 * (page - 1) :][:5]
            assert found["pagination"] == {
                "page": page,
                "limit": 5,
                "total": 12,
                "totalPages": 3,
                "hasNext": page < 3,
                "hasPrev": page > 1,
            }
        assert listed(eve) == listed(eve, limit=100, vendor="all") == sent
        for wrong in ({"limit": "0"}, {"limit": "101"}, {"page": "x"}, {"page": "9" * 5000}):
            refused = eve.get("/jobs", params=wrong)
            assert refused.status_code == 400, wrong
            assert next(iter(wrong)) in refused.text
        # The machine deletes it; the page then lacks it.
        assert ended(eve, sent[0]) == "COMPLETED"
        assert eve.delete(f"/jobs/{sent[0]}").status_code == 200
        assert listed(eve, limit=5) == sent[1:5]


def test_what_is_of_the_whole_account_is_refused(ada: httpx.Client, direct: httpx.Client) -> None:
    mine = submit(ada)
    assert ended(ada, mine) == "COMPLETED"
    for method, path, query in (
        ("DELETE", "/jobs", {"qrns": json.dumps([mine])}),
        ("GET", "/jobs/statuses", {}),
        ("GET", "/jobs/group", {}),
        ("POST", "/jobs/group", {}),
        ("GET", f"/jobs/group/{mine}", {}),
        ("POST", f"/jobs/group/{mine}/cancel", {}),
        ("GET", f"/jobs/group/{mine}/jobs", {}),
        ("GET", "/providers", {}),
        ("GET", "/organizations/x", {}),
        ("GET", "/jobs", {"status": "COMPLETED"}),
        ("GET", "/jobs", {"statusGroup": "pending"}),
        ("GET", "/jobs", {"tags": "{}"}),
        ("GET", "/jobs", {"search": "a"}),
    ):
        refused = ada.request(method, path, params=query)
        assert refused.status_code == 501, (method, path, refused.text)
    assert direct.get(f"/jobs/{mine}").status_code == 200
    group = direct.post("/jobs/group", json={"name": "theirs"}).json()["data"]["groupJobQrn"]
    before = count(direct)
    refused = ada.post("/jobs", json={**JOB, "groupJobQrn": group})
    assert refused.status_code == 400
    assert "groupJobQrn" in refused.text
    assert count(direct) == before
    assert submit(ada, groupJobQrn=None)


def test_the_account_is_that_of_this_server(two: Two, ada: httpx.Client) -> None:
    assert ada.get("/users/verify").json()["data"]["userName"] == "ada"
    assert ada.get("/users/context").json()["data"]["user"]["isAdmin"] == "false"
    assert ada.get("/billing/credits/balance").json()["data"]["qbraidCredits"] == 0
    for key in ("", "qw_wrong", two.behind.token("gate")):
        refused = httpx.get(two.url + "/jobs", headers={"X-API-Key": key})
        assert refused.status_code == 401
    # The older generations below the same address pass nothing on.
    assert ada.get(two.url.removesuffix("/v1") + "/quantum-jobs").status_code in (404, 501)


def test_only_the_device_is_there(ada: httpx.Client, direct: httpx.Client) -> None:
    found, theirs = ada.get("/devices").json(), direct.get(f"/devices/{MACHINE}").json()
    assert found["success"] is True
    assert [each["qrn"] for each in found["data"]] == [MACHINE]
    assert ada.get(f"/devices/{MACHINE}").json()["data"]["qrn"] == theirs["data"]["qrn"]
    assert ada.get(f"/devices/{MACHINE}/calibrations").status_code == 200
    for part in ("", "/calibrations"):
        assert ada.get(f"/devices/{OTHER}{part}").status_code == 404
    before = count(direct)
    for device in (OTHER, None, 7):
        refused = ada.post("/jobs", json={**JOB, "deviceQrn": device})
        assert refused.status_code == 400, refused.text
        assert MACHINE in refused.text
    twice = f'{{"deviceQrn": "{OTHER}", "deviceQrn": "{MACHINE}", "program": {{}}}}'
    for body in (twice, "", "[]", "{", "\xff", "{}"):
        assert ada.post("/jobs", content=body.encode("latin-1")).status_code == 400, body
    for shots in ("5", 1.5, True, 0, 10**9):
        refused = ada.post("/jobs", json={**JOB, "shots": shots})
        assert refused.status_code == 400, shots
        assert "shots" in refused.text
    for other in ("deviceqrn", "Shots", "PROGRAM", "groupJobQRN"):
        refused = ada.post("/jobs", json={**JOB, other: 1})
        assert refused.status_code == 400, refused.text
        assert f'"{other}" resembles ' in str(refused.json())
    assert count(direct) == before


def test_a_token_for_other_devices_sees_nothing(two: Two) -> None:
    two.front.token("ada")
    token = two.front.admin("token", "create", "--user", "ada", "--device", "simulator")
    with httpx.Client(base_url=two.url, headers={"X-API-Key": token.split()[0]}) as other:
        assert other.get("/devices").json()["data"] == []
        assert other.get(f"/devices/{MACHINE}").status_code == 404
        assert listed(other) == []
        assert other.post("/jobs", json=JOB).status_code == 403


def test_a_budget_counts_the_shots_of_all_programs(two: Two, direct: httpx.Client) -> None:
    with two.client("max") as client:
        two.front.as_admin(
            lambda admin: budgets(admin).put("max", "shots", "total", 50, device="lab")
        )
        submit(client, shots=40)
        before = count(direct)
        for changes in ({}, {"program": [JOB["program"]] * 2, "shots": 10}, {"shots": None}):
            refused = client.post("/jobs", json={**JOB, **changes})
            assert refused.status_code == 403, refused.text
            assert "budget" in refused.text
        assert count(direct) == before


def test_a_repeat_with_a_key_has_the_same_response(ada: httpx.Client, direct: httpx.Client) -> None:
    before = count(direct)
    first, again = (
        ada.post("/jobs", json=JOB, headers={"Idempotency-Key": "one"}) for _ in range(2)
    )
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert count(direct) == before + 1


def test_a_cancelled_job_is_cancelled_there_and_here(two: Two, ada: httpx.Client) -> None:
    job = submit(ada, program={"format": "qasm3", "data": held_job().openqasm})
    cancelled = ada.post(f"/jobs/{job}/cancel")
    assert cancelled.status_code == 202, cancelled.text
    assert ended(ada, job) == "CANCELLED"
    with two.front.client(two.front.token("ada")) as native:
        query: dict[str, str | int] = {"device": "lab", "limit": 1}
        until(
            lambda: native.get("/v1/jobs", params=query).json()["jobs"][0]["state"] == "cancelled",
            "it is cancelled here",
        )


def test_a_machine_that_gives_another_job_shows_it_to_nobody(tmp_path: Path) -> None:
    """Every client repeats a 503, so that a lost response must have another status."""
    posts: list[Request] = []
    loses = threading.Event()

    def machine(request: Request) -> Any:
        if request.method == "POST":
            posts.append(request)
            return {} if loses.is_set() else {"success": True, "data": {"jobQrn": "theirs"}}
        if "/devices" in request.path:
            return {"success": True, "data": {"qrn": MACHINE, "status": "ONLINE"}}
        return {"success": True, "data": {"jobQrn": "another", "status": "RUNNING"}}

    with BadServer(answer(200, machine)) as server:
        front = served(tmp_path, server, "a-key-of-the-machine")
        with front.client() as http:
            until(lambda: http.get("/v1/devices/lab").json()["status"] == "on", "it is seen")
        headers = {"X-API-Key": front.token("ada")}
        url = own_url(front, "qbraid") + "/api/v1"
        with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
            assert client.post("/jobs", json=JOB).status_code == 200
            assert httpx.Headers(posts[0].headers)["X-API-Key"] == "a-key-of-the-machine"
            refused = client.get("/jobs")
            assert refused.status_code == 503
            assert "another job" in refused.text
            assert "RUNNING" not in refused.text
            loses.set()
            refused = client.post("/jobs", json=JOB)
            assert refused.status_code == 409, refused.text
            assert "unknown whether" in refused.text
            assert len(posts) == 2
        front.stop()
