"""What is tried again, and what is not, against a server that misbehaves."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from qwicket.clients.http import RetryPolicy
from qwicket.vendors.ionq.client import RETRIABLE, IonQAPIError, IonQClient, IonQRetriableError
from support.bad_server import BadServer, Step, answer, cut, drip, drop, raw, reset, silent
from support.given_clock import GivenClock
from support.pairwise import pairs

JOB = {"id": "7", "status": "ready"}
QUICK = RetryPolicy(max_attempts=3, total_s=5.0, first_pause_s=0.01, max_pause_s=0.02)
READS: list[Callable[[IonQClient], Any]] = [
    lambda made: made.retrieve_job("7"),
    lambda made: made.get_results("7"),
    lambda made: made.cancel_job("7"),
    lambda made: made.delete_job("7"),
    lambda made: made.end_session("7"),
    lambda made: made.submit_job({}, idempotency_key="run-7"),
]
WRITES: list[Callable[[IonQClient], Any]] = [
    lambda made: made.submit_job({}),
    lambda made: made.create_session("simulator", {}),
]


def client(url: str, retry_policy: RetryPolicy = QUICK, timeout_s: float = 5.0) -> IonQClient:
    made = IonQClient("the-key-of-ada", f"{url}/v0.4")
    made.retry_policy, made.timeout_s = retry_policy, timeout_s
    return made


@pytest.mark.parametrize("ask", READS)
@pytest.mark.parametrize("trouble", [drop(), reset(), cut(60, JOB), raw(b"nonsense"), answer(503)])
def test_what_may_be_done_twice_is_tried_again(ask: Any, trouble: Step) -> None:
    with BadServer(trouble, trouble, answer(200, JOB)) as server:
        assert ask(client(server.url)) == JOB
        assert server.connections == 3


@pytest.mark.parametrize("status", [*sorted(RETRIABLE), 409])
def test_a_read_is_tried_again_after_each_code_that_passes(status: int) -> None:
    with BadServer(answer(status), answer(200, JOB)) as server:
        assert client(server.url).retrieve_job("7") == JOB
        assert len(server.requests) == 2


@pytest.mark.parametrize("ask", [READS[2], READS[3]])
def test_a_conflict_is_retriable_for_reads_alone(ask: Any) -> None:
    with BadServer(answer(409), answer(200, JOB)) as server:
        with pytest.raises(IonQAPIError) as caught:
            ask(client(server.url))
        assert (caught.value.status_code, len(server.requests)) == (409, 1)


@pytest.mark.parametrize(
    ("ask", "status"),
    pairs([*READS, *WRITES], [400, 401, 403, 404, 413, 422, 500, 501, 507], always={400, 500}),
)
def test_a_refusal_is_raised_at_once(ask: Any, status: int) -> None:
    with BadServer(answer(status, {}), answer(200, JOB)) as server:
        with pytest.raises(IonQAPIError) as caught:
            ask(client(server.url))
        assert not isinstance(caught.value, IonQRetriableError)
        assert (caught.value.status_code, len(server.requests)) == (status, 1)


@pytest.mark.parametrize("ask", WRITES)
def test_a_write_is_repeated_after_429(ask: Any) -> None:
    with BadServer(answer(429), answer(429), answer(201, JOB)) as server:
        assert ask(client(server.url))["id"] == "7"
        assert len(server.requests) == 3
        assert len({request.body for request in server.requests}) == 1


@pytest.mark.parametrize("ask", WRITES)
@pytest.mark.parametrize(
    "trouble", [drop(), reset(), cut(60, JOB), silent(), *map(answer, (502, 503, 504, 520))]
)
def test_a_write_whose_fate_is_unknown_is_not_repeated(ask: Any, trouble: Step) -> None:
    with BadServer(trouble, answer(201, JOB)) as server:
        with pytest.raises(IonQRetriableError) as caught:
            ask(client(server.url, timeout_s=0.5))
        assert not caught.value.was_surely_not_done
        assert server.connections == 1


@pytest.mark.parametrize("ask", WRITES)
def test_a_write_without_a_connection_is_repeated_until_the_last_try(ask: Any) -> None:
    retry_policy = RetryPolicy(max_attempts=3, first_pause_s=1.0)
    with BadServer(answer(201, JOB)) as server:
        asking = client(server.url, retry_policy)
        ask(asking)
    asking.clock = clock = GivenClock()
    with pytest.raises(IonQRetriableError, match="no server listens there") as caught:
        ask(asking)
    first_s, second_s = clock.pauses_s
    assert 0.5 <= first_s <= 1.0 <= second_s <= 2.0
    assert caught.value.was_surely_not_done
    assert (caught.value.status_code, caught.value.error_type) == (None, "not_connected")


@pytest.mark.parametrize("ask", READS)
@pytest.mark.parametrize("trouble", [drop(), answer(429), answer(503)])
def test_there_is_a_last_try(ask: Any, trouble: Step) -> None:
    with BadServer(trouble) as server:
        with pytest.raises(IonQRetriableError):
            ask(client(server.url))
        assert server.connections == QUICK.max_attempts


def test_there_is_no_try_after_the_total_time() -> None:
    retry_policy = RetryPolicy(max_attempts=1_000, total_s=30.0)
    with BadServer(answer(503)) as server:
        made = client(server.url, retry_policy)
        made.clock = clock = GivenClock()
        with pytest.raises(IonQRetriableError):
            made.retrieve_job("7")
    assert clock.passed_s == pytest.approx(30.0)


@pytest.mark.parametrize("ask", [READS[0], WRITES[0]])
def test_retry_after_is_obeyed(ask: Any) -> None:
    steps = answer(429, b"", {"retry-after": "7", "Connection": "close"}), answer(200, JOB)
    with BadServer(*steps) as server:
        made = client(server.url, RetryPolicy(max_attempts=2, first_pause_s=0.01))
        made.clock = clock = GivenClock()
        ask(made)
    assert clock.pauses_s == [7.0]


def test_a_huge_retry_after_is_capped() -> None:
    headers = {"Retry-After": "99999999", "Connection": "close"}
    with BadServer(answer(429, b"", headers)) as server:
        made = client(server.url)
        made.clock = clock = GivenClock()
        with pytest.raises(IonQRetriableError):
            made.submit_job({})
        assert len(server.requests) == QUICK.max_attempts
    assert clock.pauses_s == [QUICK.max_pause_s] * 2


@pytest.mark.parametrize("trouble", [silent(), drip(0.2, {"text": "x" * 2_000})])
def test_an_answer_that_does_not_come_in_time_is_left(trouble: Step) -> None:
    with BadServer(trouble) as server:
        began = time.monotonic()
        with pytest.raises(IonQRetriableError, match="no response came in time") as caught:
            client(server.url, RetryPolicy(max_attempts=1), timeout_s=0.3).retrieve_job("7")
        assert time.monotonic() - began >= 0.3
    assert (caught.value.status_code, caught.value.error_type) == (None, "no_response")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("ask", [READS[0], WRITES[0]])
def test_the_key_follows_no_redirect(status: int, ask: Any) -> None:
    with BadServer(answer(200, JOB)) as elsewhere:
        target = {"Location": f"{elsewhere.url}/v0.4/jobs/7"}
        with BadServer(answer(status, b"", target)) as server:
            with pytest.raises(IonQAPIError, match=f"redirects to {elsewhere.url}; this is not"):
                ask(client(server.url))
            assert len(server.requests) == 1
        assert elsewhere.connections == 0
