"""A machine's own server behind an address of the same dialect: bodies pass through."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.bad_server import (
    BadServer,
    Connection,
    Request,
    Step,
    answer,
    cut,
    drop,
    raw,
    reset,
    silent,
)
from support.budgets import budgets
from support.held import held_job
from support.own_addresses import own_url
from support.pages import Person
from support.raw import connect
from support.remotes import write_device
from support.server import IDLE, LiveServer
from support.waiting import until

pytestmark = pytest.mark.extended

BELL = {
    "qubits": 2,
    "circuit": [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}],
}
JOB = {"type": "ionq.circuit.v1", "backend": "simulator", "shots": 20, "input": BELL}


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = LiveServer(tmp_path_factory.mktemp("behind"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory, behind: LiveServer) -> Iterator[LiveServer]:
    folder = write_device(
        *(tmp_path_factory.mktemp("devices"), behind, behind.token("gate")),
        kind="ionq",
        name="lab",
        pass_through=True,
    )
    server = LiveServer(
        tmp_path_factory.mktemp("front"),
        *("--device-dir", str(folder), "--listen", "port=0,dialect=ionq,device=lab"),
        *(*IDLE, "--limit", "wait_s=3"),
    )
    with server.client() as http:
        until(lambda: http.get("/v1/devices/lab").json()["status"] == "on", "the device is seen")
    yield server
    assert server.stop() == 0
    server.assert_calm()


def at(front: LiveServer, token: str) -> httpx.Client:
    headers = {"Authorization": f"apiKey {token}"}
    return httpx.Client(
        base_url=own_url(front, "ionq") + "/v0.4", headers=headers, timeout=60, verify=False
    )


@pytest.fixture
def ada(front: LiveServer) -> Iterator[httpx.Client]:
    with at(front, front.token("ada")) as client:
        yield client


@pytest.fixture
def ben(front: LiveServer) -> Iterator[httpx.Client]:
    with at(front, front.token("ben")) as client:
        yield client


@pytest.fixture
def direct(behind: LiveServer) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"apiKey {behind.token('gate')}"}
    with httpx.Client(
        base_url=behind.url + "/ionq/v0.4", headers=headers, timeout=60, verify=False
    ) as client:
        yield client


@pytest.fixture
def root(front: LiveServer) -> Iterator[httpx.Client]:
    with front.client(administrator(front, front.unused("root"))) as client:
        yield client


def administrator(live: LiveServer, name: str) -> str:
    """Add an administrator's account, and return its token."""
    live.as_admin(lambda admin: admin.add_account(name, "admin", email=None, password=None))
    return live.as_admin(lambda admin: admin.create_token(name, scopes=("admin",))).secret


def submit(client: httpx.Client, **changes: Any) -> str:
    made = client.post("/jobs", json={**JOB, **changes})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def ended(client: httpx.Client, job: str) -> dict[str, Any]:
    def found() -> dict[str, Any] | None:
        body: dict[str, Any] = client.get(f"/jobs/{job}").raise_for_status().json()
        return body if body["status"] in ("completed", "failed", "canceled") else None

    return until(found, "it ends")


def test_bodies_pass_as_they_are(ada: httpx.Client, direct: httpx.Client) -> None:
    job = submit(ada, name="mine", metadata={"a": "b"}, noise={"model": "ideal"})
    assert ended(ada, job)["status"] == "completed"
    for path in (f"/jobs/{job}", f"/jobs/{job}/results/probabilities", f"/jobs/{job}/cost"):
        through, theirs = ada.get(path), direct.get(path)
        assert (through.status_code, through.content) == (theirs.status_code, theirs.content)
        assert through.headers["content-type"] == theirs.headers["content-type"]
    assert direct.get(f"/jobs/{job}").json()["name"] == "mine"
    # What this server would refuse, the other one decides.
    refused, theirs = (each.post("/jobs", json={**JOB, "input": {}}) for each in (ada, direct))
    assert refused.status_code == theirs.status_code == 400
    assert refused.json()["message"] == theirs.json()["message"]


