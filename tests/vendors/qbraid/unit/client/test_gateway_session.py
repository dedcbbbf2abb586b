"""Jobs of a gateway: the requests, and errors for invalid responses."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from qwicket.vendors.qbraid.client import ApiError, JobTimeoutError, QbraidSession
from support.bad_server import BadServer, Step, answer, drip, silent
from support.given_clock import GivenClock

CLOSE = {"Connection": "close"}
IONQ = {"qubits": 1, "circuit": [{"gate": "x", "target": 0}]}
AHS: dict[str, dict[str, list[str]]] = {"register": {"sites": []}, "hamiltonian": {}}


def session(server: BadServer) -> QbraidSession:
    return QbraidSession(base_url=server.url, retries_total=0)


@pytest.mark.parametrize(
    ("program", "name", "sent"),
    [
        ("OPENQASM 3.0;", "openQasm", "OPENQASM 3.0;"),
        (IONQ, "ionqCircuit", json.dumps(IONQ)),
        (AHS, "ahs", json.dumps(AHS)),
    ],
)
def test_a_program_goes_into_the_field_of_its_kind(program: Any, name: str, sent: str) -> None:
    with BadServer(answer(201, {"qbraidJobId": "job"}, CLOSE)) as server:
        found = session(server).submit("qbraid_x", program, 10, tags={"n": 7}, seed=3, memory=True)
        (request,) = server.requests
    assert found == "job"
    assert request.json[name] == sent
    assert request.json["tags"] == '{"n": 7}'
    assert (request.json["shots"], request.json["seed"], request.json["memory"]) == (10, 3, True)


def test_what_is_no_program_is_not_sent() -> None:
    with pytest.raises(ApiError, match="OpenQASM"):
        QbraidSession(base_url="http://127.0.0.1:1").submit("qbraid_x", {"qir": ""})


def test_a_wait_ends_with_the_job_or_with_its_time() -> None:
    queued, done = ([{"status": word}] for word in ("QUEUED", "COMPLETED"))
    with BadServer(answer(200, queued, CLOSE), answer(200, done, CLOSE)) as server:
        assert session(server).wait("job", poll_interval=0.01) == {"status": "COMPLETED"}
    with BadServer(answer(200, queued, CLOSE)) as server:
        made = session(server)
        made.clock = GivenClock()
        with pytest.raises(JobTimeoutError, match="last status is QUEUED"):
            made.wait("job", timeout=60, poll_interval=1)


COMPLETED = answer(200, [{"status": "COMPLETED"}], CLOSE)
LATE_RESULT = r"has not arrived within 0\.6 s"


@pytest.mark.parametrize("away", [silent(), drip(0.1, {"data": "x" * 2_000})])
def test_a_result_ends_at_its_time_although_the_job_has_ended(away: Step) -> None:
    """Without a deadline the session would wait for longer than a test may take."""
    with BadServer(COMPLETED, away) as server, pytest.raises(JobTimeoutError, match=LATE_RESULT):
        session(server).result("job", timeout=0.6)


@pytest.mark.parametrize("headers", [CLOSE, {**CLOSE, "Retry-After": "3600"}])
def test_a_result_ends_at_its_time_although_the_server_is_busy(headers: dict[str, str]) -> None:
    with BadServer(COMPLETED, answer(503, b"", headers)) as server:
        made = QbraidSession(base_url=server.url, retries_total=1_000, backoff_factor=0.1)
        made.clock = clock = GivenClock()
        with pytest.raises(JobTimeoutError, match=LATE_RESULT):
            made.result("job", timeout=0.6)
    assert clock.passed_s == pytest.approx(0.6)


def test_a_job_that_failed_says_why() -> None:
    failed = [{"status": "FAILED", "statusText": "too hot"}]
    with (
        BadServer(answer(200, failed, CLOSE)) as server,
        pytest.raises(ApiError, match="too hot"),
    ):
        session(server).result("job")


CALLS: dict[str, Callable[[QbraidSession], Any]] = {
    "devices": lambda made: made.devices(),
    "submit": lambda made: made.submit("d", "OPENQASM 3.0;"),
    "job": lambda made: made.job("job"),
    "result": lambda made: made.result("job", timeout=1),
    "cancel": lambda made: made.cancel("job"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))
@pytest.mark.parametrize("body", [b"nonsense", 7, "text", [1], {"jobsArray": 3}, None])
def test_an_answer_that_makes_no_sense_is_an_error_of_ours(
    call: Callable[[QbraidSession], Any], body: Any
) -> None:
    with BadServer(answer(200, body, CLOSE)) as server, pytest.raises(ApiError):
        call(session(server))


def test_an_absent_job_is_an_error_of_ours() -> None:
    with BadServer(answer(200, [], CLOSE)) as server, pytest.raises(ApiError, match="no job"):
        session(server).job("job")
