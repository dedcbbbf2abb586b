"""Every refusal says which field is wrong and what its value is, cut to 100 characters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from qwicket.dialects.validation import quoted
from support import braket, runtime
from support.server import LiveServer

LONG = "x" * 500
BELL = {"qubits": 1, "circuit": [{"gate": "h", "target": 0}]}
IONQ: dict[str, Any] = {"type": "ionq.circuit.v1", "backend": "simulator", "input": BELL}
NATIVE: dict[str, Any] = {"device": "simulator", "program": BELL}
XANADU: dict[str, Any] = {"target": "X8_01", "circuit": "x", "language": "blackbird:1.0"}
QBRAID: dict[str, Any] = {"qbraidDeviceId": "qbraid_statevector", "openQasm": "OPENQASM 3.0;"}
QBRAID_V1: dict[str, Any] = {
    "deviceQrn": "qbraid:qbraid:sim:statevector",
    "program": {"format": "qasm3", "data": "OPENQASM 3.0;"},
}
PAYLOAD = {"program_id": "sampler", "backend": "qwicket_simulator", "params": {}}

PLATFORM = runtime.PLATFORM


def sought(name: str, operator: str = "EQUAL", *values: str) -> dict[str, Any]:
    """Return a search of Braket's with one filter."""
    return {"filters": [{"name": name, "operator": operator, "values": list(values)}]}


