"""The client against a server that misbehaves, and one that speaks as qlued's own do."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from qwicket.clients.http import RetryPolicy
from qwicket.vendors.qlued.client import (
    QluedAPIError,
    QluedClient,
    QluedClientError,
    QluedJobError,
    QluedNotFinishedError,
    QluedRetriableError,
    QluedTimeoutError,
    SingleQudit,
)
from qwicket.vendors.qlued.client.errors import RETRIABLE
from support.bad_server import BadServer, Step, answer, cut, drip, drop, raw, reset, silent
from support.given_clock import GivenClock

TOKEN = "0123456789abcdef0123456789abcdef"
QUICK = RetryPolicy(max_attempts=3, total_s=5.0, first_pause_s=0.01, max_pause_s=0.02)


def msg(status: str, error: str = "None") -> dict[str, str]:
    return {"job_id": "7", "status": status, "detail": "Got your json.", "error_message": error}


WAITS, DONE, FAILED = msg("INITIALIZING"), msg("DONE"), msg("ERROR", "rlx: no such wire")
# As qlued's own servers answer: the status within is never brought up to date.
RESULT = {"job_id": "7", "status": "INITIALIZING", "results": []}
CONFIG = {"backend_name": "alqor_rydberg_simulator"}

Ask = Callable[[QluedClient], Any]
READS: list[Ask] = [
    lambda made: made.config("rydberg"),
    lambda made: made.backend_status("rydberg"),
    lambda made: made.status("rydberg", "7"),
    lambda made: made.result("rydberg", "7"),
]


def client(url: str, retry_policy: RetryPolicy = QUICK, timeout_s: float = 5.0) -> QluedClient:
    made = QluedClient(f"{url}/api/v2/", TOKEN)
    made.retry_policy, made.timeout_s = retry_policy, timeout_s
    return made


# --- what is sent ---------------------------------------------------------------------------------


def test_requests_are_those_of_version_2_without_a_slash_too_many() -> None:
    steps = [answer(200, [CONFIG]), *[answer(200, CONFIG)] * 2]
    steps += [answer(200, WAITS), answer(200, DONE), answer(200, RESULT)]
    with BadServer(*steps) as server:
        made = client(server.url)
        assert made.backends() == [CONFIG]
        assert made.config("rydberg") == made.backend_status("alqor_rydberg_simulator") == CONFIG
        assert made.post("rydberg", {"experiment_0": {}}) == "7"
        assert made.status("rydberg", "a/b?c") == DONE
        assert made.result("rydberg", "7") == RESULT
        paths = [urlsplit(request.path) for request in server.requests]
    assert [path.path for path in paths] == [
        "/api/v2/backends",
        "/api/v2/rydberg/get_config",
        "/api/v2/alqor_rydberg_simulator/get_backend_status",
        "/api/v2/rydberg/post_job",
        "/api/v2/rydberg/get_job_status",
        "/api/v2/rydberg/get_job_result",
    ]
    assert [path.query for path in paths[:4]] == [""] * 4
    assert parse_qs(paths[4].query) == {"job_id": ["a/b?c"], "token": [TOKEN]}
    body = server.requests[3].json
    assert body == {"job": '{"experiment_0": {}}', "token": TOKEN}


def test_a_documented_function_returns_the_status_where_there_is_no_result() -> None:
    for document, status in ((WAITS, 200), (FAILED, 406)):
        with BadServer(answer(status, document)) as server:
            assert client(server.url).get_job_result("rydberg", "7") == document


def test_experiments_are_numbered_in_their_order() -> None:
    one, two = SingleQudit(shots=1).measure(), SingleQudit(shots=2).load(5)
    with BadServer(answer(200, WAITS)) as server:
        made = client(server.url)
        made.post("singlequdit", one)
        made.post("singlequdit", [one, two])
        sent = [json.loads(request.json["job"]) for request in server.requests]
    assert sent[0] == {"experiment_0": one.experiment()}
    assert sent[1] == {"experiment_0": one.experiment(), "experiment_1": two.experiment()}


@pytest.mark.parametrize("job", [[], ["x"], {"a": float("nan")}, {"a": object()}, None, 7])
def test_what_is_no_job_is_not_sent(job: Any) -> None:
    with BadServer(answer(200, WAITS)) as server:
        with pytest.raises(QluedClientError):
            client(server.url).post("rydberg", job)
        assert not server.requests


@pytest.mark.parametrize("name", ["", ".", "..", 7, None])
def test_a_name_that_would_ask_for_something_else_is_not_sent(name: Any) -> None:
    with BadServer(answer(200, CONFIG)) as server:
        with pytest.raises(QluedClientError):
            client(server.url).config(name)
        assert not server.requests


def test_a_name_with_slashes_is_one_segment() -> None:
    with BadServer(answer(200, CONFIG)) as server:
        client(server.url).config("../a?b#c")
        assert server.requests[0].path == "/api/v2/..%2Fa%3Fb%23c/get_config"


def test_only_jobs_need_a_token() -> None:
    with BadServer(answer(200, CONFIG)) as server:
        made = QluedClient(server.url)
        assert made.config("rydberg") == CONFIG
        for ask in (made.status, made.result):
            with pytest.raises(QluedClientError, match="token"):
                ask("rydberg", "7")
        with pytest.raises(QluedClientError, match="token"):
            made.post("rydberg", {})
        assert len(server.requests) == 1


# --- jobs -----------------------------------------------------------------------------------------


def test_a_failed_job_has_a_status_and_raises_its_reason() -> None:
    with BadServer(answer(406, FAILED)) as server:
        made = client(server.url)
        assert made.status("rydberg", "7") == FAILED
        for ask in (made.result, made.wait):
            with pytest.raises(QluedJobError, match="rlx: no such wire"):
                ask("rydberg", "7")
        assert len(server.requests) == 3


def test_a_result_before_the_end_has_its_own_error() -> None:
    with BadServer(answer(200, WAITS)) as server, pytest.raises(QluedNotFinishedError):
        client(server.url).result("rydberg", "7")


def test_a_status_that_is_no_text_is_not_an_end() -> None:
    with BadServer(answer(200, {"status": ["DONE"]})) as server:
        made = client(server.url)
        with pytest.raises(QluedNotFinishedError):
            made.result("rydberg", "7")
        with pytest.raises(TimeoutError):
            made.wait("rydberg", "7", timeout=0.1)


@pytest.mark.parametrize("word", ["DONE", "finished"])
def test_wait_asks_for_the_status_and_then_for_the_result(word: str) -> None:
    steps = [answer(200, WAITS)] * 3 + [answer(200, msg(word)), answer(200, RESULT)]
    with BadServer(*steps) as server:
        assert client(server.url).wait("rydberg", "7", timeout=20) == RESULT
        routes = [urlsplit(request.path).path.rpartition("/")[2] for request in server.requests]
    assert routes == ["get_job_status"] * 4 + ["get_job_result"]


def test_wait_ends_in_time_with_a_timeout_error() -> None:
    with BadServer(answer(200, WAITS, {"Connection": "close"})) as server:
        made = client(server.url)
        made.clock = clock = GivenClock()
        with pytest.raises(TimeoutError, match=r"within 30 s\. It continues") as caught:
            made.wait("rydberg", "7", timeout=30)
    assert clock.pauses_s[:3] == pytest.approx([0.1, 0.15, 0.225])
    assert max(clock.pauses_s) == 5.0
    assert clock.passed_s == pytest.approx(30.0)
    assert isinstance(caught.value, QluedTimeoutError)


@pytest.mark.parametrize("trouble", [silent(), drip(0.2, {**RESULT, "padding": "x" * 2_000})])
def test_a_server_that_does_not_answer_holds_wait_no_longer_than_asked(trouble: Step) -> None:
    """The time for one response is longer than a test may take."""
    with BadServer(trouble) as server, pytest.raises(QluedTimeoutError):
        client(server.url, timeout_s=600.0).wait("rydberg", "7", timeout=0.3)


@pytest.mark.parametrize("trouble", [drop(), answer(503)])
def test_a_server_that_is_away_holds_wait_no_longer_than_asked(trouble: Step) -> None:
    with BadServer(trouble) as server:
        made = client(server.url)
        made.clock = clock = GivenClock()
        with pytest.raises(QluedTimeoutError):
            made.wait("rydberg", "7", timeout=30.0)
    assert clock.passed_s == pytest.approx(30.0)


def test_wait_outlasts_a_server_that_is_away() -> None:
    steps = [drop(), answer(503), drop(), drop(), drop(), answer(200, DONE), answer(200, RESULT)]
    with BadServer(*steps) as server:
        assert client(server.url).wait("rydberg", "7", timeout=60) == RESULT


# --- what is tried again --------------------------------------------------------------------------


@pytest.mark.parametrize("ask", READS)
@pytest.mark.parametrize("trouble", [drop(), reset(), cut(60, RESULT), raw(b"no"), answer(503)])
def test_reads_are_tried_again(ask: Any, trouble: Step) -> None:
    with BadServer(trouble, trouble, answer(200, RESULT)) as server:
        assert ask(client(server.url)) == RESULT
        assert server.connections == 3


@pytest.mark.parametrize("ask", READS)
def test_reads_have_a_last_try(ask: Any) -> None:
    with BadServer(answer(503)) as server:
        with pytest.raises(QluedRetriableError):
            ask(client(server.url))
        assert server.connections == QUICK.max_attempts


def test_retry_after_is_obeyed() -> None:
    """Names of headers have no case (RFC 9110, 5.1), and some servers write all in lower case."""
    headers = {"retry-after": "7", "connection": "close"}
    with BadServer(answer(429, b"", headers), answer(200, WAITS)) as server:
        made = client(server.url)
        made.clock = clock = GivenClock()
        made.retry_policy = RetryPolicy(max_attempts=2, first_pause_s=0.01)
        assert made.post("rydberg", {}) == "7"
    assert clock.pauses_s == [7.0]


@pytest.mark.parametrize(
    "trouble", [drop(), reset(), cut(60, WAITS), silent(), *map(answer, (502, 503, 504, 520))]
)
def test_a_job_whose_fate_is_unknown_is_not_sent_again(trouble: Step) -> None:
    with BadServer(trouble, answer(200, WAITS)) as server:
        with pytest.raises(QluedRetriableError) as caught:
            client(server.url, timeout_s=0.5).post("rydberg", {})
        assert not caught.value.was_surely_not_done
        assert server.connections == 1


def test_a_job_is_sent_again_where_it_cannot_double() -> None:
    with BadServer(answer(429), answer(429), answer(200, WAITS)) as server:
        assert client(server.url).post("rydberg", {}) == "7"
        assert len({request.body for request in server.requests}) == 1
    with BadServer(answer(200, WAITS)) as server:
        asking = client(server.url)
        asking.post("rydberg", {})
    with pytest.raises(QluedRetriableError, match="no server listens there") as caught:
        asking.post("rydberg", {})
    assert caught.value.was_surely_not_done


@pytest.mark.parametrize("status", [400, 401, 403, 404, 406, 413, 422, 500])
def test_a_refusal_is_raised_at_once_with_the_servers_text(status: int) -> None:
    body = msg("ERROR", "Unknown back-end!")
    with BadServer(answer(status, body)) as server:
        with pytest.raises(QluedAPIError, match="Unknown back-end!") as caught:
            client(server.url).post("rydberg", {})
        assert (caught.value.status_code, len(server.requests)) == (status, 1)
        assert status not in RETRIABLE
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.was_sent) == (str(caught.value), True)


def test_a_missing_field_is_reported_with_the_servers_text() -> None:
    entry = {"type": "missing", "loc": ["query", "token"], "msg": "Field required"}
    refusal = pytest.raises(QluedAPIError, match="Field required")
    with BadServer(answer(422, {"detail": [entry]})) as server, refusal:
        client(server.url).status("rydberg", "7")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 100_000, [], 3, None, "x"])
def test_an_answer_that_makes_no_sense_is_an_error_of_ours(body: Any) -> None:
    with BadServer(answer(200, body)) as server:
        asks: list[Ask] = [*READS, lambda made: made.backends() or made.config("x")]
        for ask in asks:
            with pytest.raises(QluedAPIError):
                ask(client(server.url))


@pytest.mark.parametrize("body", [{}, {"job_id": 7}, {"job_id": None}])
def test_a_job_without_an_id_is_an_error_of_ours(body: Any) -> None:
    refusal = pytest.raises(QluedAPIError, match="no job_id")
    with BadServer(answer(200, body)) as server, refusal:
        client(server.url).post("rydberg", {})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("ask", [READS[2], lambda made: made.post("rydberg", {})])
def test_the_token_follows_no_redirect(status: int, ask: Any) -> None:
    with BadServer(answer(200, RESULT)) as elsewhere:
        target = {"Location": f"{elsewhere.url}/api/v2/rydberg/get_job_status"}
        with BadServer(answer(status, b"", target)) as server:
            with pytest.raises(QluedAPIError, match="redirects"):
                ask(client(server.url))
            assert len(server.requests) == 1
        assert elsewhere.connections == 0