def test_a_job_is_the_account_s_alone(
    ada: httpx.Client, ben: httpx.Client, direct: httpx.Client
) -> None:
    mine, theirs = submit(ada), submit(ben)
    foreign = submit(direct)
    for job in (theirs, foreign, "019f0000-0000-7000-8000-000000000000"):
        for method, path in (
            ("GET", f"/jobs/{job}"),
            ("GET", f"/jobs/{job}/results/probabilities"),
            ("GET", f"/jobs/{job}/cost"),
            ("PUT", f"/jobs/{job}/status/cancel"),
            ("DELETE", f"/jobs/{job}"),
        ):
            refused = ada.request(method, path)
            assert refused.status_code == 404, (method, path)
            assert job not in refused.text
    assert ended(ben, theirs)["status"] == "completed"
    assert direct.get(f"/jobs/{foreign}").status_code == 200
    listed = [each["id"] for each in ada.get("/jobs").json()["jobs"]]
    assert mine in listed
    assert not {theirs, foreign} & {*listed}
    assert ada.get("/jobs", params={"ids": f"{mine},{theirs}"}).status_code == 404
    assert [each["id"] for each in ada.get("/jobs", params={"ids": mine}).json()["jobs"]] == [mine]


def test_parts_of_a_job_are_its_accounts_alone(
    ada: httpx.Client, ben: httpx.Client, direct: httpx.Client
) -> None:
    two = {"qubits": 2, "circuits": [{"circuit": BELL["circuit"]}] * 2}
    job = submit(ada, type="ionq.multi-circuit.v1", input=two)
    parts = ended(ada, job)["child_job_ids"]
    assert len(parts) == 2
    for part in parts:
        path = f"/jobs/{part}"
        assert ada.get(path).content == direct.get(path).content
        assert ada.get(f"{path}/results/probabilities").status_code == 200
        for refused in (ben.get(path), ben.get(f"{path}/results/probabilities")):
            assert refused.status_code == 404
        assert ben.delete(path).status_code == 404
        assert direct.get(path).status_code == 200


def test_a_repeat_with_a_key_has_the_same_response(ada: httpx.Client, direct: httpx.Client) -> None:
    before = count(direct)
    first, again = (
        ada.post("/jobs", json=JOB, headers={"Idempotency-Key": "one"}) for _ in range(2)
    )
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert count(direct) == before + 1


