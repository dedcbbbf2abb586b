"""The event loop's transport: it says what the threads' says, and cancelling is really over."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from qwicket.clients.http import SYSTEM_CLOCK, Clock, RetryPolicy
from qwicket.clients.native import ClientError, Unreachable, WaitTimeout
from qwicket.clients.native.aio import AsyncClient, AsyncJob
from qwicket.clients.native.async_transport import MAX_LONG_POLLS, AsyncTransport
from qwicket.clients.native.transport import Transport
from support.bad_server import (
    BadServer,
    Connection,
    Step,
    answer,
    cut,
    drip,
    drop,
    keep_alive,
    raw,
    reset,
    silent,
)
from support.certificates import certificate
from support.given_clock import GivenClock
from support.ports import held_port
from support.waiting import until

ID = "0198f3a0-0000-7000-8000-000000000000"
GOOD = {"answer": 42}
OBJECT = dict[str, Any]
QUICK = RetryPolicy(max_attempts=3, total_s=5.0, first_pause_s=0.01, max_pause_s=0.05)
ENDLESS = RetryPolicy(max_attempts=1_000, total_s=60.0, first_pause_s=0.05, max_pause_s=0.2)


def with_transport(
    url: str,
    work: Callable[[AsyncTransport], Coroutine[Any, Any, Any]],
    retry_policy: RetryPolicy = QUICK,
    timeout_s: float = 5.0,
    clock: Clock = SYSTEM_CLOCK,
) -> Any:
    """Return what `work` returns of a transport that is closed afterwards."""

    async def main() -> Any:
        transport = AsyncTransport(
            url, "secret", timeout_s, retry_policy, retry_policy, clock=clock
        )
        try:
            return await work(transport)
        finally:
            await transport.close()

    return asyncio.run(main())


def read(url: str, **options: Any) -> Any:
    return with_transport(url, lambda made: made.run(made.api.get("/x", OBJECT)), **options)


def said(work: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as caught:
        work()
    return f"{type(caught.value).__name__}: {caught.value}"


def test_a_read_is_answered_on_one_connection() -> None:
    async def thrice(made: AsyncTransport) -> list[Any]:
        return [await made.run(made.api.get("/x", OBJECT)) for _ in range(3)]

    with BadServer(keep_alive(*[answer(200, GOOD)] * 3)) as server:
        assert with_transport(server.url, thrice) == [GOOD] * 3
        assert server.connections == 1
        assert server.requests[0].headers["authorization"] == "Bearer secret"


def test_a_connection_that_the_server_closed_meanwhile_is_no_trouble() -> None:
    with BadServer(reset(), drop(), answer(503), answer(200, GOOD)) as server:
        retry_policy = RetryPolicy(max_attempts=4, first_pause_s=0.01)
        assert read(server.url, retry_policy=retry_policy) == GOOD


def test_a_write_is_the_same_in_each_try() -> None:
    with BadServer(drop(), reset(), answer(503), answer(200, GOOD)) as server:
        retry_policy = RetryPolicy(max_attempts=4, first_pause_s=0.01)

        def write(made: AsyncTransport) -> Any:
            return made.run(made.api.post("/x", {"shots": 5}, OBJECT, key="same"))

        assert with_transport(server.url, write, retry_policy) == GOOD
        assert len(server.requests) == 3
        assert {request.headers["idempotency-key"] for request in server.requests} == {"same"}
        assert {request.body for request in server.requests} == {b'{"shots": 5}'}


TROUBLES: dict[str, Step] = {
    "dropped": drop(),
    "reset": reset(),
    "silent": silent(),
    "dripping": drip(0.05, GOOD),
    "empty": answer(200, b""),
    "no HTTP": raw(b"nonsense\r\n\r\n"),
    "cut": cut(120, {"answer": "x" * 500}),
    "busy": answer(503, b"", {"Retry-After": "0"}),
    "HTML": answer(502, b"<html>"),
    "refused": answer(400, {"code": "refused", "detail": "No."}),
    "wrong": answer(200, []),
    "redirects": answer(302, b"", {"Location": "http://x.invalid/"}),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_threads_and_loops_say_the_same_of_a_trouble(name: str) -> None:
    timeout_s = 0.2 if name in ("silent", "dripping") else 5.0
    texts = []
    for way in ("loop", "thread"):
        with BadServer(TROUBLES[name]) as server:

            def ask(url: str = server.url, way: str = way) -> Any:
                if way == "loop":
                    return read(url, timeout_s=timeout_s)
                return Transport(url, "secret", timeout_s, QUICK).get("/x", OBJECT)

            texts.append(said(ask).replace(server.url, "URL"))
    assert texts[0] == texts[1]


@pytest.mark.parametrize("url", ["http://nowhere.invalid", "http://127.0.0.1:1"])
def test_threads_and_loops_say_the_same_of_a_server_that_is_not_there(url: str) -> None:
    once = RetryPolicy(max_attempts=1)
    loop = said(lambda: read(url, retry_policy=once))
    assert loop == said(lambda: Transport(url, "secret", 5.0, once).get("/x", OBJECT))


def test_an_unknown_certificate_is_reported_and_not_retried(tmp_path: Path) -> None:
    made = certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(made.chain, made.key)
    with BadServer(answer(200, GOOD), tls=tls) as server:
        assert said(lambda: read(server.url)).startswith(
            f"UnexpectedResponse: TLS with {server.url} failed"
        )
        assert server.connections == 1


def test_a_large_answer_may_take_longer_than_the_timeout() -> None:
    large = {"answer": "x" * 100_000}  # which may take six seconds
    with BadServer(drip(0.1, large, at_once=90, n_bytes=16_000)) as server:
        began = time.monotonic()
        assert read(server.url, retry_policy=RetryPolicy(max_attempts=1), timeout_s=0.4) == large
        assert time.monotonic() - began > 0.5


def test_a_cancelled_task_closes_its_connection() -> None:
    is_closed = threading.Event()

    def watched(connection: Connection) -> None:
        connection.read()
        if connection.sock.recv(1) == b"":
            is_closed.set()

    async def cancelled(made: AsyncTransport) -> None:
        task = asyncio.create_task(made.run(made.api.get("/x", OBJECT)))
        await asyncio.to_thread(until, lambda: server.requests, "a request")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(is_closed.wait, 10)
        assert await made.run(made.api.get("/x", OBJECT)) == GOOD

    with BadServer(watched, answer(200, GOOD)) as server:
        with_transport(server.url, cancelled, timeout_s=30.0)


def body(state: str) -> dict[str, Any]:
    return {"id": ID, "state": state}


def test_waits_share_connections_and_keep_no_other_request_from_its_own() -> None:
    maximum = 0
    lock = threading.Lock()
    held = 0

    def holding(connection: Connection) -> None:
        nonlocal held, maximum
        request = connection.read()
        assert request
        if "wait=" not in request.path:
            connection.send(response_of({"devices": []}))
            return
        with lock:
            held += 1
            maximum = max(maximum, held)
        connection.is_over.wait(0.3)
        with lock:
            held -= 1
        connection.send(response_of(body("completed")))

    async def many(made: AsyncTransport) -> list[str]:
        client = AsyncClient(made)
        waits = [asyncio.create_task(AsyncJob(made, body("queued")).wait()) for _ in range(200)]
        await asyncio.sleep(0.1)
        assert await client.devices() == []
        assert not all(wait.done() for wait in waits)
        return [job.state for job in await asyncio.gather(*waits)]

    with BadServer(holding) as server:
        assert with_transport(server.url, many, timeout_s=30.0) == ["completed"] * 200
        assert maximum <= MAX_LONG_POLLS
        holds = {request.path.partition("wait=")[2] for request in server.requests} - {""}
        assert float(max(holds)) < 30.0  # turns are shorter when many wait


def response_of(document: Any) -> bytes:
    from support.bad_server import response

    return response(200, document, {"Connection": "close"})


async def late_result(made: AsyncTransport) -> None:
    with pytest.raises(WaitTimeout, match=r"has not arrived within 0\.6 s"):
        await AsyncJob(made, body("completed")).result(timeout=0.6)


@pytest.mark.parametrize("away", [silent(), drip(0.1, {"parts": ["x" * 2_000]})])
def test_a_result_ends_at_its_time_although_the_job_has_ended(away: Step) -> None:
    """The time for one response is longer than a test may take."""
    with BadServer(away) as server:
        with_transport(server.url, late_result, ENDLESS, timeout_s=600.0)


def test_a_result_ends_at_its_time_although_the_server_is_busy() -> None:
    clock = GivenClock()
    with BadServer(answer(503)) as server:
        with_transport(server.url, late_result, ENDLESS, clock=clock)
    assert clock.passed_s == pytest.approx(0.6)


def test_a_wait_ends_in_time_though_others_hold_all_connections() -> None:
    async def late(made: AsyncTransport) -> None:
        others = [
            asyncio.create_task(AsyncJob(made, body("queued")).wait())
            for _ in range(MAX_LONG_POLLS)
        ]
        await asyncio.to_thread(
            until, lambda: len(server.requests) == MAX_LONG_POLLS, "all long polls"
        )
        with pytest.raises(WaitTimeout):
            await AsyncJob(made, body("queued")).wait(timeout=0.3)
        assert len(server.requests) == MAX_LONG_POLLS, "its own was not sent"
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    with BadServer(silent()) as server:
        with_transport(server.url, late, retry_policy=ENDLESS, timeout_s=600.0)


def test_a_client_can_be_awaited_or_entered() -> None:
    async def main(made: AsyncTransport) -> None:
        client = AsyncClient(made)
        assert await client is client
        async with client as entered:
            assert entered is client
            assert await client.devices() == []

    with BadServer(answer(200, {"devices": []})) as server:
        with_transport(server.url, main)


def test_no_connection_is_left_open_by_close() -> None:
    async def main(made: AsyncTransport) -> None:
        await made.run(made.api.get("/x", OBJECT))

    is_closed = threading.Event()

    def watched(connection: Connection) -> None:
        answer(200, GOOD)(connection)
        connection.sock.settimeout(10)
        if connection.sock.recv(1) == b"":
            is_closed.set()

    with BadServer(watched) as server:
        with_transport(server.url, main)
        assert is_closed.wait(10)


def test_the_environments_proxy_is_used_and_its_password_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = held_port()
    monkeypatch.setenv("http_proxy", f"http://user:hidden@127.0.0.1:{port}")
    with pytest.raises(Unreachable) as caught:
        read("http://server.invalid", retry_policy=RetryPolicy(max_attempts=1))
    assert "hidden" not in str(caught.value)
    monkeypatch.setenv("http_proxy", f"gopher://user:hidden@127.0.0.1:{port}")
    with pytest.raises(ClientError, match="proxy in the environment variables") as refused:
        read("http://server.invalid")
    assert "hidden" not in str(refused.value)


def test_a_request_that_is_not_repeated_gets_a_connection_of_its_own() -> None:
    """A kept connection may break, and then it is unknown whether the request arrived."""

    async def work(transport: AsyncTransport) -> Any:
        await transport.run(transport.api.get("/v1/account", OBJECT))
        return await transport.run(transport.api.post_once("/v1/webhooks/a/rotate", None, OBJECT))

    with BadServer(keep_alive(answer(200, GOOD), reset()), answer(200, GOOD)) as server:
        assert with_transport(server.url, work) == GOOD
