"""A request that passes through is sent once, however the machine answers and this server dies."""

from __future__ import annotations

import itertools
import os
import random
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from support import iqm, remotes, xanadu
from support.crooked_proxy import CrookedProxy
from support.own_addresses import own_url
from support.remotes import write_device
from support.server import LiveServer
from support.waiting import until

pytestmark = pytest.mark.extended

KILLS = 200 if os.environ.get("QWICKET_FAULT") == "long" else 3
JOBS_PER_KILL = 6
STATEVECTOR = "qbraid:qbraid:sim:statevector"
BELL = {
    "qubits": 2,
    "circuit": [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}],
}


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = LiveServer(tmp_path_factory.mktemp("behind"))
    yield server
    server.stop()


class Api(NamedTuple):
    """One of the APIs whose requests pass through.

    Attributes:
        device: The device at the machine.
        root: Path of the API at its main address, where the machine is asked.
        prefix: Path of the API below that address, and at an address of its own.
        client: Signs a client in with a token.
        body: The submission with a name.
        fields_of: Finds a job's fields in a response.
        id: Name of the field with a job's id.
        name: Name of the field with a job's name; None if a response has none.
        submit: Path at which jobs are submitted.
        read: Path of a job.
        submitted: Status of the response to a submission.
        absent: Status of the response about another account's job.
    """

    device: str
    root: str
    prefix: str
    client: Callable[[str, str], httpx.Client]
    body: Callable[[str], dict[str, Any]]
    fields_of: Callable[[Any], dict[str, Any]]
    id: str
    name: str | None = "name"
    submit: str = "jobs"
    read: str = "jobs/{}"
    submitted: int = 201
    absent: int = 404

    def at_machine(self, behind: LiveServer, key: str) -> httpx.Client:
        return self.client(behind.url + self.root + self.prefix, key)

    def at_front(self, front: LiveServer, kind: str, token: str) -> httpx.Client:
        return self.client(own_url(front, kind) + self.prefix, token)

    def check_name(self, client: httpx.Client, id: str, name: str) -> None:
        """Check that an id leads to the job with this name."""
        found = self.fields_of(client.get(self.read.format(id)).raise_for_status().json())
        assert found[self.id] == id
        if self.name is not None:
            assert found[self.name] == name


def header_client(header: str, scheme: str = "") -> Callable[[str, str], httpx.Client]:
    """Return a function that signs a client in by a header."""

    def client(url: str, token: str) -> httpx.Client:
        return httpx.Client(base_url=url, headers={header: scheme + token}, timeout=30)

    return client


def xanadu_client(url: str, token: str) -> httpx.Client:
    with httpx.Client(base_url=url, timeout=30) as client:
        access_token = xanadu.fetch_access_token(client, token)
    return header_client("Authorization", "Bearer ")(url, access_token)


APIS = {
    "ionq": Api(
        device="simulator",
        root="/ionq",
        prefix="/v0.4",
        client=header_client("Authorization", "apiKey "),
        body=lambda name: {
            "type": "ionq.circuit.v1",
            "backend": "simulator",
            "shots": 5,
            "input": BELL,
            "name": name,
        },
        fields_of=lambda found: found,
        id="id",
    ),
    "xanadu": Api(
        device="simulon_gaussian",
        root="",
        prefix="",
        client=xanadu_client,
        body=lambda name: {
            "target": "simulon_gaussian",
            "language": "blackbird:1.0",
            "circuit": xanadu.pair(5),
            "name": name,
        },
        fields_of=lambda found: found,
        id="id",
    ),
    "qbraid": Api(
        device=STATEVECTOR,
        root="/qbraid",
        prefix="/api/v1",
        client=header_client("X-API-Key"),
        body=lambda name: {
            "deviceQrn": STATEVECTOR,
            "shots": 5,
            "name": name,
            "program": {"format": "qasm3", "data": remotes.BELL},
        },
        fields_of=lambda found: found["data"],
        id="jobQrn",
    ),
    "qlued": Api(
        device="singlequdit",
        root="/qlued",
        prefix="/api/v3/singlequdit",
        client=header_client("Authorization", "Bearer "),
        body=lambda name: {
            "payload": {"experiment_0": remotes.ATOMS["experiment_0"] | {"name": name}}
        },
        fields_of=lambda found: found,
        id="job_id",
        name=None,
        submit="post_job",
        read="get_job_status?job_id={}",
        submitted=200,
        absent=406,
    ),
    "iqm": Api(
        device="simulator",
        root="",
        prefix="/api/v1",
        client=header_client("Authorization", "Bearer "),
        body=lambda name: {
            "circuits": [{"name": name, "instructions": iqm.BELL}],
            "shots": 5,
        },
        fields_of=lambda found: found,
        id="id",
        name=None,
        submit="jobs/simulator/circuit",
        submitted=200,
    ),
}


def submit(api: Api, client: httpx.Client, name: str) -> tuple[str, str] | None:
    """Submit once, as a client that never repeats; return name and id if there was a response."""
    try:
        made = client.post(api.submit, json=api.body(name))
    except httpx.HTTPError:
        return None
    if made.status_code != api.submitted:
        return None
    return name, str(api.fields_of(made.json())[api.id])