def test_a_list_has_pages(front: LiveServer) -> None:
    with at(front, front.token("eve")) as eve:
        assert eve.get("/jobs").json() == {"jobs": [], "next": None}
        # Until `next` is absent, Cirq asks again, and for ever where there are no jobs.
        assert eve.get("/jobs", headers={"User-Agent": "cirq/1.4"}).json() == {"jobs": []}
        sent = [submit(eve) for _ in range(5)]
        listed, query = [], {"limit": "2"}
        while True:
            page = eve.get("/jobs", params=query).json()
            assert len(page["jobs"]) <= 2
            listed += [each["id"] for each in page["jobs"]]
            if page["next"] is None:
                break
            query["next"] = page["next"]
        assert listed == sent[::-1]
        for wrong in ({"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"next": "a"}):
            refused = eve.get("/jobs", params=wrong)
            assert refused.status_code == 400, wrong
            assert next(iter(wrong)) in refused.text


def test_a_list_is_whole_although_the_machine_ends_its_pages_early(front: LiveServer) -> None:
    """A machine that is a Qwicket ends a page at 4 MB."""
    with at(front, front.token("mia")) as mia:
        sent = [submit(mia, metadata={"a": "x" * 60_000}) for _ in range(75)][::-1]
        page = mia.get("/jobs").json()
        assert [each["id"] for each in page["jobs"]] == sent
        assert page["next"] is None
        page = mia.get("/jobs", params={"ids": ",".join(sent)}).json()
        assert [each["id"] for each in page["jobs"]] == sent
        assert page["next"] is None


def test_only_the_device_is_there(front: LiveServer, ada: httpx.Client) -> None:
    assert [each["backend"] for each in ada.get("/backends").json()] == ["simulator"]
    assert ada.get("/backends/simulator").status_code == 200
    assert ada.get("/backends/qpu.aria-1").status_code == 404
    refused = ada.post("/jobs", json={**JOB, "backend": "qpu.aria-1"})
    assert refused.status_code == 400
    assert "backend" in refused.text
    twice = '{"backend": "qpu.aria-1", "backend": "simulator", "input": {}}'
    for body in (twice, '{"backend": "simulator", "target": "qpu.aria-1"}', "[]", "{", "\xff"):
        refused = ada.post("/jobs", content=body.encode("latin-1"))
        assert refused.status_code == 400, body
    for shots in ("5", 1.5, True, None, 0, 10**9):
        refused = ada.post("/jobs", json={**JOB, "shots": shots})
        assert refused.status_code == 400, shots
        assert "shots" in refused.text
    for other in ("Backend", "TARGET", "Session_ID", "ſhots"):
        refused = ada.post("/jobs", json={**JOB, other: 1})
        assert refused.status_code == 400, other
        assert f'"{other}" resembles "' in refused.json()["message"]
    refused = ada.post("/jobs", json={**JOB, "input": {**BELL, "Circuits": [1, 2]}})
    assert '"Circuits" resembles "circuits"' in refused.json()["message"]
    assert ada.get("/jobs", params={"Ids": "a"}).status_code == 400
    assert ada.get("/jobs", params={"ids": ",".join(["a"] * 101)}).status_code == 400
    assert ada.post("/sessions", json={"backend": "simulator"}).status_code == 501
    assert httpx.get(own_url(front, "ionq") + "/v0.4/backends", verify=False).status_code == 401
    wrong = httpx.get(
        own_url(front, "ionq") + "/v0.4/jobs",
        headers={"Authorization": "apiKey qw_wrong"},
        verify=False,
    )
    assert wrong.status_code == 401


def test_a_path_cannot_lead_elsewhere(ada: httpx.Client) -> None:
    job = submit(ada)
    for path in (
        f"/jobs/{job}/artifacts/%2e%2e",
        f"/jobs/{job}%2f..%2fother",
        "/jobs/..%2f..%2fwhoami",
        f"/jobs/{job}%3fids=x",
        f"/jobs/{job}%00",
        "/jobs/%00",
    ):
        assert ada.get(path).status_code == 404, path


@pytest.mark.parametrize(
    "path", [b"/v0.4/backends?a=\xff", b"/v0.4/backends?a=%00&b=%ff", b"/v0.4/jobs?ids=%00"]
)
def test_odd_bytes_of_an_address_do_no_harm(front: LiveServer, path: bytes) -> None:
    head = b"GET %b HTTP/1.1\r\nHost: a\r\nAuthorization: apiKey %b\r\nConnection: close\r\n\r\n"
    with connect(own_url(front, "ionq")) as connection:
        connection.sendall(head % (path, front.token("ada").encode()))
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.split()[1] in (b"200", b"400", b"404"), answer[:300]


@pytest.mark.parametrize("depth", [100_000, 900])
def test_a_deep_body_is_refused(ada: httpx.Client, depth: int) -> None:
    body = f'{{"backend": "simulator", "input": {"[" * depth}{"]" * depth}}}'
    assert ada.post("/jobs", content=body).status_code == 400


def test_a_job_has_its_place_here_too(front: LiveServer) -> None:
    with Person(front, "pat") as pat, at(front, pat.token) as client:
        job = submit(client, shots=30)
        ended(client, job)
        (here,) = pat.client.jobs()
        until(lambda: here.refresh().state == "completed", "it ends here")
        assert (here.body.device, here.body.shots) == ("lab", 30)
        page = pat.browser.get(f"/ui/jobs/{here.id}?show=source")
        assert page.status_code == 200
        assert "cnot" in page.text
        for path in ("/ui/jobs", "/ui/devices/lab", f"/ui/jobs/{here.id}?tab=result"):
            assert pat.browser.get(path).status_code == 200, path
        assert pat.client.job(here.id).result(10).parts[0].counts == {}
        with front.client(pat.token) as http:
            assert http.get(f"/v1/jobs/{here.id}/archive").status_code == 200
            assert http.get(f"/v1/jobs/{here.id}/parts/0/compiled").status_code < 500


def test_a_cancelled_job_is_cancelled_there_and_here(front: LiveServer, ada: httpx.Client) -> None:
    job = submit(ada, input=held_job().program)
    assert ada.put(f"/jobs/{job}/status/cancel").status_code == 200
    assert ended(ada, job)["status"] == "canceled"
    with front.client() as http:
        until(
            lambda: (
                http.get("/v1/jobs", params={"limit": 1}).json()["jobs"][0]["state"] == "cancelled"
            ),
            "it is cancelled here",
        )


def test_nobody_else_may_send_a_request(front: LiveServer) -> None:
    with front.client() as http:
        for program in ('{"method":"DELETE","path":"/v0.4/jobs"}\n', "OPENQASM 3.0;"):
            for form in ("http.request", None):
                body = {"device": "lab", "program": program, "shots": 1, "format": form}
                refused = http.post("/v1/jobs", json={k: v for k, v in body.items() if v})
                assert refused.status_code == 400, refused.text


def count(direct: httpx.Client) -> int:
    return len(direct.get("/jobs", params={"limit": "100"}).json()["jobs"])


def test_a_budget_holds(front: LiveServer, direct: httpx.Client) -> None:
    with at(front, front.token("max")) as client:
        front.as_admin(lambda admin: budgets(admin).put("max", "shots", "total", 50, device="lab"))
        submit(client, shots=40)
        before = count(direct)
        two = {"qubits": 2, "circuits": [{"circuit": BELL["circuit"]}] * 2}
        many = {**JOB, "type": "ionq.multi-circuit.v1", "input": two, "shots": 10}
        for body in (JOB, many):  # 20 shots each
            refused = client.post("/jobs", json=body)
            assert refused.status_code == 403, refused.text
        assert "budget" in refused.text
        assert count(direct) == before


def test_a_reservation_of_others_holds(
    root: httpx.Client, ada: httpx.Client, ben: httpx.Client, direct: httpx.Client
) -> None:
    until_at = (datetime.now(UTC) + timedelta(minutes=10)).isoformat()
    window = root.post(
        "/v1/admin/reservations", json={"device": "lab", "projects": ["ben"], "until": until_at}
    )
    assert window.status_code == 201, window.text
    try:
        before = count(direct)
        refused = ada.post("/jobs", json=JOB)
        assert refused.status_code == 503
        assert "nothing was sent" in refused.text
        assert count(direct) == before
        submit(ben)
    finally:
        root.delete(f"/v1/admin/reservations/{window.json()['id']}").raise_for_status()


def test_a_list_shows_no_result_of_an_exam_before_its_end(
    front: LiveServer, root: httpx.Client, ada: httpx.Client
) -> None:
    """Documents in a machine's list may have results, which are withheld where a job is read."""
    until_at = (datetime.now(UTC) + timedelta(minutes=10)).isoformat()
    exam = {"device": "lab", "projects": ["zoe"], "until": until_at, "exam_waiting": 3}
    token = front.token("zoe")
    window = root.post("/v1/admin/reservations", json={**exam, "withhold_results": True})
    assert window.status_code == 201, window.text
    try:
        # A server keeps the state of a device for a moment.
        until(lambda: ada.post("/jobs", json=JOB).status_code == 403, "others are refused")
        with at(front, token) as client:
            job = submit(client)
            assert client.get(f"/jobs/{job}").status_code == 400
            assert job not in client.get("/jobs").text
            assert client.get("/jobs", params={"ids": job}).status_code == 400
    finally:
        root.delete(f"/v1/admin/reservations/{window.json()['id']}").raise_for_status()


def test_a_submission_names_no_session(ada: httpx.Client, direct: httpx.Client) -> None:
    """Sessions of the machine's one account may be anybody's."""
    session = direct.post("/sessions", json={"backend": "simulator"}).json()["id"]
    refused = ada.post("/jobs", json={**JOB, "session_id": session})
    assert refused.status_code == 400
    assert "session_id" in refused.text
    assert submit(ada, session_id=None)


def test_a_device_that_takes_no_job_now_gets_none(
    front: LiveServer, behind: LiveServer, ada: httpx.Client, direct: httpx.Client
) -> None:
    behind.as_admin(lambda admin: admin.turn_off("simulator", "new helium"))
    try:
        with front.client() as http:
            until(lambda: http.get("/v1/devices/lab").json()["status"] == "away", "it is away")
            before = count(direct)
            refused = ada.post("/jobs", json=JOB, headers={"Idempotency-Key": "later"})
            assert refused.status_code == 503
            assert "nothing was sent" in refused.text
            assert refused.headers["retry-after"] == "5"
            assert (
                http.get("/v1/jobs", params={"limit": 1}).json()["jobs"][0]["state"] == "cancelled"
            )
    finally:
        behind.as_admin(lambda admin: admin.turn_on("simulator"))
    with front.client() as http:
        until(lambda: http.get("/v1/devices/lab").json()["status"] == "on", "it is back")
    assert count(direct) == before
    for _ in range(2):
        repeated = ada.post("/jobs", json=JOB, headers={"Idempotency-Key": "later"})
        assert repeated.status_code == 201, repeated.text
    assert count(direct) == before + 1


class Machine:
    """A machine's own server that takes its time for submissions, or loses its responses."""

    def __init__(self) -> None:
        self.n_submitted = 0
        self.submitted: Request | None = None
        self.loses = False
        self.page: dict[str, Any] = {"jobs": [], "next": None}
        self.may_respond = threading.Event()
        self.may_respond.set()

    def __call__(self, connection: Connection) -> None:
        if (request := connection.read()) is None:
            return
        body: Any = [{"backend": "simulator", "status": "available", "qubits": 5}]
        if request.method == "POST":
            self.n_submitted += 1
            self.submitted = request
            time.sleep(1.0)
            self.may_respond.wait(20)
            body = {"id": "theirs", "status": "submitted", "session_id": "only in this response"}
            if self.loses:
                return
        elif "/jobs/" in request.path:
            body = {"id": "theirs", "status": "running"}
        elif "/jobs" in request.path:
            body = self.page
        content = json.dumps(body).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
        connection.send(head % len(content) + b"Connection: close\r\n\r\n" + content)


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[tuple[Machine, LiveServer]]:
    machine = Machine()
    with BadServer(machine) as server:
        place = (tmp_path / "devices", server, "a-key-of-the-machine")
        folder = write_device(*place, kind="ionq", name="lab", settle_s=4.0, pass_through=True)
        live = LiveServer(
            tmp_path / "live",
            *("--device-dir", str(folder), "--listen", "port=0,dialect=ionq,device=lab"),
            *(*IDLE, "--limit", "wait_s=3"),
        )
        with live.client() as http:
            until(lambda: http.get("/v1/devices/lab").json()["status"] == "on", "it is seen")
        yield machine, live
        live.stop()


def test_a_list_ends_although_the_machine_names_a_next_page_for_ever(
    slow: tuple[Machine, LiveServer],
) -> None:
    machine, live = slow
    with at(live, live.token("ada")) as client:
        assert client.post("/jobs", json=JOB).status_code == 200
        machine.page = {"jobs": [{"id": "theirs", "status": "running"}], "next": "1"}
        assert client.get("/jobs").json() == {**machine.page, "next": None}
        machine.page = {"jobs": [], "next": "1"}
        refused = client.get("/jobs")
        assert refused.status_code == 503
        assert "does not end" in refused.text


def test_neither_a_query_nor_a_type_leads_the_machine_to_other_fields(
    slow: tuple[Machine, LiveServer],
) -> None:
    machine, live = slow
    job = json.dumps({**JOB, "name": "&session_id=theirs&"})
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    with at(live, live.token("ada")) as client:
        sent = client.post("/jobs?session_id=theirs", content=job, headers=form)
    assert sent.status_code == 200, sent.text
    assert machine.submitted is not None
    assert machine.submitted.path.endswith("/v0.4/jobs")
    assert machine.submitted.headers["content-type"] == "application/json"
    assert machine.submitted.body == job.encode()


KEY = {"Idempotency-Key": "one"}


def post(live: LiveServer, token: str) -> httpx.Response | None:
    """Submit under a key; return the response, or None if the server stopped before."""
    with at(live, token) as client:
        try:
            return client.post("/jobs", json=JOB, headers=KEY)
        except httpx.HTTPError:
            return None


def test_a_repeat_has_the_response_that_came_while_the_server_stopped(
    slow: tuple[Machine, LiveServer],
) -> None:
    machine, live = slow
    token = live.token("ada")
    machine.may_respond.clear()
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(post, live, token)
        until(lambda: machine.n_submitted, "it is sent")
        stop = threads.submit(live.stop)
        refused = first.result()
        machine.may_respond.set()
        stop.result()
    assert refused is None or refused.status_code == 400
    live.start()
    again = post(live, token)
    assert again is not None
    assert (again.status_code, again.json()["session_id"]) == (200, "only in this response")
    assert machine.n_submitted == 1


def test_a_repeat_is_told_the_id_if_only_the_response_was_lost(
    slow: tuple[Machine, LiveServer],
) -> None:
    machine, live = slow
    machine.loses = True
    token = live.token("ada")
    refused = post(live, token)
    assert refused is not None
    assert refused.status_code == 400, "clients of this dialect repeat a 503"
    assert "unknown whether" in refused.text
    root = administrator(live, "root")
    with live.client(token) as own, live.client(root) as http:
        (job,) = own.get("/v1/jobs").json()["jobs"]

        def is_resolved() -> bool:
            path = f"/v1/admin/jobs/{job['id']}/resolve"
            return http.post(path, json={"sent_as": "theirs"}).status_code == 200

        until(is_resolved, "it waits for a person")
    again = post(live, token)
    assert again is not None
    assert again.status_code == 400, "clients of this dialect repeat a 409 for ever"
    assert "has this job as theirs" in again.text
    assert machine.n_submitted == 1


def test_a_client_is_not_told_to_repeat_what_an_administrator_gave_up(
    slow: tuple[Machine, LiveServer],
) -> None:
    machine, live = slow
    token = live.token("ada")
    machine.may_respond.clear()
    root = administrator(live, "root")
    with ThreadPoolExecutor(1) as threads, live.client(token) as own, live.client(root) as http:
        first = threads.submit(post, live, token)
        until(lambda: machine.n_submitted, "it is sent")
        (job,) = own.get("/v1/jobs").json()["jobs"]
        http.post(f"/v1/admin/jobs/{job['id']}/abandon").raise_for_status()
        refused = first.result()
        machine.may_respond.set()
    assert refused is not None
    assert refused.status_code == 400, "clients of this dialect repeat a 503"
    assert "gave up on this job" in refused.text


def test_a_bad_server_harms_nobody(tmp_path: Path) -> None:
    key = "a-key-of-the-machine"
    steps: list[Step] = [drop()]
    close = {"Connection": "close"}  # no request meets a connection that is just being closed
    with BadServer(lambda connection: steps[0](connection)) as machine:
        folder = tmp_path / "devices"
        folder.mkdir()
        (folder / "lab.key").write_text(key)
        (folder / "lab.key").chmod(0o600)
        (folder / "lab.toml").write_text(f"""
            name = "lab"
            family = "qubit"
            provider = "elsewhere"
            driver = "remote"
            position = 500
            [spec]
            description = "A machine"
            qubits = 5
            formats = ["ionq.circuit.v1"]
            [remote]
            kind = "ionq"
            url = "{machine.url}/v0.4"
            device = "simulator"
            key_file = "{folder / "lab.key"}"
            timeout_s = 1.0
            pass_through = true
        """)
        live = LiveServer(
            tmp_path / "live",
            *("--device-dir", str(folder), "--listen", "port=0,dialect=ionq,device=lab"),
            *IDLE,
        )
        with at(live, live.token()) as client:
            for step, status in (
                (drop(), 503),
                (reset(), 503),
                (silent(), 503),
                (cut(40, [{"backend": "simulator"}]), 503),
                (raw(b"nonsense\r\n\r\n"), 503),
                (answer(302, b"", {"Location": "http://127.0.0.1:1/", **close}), 503),
                (answer(401, {"message": "who?"}, close), 503),
                (answer(200, b"<html>", close), 503),
                (answer(200, {"a": 1}, close), 503),
                (answer(500, lambda request: str(request.headers).encode(), close), 500),
                (answer(418, {"message": "tea"}, close), 418),
                (
                    answer(
                        404,
                        b"<script>fetch('/ui')</script>",
                        {"Content-Type": "text/html", **close},
                    ),
                    404,
                ),
            ):
                steps[0] = step
                found = client.get("/backends")
                assert found.status_code == status, (found.status_code, found.text)
                assert key not in found.text
                assert "sandbox" in found.headers["content-security-policy"], "it runs no script"
                assert client.get("/jobs").status_code == 200
        assert live.stop() == 0
        live.assert_calm()
        assert key not in live.log.read_text()
