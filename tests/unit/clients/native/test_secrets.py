"""No token in any repr, any text of an error, or any formatted traceback."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from qwicket.clients.http import RetryPolicy
from qwicket.clients.native import AsyncClient, AsyncJob, Client, ClientError, Job
from qwicket.clients.native.async_transport import AsyncTransport
from qwicket.clients.native.protocol import StreamPolicy
from qwicket.clients.native.transport import Transport
from support.bad_server import BadServer, Request, Step, answer
from support.pairwise import pairs
from support.secrets import assert_silent, troubles

TOKEN = "qw_ThisTokenMustNeverBeSeenInAnyTextAtAll012345"
SECRETS = (TOKEN, TOKEN.removeprefix("qw_"))
JOB = {"id": "0198f3a0-0000-7000-8000-000000000000", "state": "queued"}
QUICK = RetryPolicy(max_attempts=2, total_s=1.0, first_pause_s=0.01, max_pause_s=0.02)
SHORT_STREAMS = StreamPolicy(limit_s=0.2)


def sent(request: Request) -> str:
    return request.headers["authorization"]


TROUBLES: dict[str, Step] = {
    **troubles(sent, JOB, TOKEN),
    "huge Retry-After": answer(429, {}, {"Retry-After": "99999999"}),
    "repeats it in an error": answer(400, lambda request: {"detail": sent(request)}),
    "repeats it in every field": answer(
        500, lambda request: dict.fromkeys(["code", "detail", "remedy", "field"], sent(request))
    ),
    "repeats it as a job": answer(200, lambda request: {"id": sent(request), "state": TOKEN}),
    "repeats it as a key": answer(200, lambda request: {sent(request): 1}),
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


@pytest.mark.parametrize(("call", "trouble"), pairs(CALLS, TROUBLES))
def test_no_error_holds_the_token(trouble: str, call: str) -> None:
    with BadServer(TROUBLES[trouble]) as server:
        client = Client(Transport(server.url, TOKEN, 0.1, QUICK, QUICK))
        with pytest.raises(ClientError) as caught:
            CALLS[call](client)
        assert_silent(caught.value, SECRETS)
        client.close()


ASYNC_CALLS: dict[str, Callable[[AsyncClient], Awaitable[Any]]] = {
    "devices": lambda client: client.devices(),
    "submit": lambda client: client.submit("text", "simulator"),
    "wait": lambda client: AsyncJob(client._transport, JOB).wait(0.1),
    "events": lambda client: anext(AsyncJob(client._transport, JOB).events()),
}


@pytest.mark.parametrize(("call", "trouble"), pairs(ASYNC_CALLS, TROUBLES))
def test_no_error_of_an_event_loop_holds_the_token(trouble: str, call: str) -> None:
    async def main(url: str) -> None:
        transport = AsyncTransport(url, TOKEN, 0.1, QUICK, QUICK, stream_policy=SHORT_STREAMS)
        async with AsyncClient(transport) as client:
            assert TOKEN not in f"{client!r} {client._transport!r} {client._transport._http!r}"
            await ASYNC_CALLS[call](client)

    with BadServer(TROUBLES[trouble]) as server:
        with pytest.raises(ClientError) as caught:
            asyncio.run(asyncio.wait_for(main(server.url), 30))
        assert_silent(caught.value, SECRETS)


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
def test_no_error_of_a_stream_holds_the_token(trouble: Step) -> None:
    with BadServer(trouble) as server:
        transport = Transport(server.url, TOKEN, 0.1, QUICK, QUICK, stream_policy=SHORT_STREAMS)
        with pytest.raises(ClientError) as caught:
            next(Job(transport, JOB).events())
        assert_silent(caught.value, SECRETS)


def test_no_error_without_a_connection_holds_the_token() -> None:
    transport = Transport("http://127.0.0.1:1", TOKEN, 0.1, QUICK)
    with pytest.raises(ClientError) as caught:
        Client(transport).devices()
    assert_silent(caught.value, SECRETS)


@pytest.mark.parametrize("bad", [TOKEN + "\nX: y", TOKEN + "ü", f"{TOKEN}\0"])
def test_no_error_about_a_token_holds_the_token(bad: str) -> None:
    with pytest.raises(ClientError) as caught:
        Transport("http://127.0.0.1:1", bad, 0.1)
    assert_silent(caught.value, SECRETS)


def test_no_error_about_a_program_holds_the_token() -> None:
    transport = Transport("http://127.0.0.1:1", TOKEN, 0.1)
    with pytest.raises(ClientError) as caught:
        Client(transport).submit({"angle": float("nan")}, "simulator")
    assert_silent(caught.value, SECRETS)


def test_no_repr_shows_the_token() -> None:
    ended = {**JOB, "state": "completed", "parts": [{"counts": {"0": 1}}]}
    with BadServer(answer(200, ended)) as server:
        transport = Transport(server.url, TOKEN, 5.0)
        client = Client(transport)
        job = client.job(JOB["id"])
        result = job.result()
        things = [transport, client, job, result, *result.parts, client.submit, job.wait]
        assert not [thing for thing in things if TOKEN in f"{thing!r} {thing!s}"]
