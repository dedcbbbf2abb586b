"""Which request is sent again after what: the whole table, against a server that misbehaves."""

from __future__ import annotations

import time

import pytest
import requests
from urllib3 import HTTPResponse

from qwicket.vendors.qbraid.client import (
    STATUS_FORCELIST,
    PostForcelistRetry,
    QbraidSession,
    RequestsApiError,
)
from support.bad_server import BadServer, Step, answer, reset
from support.pairwise import pairs

METHODS = ("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "POST", "PATCH")
SAFE = frozenset(METHODS) - {"POST", "PATCH"}
CLOSE = {"Connection": "close"}  # else the next request may take a connection that is going
OK = answer(200, b"", CLOSE)


def requests_sent(method: str, step: Step) -> int:
    """Return how many requests came in all, the first being answered by a step."""
    with BadServer(step, OK) as server:
        session = QbraidSession(base_url=server.url, backoff_factor=0)
        try:
            session.request(method, "/x")
        except RequestsApiError:
            assert len(server.requests) == 1
        return len(server.requests)


@pytest.mark.parametrize(
    ("method", "status"),
    pairs(METHODS, STATUS_FORCELIST, keep=lambda method, _: method == "PATCH"),
)
def test_a_status_of_the_list_is_tried_again_for_all_but_patch(method: str, status: int) -> None:
    assert requests_sent(method, answer(status, b"", CLOSE)) == (1 if method == "PATCH" else 2)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("status", [413, 429, 503])
def test_a_retry_after_is_honoured_where_a_repetition_is_harmless(method: str, status: int) -> None:
    again = method in SAFE or (method == "POST" and status == 503)
    assert requests_sent(method, answer(status, b"", {"Retry-After": "0", **CLOSE})) == (
        2 if again else 1
    )


@pytest.mark.parametrize(
    ("method", "status"), pairs(METHODS, [400, 401, 404, 409, 413, 429, 501, 505, 507])
)
def test_other_refusals_are_final(method: str, status: int) -> None:
    assert requests_sent(method, answer(status, b"", CLOSE)) == 1


@pytest.mark.parametrize("method", METHODS)
def test_a_connection_that_breaks_is_tried_again_where_that_is_harmless(method: str) -> None:
    assert requests_sent(method, reset()) == (2 if method in SAFE else 1)


@pytest.mark.parametrize("method", METHODS)
def test_without_a_listening_server_every_method_is_retried_to_the_limit(
    method: str, caplog: pytest.LogCaptureFixture
) -> None:
    with BadServer(answer(200, b"", CLOSE)) as server:
        session = QbraidSession(base_url=server.url, backoff_factor=0)
        session.get("/x")
    with (
        caplog.at_level("DEBUG", "qwicket.vendors.qbraid.client.retry"),
        pytest.raises(RequestsApiError),
    ):
        session.request(method, "/x")
    assert len([r for r in caplog.records if r.name.startswith("qwicket")]) == 4  # 1 + connect


def test_the_last_answer_says_why_after_all_tries() -> None:
    refusal = answer(503, {"error": {"message": "closed for today", "code": 7}}, CLOSE)
    with BadServer(refusal) as server:
        session = QbraidSession(base_url=server.url, retries_total=2, backoff_factor=0)
        with pytest.raises(RequestsApiError, match="closed for today, Error code: 7") as error:
            session.post("/x")
        assert len(server.requests) == 3
    cause = error.value.__cause__
    assert isinstance(cause, requests.RequestException)
    assert cause.response is not None
    assert cause.response.status_code == 503


def test_pauses_are_none_then_twice_the_factor_and_double() -> None:
    retry = PostForcelistRetry(total=5, backoff_factor=0.5)
    pauses = []
    for _ in range(5):
        retry = retry.increment("GET", "/x")
        pauses.append(retry.get_backoff_time())
    assert pauses == [0, 1.0, 2.0, 4.0, 8.0]


def test_a_retry_after_in_seconds_is_waited_for() -> None:
    with BadServer(answer(503, b"", {"Retry-After": "1", **CLOSE}), OK) as server:
        began = time.monotonic()
        QbraidSession(base_url=server.url).get("/x")
    assert time.monotonic() - began >= 1


def test_no_server_parks_its_clients() -> None:
    parked = HTTPResponse(headers={"Retry-After": "999999999"})
    assert PostForcelistRetry(total=1).get_retry_after(parked) == 120.0


def test_a_method_counts_in_any_case() -> None:
    retry = PostForcelistRetry(total=1, status_forcelist=STATUS_FORCELIST)
    assert retry.is_retry("post", 503)
    assert retry.is_retry("get", 503)
    assert not retry.is_retry("post", 429, has_retry_after=True)
    assert not retry.is_retry("patch", 503)
