"""A job's stream, against servers that cut it, end it, refuse it and talk nonsense."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from itertools import islice
from typing import Any

import pytest

from qwicket.clients.http import RetryPolicy
from qwicket.clients.native import (
    ApiError,
    AsyncClient,
    Change,
    Client,
    ClientError,
    Event,
    Job,
    UnexpectedResponse,
    Unreachable,
)
from qwicket.clients.native.aio import AsyncJob
from qwicket.clients.native.async_transport import AsyncTransport
from qwicket.clients.native.protocol import STREAM_POLICY, StreamPolicy
from qwicket.clients.native.transport import Transport
from support.bad_server import BadServer, Step, answer, drop, raw, reset

ID = "0198f3a0-0000-7000-8000-000000000000"
QUICK = RetryPolicy(max_attempts=3, total_s=5.0, first_pause_s=0.01, max_pause_s=0.05)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def body(state: str) -> dict[str, Any]:
    return {"id": ID, "state": state}


def event(version: int, state: str) -> bytes:
    return f"id: {version}\nevent: job\ndata: {json.dumps(body(state))}\n\n".encode()


def stream(*pieces: bytes) -> Step:
    return raw(HEAD + b"retry: 2000\n\n" + b"".join(pieces))


def chunked_and_cut(piece: bytes) -> Step:
    """The stream breaks within a chunk: complete events are yielded, others requested again."""
    head = HEAD.replace(b"Connection: close", b"Transfer-Encoding: chunked")
    return raw(head + b"%x\r\n%b\r\n40\r\nid: 9\nda" % (len(piece), piece))


def told(
    url: str,
    is_async: bool,
    outage: RetryPolicy = QUICK,
    stream_policy: StreamPolicy = STREAM_POLICY,
) -> list[Event]:
    """Return the events of a job from the client for threads or the one for event loops."""
    if is_async:
        return asyncio.run(told_to_a_loop(url, outage, stream_policy))
    transport = Transport(url, "secret", 5.0, QUICK, outage, stream_policy=stream_policy)
    return list(Job(transport, body("queued")).events())


async def told_to_a_loop(url: str, outage: RetryPolicy, stream_policy: StreamPolicy) -> list[Event]:
    transport = AsyncTransport(url, "secret", 5.0, QUICK, outage, stream_policy=stream_policy)
    try:
        return [each async for each in AsyncJob(transport, body("queued")).events()]
    finally:
        await transport.close()


@pytest.fixture(params=[False, True], ids=["threads", "event loop"])
def is_async(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_events_arrive_to_the_end_of_the_job(is_async: bool) -> None:
    step = stream(b": still here\n\n", event(1, "queued"), event(4, "completed"))
    with BadServer(step) as server:
        found = told(server.url, is_async)
        assert [(each.version, each.state) for each in found] == [(1, "queued"), (4, "completed")]
        assert found[0].info == body("queued")
        assert server.requests[0].headers["accept"] == "text/event-stream"
        assert "last-event-id" not in server.requests[0].headers


@pytest.mark.parametrize(
    "trouble", [drop(), reset(), answer(503), answer(502, b"<html>")], ids=["drop", "reset", *"bg"]
)
def test_a_broken_stream_is_taken_up_where_it_broke(trouble: Step, is_async: bool) -> None:
    begun = chunked_and_cut(event(1, "queued"))
    with BadServer(begun, trouble, stream(event(2, "running")), stream(event(3, "failed"))) as bad:
        found = told(bad.url, is_async)
        assert [each.version for each in found] == [1, 2, 3]
        lasts = [request.headers.get("last-event-id") for request in bad.requests]
        assert (lasts[0], {*lasts[1:-1]}, lasts[-1]) == (None, {"1"}, "2")


def changes(url: str, is_async: bool, n: int, since: int | None = None) -> list[Change]:
    """Return the first changes of an account that one of the two clients yields."""

    async def told_to_a_loop() -> list[Change]:
        transport = AsyncTransport(url, "secret", 5.0, QUICK, QUICK)
        async with AsyncClient(transport) as client, aclosing(client.events(since)) as stream:
            return [await anext(stream) for _ in range(n)]

    if is_async:
        return asyncio.run(told_to_a_loop())
    with Client(Transport(url, "secret", 5.0, QUICK, QUICK)) as client:
        return list(islice(client.events(since), n))


def test_the_changes_of_an_account_go_on_where_they_broke_off(is_async: bool) -> None:
    opened, ended = stream(b"id: 7\n\n"), stream(event(9, "failed"), event(12, "running"))
    with BadServer(opened, drop(), ended, stream(event(13, "completed"))) as server:
        found = changes(server.url, is_async, 3)
        assert [(each.number, each.job, each.state) for each in found] == [
            *((9, ID, "failed"), (12, ID, "running"), (13, ID, "completed"))
        ]
        assert found[0].info == body("failed")
        assert {request.path for request in server.requests} == {"/v1/events"}
        lasts = [request.headers.get("last-event-id") for request in server.requests]
        # A stream that says nothing but where it begins has begun there all the same.
        assert (lasts[0], lasts[1], lasts[-1]) == (None, "7", "12")


def test_the_changes_of_an_account_begin_where_they_are_asked_to(is_async: bool) -> None:
    with BadServer(stream(event(9, "failed"))) as server:
        assert [each.number for each in changes(server.url, is_async, 1, since=4)] == [9]
        assert server.requests[0].headers["last-event-id"] == "4"


def test_a_quiet_stream_is_reopened_without_a_bound(is_async: bool) -> None:
    # By default a stream counts as healthy after 5 s, which is too long for a test.
    policy = StreamPolicy(healthy_s=0.0)
    quiet = [stream(b": still here\n\n")] * (3 * QUICK.max_attempts)
    with BadServer(*quiet, stream(event(2, "completed"))) as server:
        assert [each.version for each in told(server.url, is_async, QUICK, policy)] == [2]


def test_a_204_ends_a_stream(is_async: bool) -> None:
    with BadServer(stream(event(3, "running")), answer(204)) as server:
        assert [each.version for each in told(server.url, is_async)] == [3]


def test_a_stream_that_is_refused_for_now_is_asked_for_when_the_server_says(is_async: bool) -> None:
    busy = answer(429, {}, {"Retry-After": "1"})
    with BadServer(busy, stream(event(2, "completed"))) as server:
        retry_policy = RetryPolicy(max_attempts=3, total_s=9.0, first_pause_s=0.01)
        assert [each.version for each in told(server.url, is_async, retry_policy)] == [2]
        first, second = server.requests
        assert second.at - first.at >= 1.0


def test_a_refused_stream_is_reported_at_once(is_async: bool) -> None:
    with BadServer(answer(404, {"code": "not_found"})) as server:
        with pytest.raises(ApiError, match="not_found"):
            told(server.url, is_async)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (drop(), Unreachable),
        (stream(), UnexpectedResponse),
        (answer(503), ApiError),
        (answer(302, b"", {"Location": "http://x.invalid"}), UnexpectedResponse),
        (answer(201, {}), UnexpectedResponse),
        (stream(b"id: 1\ndata: [5]\n\n"), UnexpectedResponse),
        (stream(b"id: 1\ndata: {}\n\n"), UnexpectedResponse),
        (stream(b"id: " + b"1" * (2 << 20)), UnexpectedResponse),
    ],
)
def test_there_is_an_end_of_trying(step: Step, kind: type[ClientError], is_async: bool) -> None:
    with BadServer(step) as server:
        with pytest.raises(kind):
            told(server.url, is_async)
        assert server.connections <= QUICK.max_attempts


@pytest.mark.parametrize("nonsense", [b"id: x\ndata: {}\n\n", b"data: {}\n\n", b"id: 5\n\n", b"\n"])
def test_events_that_are_none_are_passed_over(nonsense: bytes, is_async: bool) -> None:
    with BadServer(stream(nonsense, event(2, "completed"))) as server:
        assert [each.version for each in told(server.url, is_async)] == [2]


def test_a_line_without_an_end_is_given_up_while_it_comes(is_async: bool) -> None:
    endless = stream(b"id: " + b"1" * (2 << 20), event(2, "completed"))
    with BadServer(endless) as server:
        with pytest.raises(
            UnexpectedResponse, match="line of the event stream exceeds 1,048,576 bytes"
        ):
            told(server.url, is_async)
        assert server.connections == 1


def test_lines_may_end_in_either_way(is_async: bool) -> None:
    """WHATWG HTML, section 9.2.5: CRLF ends a line as LF does."""
    windows = event(2, "completed").replace(b"\n", b"\r\n")
    with BadServer(stream(windows)) as server:
        (found,) = told(server.url, is_async)
        assert (found.version, found.info) == (2, body("completed"))
