"""Large responses that clients do not read: bounded in memory, in every dialect."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from qiskit import QuantumCircuit

from abuse.dialects import ibm_json, ionq_json, problem_json, qbraid_json, qlued_json, xanadu_json
from support import ibm, pubs, raw, runtime
from support.programs import BELL
from support.repetitions import runs
from support.server import LiveServer, running_server
from support.waiting import PROMPT_S, until
from support.xanadu import Caller, fetch_access_token

pytestmark = pytest.mark.extended

MB = 1 << 20
ROOM_BYTES = MB // 2
LARGEST_BYTES = 12 * MB
"""More than any answer of these tests has."""
LIMITS = {
    "responses_bytes": 4 * ROOM_BYTES,
    "responses_bytes_each": ROOM_BYTES,
    "responses_wait_s": 10,  # longer than the first one takes to make, also on a busy machine
    "response_timeout_s": 14,  # so that no memory is released while others wait for it
}


def limited(folder: Path, limits: dict[str, int]) -> AbstractContextManager[LiveServer]:
    """Return a server with room for a few large answers."""
    options = [each for limit in limits.items() for each in ("--limit", "{}={}".format(*limit))]
    return running_server(folder, *options)


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with limited(tmp_path_factory.mktemp("narrow"), LIMITS) as live:
        yield live


@pytest.fixture(scope="module")
def http(narrow: LiveServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=narrow.url, timeout=60) as client:
        yield client


class Large(NamedTuple):
    """Where a large answer is, and how one asks for it."""

    path: str
    header: str
    said: Callable[[httpx.Response], str]
    full: int = 429
    """The status of a refusal for want of room."""


Make = Callable[[httpx.Client, str], Large]


def submitted(http: httpx.Client, token: str, **fields: Any) -> str:
    auth = {"Authorization": f"Bearer {token}"}
    sent = http.post("/v1/jobs", json={"device": "simulator", **fields}, headers=auth)
    assert sent.status_code == 201, sent.text
    job = str(sent.json()["id"])
    done(http, token, job)
    return job


def done(http: httpx.Client, token: str, job: str) -> None:
    auth = {"Authorization": f"Bearer {token}"}
    read = http.get(f"/v1/jobs/{job}?wait=60", headers=auth)
    assert read.json()["state"] == "completed", read.text


def plus(qubits: int) -> dict[str, Any]:
    return {"qubits": qubits, "circuit": [{"gate": "h", "target": q} for q in range(qubits)]}


def native(http: httpx.Client, token: str) -> Large:
    job = submitted(http, token, program=BELL, shots=1_000_000, outputs=["memory"])
    return Large(f"/v1/jobs/{job}/result", f"Authorization: Bearer {token}", problem_json)


def native_archive(http: httpx.Client, token: str) -> Large:
    program = plus(48)
    job = submitted(
        http, token, device="clifford", program=program, shots=1_000_000, outputs=["memory"]
    )
    path = f"/v1/jobs/{job}/parts/0?format=npz"
    return Large(path, f"Authorization: Bearer {token}", problem_json)


def ionq(http: httpx.Client, token: str) -> Large:
    header = {"Authorization": f"apiKey {token}"}
    body: dict[str, Any] = {"type": "ionq.circuit.v1", "backend": "simulator", "input": plus(10)}
    body["shots"] = 1_000_000
    job = http.post("/ionq/v0.4/jobs", json=body, headers=header).json()["id"]
    done(http, token, job)
    path = f"/ionq/v0.4/jobs/{job}/results/shots"
    return Large(path, f"Authorization: apiKey {token}", ionq_json)


def ibm_qx(http: httpx.Client, token: str) -> Large:
    client = ibm.Client(http, token)
    job = client.submit(ibm.qobj(shots=1_000_000, memory=True))
    done(http, token, job)
    url = client.get(f"/jobs/{job}/resultDownloadUrl")["url"]
    return Large(httpx.URL(url).raw_path.decode(), "X: x", ibm_json, 503)


def ibm_job(http: httpx.Client, token: str) -> Large:
    client = ibm.Client(http, token)
    job = client.submit(ibm.qobj(shots=1_000_000, memory=True))
    done(http, token, job)
    return Large(f"/ibm/api/jobs/{job}", f"X-Access-Token: {client.token}", ibm_json, 503)


def ibm_runtime(http: httpx.Client, token: str) -> Large:
    client = runtime.Client(http, token)
    wide = QuantumCircuit(29, 29)
    wide.h(range(29))
    wide.measure(range(29), range(29))
    params = runtime.sampler([pubs.circuit(wide), pubs.array(), 1_000_000])
    sent = client.call("POST", "/jobs", json=runtime.body(params=params))
    job = sent.json()["id"]
    done(http, token, job)
    path = f"{runtime.DIALECT}/jobs/{job}/results"
    return Large(path, f"X-Access-Token: {client.token}", ibm_json, 503)


def qbraid(http: httpx.Client, token: str) -> Large:
    header = {"X-API-Key": token}
    program = {"format": "ionq.circuit.v0", "data": BELL}
    device = "qbraid:qbraid:sim:statevector"
    body = {"deviceQrn": device, "program": program, "shots": 1_000_000}
    body["runtimeOptions"] = {"memory": True}
    sent = http.post("/qbraid/api/v1/jobs", json=body, headers=header)
    assert sent.status_code == 201, sent.text
    job = sent.json()["data"]["jobVrn"]
    done(http, token, job)
    return Large(f"/qbraid/api/v1/jobs/{job}/result", f"X-API-Key: {token}", qbraid_json)


def qlued(http: httpx.Client, token: str) -> Large:
    experiment = {
        "instructions": [["rlx", [0], [1.0]], ["measure", [0], []], ["measure", [1], []]],
        "num_wires": 2,
        "shots": 1_000_000,
        "wire_order": "interleaved",
    }
    body = {"job": json.dumps({"experiment_0": experiment}), "token": token}
    sent = http.post("/qlued/api/v2/multiqudit/post_job", json=body)
    job = sent.json()["job_id"]
    done(http, token, job)
    path = f"/qlued/api/v2/multiqudit/get_job_result?job_id={job}&token={token}"
    return Large(path, "X: x", qlued_json)


HOMODYNE = """name x
version 1.0
target simulon_gaussian (shots=500000)

