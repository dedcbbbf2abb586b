"""A machine whose server has Xanadu Cloud's API, behind an address of the same dialect."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from contract.environments import interpreter
from support.budgets import budgets
from support.held import held_job
from support.own_addresses import own_url
from support.remotes import write_device
from support.server import IDLE, LiveServer
from support.waiting import until
from support.xanadu import ENDED, Caller, held_circuit, pair

pytestmark = pytest.mark.extended

MACHINE = "simulon_gaussian"
ABSENT = "019f0000-0000-7000-8000-000000000000"
TOKEN_LIFE_S = 1
"""Life of the machine's access tokens, so that Qwicket's have expired between two tests."""
XCC = """
import xcc
connection = xcc.Connection(refresh_token={token!r}, host={host!r}, port={port}, tls=False)
assert connection.ping().ok
assert [each.target for each in xcc.Device.list(connection)] == [{machine!r}]
device = xcc.Device({machine!r}, connection)
assert device.status == "online" and device.specification
job = xcc.Job.submit(connection, "mine", {machine!r}, {circuit!r}, "blackbird:1.0")
job.wait(0.1)
samples = job.result["output"][0]
assert samples.shape == (10, 2) and (samples[:, 0] == samples[:, 1]).all()
again = xcc.Job(job.id, connection)
assert (again.name, again.target, again.circuit) == ("mine", {machine!r}, {circuit!r})
assert [each.id for each in xcc.Job.list(connection)] == [job.id]
assert [each.id for each in xcc.Job.list(connection, ids=[job.id, {absent!r}])] == [job.id]
"""


class Two(NamedTuple):
    front: LiveServer
    behind: LiveServer

    @property
    def url(self) -> str:
        return own_url(self.front, "xanadu")

    def caller(self, http: httpx.Client, name: str) -> Caller:
        return Caller(http, self.front.token(name))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    life = ("--access-token-s", str(TOKEN_LIFE_S))
    behind = LiveServer(tmp_path_factory.mktemp("behind"), *life)
    folder = write_device(
        *(tmp_path_factory.mktemp("devices"), behind, behind.token("gate")),
        kind="xanadu",
        name="lab",
        device=MACHINE,
        pass_through=True,
    )
    front = LiveServer(
        tmp_path_factory.mktemp("front"),
        *("--device-dir", str(folder), "--listen", "port=0,dialect=xanadu,device=lab"),
        *(*IDLE, "--limit", "wait_s=3"),
    )
    with front.client() as http:
        until(lambda: http.get("/v1/devices/lab").json()["status"] == "on", "the device is seen")
    yield Two(front, behind)
    for server in (front, behind):
        assert server.stop() == 0
        server.assert_calm()
    assert behind.token("gate") not in front.log.read_text()


@pytest.fixture
def http(two: Two) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=two.url, timeout=60) as client:
        yield client


@pytest.fixture
def ada(two: Two, http: httpx.Client) -> Caller:
    return two.caller(http, "ada")


@pytest.fixture
def ben(two: Two, http: httpx.Client) -> Caller:
    return two.caller(http, "ben")


@pytest.fixture
def direct(two: Two) -> Iterator[Caller]:
    """The machine's own account, which signs in for each request, as its tokens are short."""
    with httpx.Client(base_url=two.behind.url, timeout=60) as client:
        caller = Caller(client, two.behind.token("gate"))
        caller.renew_s = 0.0
        yield caller


def ended(caller: Caller, job: str) -> str:
    def status() -> str | None:
        found = caller.call("GET", f"/jobs/{job}").raise_for_status().json()["status"]
        return found if found in ENDED else None

    return until(status, "it ends")


def count(direct: Caller) -> int:
    return len(direct.call("GET", "/jobs", params={"size": 100}).json()["data"])


