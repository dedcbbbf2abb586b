"""No token in any repr, any text of an error, or any formatted traceback."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from qwicket.clients.http import Patience
from qwicket.clients.native import Client, ClientError, Job
from qwicket.clients.native.transport import Transport
from support.bad_server import (
    BadServer,
    Request,
    Step,
    answer,
    cut,
    drip,
    drop,
    raw,
    reset,
    silent,
)

TOKEN = "qw_ThisTokenMustNeverBeSeenInAnyTextAtAll012345"
JOB = {"id": "0198f3a0-0000-7000-8000-000000000000", "state": "queued"}
QUICK = Patience(tries=2, total_s=1.0, first_pause_s=0.01, longest_pause_s=0.02)


def sent(request: Request) -> str:
    return request.headers["authorization"]


TROUBLES: dict[str, Step] = {
    "dropped": drop(),
    "reset": reset(),
    "cut": cut(90, JOB),
    "silent": silent(),
    "dripping": drip(0.05, JOB),
    "no HTTP": raw(b"nonsense\r\n\r\n"),
    "huge Retry-After": answer(429, {}, {"Retry-After": "99999999"}),
    "HTML": answer(502, b"<html>"),
    "wrong JSON": answer(200, []),
    "repeats it in an error": answer(400, lambda request: {"detail": sent(request)}),
    "repeats it in every field": answer(
        500, lambda request: dict.fromkeys(["code", "detail", "remedy", "field"], sent(request))
    ),
    "repeats it as a page": answer(404, lambda request: sent(request).encode()),
    "repeats it as JSON of the wrong kind": answer(200, lambda request: [sent(request)]),
    "repeats it as a job": answer(200, lambda request: {"id": sent(request), "state": TOKEN}),
    "repeats it as a key": answer(200, lambda request: {sent(request): 1}),
    "redirects with it": answer(302, b"", {"Location": f"http://{TOKEN}.invalid/?t={TOKEN}"}),
    "asks to retry after it": answer(503, b"", lambda request: {"Retry-After": sent(request)}),
}


def queued(client: Client) -> Job:
    return Job(client._transport, JOB)


CALLS: dict[str, Callable[[Client], Any]] = {
    "devices": lambda client: client.devices(),
    "submit": lambda client: client.submit("text", "simulator"),
    "job": lambda client: client.job(JOB["id"]),
    "wait": lambda client: queued(client).wait(0.1),
    "cancel": lambda client: queued(client).cancel(),
}


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """All errors that hang together, whether a traceback would show them or not."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [each.__cause__, each.__context__]


def assert_silent(error: BaseException) -> None:
    text = "".join(traceback.format_exception(error))
    for each in chain(error):
        text += f"{each} {each!r} {each.args!r} {vars(each)!r}"
        text += "".join(traceback.format_exception_only(each))
    assert TOKEN not in text
    assert TOKEN.removeprefix("qw_") not in text


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
def test_no_error_holds_the_token(trouble: Step, call: Callable[[Client], Any]) -> None:
    with BadServer(trouble) as server:
        client = Client(Transport(server.url, TOKEN, 0.1, QUICK, QUICK))
        with pytest.raises(ClientError) as caught:
            call(client)
        assert_silent(caught.value)
        client.close()


def test_no_error_without_a_connection_holds_the_token() -> None:
    transport = Transport("http://127.0.0.1:1", TOKEN, 0.1, QUICK)
    with pytest.raises(ClientError) as caught:
        Client(transport).devices()
    assert_silent(caught.value)


@pytest.mark.parametrize("bad", [TOKEN + "\nX: y", TOKEN + "ü", f"{TOKEN}\0"])
def test_no_error_about_a_token_holds_the_token(bad: str) -> None:
    with pytest.raises(ClientError) as caught:
        Transport("http://127.0.0.1:1", bad, 0.1)
    assert_silent(caught.value)


def test_no_error_about_a_program_holds_the_token() -> None:
    transport = Transport("http://127.0.0.1:1", TOKEN, 0.1)
    with pytest.raises(ClientError) as caught:
        Client(transport).submit({"angle": float("nan")}, "simulator")
    assert_silent(caught.value)


def test_no_repr_shows_the_token() -> None:
    ended = {**JOB, "state": "completed", "parts": [{"counts": {"0": 1}}]}
    with BadServer(answer(200, ended)) as server:
        transport = Transport(server.url, TOKEN, 5.0)
        client = Client(transport)
        job = client.job(JOB["id"])
        result = job.result()
        things = [transport, client, job, result, *result.parts, client.submit, job.wait]
        assert not [thing for thing in things if TOKEN in f"{thing!r} {thing!s}"]