Sgate(0.5) | 0
MeasureX | 0
MeasureX | 1
"""


def xanadu(http: httpx.Client, token: str) -> Large:
    job = Caller(http, token).done(HOMODYNE)
    held = fetch_access_token(http, token)
    return Large(f"/jobs/{job}/result", f"Authorization: Bearer {held}", xanadu_json)


DIALECTS: list[Make] = [
    *(native, native_archive, ionq, ibm_qx, ibm_job, ibm_runtime, qbraid, qlued, xanadu)
]


def held_bytes(http: httpx.Client) -> int:
    (line,) = [
        line
        for line in http.get("/metrics").text.splitlines()
        if line.startswith("qwicket_responses_held_bytes")
    ]
    return int(float(line.split()[1]))


def ask(stack: ExitStack, live: LiveServer, large: Large, count: int) -> list[socket.socket]:
    opened = []
    for _ in range(count):
        opened.append(stack.enter_context(raw.connect(live.url, receive_bytes=4_096)))
        opened[-1].sendall(raw.head(f"GET {large.path}", large.header))
    return opened


def status(connection: socket.socket) -> int:
    return int(connection.recv(12, socket.MSG_PEEK | socket.MSG_WAITALL).split()[1])


def test_room_comes_back_when_clients_go_away(narrow: LiveServer, http: httpx.Client) -> None:
    token = narrow.token("leaver")
    large = native(http, token)
    auth = {"Authorization": f"Bearer {token}"}

    def is_answered() -> bool:
        return http.get(large.path, headers=auth).status_code == 200

    for _ in range(runs(2, long=3)):
        with ExitStack() as stack:
            ask(stack, narrow, large, 20)
            until(lambda: held_bytes(http) > 0, "some are held")
            assert held_bytes(http) < ROOM_BYTES + LARGEST_BYTES, "the room, and one that fills it"
        until(lambda: held_bytes(http) == 0, "nothing is held", timeout_s=PROMPT_S)
        # After all those that still waited: else the next ones would wait for them.
        until(is_answered, "the account has room again", timeout_s=60)


def test_who_takes_slowly_gets_all_of_it(narrow: LiveServer, http: httpx.Client) -> None:
    token = narrow.token("patient")
    large = native(http, token)
    auth = {"Authorization": f"Bearer {token}"}
    whole = http.get(large.path, headers=auth).content
    with raw.connect(narrow.url, receive_bytes=4_096) as connection:
        connection.sendall(raw.head(f"GET {large.path}", large.header, "Connection: close"))
        text = b""
        while piece := connection.recv(64 << 10):
            text += piece
    assert text.partition(b"\r\n\r\n")[2] == whole


@pytest.mark.parametrize("make", [native, ionq, ibm_qx, ibm_runtime, qbraid, qlued, xanadu])
def test_a_token_revoked_while_its_answer_waits_for_room_gets_none(
    narrow: LiveServer, http: httpx.Client, make: Make
) -> None:
    name = f"keeper-{make.__name__}".replace("_", "-")
    keeper = narrow.token(name)
    auth = {"Authorization": f"Bearer {narrow.managing_token(name)}"}
    scopes = ["jobs:read", "jobs:write", "devices:read"]
    made = http.post("/v1/tokens", json={"scopes": scopes}, headers=auth).json()
    large = make(http, made["secret"])
    until(lambda: held_bytes(http) == 0, "the room is empty")
    with ExitStack() as stack:
        (first,) = ask(stack, narrow, native(http, keeper), 1)
        until(lambda: held_bytes(http) > ROOM_BYTES, "the account's room is full")
        (second,) = ask(stack, narrow, large, 1)
        assert not select.select([second], [], [], 0.5)[0], "it waits"
        assert http.delete(f"/v1/tokens/{made['id']}", headers=auth).status_code == 204
        first.close()
        answer = raw.answer(second)
    assert answer.status_code in (401, 403)
    assert any(word in large.said(answer) for word in ("revoked", "credentials"))
    until(lambda: held_bytes(http) == 0, "nothing is held", timeout_s=PROMPT_S)


def test_answers_that_are_asked_for_in_one_go_come_one_by_one(
    narrow: LiveServer, http: httpx.Client
) -> None:
    large = native(http, narrow.token("piper"))
    with raw.connect(narrow.url) as connection:
        connection.sendall(raw.head(f"GET {large.path}", large.header) * 4)
        sizes = {len(raw.answer(connection).content) for _ in range(4)}
    assert len(sizes) == 1
    until(lambda: held_bytes(http) == 0, "nothing is held", timeout_s=PROMPT_S)


def test_a_server_stops_though_nobody_takes_its_answers(tmp_path: Any) -> None:
    live = LiveServer(tmp_path)
    with httpx.Client(base_url=live.url, timeout=60) as http, ExitStack() as stack:
        large = native(http, live.token())
        begun = [status(each) for each in ask(stack, live, large, 3)]  # none is still being made
        assert begun == [200] * 3
        assert live.stop() == 0
    live.assert_calm()