# Method, path (after which a query may come), body, field, and the value as it was sent.
REFUSED: list[tuple[str, str, Any, str, Any]] = [
    ("GET", "/v1/jobs?limit=many", None, "limit", "many"),
    ("GET", "/v1/jobs?state=odd", None, "state", "odd"),
    ("GET", "/v1/jobs?created_from=soon", None, "created_from", "soon"),
    ("GET", f"/v1/jobs?limit={LONG}", None, "limit", LONG),
    ("POST", "/v1/jobs", {**NATIVE, "shots": "many"}, "shots", "many"),
    ("POST", "/v1/jobs", {**NATIVE, "shots": 1.5}, "shots", 1.5),
    ("POST", "/v1/jobs", {**NATIVE, "device": 5}, "device", 5),
    ("POST", "/v1/jobs", {**NATIVE, "shots": LONG}, "shots", LONG),
    ("POST", "/v1/jobs", {**NATIVE, "format": "ODDVAL"}, "format", "ODDVAL"),
    ("POST", "/v1/jobs", {**NATIVE, "format": LONG}, "format", LONG),
    ("POST", "/v1/jobs", {**NATIVE, "format": "blackbird"}, "format", "blackbird"),
    ("POST", "/v1/jobs", {**NATIVE, "group": "ODDVAL"}, "group", "ODDVAL"),
    ("GET", "/ionq/v0.4/jobs?status=odd", None, "status", "odd"),
    ("GET", "/ionq/v0.4/jobs?limit=-1", None, "limit", "-1"),
    ("GET", "/ionq/v0.4/backends/qpu/characterizations?start=soon", None, "start", "soon"),
    ("GET", "/ionq/v0.4/jobs/estimate?backend=qpu&session=perhaps", None, "session", "perhaps"),
    ("POST", "/ionq/v0.4/jobs", {**IONQ, "shots": "many"}, "shots", "many"),
    ("POST", "/ionq/v0.4/jobs", {**IONQ, "type": LONG}, "type", LONG),
    ("POST", "/ionq/v0.4/jobs", {**IONQ, "name": 5}, "name", 5),
    ("POST", "/ionq/v0.4/jobs", {**IONQ, "session_id": "a group"}, "session_id", "a group"),
    ("POST", "/ionq/v0.4/jobs", {**IONQ, "session_id": LONG}, "session_id", LONG),
    ("POST", "/ionq/v0.3/jobs", {"target": 5, "input": BELL}, "target", 5),
    (
        *("POST", "/ionq/v0.3/jobs"),
        *({"target": "simulator", "input": BELL, "session_id": "ODDVAL"}, "session_id", "ODDVAL"),
    ),
    ("GET", "/ibm/api/jobs?filter=odd", None, "filter", "odd"),
    ("GET", '/ibm/api/jobs?filter={"where":{"odd":1}}', None, "filter", "odd"),
    ("POST", "/ibm/api/jobs", {"backend": {"name": 5}}, "backend.name", 5),
    ("GET", "/ibm/runtime/classic/jobs?sort=UP", None, "sort", "UP"),
    ("GET", "/ibm/runtime/classic/jobs?pending=perhaps", None, "pending", "perhaps"),
    ("GET", "/ibm/runtime/classic/jobs?limit=many", None, "limit", "many"),
    ("GET", "/ibm/runtime/classic/jobs?created_after=soon", None, "created_after", "soon"),
    ("GET", "/ibm/runtime/classic/jobs?provider=odd", None, "provider", "odd"),
    ("POST", "/ibm/runtime/classic/jobs", {**PAYLOAD, "backend": 5}, "backend", 5),
    ("GET", f"{PLATFORM}/jobs?sort=UP", None, "sort", "UP"),
    ("GET", f"{PLATFORM}/jobs?pending=perhaps", None, "pending", "perhaps"),
    ("GET", f"{PLATFORM}/jobs?created_before=soon", None, "created_before", "soon"),
    ("GET", f"{PLATFORM}/jobs?limit={LONG}", None, "limit", LONG),
    (
        *("GET", f"{PLATFORM}/backends/qwicket_line5/properties?updated_before=soon"),
        *(None, "updated_before", "soon"),
    ),
    ("POST", f"{PLATFORM}/jobs", {**PAYLOAD, "backend": 5}, "backend", 5),
    ("POST", f"{PLATFORM}/jobs", {**PAYLOAD, "program_id": "odd"}, "program_id", "odd"),
    ("POST", f"{PLATFORM}/jobs", {**PAYLOAD, "session_id": "ODDVAL"}, "session_id", "ODDVAL"),
    ("GET", "/qbraid/api/quantum-jobs?status=odd", None, "status", "odd"),
    ("GET", "/qbraid/api/quantum-jobs?page=none", None, "page", "none"),
    ("POST", "/qbraid/api/quantum-jobs", {**QBRAID, "shots": "many"}, "shots", "many"),
    ("GET", "/qbraid/api/v1/jobs?statusGroup=odd", None, "statusGroup", "odd"),
    ("GET", "/qbraid/api/v1/jobs?limit=0", None, "limit", "0"),
    ("DELETE", "/qbraid/api/v1/jobs?qrns=odd", None, "qrns", "odd"),
    ("POST", "/qbraid/api/v1/jobs", {"deviceQrn": 5}, "deviceQrn", 5),
    (
        *("POST", "/qbraid/api/v1/jobs"),
        *({**QBRAID_V1, "program": {"format": "ODDVAL", "data": "x"}}, "program.format", "ODDVAL"),
    ),
    (
        *("POST", "/qbraid/api/v1/jobs"),
        *({**QBRAID_V1, "groupJobQrn": "qbraid:group-odd"}, "groupJobQrn", "qbraid:group-odd"),
    ),
    ("GET", "/qbraid/api/v1/jobs/group?status=odd", None, "status", "odd"),
    ("POST", "/qlued/api/v2/rydberg/post_job", {"job": 5, "token": "TOKEN"}, "job", 5),
    ("POST", "/qlued/api/v3/rydberg/post_job", {"payload": 5}, "payload", 5),
    ("GET", "/jobs?size=many", None, "size", "many"),
    ("GET", "/jobs?status=odd", None, "status", "odd"),
    ("POST", "/jobs", {**XANADU, "language": "odd"}, "language", "odd"),
    ("POST", "/jobs", {**XANADU, "language": LONG}, "language", LONG),
    ("POST", "/jobs", {**XANADU, "name": 5}, "name", 5),
    (
        *("POST", "/jobs"),
        *({**XANADU, "circuit": "name x\nversion 31415\n"}, "version", "31415"),
    ),
    (
        *("POST", "/jobs"),
        *({**XANADU, "circuit": "name x\nversion 1.0 odd\n"}, "version", "1.0 odd"),
    ),
    ("POST", "/braket/quantum-task", braket.body(shots="many"), "shots", "many"),
    ("POST", "/braket/quantum-task", braket.body(deviceArn="odd"), "deviceArn", "odd"),
    ("POST", "/braket/quantum-task", braket.body(deviceArn=LONG), "deviceArn", LONG),
    ("POST", "/braket/quantum-task", braket.body(deviceArn="arn:odd"), "deviceArn", "arn:odd"),
    (
        *("POST", "/braket/quantum-task"),
        *(braket.body(action=braket.action("", "braket.ir.odd")), "action", "braket.ir.odd"),
    ),
    ("POST", "/braket/quantum-tasks", sought("odd", "EQUAL", "x"), "name", "odd"),
    ("POST", "/braket/quantum-tasks", sought("status", "EQUAL", "ODD"), "status", "ODD"),
    ("POST", "/braket/quantum-tasks", sought("status", "LT", "QUEUED"), "operator", "LT"),
    ("POST", "/braket/quantum-tasks", sought("createdAt", "GT", "soon"), "createdAt", "soon"),
    ("POST", "/braket/quantum-tasks", {"filters": [], "nextToken": "odd"}, "nextToken", "odd"),
    ("POST", "/braket/devices", sought("odd", "EQUAL", "x"), "name", "odd"),
]