def ids_by_name(
    behind: LiveServer, machine: httpx.Client, there: httpx.Client, kind: str
) -> dict[str, list[str]]:
    """Return the ids, in its API, of the jobs at the machine by their names."""
    found: dict[str, list[str]] = {}
    if kind in ("qlued", "iqm"):  # jobs have no name there, but an experiment or circuit has
        for id, program in programs(behind):
            is_qlued = b'"experiment_0"' in program  # both APIs have jobs at this machine
            name = re.search(rb'"name": *"(job-\d+-\d+|last)"', program)
            if name and is_qlued is (kind == "qlued"):
                found.setdefault(name[1].decode(), []).append(id)
        return found
    if kind == "qbraid":
        for page in itertools.count(1):
            listed = machine.get("jobs", params={"page": page, "limit": 100}).json()["data"]
            if not listed:
                return found
            for job in listed:
                found.setdefault(job["name"], []).append(job["jobQrn"])
    query = {"limit": "200"}
    while True:
        listed = there.get("/v1/jobs", params=query).json()
        for job in listed["jobs"]:
            found.setdefault(job["name"], []).append(job["id"])
        if listed["next"] is None:
            return found
        query["before"] = str(listed["next"])


@pytest.mark.timeout(120 + 60 * KILLS)
@pytest.mark.parametrize("kind", APIS)
def test_crashes_and_bad_answers_double_no_request(
    behind: LiveServer, tmp_path: Path, kind: str
) -> None:
    seed = random.randrange(1 << 32)
    dice = random.Random(seed)
    key, api = behind.token(f"gate-{kind}"), APIS[kind]
    acknowledged: dict[str, str] = {}
    with CrookedProxy(behind.url, seed, share=0.3) as proxy:
        # Nothing in a request says whose it is: a machine that mixes answers up is believed.
        proxy.mixes_up = False
        folder = write_device(
            *(tmp_path / "devices", behind, key),
            kind=kind,
            name="lab",
            device=api.device,
            url=proxy.url,
            timeout_s=2.0,
            pass_through=True,
        )
        front = LiveServer(
            tmp_path / "front",
            *("--device-dir", str(folder), "--lease-s", "4", "--limit", "wait_s=5"),
            *("--listen", f"port=0,dialect={kind},device=lab"),
            *("--workers", "0", "--express-slots", "0"),
        )
        token = front.token()
        try:
            for k in proxy.rounds(KILLS):
                with (
                    api.at_front(front, kind, token) as client,
                    ThreadPoolExecutor(JOBS_PER_KILL) as threads,
                ):
                    waits = [
                        threads.submit(submit, api, client, f"job-{k}-{n}")
                        for n in range(JOBS_PER_KILL)
                    ]
                    time.sleep(dice.random() * 2)
                    front.kill()
                    acknowledged |= dict(found for each in waits if (found := each.result()))
                front.start()
            proxy.share = 0.0
            with (
                api.at_front(front, kind, token) as client,
                api.at_front(front, kind, front.token("another")) as other,
                api.at_machine(behind, key) as machine,
                behind.client(key) as there,
            ):

                def at_machine() -> dict[str, list[str]]:
                    return ids_by_name(behind, machine, there, kind)

                assert_each_ends(front, at_machine, seed)
                last = submit(api, client, "last")
                assert last is not None
                acknowledged |= [last]
                sent = at_machine()
                assert all(len(ids) == 1 for ids in sent.values()), seed
                for name, id in acknowledged.items():
                    assert sent[name] == [id], seed
                    api.check_name(client, id, name)
                    assert other.get(api.read.format(id)).status_code == api.absent, seed
        finally:
            front.stop()


def programs(server: LiveServer) -> list[tuple[str, bytes]]:
    """Return the id of each job and its program, which for a passed-on job is the request."""
    place = f"file:{server.folder / 'data' / 'qwicket.db'}?mode=ro"
    with closing(sqlite3.connect(place, uri=True)) as database:
        found = database.execute("select job, source from program").fetchall()
    return [(job, bytes(source)) for job, source in found]


def assert_each_ends(
    front: LiveServer, at_machine: Callable[[], dict[str, list[str]]], seed: int
) -> None:
    """Decide each doubt as an administrator would who looks at the machine; then all jobs end."""
    front.as_admin(lambda admin: admin.add_account("root", "admin", email=None, password=None))
    scopes = ("jobs:read", "admin")
    token = front.as_admin(lambda admin: admin.create_token("root", scopes=scopes)).secret
    resolved: Counter[str] = Counter()
    with front.client() as own, front.client(token) as root:

        def have_all_ended() -> bool:
            query = {"state": "queued,running,uncertain,cancelling", "limit": "200"}
            left = own.get("/v1/jobs", params=query).raise_for_status().json()["jobs"]
            names, requests = at_machine(), dict(programs(front))
            for job in left:
                if job["state"] not in ("uncertain", "cancelling"):
                    continue
                found = re.search(rb'"(job-\d+-\d+)"', requests[job["id"]])
                assert found is not None, requests[job["id"]]
                name = found[1].decode()
                sent_as = names[name][0] if name in names else None
                answer = root.post(f"/v1/admin/jobs/{job['id']}/resolve", json={"sent_as": sent_as})
                if "needs no decision" not in answer.text:  # it may be looked for at this moment
                    resolved[str(answer.status_code)] += 1
            return not left

        until(have_all_ended, f"all jobs end (seed {seed})", timeout_s=300)
    assert set(resolved) <= {"200"}, (seed, resolved)
