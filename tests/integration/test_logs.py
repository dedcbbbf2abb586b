"""The log of a live server: one object a line, and no secret, whatever clients send where."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import jwt
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from abuse.dialects import DIALECTS
from qwicket.gateway.signin import new_secret
from support import ibm, xanadu
from support.programs import BELL
from support.server import LiveServer
from support.waiting import until

PASSWORD = "correct-horse-battery"
WRONG_PASSWORD = "not-the-right-one"
QBRAID_HEADERS = ("api-key", "X-API-Key", "X-Access-Token", "refresh-token", "id-token")


@pytest.fixture(params=["json", "text"])
def live(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LiveServer]:
    live = LiveServer(
        tmp_path,
        *("--log-format", request.param, "--access-log", "--limit", "wrong_tokens=1000"),
    )
    yield live
    live.kill()


def test_no_secret_of_a_whole_run_is_in_the_log(live: LiveServer) -> None:
    with httpx.Client(base_url=live.url, timeout=60) as http:
        secrets = [PASSWORD, WRONG_PASSWORD, *use_all_dialects(live, http)]
    assert live.stop() == 0
    log = live.log.read_text()
    assert len(log.splitlines()) > 50, "every answer has a line"
    assert log.count("[secret]") > 10, "secrets in paths were blotted out"
    assert len(secrets) == 2 + 3 + 1 + 3 + 1, "passwords, tokens, access tokens, a signed URL"
    for secret in secrets:
        assert secret not in log
        assert secret[3:40] not in log, "nor the most of one"
    live.assert_calm()


def use_all_dialects(live: LiveServer, http: httpx.Client) -> Iterator[str]:
    """Use right and wrong secrets in every way that a dialect knows; yield each."""
    live.admin("user", "add", "eve", "--password-stdin", stdin=PASSWORD)
    wrong, good = new_secret(), live.token()
    altered = good[:-1] + ("a" if good[-1] != "a" else "b")
    for token in (good, wrong, altered):
        yield token
        for dialect in DIALECTS:
            sent = http.post(dialect.jobs, content=dialect.text(), headers=dialect.auth(token))
            assert sent.status_code == (201 if token == good else 401)
            http.get(dialect.jobs, headers=dialect.auth(token))
        for path in ("/v1/jobs", "/ibm/api/jobs", "/qlued/api/v2/simulators", "/devices", "/none"):
            http.get(f"{path}/{token}")
            http.get(path, params={"token": token, "access_token": token, "apiToken": token})
            http.post(path, json={"token": token}, headers={token: token, "Cookie": token})
        http.get("/qlued/api/v2/singlequdit/get_job_status", params={"token": token})
        http.post(f"{ibm.DIALECT}/users/loginWithToken", json={"apiToken": token})
        http.post(xanadu.TOKEN_PATH, data={"refresh_token": token})
        for header in QBRAID_HEADERS:
            http.get("/qbraid/api/v1/jobs", headers={header: token})
            http.get("/qbraid/api/quantum-jobs", headers={header: token, "email": token})
        for field in ("token", "password"):
            http.get("/qlued/api/v2/fermions/get_job_status", params={field: token, "job_id": "x"})
            http.post("/qlued/api/v2/fermions/post_job", data={field: token, "json": "{}"})
        http.get("/qlued/api/v3/fermions/get_config", headers={"Authorization": f"Bearer {token}"})
        http.get("/v1/events", params={"token": token}, headers={"Authorization": token})
        http.delete(f"/v1/tokens/{token}", headers={"Authorization": f"Bearer {good}"})
    made = http.post(
        "/v1/tokens",
        json={"scopes": ["jobs:read"]},
        headers={"Authorization": f"Bearer {live.managing_token()}"},
    )
    yield made.json()["secret"]
    for password in (PASSWORD, WRONG_PASSWORD):
        http.post(f"{ibm.DIALECT}/users/login", json={"email": "eve", "password": password})
    yield from use_access_tokens(live, http)


def use_access_tokens(live: LiveServer, http: httpx.Client) -> Iterator[str]:
    client = ibm.Client(http, live.token())
    forged = jwt.encode({"sub": "token x", "aud": "access ibm", "exp": 2**32}, b"k" * 32, "HS256")
    for each in (client.token, forged, xanadu.fetch_access_token(http, live.token())):
        yield each
        http.get("/jobs", headers={"Authorization": f"Bearer {each}"})
        http.get(f"{ibm.DIALECT}/jobs", params={"access_token": each})
        http.get(f"{ibm.DIALECT}/jobs/{each}")
    url = client.draft()["objectStorageInfo"]["uploadUrl"]
    yield url.rpartition("/")[2]
    assert http.put(url, json=ibm.qobj()).status_code == 200
    http.get(url)
    done = client.done()["id"]
    stream = live.url.replace("http", "ws") + f"{ibm.DIALECT}/jobs/{done}/status/v/1"
    for each in (client.token, forged):
        with connect(stream) as socket, contextlib.suppress(ConnectionClosed):
            socket.send(json.dumps({"type": "authentication", "data": each}))
            socket.recv(timeout=10)


def test_each_line_is_one_object_and_an_answers_line_bears_its_id(tmp_path: Path) -> None:
    live = LiveServer(tmp_path, "--log-format", "json", "--access-log")
    with live.client() as http:
        made = http.post("/v1/jobs", json={"program": BELL, "device": "simulator", "shots": 10})
        http.get("/v1/jobs?tag=a%0Ab\u2028")
        http.get("/v1/jobs/a%0Ab%22\u2028c")
    assert live.stop() == 0
    lines = [json.loads(line) for line in live.log.read_text().splitlines()]
    assert all(line.keys() >= {"time", "level", "logger", "event"} for line in lines)
    (posted,) = [line for line in lines if line["event"] == "POST /v1/jobs"]
    assert posted["request"] == made.headers["x-request-id"]
    assert posted["status"] == 201
    assert 0 < posted["seconds"] < 60


def test_a_server_that_cannot_start_says_so_in_the_same_form(tmp_path: Path) -> None:
    live = LiveServer(tmp_path, "--log-format", "json")
    with pytest.raises(AssertionError, match=r'"level": "error".*Another server or a restore uses'):
        LiveServer(tmp_path, "--log-format", "json")
    assert live.stop() == 0


def test_without_the_access_log_no_answer_has_a_line(tmp_path: Path) -> None:
    live = LiveServer(tmp_path)
    with live.client() as http:
        until(lambda: http.get("/v1/jobs").status_code == 200, "a list is answered")
    assert live.stop() == 0
    assert "GET" not in live.log.read_text()
