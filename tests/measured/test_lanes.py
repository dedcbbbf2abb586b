"""No route that hashes, compresses or parses delays another account's submissions.

Passwords and slow QPY have files of their own. Not here, because they do none of this or share the
work of a row:

- `POST /v1/estimates`, drafts and uploads, and IonQ's clones read programs as submissions do, and
  `.../compiled` writes them in the same processes;
- the signature of a webhook is one HMAC of an event of at most a few kB, for each event sent;
- tokens, signed URLs, shares, sessions, invitations and states of sign-ins are one SHA-256 or HMAC
  of a short text;
- `/v1/openapi.json` is made once, the files of `/ui` are packed once;
- websockets take messages of 16 kB, all of them access tokens;
- backups, restores and checks of a database are commands in a process of their own.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import pytest

from measured.conftest import Record
from support import braket, ibm, pubs, runtime, xanadu
from support.pages import Person
from support.server import LiveServer
from support.waiting import until
from support.worst_programs import WORST, WORST_LAYOUTS

N_CONNECTIONS = 32
N_SUBMISSIONS = 40
MAX_RATIO = 3.0
PROGRAM = (
    'OPENQASM 2.0; include "qelib1.inc"; qreg q[1]; creg c[1]; measure q -> c;' + " " * 200_000
)
N_JOBS = 250
SMALL = "OPENQASM 3.0; qubit q; bit c; c = measure q;"
SHOTS = 20_000
WIDTH = 16
SAMPLED = (
    f'OPENQASM 3.0;include "stdgates.inc";qubit[{WIDTH}] q;bit[{WIDTH}] c;'
    + "".join(f"h q[{k}];" for k in range(WIDTH))
    + "c=measure q;"
)
DEVICES = {
    "ahs": ("rydberg", "samples"),
    "blackbird": ("simulon_gaussian", "samples"),
    "braket.openqasm3": ("statevector", "counts"),
    "qiskit.primitives": ("qwicket_simulator", "memory"),
    "qlued.singlequdit": ("singlequdit", "samples"),
}
"""Device and output of each format; of the others `simulator` and `counts`."""
FULL = 429
"""Status of a program if too many of its account wait for a parser, or of a large response."""


class Call(NamedTuple):
    """A request, and the statuses that show that the route did its work."""

    request: httpx.Request
    statuses: tuple[int, ...] = (200,)

    @property
    def content(self) -> bytes:
        """The request on the wire."""
        sent = self.request
        lines = [f"{sent.method} {sent.url.raw_path.decode()} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in sent.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + sent.read()


class Eve:
    """The account that calls the routes, with jobs of all dialects that have ended."""

    def __init__(self, live: LiveServer) -> None:
        self.live = live
        self.person = Person(live, "eve", "admin")
        self.token = self.person.token
        self.http = live.client(self.token)
        self.native = self._done(SAMPLED, shots=SHOTS, outputs=["counts", "memory"])
        self.small = self._done(SAMPLED, shots=1_000)
        for number in range(N_JOBS):
            self._submit(SMALL, name=f"job {number}", tags=["t"])
            self.qx.submit(name=f"job {number}")
        self._done(SMALL)  # by then the others have ended, too

    def __enter__(self) -> Eve:
        return self

    def __exit__(self, *_: object) -> None:
        self.person.__exit__()
        self.http.close()
        self.qx.http.close()

    def _submit(self, program: str, **fields: Any) -> str:
        body = {"device": "simulator", "program": program, "shots": 1, **fields}
        return str(self.http.post("/v1/jobs", json=body).raise_for_status().json()["id"])

    def _done(self, program: str, **fields: Any) -> str:
        job = self._submit(program, **fields)
        found = self.http.get(f"/v1/jobs/{job}/result", params={"wait": 60})
        assert found.status_code == 200, found.text
        return job

    def call(self, method: str, path: str, *statuses: int, **options: Any) -> Call:
        return Call(self.http.build_request(method, path, **options), statuses or (200,))

    def submission(self, name: str, text: str) -> Call:
        device, output = DEVICES.get(name, ("simulator", "counts"))
        body = {"device": device, "outputs": [output], "shots": 1, "format": name, "program": text}
        return self.call("POST", "/v1/jobs", 201, 400, FULL, json=body)

    def page(self, path: str) -> Call:
        jar = self.person.browser.cookies
        cookie = "; ".join(f"{name}={value}" for name, value in jar.items())
        headers = {"Cookie": cookie, "Accept-Encoding": "gzip"}
        return Call(httpx.Request("GET", self.live.url + path, headers=headers))

    @cached_property
    def pair(self) -> str:
        return self.live.admin("token", "create", "--user", self.person.name, "--aws")

    def signed(self, service: str, method: str, path: str, *statuses: int, **options: Any) -> Call:
        request = httpx.Request(method, self.live.url + path, **options)
        next(braket.Signature(self.pair, service).auth_flow(request))
        return Call(request, statuses or (200,))

    @cached_property
    def result_key(self) -> str:
        body = braket.body(shots=10_000)
        sent = self.http.send(
            self.signed("braket", "POST", "/braket/quantum-task", json=body).request
        )
        job = sent.json()["quantumTaskArn"].rpartition("/")[2]
        path = f"/s3/{braket.BUCKET}/{braket.PREFIX}/{job}/results.json"
        until(
            lambda: self.http.send(self.signed("s3", "GET", path).request).status_code == 200,
            "the task has a result",
        )
        return path

    @cached_property
    def qx(self) -> ibm.Client:
        return ibm.Client(httpx.Client(base_url=self.live.url, timeout=60), self.token)

    def at_ibm(self, method: str, path: str, **options: Any) -> Call:
        headers = {"X-Access-Token": self.qx.token, **options.pop("headers", {})}
        return self.call(method, path, headers=headers, **options)

    @cached_property
    def qx_job(self) -> str:
        program = ibm.qobj(shots=SHOTS, memory=True)
        return str(self.qx.done(program)["id"])

    def runtime_job(self, shots: int) -> str:
        client = runtime.Client(self.qx.http, self.token)
        circuit = pubs.circuit(pubs.bell())
        job = client.submit(params=runtime.sampler([circuit, pubs.array(), shots]))
        assert client.ended(job)["status"] == "Completed"
        return job

    @cached_property
    def registry_search(self) -> Call:
        headers = {"X-API-Key": self.token}
        for number in range(N_JOBS):
            form = {"vendorJobId": str(number), "qbraidDeviceId": "long"}
            path = "/qbraid/api/init-job"
            self.http.post(path, headers=headers, data=form).raise_for_status()
        query = {"numResults": 1_000, "vendorJobId": {"$regex": "^.*1.*$"}}
        return self.call("POST", "/qbraid/api/get-user-jobs", headers=headers, json=query)

    @cached_property
    def at_xanadu(self) -> xanadu.Caller:
        http = httpx.Client(base_url=self.live.url, timeout=60)
        return xanadu.Caller(http, self.token)

    @cached_property
    def xanadu_result(self) -> Call:
        job = self.at_xanadu.done(xanadu.pair(10_000))
        return self.call("GET", f"/jobs/{job}/result", headers=self.at_xanadu.auth)

    def at_ionq(self, method: str, path: str, **options: Any) -> Call:
        headers = {"Authorization": f"apiKey {self.token}"}
        return self.call(method, f"/ionq/v0.4{path}", headers=headers, **options)

    @cached_property
    def ionq_job(self) -> str:
        bell = [{"gate": "h", "target": k} for k in range(12)]
        body = {
            "type": "ionq.circuit.v1",
            "backend": "simulator",
            "shots": 10_000,
            "input": {"qubits": 12, "circuit": bell},
        }
        sent = self.http.send(self.at_ionq("POST", "/jobs", json=body).request)
        job = sent.raise_for_status().json()["id"]

        def is_done() -> bool:
            found = self.http.send(self.at_ionq("GET", f"/jobs/{job}").request).json()
            return bool(found["status"] == "completed")

        until(is_done, "the job of IonQ's dialect completes", timeout_s=60)
        return str(job)

    def agent(self, method: str, path: str, *statuses: int, **options: Any) -> Call:
        token = self.live.as_admin(
            lambda admin: admin.create_token(
                self.person.name, scopes=["devices:serve"], devices=["labphotons"]
            )
        )
        headers = {"Authorization": f"Bearer {token.secret}"}
        return self.call(method, path, *statuses, headers=headers, **options)


def layout(text: str) -> dict[str, Any]:
    spec = {
        "description": "",
        "qubits": 4,
        "formats": ["blackbird"],
        "outputs": ["samples"],
        "shot_s": 0.001,
    }
    photonic = {"modes": 4, "layout": text, "since": "2026-01-01T00:00:00Z"}
    return {"family": "photonic", "spec": {**spec, "photonic": photonic}}


ROUTES: Final[dict[str, Callable[[Eve], Call]]] = {
    **{
        f"submission of {name}": partial(Eve.submission, name=name, text=texts[0])
        for name, texts in WORST.items()
        if name != "qlued.lab"  # only a lab's device takes that
    },
    "nothing of the kind: account": lambda eve: eve.call("GET", "/v1/account"),
    "body of 15 MB": lambda eve: eve.call(
        "POST", "/v1/jobs", 400, content=b"[" + b"[]," * 5_000_000
    ),
    "result": lambda eve: eve.call("GET", f"/v1/jobs/{eve.small}/result"),
    "large result": lambda eve: eve.call("GET", f"/v1/jobs/{eve.native}/result"),
    "arrays": lambda eve: eve.call("GET", f"/v1/jobs/{eve.native}/parts/0?format=npz"),
    "archive": lambda eve: eve.call("GET", f"/v1/jobs/{eve.native}/archive"),
    "list of jobs": lambda eve: eve.call("GET", "/v1/jobs?limit=1000"),
    "announced layout": lambda eve: eve.agent(
        "PUT", "/v1/agent/devices/labphotons", 200, 400, json=layout(WORST_LAYOUTS[-2])
    ),
    "page of jobs": lambda eve: eve.page("/ui/jobs"),
    "page of a job": lambda eve: eve.page(f"/ui/jobs/{eve.native}"),
    "documentation": lambda eve: eve.call("GET", "/docs/"),
    "large program with a key": lambda eve: eve.call(
        "POST",
        "/v1/jobs",
        400,
        headers={"Idempotency-Key": "key"},
        json={"device": "simulator", "program": "OPENQASM 3.0;" + " " * 4_000_000},
    ),
    "CSV of a result": lambda eve: eve.page(f"/ui/jobs/{eve.native}/result.csv?part=0"),
    "CSV of jobs": lambda eve: eve.page("/ui/jobs.csv"),
    "page of a device": lambda eve: eve.page("/ui/devices/qwicket_heavyhex27"),
    "page of the audit": lambda eve: eve.page("/ui/admin/activity"),
    "IBM: job": lambda eve: eve.at_ibm("GET", f"/ibm/api/jobs/{eve.qx_job}"),
    "IBM: list of jobs": lambda eve: eve.at_ibm(
        "GET",
        "/ibm/api/jobs",
        params={"filter": json.dumps({"where": {"name": {"regexp": "(a|b)*x"}}, "limit": 100})},
    ),
    "IBM: properties": lambda eve: eve.at_ibm(
        "GET", "/ibm/api/devices/qwicket_heavyhex27/properties"
    ),
    "Runtime: result": lambda eve: eve.at_ibm(
        "GET", f"/ibm/runtime/classic/jobs/{eve.runtime_job(1_000)}/results"
    ),
    "Runtime: large result, gzip": lambda eve: eve.at_ibm(
        "GET",
        f"/ibm/runtime/classic/jobs/{eve.runtime_job(1_000_000)}/results",
        headers={"Accept-Encoding": "gzip"},
    ),
    "IonQ: probabilities": lambda eve: eve.at_ionq(
        "GET", f"/jobs/{eve.ionq_job}/results/probabilities"
    ),
    "IonQ: shots": lambda eve: eve.at_ionq("GET", f"/jobs/{eve.ionq_job}/results/shots"),
    "qBraid: search": lambda eve: eve.registry_search,
    "Xanadu: result": lambda eve: eve.xanadu_result,
    "Xanadu: access token": lambda eve: eve.call(
        "POST",
        xanadu.TOKEN_PATH,
        data={
            "grant_type": "refresh_token",
            "refresh_token": eve.token,
            "client_id": "public",
        },
    ),
    "Braket: task": lambda eve: eve.signed(
        "braket", "POST", "/braket/quantum-task", 200, 201, json=braket.body()
    ),
    "Braket: result": lambda eve: eve.signed("s3", "GET", eve.result_key),
    "Braket: list of results": lambda eve: eve.signed("s3", "GET", f"/s3/{braket.BUCKET}"),
}
"""By name: the route, with what takes longest of what it accepts."""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    live = LiveServer(tmp_path_factory.mktemp("lanes"))
    with live.client() as http:
        p95_s(http)  # parsers and workers are there
    yield live
    live.kill()  # its parsers are at work


@pytest.fixture(scope="module")
def eve(live: LiveServer) -> Iterator[Eve]:
    with Eve(live) as eve:
        yield eve


@contextmanager
def busy(live: LiveServer, call: Call, file: Path) -> Iterator[None]:
    """Send a request on all connections until the block ends, and check the responses."""
    file.write_bytes(call.content)
    address = httpx.URL(live.url)
    arguments = (address.host, str(address.port), str(N_CONNECTIONS), str(file))
    with subprocess.Popen(
        [sys.executable, "-m", "support.busy_connections", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield
        said, _ = process.communicate()
    statuses = {int(status) for status in json.loads(said)}
    assert statuses & set(call.statuses), said
    assert statuses <= {*call.statuses, FULL}, said


def p95_s(http: httpx.Client) -> float:
    """Return the 95th percentile of the times of submissions of 200 kB."""
    found = []
    for _ in range(N_SUBMISSIONS):
        began = time.monotonic()
        body = {"device": "simulator", "program": PROGRAM, "shots": 1}
        http.post("/v1/jobs", json=body).raise_for_status()
        found.append(time.monotonic() - began)
    return statistics.quantiles(found, n=20)[-1]


@pytest.mark.parametrize("name", ROUTES)
def test_submissions_beside_a_route(
    live: LiveServer, eve: Eve, name: str, tmp_path: Path, record: Record
) -> None:
    call = ROUTES[name](eve)
    with live.client() as http:
        idle_s = p95_s(http)
        with busy(live, call, tmp_path / "request"):
            busy_s = p95_s(http)
    what = f"submitting 200 kB beside {N_CONNECTIONS} connections, {name}"
    record(f"{what}: p95 / idle", busy_s / idle_s, at_most=MAX_RATIO, unit="×")
    record(f"{what}: p95", 1000 * busy_s, at_most=1000 * MAX_RATIO * idle_s, unit="ms")
