"""No key and no custom header in any repr, any text of an error, or any formatted traceback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qwicket.clients.http import RetryPolicy
from qwicket.vendors.ionq.client import Circuit, IonQClient, IonQError, Session
from support.bad_server import BadServer, Request, Step, answer
from support.pairwise import pairs
from support.secrets import assert_silent, troubles

KEY = "ThisKeyMustNeverBeSeenInAnyTextAtAll012345"
CUSTOM = "ThisHeaderMustNeverBeSeenEither6789"
JOB = {"id": "7", "status": "ready"}
QUICK = RetryPolicy(max_attempts=2, total_s=1.0, first_pause_s=0.01, max_pause_s=0.02)


def sent(request: Request) -> str:
    return f"{request.headers['authorization']} {request.headers['x-lab']}"


TROUBLES: dict[str, Step] = {
    **troubles(sent, JOB, KEY),
    "repeats it in an error": answer(400, lambda request: {"message": sent(request)}),
    "repeats it as a type": answer(
        401, lambda request: {"statusCode": 401, "error": sent(request), "message": sent(request)}
    ),
    "repeats it as a header": answer(500, {}, lambda request: {"X-Echo": sent(request)}),
}
CALLS: dict[str, Callable[[IonQClient], Any]] = {
    "retrieve": lambda made: made.retrieve_job("7"),
    "submit": lambda made: made.submit_job(Circuit(1).h(0)),
    "wait": lambda made: made.wait("7", timeout=0.1),
    "session": lambda made: Session(made, "simulator"),
}


def client(url: str, key: str = KEY) -> IonQClient:
    made = IonQClient(key, f"{url}/v0.4", {"X-Lab": CUSTOM})
    made.retry_policy, made.timeout_s = QUICK, 0.2
    return made


@pytest.mark.parametrize(("call", "trouble"), pairs(CALLS, TROUBLES))
def test_no_error_holds_a_secret(trouble: str, call: str) -> None:
    with BadServer(TROUBLES[trouble]) as server, client(server.url) as made:
        with pytest.raises(IonQError) as caught:
            CALLS[call](made)
        assert_silent(caught.value, (KEY, CUSTOM))


def test_no_error_without_a_connection_holds_a_secret() -> None:
    with pytest.raises(IonQError) as caught:
        client("http://127.0.0.1:1").submit_job({})
    assert_silent(caught.value, (KEY, CUSTOM))


@pytest.mark.parametrize("bad", [KEY + "\nX: y", KEY + "ü", f"{KEY}\0"])
def test_no_error_about_a_key_holds_the_key(bad: str) -> None:
    with pytest.raises(IonQError) as caught:
        client("http://127.0.0.1:1", bad).retrieve_job("7")
    assert_silent(caught.value, (KEY, CUSTOM))


def test_no_repr_shows_a_secret() -> None:
    with BadServer(answer(200, JOB)) as server, client(server.url) as made:
        session = Session(made, "simulator")
        things = [made, made._http, session, made.submit_job, session.run, made.wait]
        text = "".join(f"{thing!r} {thing!s}" for thing in things)
    assert KEY not in text
    assert CUSTOM not in text