class Signed:
    """Sends a token in the way of the dialect that a path is of."""

    def __init__(self, http: httpx.Client, token: str, pair: str) -> None:
        self._http = http
        self._token = token
        self._signature = braket.Signature(pair, "braket")
        self._platform = runtime.access_token(http, token)
        sent = http.post("/ibm/api/users/loginWithToken", json={"apiToken": token})
        self._ibm = sent.json()["id"]
        form = {"grant_type": "refresh_token", "refresh_token": token}
        sent = http.post("/auth/realms/platform/protocol/openid-connect/token", data=form)
        self._xanadu = sent.json()["access_token"]

    def send(self, method: str, path: str, body: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._token}"}
        if path.startswith("/ionq"):
            headers = {"Authorization": f"apiKey {self._token}"}
        elif path.startswith(PLATFORM):
            headers = {"Authorization": f"Bearer {self._platform}"}
        elif path.startswith("/ibm"):
            headers = {"X-Access-Token": self._ibm}
        elif path.startswith("/qbraid"):
            headers = {"api-key": self._token}
        elif path.startswith("/jobs"):
            headers = {"Authorization": f"Bearer {self._xanadu}"}
        text = None if body is None else json.dumps(body).replace("TOKEN", self._token)
        if path.startswith("/braket"):
            return self._http.request(method, path, content=text, auth=self._signature)
        return self._http.request(method, path, content=text, headers=headers)


@pytest.fixture(scope="module")
def signed(server: LiveServer) -> Iterator[Signed]:
    with httpx.Client(base_url=server.url, timeout=60) as http:
        token = server.token("refused")
        yield Signed(http, token, server.admin("token", "create", "--user", "refused", "--aws"))


def test_a_refusal_quotes_what_it_refuses(subtests: pytest.Subtests, signed: Signed) -> None:
    for method, path, body, field, value in REFUSED:
        with subtests.test(f"{method} {path[:40]} {field}"):
            answer = signed.send(method, path, body)
            assert answer.status_code in (400, 404, 422), answer.text
            said = answer.text.replace('\\"', '"')
            assert field in said
            # Where it is not the dialect that refuses it, a text is shown as Python writes it.
            shown = [quoted(value)] + ([repr(value[:100])] if isinstance(value, str) else [])
            assert any(each in said for each in shown), said
            assert LONG[:101] not in said


def test_an_unknown_device_is_named(signed: Signed) -> None:
    for name in ("odd", "odd_name", "qwicket_odd_simulator"):
        answer = signed.send("GET", f"/qlued/api/v2/{name}/get_config", None)
        assert answer.status_code == 404
        assert answer.json()["detail"].startswith(f'Unknown back-end! There is no device "{name}".')


def test_no_refusal_quotes_a_secret(signed: Signed) -> None:
    for path, body in (
        ("/ibm/api/users/loginWithToken", {"apiToken": 31_337}),
        ("/ibm/api/users/login", {"email": "a@b.c", "password": 31_337}),
        ("/qlued/api/v2/rydberg/post_job", {"job": "{}", "token": 31_337}),
    ):
        answer = signed.send("POST", path, body)
        assert answer.status_code in (400, 422)
        assert "31337" not in answer.text
