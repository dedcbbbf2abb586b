"""Waiting for a job, against servers that hold answers back, do not, or are away."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qwicket.clients.http import Response, RetryPolicy, deadlines
from qwicket.clients.native import (
    ApiError,
    Client,
    Job,
    JobFailed,
    ServerBusy,
    UnexpectedResponse,
    Unreachable,
    WaitTimeout,
)
from qwicket.clients.native.protocol import Pause, Send, StepResult
from qwicket.clients.native.transport import Transport
from support.bad_server import (
    BadServer,
    Step,
    answer,
    drip,
    drop,
    long_poll,
    silent,
)
from support.given_clock import GivenClock

ID = "0198f3a0-0000-7000-8000-000000000000"
CLOSE = {"Connection": "close"}
"""Else the next request may go to a connection that the server is about to close."""
QUICK = RetryPolicy(max_attempts=3, total_s=5.0, first_pause_s=0.01, max_pause_s=0.05)


def body(state: str, **more: Any) -> dict[str, Any]:
    return {"id": ID, "state": state, **more}


def job(server: BadServer, state: str = "queued", timeout_s: float = 5.0, **options: Any) -> Job:
    """Return a job as it was a moment ago; nothing is sent for it."""
    options = {"retry_policy": QUICK, "outage": QUICK, **options}
    return Job(Transport(server.url, "secret", timeout_s, **options), body(state))


def test_a_job_that_has_ended_is_not_asked_for() -> None:
    with BadServer(drop()) as server:
        for state in ("completed", "failed", "cancelled"):
            assert job(server, state).wait().state == state
        assert server.connections == 0


def test_wait_returns_when_the_job_ends() -> None:
    ended = body("completed", shots=5)
    with BadServer(answer(200, body("running")), answer(200, ended)) as server:
        assert job(server).wait(timeout=30).info == ended


def test_wait_lets_the_server_hold_the_answer_back() -> None:
    clock = GivenClock()
    with BadServer(long_poll(body("queued"), clock.advance)) as server:
        with pytest.raises(WaitTimeout):
            job(server, clock=clock).wait(timeout=50.0)
        paths = [request.path for request in server.requests]
    # The last request is sent a quarter of a second before the end.
    assert paths == [f"/v1/jobs/{ID}{query}" for query in ("?wait=30.000", "?wait=19.750", "")]
    assert clock.passed_s == pytest.approx(50.0)


def test_the_server_is_asked_to_hold_for_half_a_minute_at_most() -> None:
    with BadServer(answer(200, body("completed"))) as server:
        job(server).wait(timeout=float("inf"))
        assert server.requests[0].path == f"/v1/jobs/{ID}?wait=30.000"


def test_a_server_that_holds_nothing_back_is_not_hammered() -> None:
    clock = GivenClock()
    with BadServer(answer(200, body("running"), CLOSE)) as server:
        with pytest.raises(WaitTimeout):
            job(server, clock=clock).wait(timeout=3.25)
        assert len(server.requests) == 4
    assert clock.pauses_s == [1.0, 1.0, 1.0, 0.25]


@pytest.mark.parametrize("timeout", [0.0, -1.0])
def test_wait_without_time_asks_once(timeout: float) -> None:
    with BadServer(answer(200, body("running"))) as server:
        with pytest.raises(WaitTimeout):
            job(server).wait(timeout=timeout)
        (request,) = server.requests
        assert request.path == f"/v1/jobs/{ID}"


def test_wait_without_time_sees_that_the_job_has_ended() -> None:
    with BadServer(answer(200, body("completed"))) as server:
        assert job(server).wait(timeout=0).state == "completed"


@pytest.mark.parametrize("away", [drop(), answer(503), answer(429, b"", {"Retry-After": "3600"})])
def test_wait_ends_in_time_although_the_server_is_away(away: Step) -> None:
    endless = RetryPolicy(max_attempts=1_000, total_s=60.0, first_pause_s=0.05, max_pause_s=0.2)
    clock = GivenClock()
    with (
        BadServer(away) as server,
        pytest.raises(WaitTimeout, match=r"within 0\.5 s \(last state: queued\)"),
    ):
        job(server, outage=endless, clock=clock).wait(timeout=0.5)
    assert clock.passed_s == pytest.approx(0.5)


def test_wait_ends_soon_after_its_time_although_the_server_is_silent() -> None:
    """The time for one response is longer than a test may take."""
    with BadServer(silent()) as server, pytest.raises(WaitTimeout):
        job(server, timeout_s=600.0).wait(timeout=0.2)


def test_wait_outlasts_a_server_that_restarts() -> None:
    away: list[Step] = [drop(), answer(503), answer(502, b"<html>"), drop(), drop(), drop()]
    outage = RetryPolicy(max_attempts=7, total_s=60.0, first_pause_s=0.01, max_pause_s=0.05)
    with BadServer(*away, answer(200, body("completed"))) as server:
        assert job(server, outage=outage).wait(timeout=60).state == "completed"


def test_wait_gives_up_when_the_server_stays_away() -> None:
    with BadServer(drop()) as server:
        with pytest.raises(Unreachable):
            job(server).wait(timeout=60)
        assert server.connections == QUICK.max_attempts


def test_wait_gives_up_when_the_server_stays_busy() -> None:
    with BadServer(answer(503)) as server:
        with pytest.raises(ServerBusy):
            job(server).wait(timeout=60)
        assert len(server.requests) == QUICK.max_attempts


def test_pauses_of_a_long_outage_grow_to_a_bound() -> None:
    outage = RetryPolicy(max_attempts=6, total_s=60.0, first_pause_s=1.0, max_pause_s=4.0)
    clock = GivenClock()
    with BadServer(answer(503, b"", CLOSE)) as server, pytest.raises(ServerBusy):
        job(server, outage=outage, clock=clock).wait(timeout=60)
    first_s, second_s, third_s, *others_s = clock.pauses_s
    assert 0.5 <= first_s <= 1.0 <= second_s <= 2.0 <= third_s <= 4.0
    assert others_s == [4.0, 4.0]


def test_a_refusal_ends_the_wait() -> None:
    with BadServer(answer(401, {"code": "unauthenticated"})) as server:
        with pytest.raises(ApiError, match="unauthenticated"):
            job(server).wait(timeout=60)
        assert len(server.requests) == 1


def test_the_end_of_the_wait_says_how_to_find_the_job_again() -> None:
    with BadServer(answer(200, body("running"))) as server:
        with pytest.raises(WaitTimeout, match=rf"client\.job\('{ID}'\)") as caught:
            job(server).wait(timeout=0)
        assert isinstance(caught.value, TimeoutError)


@pytest.mark.parametrize("answered", [{}, {"id": ID}, {"id": ID, "state": None}, [], b"<html>"])
def test_an_answer_that_is_no_job_leaves_the_job_as_it_was(answered: Any) -> None:
    with BadServer(answer(200, answered)) as server:
        held = job(server)
        with pytest.raises(UnexpectedResponse):
            held.refresh()
        assert (held.id, held.state) == (ID, "queued")


def test_refresh_reads_the_job_anew() -> None:
    with BadServer(answer(200, body("running"))) as server:
        assert job(server).refresh().state == "running"


def test_result_of_a_job_without_one_names_the_job_and_the_cause() -> None:
    problem = {"code": "no_result", "detail": "The job was cancelled."}
    with BadServer(answer(409, problem)) as server:
        with pytest.raises(JobFailed, match=rf"^Job {ID}: The job was cancelled\.$") as caught:
            job(server, "cancelled").result()
        assert caught.value.__context__ is None


@pytest.mark.parametrize("answered", [{}, {"parts": 5}, {"parts": [{"counts": {"0": "x"}}]}, []])
def test_a_result_of_another_shape_is_a_bad_answer(answered: Any) -> None:
    with BadServer(answer(200, answered)) as server, pytest.raises(UnexpectedResponse):
        job(server, "completed").result()


def test_a_result_cut_short_is_fetched_again() -> None:
    parts = {"parts": [{"counts": {"00": 3, "11": 2}}]}
    with BadServer(drop(), answer(200, parts)) as server:
        assert job(server, "completed").result().counts == {"00": 3, "11": 2}


LATE_RESULT = r"result of job .* has not arrived within 0\.6 s"


@pytest.mark.parametrize("away", [silent(), drip(0.1, {"parts": ["x" * 2_000]})])
def test_result_ends_at_its_time_although_the_job_has_ended(away: Step) -> None:
    """The time for one response is longer than a test may take."""
    with BadServer(away) as server, pytest.raises(WaitTimeout, match=LATE_RESULT):
        job(server, "completed", 600.0).result(timeout=0.6)


def test_result_ends_at_its_time_although_the_server_is_busy() -> None:
    endless = RetryPolicy(max_attempts=1_000, total_s=60.0, first_pause_s=0.05, max_pause_s=0.2)
    clock = GivenClock()
    with BadServer(answer(503)) as server, pytest.raises(WaitTimeout, match=LATE_RESULT):
        job(server, "completed", retry_policy=endless, clock=clock).result(timeout=0.6)
    assert clock.passed_s == pytest.approx(0.6)


class Scripted(Transport):
    """Transport without a server: each response takes 0.9 s on the clock.

    Attributes:
        limits_s: Time limits of the requests.
    """

    def __init__(self, clock: GivenClock, *bodies: Any) -> None:
        super().__init__("http://127.0.0.1:1", "secret", 30.0, clock=clock)
        self.limits_s: list[float] = []
        self._clock = clock
        self._bodies = list(bodies)

    def _do(self, step: Send | Pause) -> StepResult:
        assert isinstance(step, Send)
        self.limits_s.append(deadlines.within(step.limit_s))
        self._clock.advance(0.9)
        return Response(200, {}, json.dumps(self._bodies.pop(0)).encode())


def test_result_of_a_job_that_ends_at_the_last_moment_is_still_read() -> None:
    parts = {"parts": [{"counts": {"0": 1}}]}
    transport = Scripted(GivenClock(), body("completed"), parts)
    assert Job(transport, body("queued")).result(timeout=1.0).counts == {"0": 1}
    assert transport.limits_s == pytest.approx([1.0, 0.5])


def test_cancel_is_tried_again_because_it_cannot_double() -> None:
    with BadServer(drop(), answer(200, body("cancelling"))) as server:
        assert job(server, "running").cancel().state == "cancelling"
        (request,) = server.requests
        assert (request.method, request.path) == ("POST", f"/v1/jobs/{ID}/cancel")


def test_an_id_is_quoted_into_the_path() -> None:
    with BadServer(answer(404, {"code": "not_found"})) as server:
        client = Client(Transport(server.url, "secret", 5.0, QUICK))
        for id_text in ("../../etc", "a?b#c", "a b", "ü", ""):
            with pytest.raises(ApiError):
                client.job(id_text)
        assert [request.path for request in server.requests] == [
            "/v1/jobs/..%2F..%2Fetc",
            "/v1/jobs/a%3Fb%23c",
            "/v1/jobs/a%20b",
            "/v1/jobs/%C3%BC",
            "/v1/jobs/",
        ]


def test_a_job_shows_its_id_and_state() -> None:
    with BadServer(drop()) as server:
        assert repr(job(server, "running")) == f"<Job {ID} running>"


def test_what_info_returns_may_be_changed_without_harm() -> None:
    with BadServer(drop()) as server:
        held = job(server)
        held.info.clear()
        assert held.info == body("queued")
