"""Requests that an agent repeats, errors that end it, and secrets that it never shows."""

from __future__ import annotations

import time

import pytest

from qwicket.agents import AgentAPI, Failed
from qwicket.agents.api import HeldLease, Lease, deliver, is_stale, is_transient, pause_s, renewing
from qwicket.agents.outcomes import Part
from qwicket.clients.native import (
    ApiError,
    ClientError,
    ServerBusy,
    UnexpectedResponse,
    Unreachable,
)
from support.for_each import for_each
from support.waiting import PROMPT_S, until

TOKEN = "qw_" + "s" * 43


def api(status: int) -> ApiError:
    return ApiError(status, {"code": "x", "detail": "y"})


TRANSIENT = [
    ServerBusy(503, {}, 0.0),
    Unreachable("away"),
    UnexpectedResponse("a page"),
    api(500),
    api(507),
]


@for_each("error", TRANSIENT)
def test_transient_errors_are_retried_until_success(error: ClientError) -> None:
    answers: list[ClientError | None] = [error, error, None]
    pauses: list[float] = []

    def send() -> bool:
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        return True

    def pause(seconds: float) -> bool:
        pauses.append(seconds)
        return True

    assert deliver(send, pause, "it")
    assert len(pauses) == 2
    assert is_transient(error)


def test_what_is_stale_is_dropped_at_once() -> None:
    assert not deliver(lambda: False, lambda _: pytest.fail("it paused"), "it")
    assert is_stale(api(404))
    assert is_stale(api(409))


@pytest.mark.parametrize("status", [400, 401, 403, 413])
def test_another_refusal_is_the_callers_to_decide(status: int) -> None:
    def send() -> bool:
        raise api(status)

    with pytest.raises(ApiError):
        deliver(send, lambda _: True, "it")
    assert not is_transient(api(status))
    assert not is_stale(api(status))


def test_who_is_to_end_gives_up() -> None:
    def send() -> bool:
        raise Unreachable("away")

    assert not deliver(send, lambda _: False, "it")


def test_pauses_grow_up_to_a_bound_and_mind_what_the_server_asks() -> None:
    away = Unreachable("away")
    assert 0.1 <= pause_s(1, away) <= 0.2
    assert 7.5 <= pause_s(100, away) <= 15
    assert len({pause_s(5, away) for _ in range(20)}) > 1, "agents do not come back together"
    assert pause_s(1, ServerBusy(503, {}, 9.0)) == 9.0
    assert pause_s(1, ServerBusy(503, {}, 1e9)) == 15.0


def test_nothing_that_is_shown_holds_the_token_or_a_nonce() -> None:
    gate = AgentAPI("http://127.0.0.1:1", TOKEN, "lab5")
    assert TOKEN not in repr(gate)
    assert repr(Lease("job", 1, "secret")) == "<Lease of job>"
    with pytest.raises(ClientError) as refusal:
        gate.fail(Lease("job", 1, "secret"), Failed("x"), 0.0)
    assert TOKEN not in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_an_outcome_that_the_server_would_cut_off_is_refused_before_it_is_sent() -> None:
    """A server that closes the connection in the middle looks like one that is away for a while."""
    gate = AgentAPI("http://127.0.0.1:1", TOKEN, "lab5")  # no server listens there
    large = Part(bytes(1_000), "0" * 64)
    with pytest.raises(ApiError, match=r"1,333 bytes; the limit outcome_bytes is 1,332") as refusal:
        gate.finish(Lease("job", 1, "secret", 1_332), [large], 0.0)
    assert not is_transient(refusal.value)
    with pytest.raises(Unreachable):
        gate.finish(Lease("job", 1, "secret", 1_333), [large], 0.0)


def test_a_lease_is_kept_while_its_outcome_travels() -> None:
    class Counting(AgentAPI):
        renewing = 0

        def renew(self, held: HeldLease) -> str:
            self.renewing += 1
            if self.renewing == 2:
                raise Unreachable("away")
            return "go on"

    gate = Counting("http://127.0.0.1:1", TOKEN, "lab5")
    gate.renew_s = 0.01
    with renewing(gate, HeldLease(Lease("job", 1, "secret"))):
        until(
            lambda: gate.renewing >= 4,
            "it is renewed again and again, whatever happens",
            timeout_s=PROMPT_S,
        )
    told = gate.renewing
    time.sleep(0.05)
    assert gate.renewing == told, "and no more when it is delivered"


def test_each_agent_has_a_name_of_its_own() -> None:
    names = {AgentAPI("http://127.0.0.1:1", TOKEN, "lab5").agent for _ in range(50)}
    assert len(names) == 50


def test_a_text_about_progress_is_one_that_the_server_takes() -> None:
    """Else it would refuse the renewal, and the job would fail."""
    held = HeldLease(Lease("job", 1, "secret"), 0.5, "reads a\0b \udcff")
    assert held.body().text == "reads ab ?"