@pytest.mark.vendor
@pytest.mark.timeout(600)
def test_the_unmodified_client_cannot_tell(two: Two, tmp_path: Path) -> None:
    address = httpx.URL(two.url)
    text = XCC.format(
        token=two.front.token("xcc"),
        host=address.host,
        port=address.port,
        machine=MACHINE,
        circuit=pair(),
        absent=ABSENT,
    )
    python = str(interpreter("xanadu/xcc_0_3"))
    environment = {"HOME": str(tmp_path)}  # no settings of this machine's user
    done = subprocess.run(
        [python, "-c", text], capture_output=True, text=True, timeout=120, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_bodies_pass_as_they_are(ada: Caller, direct: Caller) -> None:
    job = ada.submit(pair(), name="mine")
    assert ended(ada, job) == "complete"
    for path in (f"/jobs/{job}", f"/jobs/{job}/circuit", f"/jobs/{job}/result"):
        through, theirs = ada.call("GET", path), direct.call("GET", path)
        assert (through.status_code, through.content) == (theirs.status_code, theirs.content)
        assert through.headers["content-type"] == theirs.headers["content-type"]
    # What this server would refuse, the other one decides.
    broken = pair() + "\nNogate() | 0\n"
    refused, theirs = (each.post(broken) for each in (ada, direct))
    assert refused.status_code == theirs.status_code == 400
    assert refused.json()["meta"] == theirs.json()["meta"]


def test_a_job_is_the_accounts_alone(ada: Caller, ben: Caller, direct: Caller) -> None:
    mine, theirs, foreign = ada.submit(pair()), ben.submit(pair()), direct.submit(pair())
    for job in (theirs, foreign, ABSENT):
        for method, path in (
            ("GET", f"/jobs/{job}"),
            ("GET", f"/jobs/{job}/circuit"),
            ("GET", f"/jobs/{job}/result"),
            ("PATCH", f"/jobs/{job}"),
        ):
            body = {"json": {"status": "cancelled"}} if method == "PATCH" else {}
            refused = ada.call(method, path, **body)
            assert refused.status_code == 404, (method, path)
            assert job not in refused.text
    assert ended(ben, theirs) == "complete"
    listed = {each["id"] for each in ada.call("GET", "/jobs").json()["data"]}
    assert mine in listed
    assert not {theirs, foreign} & listed
    named = ada.call("GET", "/jobs", params={"id": [mine, theirs, foreign, ABSENT]}).json()
    assert [each["id"] for each in named["data"]] == [mine]
    for none in (theirs, ""):
        assert ada.call("GET", "/jobs", params={"id": none}).json() == {"data": []}


def test_a_list_has_as_many_jobs_as_its_size(two: Two, http: httpx.Client) -> None:
    eve = two.caller(http, "eve")
    assert eve.call("GET", "/jobs").json() == {"data": []}
    sent = [eve.submit(pair()) for _ in range(12)][::-1]
    for size, expected in ((None, sent[:10]), (3, sent[:3]), (50, sent)):
        query = {} if size is None else {"size": size}
        found = eve.call("GET", "/jobs", params=query).json()["data"]
        assert [each["id"] for each in found] == expected
    for wrong in ({"size": "0"}, {"size": "51"}, {"size": "x"}, {"id": [ABSENT] * 51}):
        refused = eve.call("GET", "/jobs", params=wrong)
        assert refused.status_code == 400, wrong
        assert next(iter(wrong)) in refused.text


def test_a_filter_finds_older_jobs_than_the_newest(two: Two, http: httpx.Client) -> None:
    """A list has one page, so that what it does not find nobody finds."""
    kim = two.caller(http, "kim")
    stopped = kim.submit(held_circuit(held_job()))
    assert kim.call("PATCH", f"/jobs/{stopped}", json={"status": "cancelled"}).status_code == 204
    assert ended(kim, stopped) == "cancelled"
    newer = [kim.submit(pair()) for _ in range(55)]
    for size in (1, 10):
        query = {"status": "cancelled", "size": size}
        found = kim.call("GET", "/jobs", params=query).json()["data"]
        assert [each["id"] for each in found] == [stopped]
    assert {ended(kim, each) for each in newer} == {"complete"}
    found = kim.call("GET", "/jobs", params={"status": "complete", "size": 3}).json()["data"]
    assert [each["id"] for each in found] == newer[:-4:-1]
    assert kim.call("GET", "/jobs", params={"status": "no such"}).status_code == 400


def test_the_types_that_a_client_takes_pass(ada: Caller, direct: Caller) -> None:
    """Strawberry Fields 0.18 takes no npz."""
    path = f"/jobs/{ada.submit(pair())}"
    assert ended(ada, path.removeprefix("/jobs/")) == "complete"
    headers = {"Accept": "application/x-numpy"}
    through, theirs = (
        each.call("GET", f"{path}/result", headers=headers) for each in (ada, direct)
    )
    assert through.content == theirs.content
    assert through.content.startswith(b"\x93NUMPY")


def test_head_has_the_status_of_get(ada: Caller) -> None:
    job = ada.submit(pair())
    assert ended(ada, job) == "complete"
    for path in ("/devices", f"/devices/{MACHINE}", "/jobs", f"/jobs/{job}", f"/jobs/{job}/result"):
        head, get = ada.call("HEAD", path), ada.call("GET", path)
        assert (head.status_code, head.content) == (get.status_code, b""), path
        assert head.headers["content-length"] == get.headers["content-length"], path


def test_only_the_device_is_there(ada: Caller) -> None:
    (device,) = ada.call("GET", "/devices").json()["data"]
    assert device["target"] == MACHINE
    for path in ("", "/specifications", "/specification", "/certificate"):
        assert ada.call("GET", f"/devices/{MACHINE}{path}").status_code != 501
        assert ada.call("GET", f"/devices/X8_01{path}").status_code == 404
    other = pair().replace(MACHINE, "X8_01")
    for target, circuit in (("X8_01", pair()), (None, other), (MACHINE, other), (7, pair())):
        refused = ada.post(circuit, target=target)
        assert refused.status_code == 400, refused.text
        assert MACHINE in refused.text
    for name in ("Target", "CIRCUIT"):
        refused = ada.post(pair(), **{name: "X8_01"})
        assert refused.status_code == 400, refused.text
        assert f'"{name}" resembles ' in str(refused.json())
    assert ada.post(pair(), target=None).status_code == 201  # the circuit names it


def test_a_token_for_other_devices_sees_nothing(two: Two, http: httpx.Client) -> None:
    two.front.token("ada")
    token = two.front.admin("token", "create", "--user", "ada", "--device", "simulator")
    other = Caller(http, token.split()[0])
    assert other.call("GET", "/devices").json() == {"data": []}
    assert other.call("GET", f"/devices/{MACHINE}").status_code == 404
    assert other.call("GET", "/jobs").json() == {"data": []}
    assert other.post(pair()).status_code == 403


def test_a_budget_counts_the_shots_of_the_circuit(
    two: Two, http: httpx.Client, direct: Caller
) -> None:
    client = two.caller(http, "max")
    two.front.as_admin(lambda admin: budgets(admin).put("max", "shots", "total", 50, device="lab"))
    client.submit(pair(40))
    before = count(direct)
    refused = client.post(pair(20))
    assert refused.status_code == 403, refused.text
    assert "budget" in refused.text
    assert count(direct) == before


def test_a_cancelled_job_is_cancelled_there_and_here(two: Two, ada: Caller) -> None:
    job = ada.submit(held_circuit(held_job()))
    cancelled = ada.call("PATCH", f"/jobs/{job}", json={"status": "cancelled"})
    assert cancelled.status_code == 204, cancelled.text
    assert ended(ada, job) == "cancelled"
    with two.front.client(two.front.token("ada")) as native:
        newest = native.get("/v1/jobs", params={"device": "lab", "limit": 1}).json()["jobs"][0]
        assert newest["state"] in ("cancelled", "cancelling")


def test_a_body_that_is_no_submission_is_refused_here(ada: Caller, direct: Caller) -> None:
    before = count(direct)
    for body in (
        b"",
        b"[]",
        b'{"target": "simulon_gaussian"}',
        b'{"target": "simulon_gaussian", "circuit": 7}',
        b'{"target": "simulon_gaussian", "circuit": "name"}',
        b'{"target": "a", "target": "simulon_gaussian", "circuit": "name a"}',
    ):
        refused = ada.call("POST", "/jobs", content=body)
        assert refused.status_code == 400, (body, refused.text)
    assert count(direct) == before


def test_the_machines_access_token_is_renewed(ada: Caller) -> None:
    for _ in range(2):
        time.sleep(TOKEN_LIFE_S + 0.2)
        assert ended(ada, ada.submit(pair())) == "complete"
