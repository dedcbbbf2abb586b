"""The test bed over HTTP: faults, scenarios and the journal, and that production has none of it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import time
import unittest
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from qwicket import testing
from qwicket.testing import Cloud, JournalError, TestBedError
from qwicket.testing.bed.control import Control
from qwicket.testing.values import FaultKind, ScenarioKind
from support.for_each import for_each
from support.ports import held_port
from support.server import LiveServer
from support.waiting import until

pytestmark = pytest.mark.extended

CIRCUIT = {
    "qubits": 2,
    "circuit": [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}],
}
BELL = {"type": "ionq.circuit.v1", "backend": "simulator", "shots": 100, "input": CIRCUIT}
PROGRAM = {"gateset": "qis", **CIRCUIT}
JOBS = "/ionq/v0.4/jobs"


@pytest.fixture(scope="module")
def bed() -> Iterator[Cloud]:
    server = testing.server()
    with server as cloud:
        yield cloud
    for sign in ("Traceback", "ERROR", "never retrieved"):
        assert sign not in server.log, server.log


@pytest.fixture
def cloud(bed: Cloud) -> Cloud:
    bed.reset()
    return bed


@pytest.fixture
def http(cloud: Cloud) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"apiKey {cloud.token}"}
    with httpx.Client(base_url=cloud.url, headers=headers, timeout=30) as client:
        yield client


def submit(http: httpx.Client, **fields: Any) -> str:
    answer = http.post(JOBS, json={**BELL, **fields})
    assert answer.is_success, answer.text
    return str(answer.json()["id"])


def ended(http: httpx.Client, job: str) -> dict[str, Any]:
    def found() -> dict[str, Any] | None:
        document: dict[str, Any] = http.get(f"{JOBS}/{job}").json()
        return document if document["status"] in ("completed", "failed", "canceled") else None

    return until(found, "the job has ended", timeout_s=30)


def test_a_command_that_is_no_json_is_refused(cloud: Cloud) -> None:
    headers = {"X-Qwicket-Testing": cloud._secret}
    for body in (b"{", b"[]", b"\xff"):
        refused = httpx.post(f"{cloud.url}/_testing/budget", content=body, headers=headers)
        assert refused.status_code == 400, body


# --- faults ---------------------------------------------------------------------------------------


@for_each("status", [400, 401, 403, 404, 409, 418, 429, 500, 502, 503, 504, 507])
@for_each("path", [JOBS, "/v1/jobs", "/qbraid/api/v1/jobs", "/xanadu/jobs"])
def test_a_status_has_the_vendors_own_body(
    status: int, path: str, cloud: Cloud, http: httpx.Client
) -> None:
    cloud.reset()
    cloud.fault("status", status=status, message="The lab is closed.")
    answer = http.get(path)
    assert answer.status_code == status
    assert "json" in answer.headers["content-type"]
    assert "The lab is closed." in answer.text
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize("value", [2, "Fri, 31 Dec 2100 23:59:59 GMT", "31536000", "soon"])
def test_retry_after_is_what_was_asked_for(
    value: str | int, cloud: Cloud, http: httpx.Client
) -> None:
    cloud.fault("status", status=429, retry_after=value)
    assert http.get(JOBS).headers["retry-after"] == str(value)


@pytest.mark.parametrize(
    ("options", "statuses"),
    [
        ({"times": 2}, [503, 503, 200, 200]),
        ({"skip": 1, "times": 1}, [200, 503, 200, 200]),
        ({"method": "POST"}, [200, 200, 200, 200]),
        ({"path": "/ionq/*"}, [503, 503, 503, 503]),
        ({"path": "/qbraid/*"}, [200, 200, 200, 200]),
        ({"dialect": "ionq"}, [503, 503, 503, 503]),
        ({"dialect": "xanadu"}, [200, 200, 200, 200]),
        ({"account": "tester"}, [503, 503, 503, 503]),
        ({"account": "ben"}, [200, 200, 200, 200]),
        ({"probability": 0.0}, [200, 200, 200, 200]),
    ],
)
def test_a_fault_strikes_the_requests_that_match(
    options: Any, statuses: list[int], cloud: Cloud, http: httpx.Client
) -> None:
    cloud.account("ben")
    cloud.fault("status", **options)
    assert [http.get(JOBS).status_code for _ in statuses] == statuses


def test_equal_seeds_strike_the_same_requests(cloud: Cloud, http: httpx.Client) -> None:
    def drawn(seed: int) -> list[int]:
        cloud.clear()
        cloud.fault("status", probability=0.5, seed=seed)
        return [http.get(JOBS).status_code for _ in range(30)]

    first = drawn(1)
    assert drawn(1) == first
    assert drawn(2) != first
    assert {*first} == {200, 503}


@pytest.mark.parametrize("kind", ["drop", "cut", "half_close", "lost_answer"])
def test_a_broken_connection_is_broken(kind: Any, cloud: Cloud, http: httpx.Client) -> None:
    cloud.fault(kind, times=1)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        http.get(JOBS)
    assert http.get(JOBS).is_success


def test_a_half_closed_connection_still_reads(cloud: Cloud) -> None:
    cloud.fault("half_close")
    host, _, port = cloud.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        head = f"GET {JOBS} HTTP/1.1\r\nHost: x\r\nAuthorization: apiKey {cloud.token}\r\n\r\n"
        connection.sendall(head.encode())
        received = b""
        while chunk := connection.recv(4096):
            received += chunk
        assert received.startswith(b"HTTP/1.1 200")
        connection.sendall(b"more")  # a connection that was reset would refuse this


def test_a_job_whose_answer_is_lost_is_there(cloud: Cloud, http: httpx.Client) -> None:
    cloud.fault("lost_answer", method="POST", times=1)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        http.post(JOBS, json=BELL)
    assert len(http.get(JOBS).json()["jobs"]) == 1
    cloud.fault("drop", method="POST", times=1)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        http.post(JOBS, json=BELL)
    assert len(http.get(JOBS).json()["jobs"]) == 1


@pytest.mark.parametrize("kind", ["status", "html"])
def test_a_job_whose_answer_a_proxy_takes_is_there(
    kind: Any, cloud: Cloud, http: httpx.Client
) -> None:
    cloud.fault(kind, status=504, handled=True, method="POST", times=1)
    assert http.post(JOBS, json=BELL).status_code == 504
    taken = cloud.assert_one(fault=kind)
    assert (taken.status, len(taken.created)) == (504, 1)
    cloud.fault(kind, status=504, method="POST", times=1)
    assert http.post(JOBS, json=BELL).status_code == 504
    assert len(http.get(JOBS).json()["jobs"]) == 1


def test_only_what_a_proxy_sends_can_follow_the_handling(cloud: Cloud) -> None:
    with pytest.raises(TestBedError, match="handled: is an option of status and html, not of drop"):
        cloud.fault("drop", handled=True)


def test_spoilt_bodies_are_whole_answers(cloud: Cloud, http: httpx.Client) -> None:
    whole = http.get(JOBS).content
    for kind in ("truncate", "garbage", "html", "duplicate_header"):
        cloud.fault(kind, times=1)
    truncated, garbage, page, twice = (http.get(JOBS) for _ in range(4))
    assert truncated.content == whole[: len(whole) // 2]
    assert truncated.headers["content-type"].startswith("application/json")
    assert garbage.headers["content-type"].startswith("application/json")
    with pytest.raises(ValueError, match=r"decode|Expecting"):
        garbage.json()
    assert page.headers["content-type"] == "text/html"
    assert page.status_code == 503
    assert page.text.startswith("<!DOCTYPE html>")
    assert [name for name, _ in twice.headers.multi_items()].count("content-type") == 2
    assert twice.content == whole


def test_a_delay_and_a_throttle_take_their_time(cloud: Cloud, http: httpx.Client) -> None:
    whole = http.get(JOBS).content
    cloud.fault("delay", seconds=0.3, times=1)
    cloud.fault("throttle", bytes_per_s=2 * len(whole), times=1)
    for kind in ("delay", "throttle"):
        assert http.get(JOBS).content == whole
        assert cloud.assert_one(fault=kind).seconds >= 0.25


def test_a_stale_read_repeats_the_earlier_answer(cloud: Cloud, http: httpx.Client) -> None:
    cloud.scenario("stay_queued", polls=0)
    job = submit(http)
    before = http.get(f"{JOBS}/{job}").json()
    after = ended(http, job)
    assert before != after
    cloud.reset()
    job = submit(http)
    done = ended(http, job)
    http.patch(f"{JOBS}/{job}", json={})
    cloud.fault("stale", times=1)
    assert http.get(f"{JOBS}/{job}").json() == done


@pytest.mark.parametrize(
    ("kind", "options", "text"),
    [
        ("drop", {"dialect": "ionk"}, "dialect: there is no 'ionk'. Did you mean 'ionq'?"),
        ("drop", {"probability": 1.5}, "<= 1"),
        ("drop", {"times": -1}, ">= 0"),
        ("status", {"status": 99}, ">= 200"),
        ("throttle", {"bytes_per_s": 0}, ">= 1"),
        ("delay", {}, "delay: needs the option seconds"),
        ("fail", {"dialect": "braket2"}, "dialect: there is no 'braket2'"),
        ("fail", {"device": "simulatr"}, "device: there is no 'simulatr'. Did you mean"),
        ("refuse", {"code": "budgt_spent"}, "code: there is no 'budgt_spent'. Did you mean"),
        ("counts", {}, "counts: needs the option counts"),
        ("counts", {"counts": {"2": 1}}, "'2' is not an outcome"),
        ("counts", {"counts": {"1": -1}}, ">= 0"),
        ("partial", {}, "partial: needs the option parts"),
        ("slow", {}, "slow: needs the option seconds"),
        ("change_limits", {}, "needs the option max_shots or qubits"),
    ],
)
def test_what_would_strike_nothing_is_refused(
    kind: Any, options: Any, text: str, cloud: Cloud
) -> None:
    is_fault = kind in get_args(FaultKind)
    with pytest.raises(TestBedError, match=re.escape(text)):
        (cloud.fault if is_fault else cloud.scenario)(kind, **options)


def test_a_wrong_fault_or_scenario_names_what_there_is(cloud: Any) -> None:
    with pytest.raises(TestBedError, match="there is no 'nap'; there are status, delay"):
        cloud.fault("nap")
    with pytest.raises(
        TestBedError, match="fault: there is no option 'shots'; there are kind, dialect"
    ):
        cloud.fault("drop", shots=1)
    with pytest.raises(TestBedError, match="times"):
        cloud.fault("drop", times="often")
    with pytest.raises(TestBedError, match="there is no 'explode'"):
        cloud.scenario("explode")


# --- scenarios ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "fails"),
    [
        ({}, True),
        ({"device": "simulator"}, True),
        ({"device": "qpu.aria-1"}, False),
        ({"dialect": "ionq"}, True),
        ({"dialect": "native"}, False),
        ({"account": "tester"}, True),
        ({"account": "ben"}, False),
        ({"text": "pair of mine"}, True),
        ({"text": "pair of others"}, False),
        ({"client": "python-httpx"}, True),
        ({"client": "qiskit-ionq"}, False),
    ],
)
def test_a_scenario_is_for_the_jobs_that_match(
    options: Any, fails: bool, cloud: Cloud, http: httpx.Client
) -> None:
    cloud.account("ben")
    cloud.scenario("fail", message="The trap is empty.", code="no_ions", **options)
    found = ended(http, submit(http, name="a pair of mine"))
    assert found["status"] == ("failed" if fails else "completed")
    assert ("The trap is empty." in json.dumps(found)) is fails


def test_a_scenario_is_for_the_jobs_with_a_tag(cloud: Cloud) -> None:
    cloud.scenario("fail", tag="mine", times=None)
    with cloud.client() as client:
        states = []
        for tags in (["mine", "more"], ["yours"], ["mine"]):
            job = client.submit(PROGRAM, "simulator", shots=10, tags=tags)
            job.wait(timeout=30)
            states.append(job.status)
    assert states == ["failed", "completed", "failed"]


def test_counts_are_the_ones_that_were_asked_for(cloud: Cloud) -> None:
    cloud.scenario("counts", counts={"01": 7, "10": 93})
    with cloud.client() as client:
        job = client.submit(PROGRAM, "simulator", shots=100)
        assert job.result(timeout=30).counts == {"01": 7, "10": 93}


@pytest.mark.parametrize("code", ["budget_spent", "device_off", "too_many_requests", "forbidden"])
def test_a_refused_job_is_not_stored(code: str, cloud: Cloud, http: httpx.Client) -> None:
    cloud.scenario("refuse", code=code, message="Not today.")
    answer = http.post(JOBS, json=BELL)
    assert answer.status_code >= 400
    assert "Not today." in answer.text
    assert http.get(JOBS).json()["jobs"] == []
    assert ended(http, submit(http))["status"] == "completed"


def test_a_job_stays_queued_for_a_time(cloud: Cloud, http: httpx.Client) -> None:
    cloud.scenario("stay_queued", seconds=0.4)
    job = submit(http)
    ended(http, job)
    journal = cloud.journal()
    made = next(each for each in journal.exchanges if each.created)
    assert journal.ended[made.created[0]] - made.at >= 0.4


def test_one_slow_job_does_not_delay_the_others(cloud: Cloud, http: httpx.Client) -> None:
    cloud.scenario("slow", seconds=60)
    slow = submit(http)
    assert ended(http, submit(http))["status"] == "completed"
    assert http.get(f"{JOBS}/{slow}").json()["status"] in ("started", "running", "submitted")
    cloud.reset()
    assert http.get(f"{JOBS}/{slow}").status_code == 404


def test_a_device_that_is_off_refuses_until_the_reset(cloud: Cloud, http: httpx.Client) -> None:
    cloud.device("simulator", is_on=False, reason="new fridge")
    answer = http.post(JOBS, json=BELL)
    assert answer.status_code == 400  # as IonQ's clients must see it: they repeat a 503
    assert "new fridge" in answer.text
    cloud.device("simulator", is_on=True)
    assert ended(http, submit(http))["status"] == "completed"
    cloud.device("simulator", is_draining=True)
    assert http.post(JOBS, json=BELL).status_code == 400
    cloud.reset()
    assert ended(http, submit(http))["status"] == "completed"


def test_an_event_happens_at_the_poll_that_was_asked_for(cloud: Cloud) -> None:
    events: dict[ScenarioKind, str] = {"revoke_token": "revoked", "expire_token": "expired"}
    for kind, text in events.items():
        cloud.scenario(kind, account="ben", polls=2)
        before = cloud.account("ben").token
        headers = {"Authorization": f"apiKey {before}"}
        with httpx.Client(base_url=cloud.url, headers=headers) as http:
            job = submit(http)
            statuses = [http.get(f"{JOBS}/{job}").status_code for _ in range(3)]
            assert statuses == [200, 200, 401]
            assert text in http.get(f"{JOBS}/{job}").text
        cloud.reset()
        assert cloud.account("ben").token != before
        with cloud.client("ionq", account="ben") as client:
            assert client.list_backends()


def test_a_budget_is_spent_by_jobs_until_the_reset(cloud: Cloud, http: httpx.Client) -> None:
    cloud.budget(2)
    submit(http)
    submit(http)
    answer = http.post(JOBS, json=BELL)
    assert (answer.status_code, "budget" in answer.text.lower()) == (403, True), answer.text
    cloud.reset()
    cloud.scenario("spend_budget")
    submit(http)
    assert http.post(JOBS, json=BELL).status_code == 403
    cloud.reset()
    assert ended(http, submit(http))["status"] == "completed"
    with pytest.raises(TestBedError, match="maximum"):
        cloud.budget(-1)


def test_limits_change_between_two_jobs(cloud: Cloud, http: httpx.Client) -> None:
    cloud.scenario("change_limits", device="qpu.aria-1", qubits=1)
    cloud.scenario("change_limits", max_shots=50)
    submit(http, backend="qpu.aria-1")
    answer = http.post(JOBS, json={**BELL, "backend": "qpu.aria-1"})
    assert (answer.status_code, "qubits" in answer.text) == (400, True), answer.text
    submit(http)
    answer = http.post(JOBS, json=BELL)
    assert (answer.status_code, "50" in answer.text) == (400, True), answer.text
    assert ended(http, submit(http, shots=50))["status"] == "completed"
    cloud.reset()
    assert ended(http, submit(http))["status"] == "completed"


def test_a_session_closes_while_its_jobs_run(cloud: Cloud, http: httpx.Client) -> None:
    body = {"backend": "simulator", "limits": {"jobs": 5}}
    session = http.post("/ionq/v0.4/sessions", json=body).json()["id"]
    cloud.scenario("close_session")
    job = submit(http, session_id=session)
    assert ended(http, job)["status"] == "completed"
    answer = http.post(JOBS, json={**BELL, "session_id": session})
    assert (answer.status_code, "closed" in answer.text) == (400, True), answer.text
    assert http.get(f"/ionq/v0.4/sessions/{session}").json()["active"] is False


def test_a_calibration_jumps(cloud: Cloud, http: httpx.Client) -> None:
    device = "qpu.aria-1"
    url = f"/ionq/v0.4/backends/{device}/characterizations"

    def fidelity() -> float:
        found = http.get(url, params={"limit": 1}).json()["characterizations"][0]["fidelity"]
        return float(found["2q"]["mean"])

    usual = fidelity()
    cloud.scenario("recalibrate", factor=3.0)
    submit(http, backend=device)
    jumped = fidelity()
    assert 1 - jumped == pytest.approx(3 * (1 - usual), rel=0.01)
    cloud.reset()
    assert fidelity() == usual
    cloud.scenario("recalibrate")
    answer = http.post(JOBS, json=BELL)
    assert answer.status_code == 400
    assert "simulator has no calibration" in answer.text


# --- the journal ----------------------------------------------------------------------------------


def test_the_journal_has_requests_and_answers_and_no_secret(
    cloud: Cloud, http: httpx.Client
) -> None:
    job = submit(http)
    ended(http, job)
    http.get(JOBS, headers={"Authorization": "apiKey somebody-elses-key"})
    http.get(f"{JOBS}?access_token=a-key-in-the-query")
    made = cloud.assert_one(method="POST", path="*/jobs", status=201)
    assert json.loads(made.body) == BELL
    assert json.loads(made.response_body)["id"] == job
    assert made.headers["authorization"] == "***"
    assert made.created
    text = repr(cloud.journal()) + cloud.dump()
    for secret in (cloud.token, "somebody-elses-key", "a-key-in-the-query"):
        assert secret not in text


def test_the_assertions_of_the_journal_fail_when_they_should(
    cloud: Cloud, http: httpx.Client
) -> None:
    with pytest.raises(TestBedError, match="requests: there is no option 'pth'; there are method"):
        cloud.assert_count(0, pth="*")  # type: ignore[call-arg]  # on purpose
    with pytest.raises(JournalError, match="has 0 requests with method='POST', not 1"):
        cloud.assert_one(method="POST")
    job = submit(http)
    ended(http, job)
    cloud.assert_one_job_each()
    http.get(f"{JOBS}/{job}")
    http.get(f"{JOBS}/{job}")
    with pytest.raises(JournalError, match=r"read the same job within(.|\n)* GET /ionq"):
        cloud.assert_poll_interval(5.0)
    with pytest.raises(JournalError, match="after the job had ended"):
        cloud.assert_quiet_after_end()
    with httpx.Client(
        base_url=cloud.url, headers={"Authorization": f"apiKey {cloud.account('ben').token}"}
    ) as other:
        submit(other)
    cloud.assert_one_job_each()
    assert [each.account for each in cloud.requests(method="POST")] == ["tester", "ben"]
    submit(http)
    with pytest.raises(JournalError, match="made the same job twice"):
        cloud.assert_one_job_each()


def test_a_journal_without_its_oldest_requests_proves_nothing(
    cloud: Cloud, http: httpx.Client
) -> None:
    for _ in range(5_001):
        http.get(f"{JOBS}/1")
    assert len(cloud.requests()) == 5_000
    for check in (
        lambda: cloud.assert_count(0, method="POST"),
        cloud.assert_one_job_each,
        lambda: cloud.assert_poll_interval(1e-9),
        cloud.assert_quiet_after_end,
        cloud.assert_no_warnings,
    ):
        with pytest.raises(JournalError, match="dropped its 1 oldest requests"):
            check()
    cloud.reset()
    cloud.assert_count(0)


def test_a_call_that_no_route_serves_is_answered_501_and_listed(
    cloud: Cloud, http: httpx.Client
) -> None:
    for _ in range(2):
        answer = http.get("/ionq/v0.4/teleport")
    assert answer.status_code == 501
    assert "GET /ionq/v0.4/teleport" in answer.text
    assert http.delete("/v1/devices").status_code == 501
    assert cloud.unknown_calls() == {"GET /ionq/v0.4/teleport": 2, "DELETE /v1/devices": 1}


# --- strictness -----------------------------------------------------------------------------------


def mistyped(http: httpx.Client) -> list[httpx.Response]:
    """Send a body and a query with names that no route declares, and what signs in."""
    noise, circuit = {"model": "ideal", "sed": 1}, {**CIRCUIT, "extra": 1}
    body = {**BELL, "shoots": 7, "noise": noise, "input": circuit}
    return [http.post(JOBS, json=body), http.get(f"{JOBS}?limt=3&limit=3")]


def test_names_that_no_route_declares_are_reported(cloud: Cloud, http: httpx.Client) -> None:
    cloud.assert_no_warnings()
    assert all(each.is_success for each in mistyped(http))
    assert cloud.warnings() == [
        f"POST {JOBS}: body/shoots: there is no such field. Did you mean 'shots'?",
        f"POST {JOBS}: body/noise/sed: there is no such field. Did you mean 'seed'?",
        f"GET {JOBS}: query/limt: there is no such parameter. Did you mean 'limit'?",
    ]
    assert "warning: query/limt" in cloud.dump()
    with pytest.raises(JournalError, match="body/shoots"):
        cloud.assert_no_warnings()


def test_a_strict_test_bed_refuses_them_with_the_vendors_body() -> None:
    with testing.server(strict=True) as cloud:
        headers = {"Authorization": f"apiKey {cloud.token}"}
        with httpx.Client(base_url=cloud.url, headers=headers, timeout=30) as http:
            for answer, name in zip(mistyped(http), ("shoots", "limt"), strict=True):
                assert answer.status_code == 400
                assert answer.json().keys() == {"statusCode", "error", "message"}
                assert name in answer.json()["message"]
            assert http.get(JOBS).json()["jobs"] == []
            assert ended(http, submit(http))["status"] == "completed"
            large = {**BELL, "metadata": {"note": "x" * 200_000}}
            assert http.post(JOBS, json=large).is_success
            answer = http.post("/qlued/api/v3/fermions/post_job", json={"jobs": "{}"})
            assert (answer.status_code, "jobs" in answer.text) == (406, True)
            # What signs in is no parameter of a route.
            assert http.get(f"/ibm/api/devices?access_token={cloud.token}").status_code != 400
        assert len(cloud.warnings()) == 4


def test_a_lax_test_bed_says_nothing(tmp_path: Path) -> None:
    with testing.server(strict=False) as cloud:
        headers = {"Authorization": f"apiKey {cloud.token}"}
        with httpx.Client(base_url=cloud.url, headers=headers, timeout=30) as http:
            assert all(each.is_success for each in mistyped(http))
        assert cloud.warnings() == []


# --- clients, decorators, event loops -------------------------------------------------------------


@pytest.mark.parametrize(
    "client", ["qwicket", "qiskit-ionq", "cirq-ionq", "qbraid", "xcc", "braket"]
)
def test_the_variables_of_a_client_are_set_and_others_removed(
    client: str, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    found = cloud.env(client, monkeypatch=monkeypatch)
    assert found.items() <= os.environ.items()
    host = cloud.url.removeprefix("http://").partition(":")[0]
    assert any(host in value for value in found.values())
    assert ("AWS_PROFILE" in os.environ) is (client != "braket")


def test_an_unknown_client_names_those_that_there_are(cloud: Cloud) -> None:
    with pytest.raises(TestBedError, match="there is no 'qiskit'; there are qwicket, qiskit-ionq"):
        cloud.env("qiskit")
    with pytest.raises(TestBedError, match="there is no client 'ibm'"):
        cloud.client("ibm")


def test_clients_of_two_clouds_are_signed_in(cloud: Cloud) -> None:
    with cloud.client("ionq") as ionq, cloud.client(account="ben") as native:
        assert ionq.list_backends()
        assert native.devices()
    assert {each.dialect for each in cloud.requests(status=200)} == {"ionq", "native"}


def test_a_decorated_function_and_coroutine_get_a_test_bed_of_their_own() -> None:
    @testing.server()
    def sync(word: str, cloud: Cloud) -> str:
        return f"{word} {cloud.url}"

    @testing.server()
    async def coroutine(cloud: Cloud) -> str:
        return cloud.url

    class Case(unittest.TestCase):
        @testing.server()
        def runTest(self, cloud: Cloud) -> None:
            assert cloud.requests() == []

    assert sync("at").startswith("at http://127.0.0.1:")  # type: ignore[call-arg]  # `cloud` is hidden
    assert asyncio.run(coroutine()).startswith("http://")  # type: ignore[call-arg]  # as above
    result = Case().run()
    assert result is not None
    assert result.wasSuccessful()


def test_a_port_can_be_chosen_and_a_taken_one_is_named() -> None:
    port = held_port()
    named = f"another program listens on 127.0.0.1:{port}"
    with socket.create_server(("127.0.0.1", port)), pytest.raises(TestBedError, match=named):
        testing.server(port=port).start()
    with testing.server(port=port) as cloud:
        assert cloud.url == f"http://127.0.0.1:{port}"


def test_a_test_bed_ends_with_the_process_that_started_it() -> None:
    code = (
        "import os; from qwicket import testing; cloud = testing.server().start();"
        "print(cloud.url, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    url = done.stdout.strip()
    assert url.startswith("http://127.0.0.1:")

    def is_gone() -> bool:
        try:
            httpx.get(f"{url}/livez")
        except httpx.TransportError:
            return True
        return False

    until(is_gone, "the test bed has ended", timeout_s=30)


def test_a_second_process_attaches_with_the_secret_alone(cloud: Cloud) -> None:
    with testing.attach(cloud.url, cloud._secret) as other:
        assert other.token == cloud.token
    with (
        testing.attach(cloud.url, "wrong") as other,
        pytest.raises(TestBedError, match="must be the test bed's secret"),
    ):
        other.reset()


# --- time, seeds, state ---------------------------------------------------------------------------


def test_the_clock_stands_still_and_jumps(cloud: Cloud, http: httpx.Client) -> None:
    noon = datetime(2031, 5, 1, 12, tzinfo=UTC)
    cloud.freeze(noon)
    job = submit(http)
    assert ended(http, job)["submitted_at"].startswith("2031-05-01T12:00:00")
    cloud.advance(3600)
    answer = http.get(JOBS)
    assert answer.headers["date"] == "Thu, 01 May 2031 13:00:00 GMT"
    cloud.reset()
    assert str(datetime.now(UTC).year) in http.get(JOBS).headers["date"]


def test_an_access_token_expires_on_the_clock(cloud: Cloud) -> None:
    xanadu = cloud.client("xanadu")
    xanadu.ping()
    cloud.advance(7 * 24 * 3600)
    xanadu.ping()
    statuses = [each.status for each in cloud.requests(dialect="xanadu", path="*/healthz")]
    assert statuses == [401, 200, 401, 200]


def test_wrong_passwords_are_forgotten_when_their_retry_after_has_passed_on_the_clock(
    cloud: Cloud, http: httpx.Client
) -> None:
    def sign_in() -> httpx.Response:
        body = {"email": "tester", "password": "wrong"}
        return http.post("/ibm/api/users/login", json=body)

    cloud.freeze()
    answers = [sign_in() for _ in range(11)]
    assert [each.status_code for each in answers] == [401] * 10 + [429]
    retry_after = int(answers[-1].headers["retry-after"])
    cloud.advance(retry_after - 2)
    assert sign_in().status_code == 429
    cloud.advance(3)
    assert sign_in().status_code == 401


def test_scenarios_wait_on_the_clock(cloud: Cloud, http: httpx.Client) -> None:
    cloud.freeze()
    cloud.scenario("stay_queued", seconds=3600)
    cloud.scenario("slow", seconds=1800)
    waiting, slow = submit(http), submit(http)
    assert http.get(f"{JOBS}/{waiting}").json()["status"] in ("submitted", "ready")
    cloud.advance(1800)
    assert ended(http, slow)["status"] == "completed"
    assert http.get(f"{JOBS}/{waiting}").json()["status"] in ("submitted", "ready")
    cloud.run_clock(10_000)
    assert ended(http, waiting)["status"] == "completed"


def test_a_job_that_was_submitted_just_before_a_jump_has_begun(
    cloud: Cloud, http: httpx.Client
) -> None:
    cloud.freeze()
    cloud.scenario("slow", seconds=1800, times=None)
    for _ in range(10):
        job = submit(http)
        cloud.advance(1800)
        assert ended(http, job)["status"] == "completed"


def test_a_jump_does_not_wait_for_jobs_that_never_start(cloud: Cloud, http: httpx.Client) -> None:
    cloud.device("simulator", queue=3)
    cloud.scenario("stay_queued")
    waiting = submit(http)
    began = time.monotonic()
    cloud.advance(1800)
    cloud.device("simulator", is_on=False)
    cloud.advance(1800)
    assert time.monotonic() - began < 30
    assert http.get(f"{JOBS}/{waiting}").json()["status"] in ("submitted", "ready")


@pytest.mark.parametrize("rate", [-1, 10_001])
def test_a_clock_runs_forwards_and_not_too_fast(rate: float, cloud: Cloud) -> None:
    with pytest.raises(TestBedError, match="rate"):
        cloud.run_clock(rate)


def test_a_revoked_token_is_refused_and_the_next_one_is_not(
    cloud: Cloud, http: httpx.Client
) -> None:
    before = cloud.account("ben").token
    headers = {"Authorization": f"apiKey {before}"}
    assert http.get(JOBS, headers=headers).is_success
    cloud.revoke("ben")
    assert http.get(JOBS, headers=headers).status_code == 401
    after = cloud.account("ben").token
    assert http.get(JOBS, headers={"Authorization": f"apiKey {after}"}).is_success


def repeated(seed: int) -> list[bytes]:
    """Return the answers of a server with a seed."""
    with testing.server(seed=seed) as cloud:
        cloud.freeze(datetime(2031, 5, 1, tzinfo=UTC))
        headers = {"Authorization": f"apiKey {cloud.token}"}
        with httpx.Client(base_url=cloud.url, headers=headers, timeout=30) as http:
            numbers = [http.get(JOBS).headers["x-request-id"].encode()]
            answers = []
            for _ in range(2):
                job = submit(http)
                ended(http, job)
                answers += [http.get(f"{JOBS}/{job}"), http.get(f"/v1/jobs/{job}/result")]
                answers += [http.get(f"{JOBS}/{job}/results/shots")]
            return numbers + [each.content for each in answers]


def test_equal_seeds_give_equal_bytes() -> None:
    first = repeated(7)
    assert repeated(7) == first
    assert repeated(8) != first


def test_a_saved_state_is_loaded_by_another_server(
    cloud: Cloud, http: httpx.Client, tmp_path: Path
) -> None:
    job = submit(http, name="saved")
    ended(http, job)
    cloud.save(tmp_path / "state.db")
    with testing.server(state=tmp_path / "state.db") as other:
        headers = {"Authorization": f"apiKey {other.token}"}
        found = httpx.get(f"{other.url}{JOBS}/{job}", headers=headers).json()
        assert (found["name"], found["status"]) == ("saved", "completed")
        assert other.token != cloud.token


# --- production has none of it --------------------------------------------------------------------


def test_a_production_server_imports_nothing_of_the_test_bed() -> None:
    code = (
        "import sys, asyncio, pathlib, tempfile\n"
        "import qwicket.cli.serve, qwicket.server.run\n"
        "from qwicket.server.app import App\n"
        "from qwicket.server.settings import Settings\n"
        "async def serve():\n"
        "    app = App(Settings(data_dir=pathlib.Path(tempfile.mkdtemp()), workers=0))\n"
        "    await app.start()\n"
        "    for mount in app._router._mounts['']:\n"
        "        getattr(mount.app, 'routes', None)\n"  # imports each dialect
        "    await app.stop()\n"
        "asyncio.run(serve())\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    loaded = done.stdout.split()
    assert "qwicket.vendors.ionq.dialect.routes" in loaded
    assert not [name for name in loaded if name.startswith("qwicket.testing")]


def test_no_token_of_a_test_beds_users_serves_an_agent_or_a_worker(cloud: Cloud) -> None:
    """`cloud.agent_token` is the only way to serve a device."""
    headers = {"Authorization": f"Bearer {cloud.token}"}
    with httpx.Client(base_url=cloud.url, headers=headers) as http:
        announced = http.put("/v1/agent/devices/lab", json={})
        assert (announced.status_code, announced.json()["code"]) == (403, "forbidden")
        for scope in ("devices:serve", "compute:serve"):
            assert http.post("/v1/tokens", json={"scopes": [scope]}).status_code == 403


@for_each("command", [*Control(None, "")._commands])  # type: ignore[arg-type]  # only names are read
def test_a_production_server_has_no_control_interface(
    command: str, server: LiveServer, cloud: Cloud
) -> None:
    headers = {"X-Qwicket-Testing": cloud._secret}
    answer = httpx.post(f"{server.url}/_testing/{command}", json={}, headers=headers)
    assert answer.status_code == 404
    with server.client() as http:
        assert http.get("/v1/devices", headers=headers).is_success


def test_no_setting_of_a_production_server_names_the_test_bed(server: LiveServer) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "qwicket", "serve", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for word in ("--fault", "--scenario", "testing", "journal"):
        assert word not in shown.lower()
