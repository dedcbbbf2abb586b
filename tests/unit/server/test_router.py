"""What the router does to bodies; how live clients fare with it is in tests/abuse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from starlette.types import Message, Receive, Scope, Send

from qwicket.model.errors import BodyTooLarge, RequestTimeout, TooManyRequests, Unavailable
from qwicket.model.limits import Limits
from qwicket.server.router import Router

pytestmark = pytest.mark.anyio

KB = 1 << 10
LIMITS = Limits.from_names(
    body_bytes=200 * KB,
    bodies_bytes=300 * KB,
    bodies_bytes_each=180 * KB,
    body_timeout_s=0.2,
    body_bytes_per_s=100 * KB,
)


class Client:
    """A client of a dialect that reads the body, and then waits to be let go."""

    def __init__(self) -> None:
        self.pieces: asyncio.Queue[tuple[bytes, bool]] = asyncio.Queue()
        self.outcome: asyncio.Future[int | Exception] = asyncio.get_running_loop().create_future()
        self.may_end = asyncio.Event()

    def send(self, size: int, *, more: bool) -> None:
        self.pieces.put_nowait((b"x" * size, more))

    async def receive(self) -> Message:
        body, more = await self.pieces.get()
        return {"type": "http.request", "body": body, "more_body": more}


async def dialect(scope: Scope, receive: Receive, send: Send) -> None:
    client: Client = scope["client_object"]
    received = 0
    try:
        while True:
            message = await receive()
            received += len(message["body"])
            if not message["more_body"]:
                break
        client.outcome.set_result(received)
        await client.may_end.wait()
    except Exception as error:
        client.outcome.set_result(error)


Begin = Callable[..., Client]


@pytest.fixture
async def begin() -> AsyncIterator[Begin]:
    router = Router({"": dialect}, LIMITS)
    clients: list[Client] = []
    tasks: list[asyncio.Task[None]] = []

    async def discard(_: Message) -> None:
        return None

    def begin(declared: int | None = None, *, address: str | None = None) -> Client:
        client = Client()
        header = (
            (b"transfer-encoding", b"chunked")
            if declared is None
            else (b"content-length", b"%d" % declared)
        )
        scope = {
            "type": "http",
            "path": "/",
            "scheme": "http",
            "headers": [header],
            "client": (address or f"192.0.2.{len(clients)}", 1),
            "client_object": client,
        }
        clients.append(client)
        tasks.append(asyncio.create_task(router(scope, client.receive, discard)))
        return client

    yield begin
    for client in clients:
        client.may_end.set()
    for task in tasks:
        await task


async def refusal(client: Client, kind: type[Exception]) -> str:
    outcome = await client.outcome
    assert isinstance(outcome, kind), outcome
    return str(outcome)


@pytest.mark.parametrize("declared", [200 * KB, None])
async def test_bodies_are_counted_together_until_their_requests_end(
    begin: Begin, declared: int | None
) -> None:
    first, second = begin(declared), begin(declared)
    first.send(200 * KB, more=False)
    assert await first.outcome == 200 * KB
    second.send(200 * KB, more=False)
    assert "bodies_bytes" in await refusal(second, Unavailable)
    first.may_end.set()
    third = begin(declared)
    third.send(200 * KB, more=False)
    assert await third.outcome == 200 * KB


async def test_a_declared_body_takes_no_memory_budget_before_it_arrives(begin: Begin) -> None:
    silent = [begin(200 * KB) for _ in range(20)]
    for each in silent:
        each.send(1, more=True)
    await asyncio.sleep(0)
    second = begin(200 * KB)
    second.send(200 * KB, more=False)
    assert await second.outcome == 200 * KB
    for each in silent:
        assert "body_timeout_s" in await refusal(each, RequestTimeout)


async def test_a_body_that_comes_steadily_does_not_give_way(begin: Begin) -> None:
    for address in ("a", "b"):
        begin(150 * KB, address=address).send(140 * KB, more=True)
    await asyncio.sleep(0)
    third = begin(100 * KB, address="c")
    third.send(100 * KB, more=False)
    assert "bodies_bytes" in await refusal(third, Unavailable)


async def test_one_address_has_a_share(begin: Begin) -> None:
    first = begin(190 * KB, address="a")
    first.send(190 * KB, more=False)
    assert await first.outcome == 190 * KB, "one body always may, though it is over the share"
    second = begin(100 * KB, address="a")
    second.send(100 * KB, more=False)
    assert "bodies_bytes_each" in await refusal(second, TooManyRequests)
    other = begin(100 * KB, address="b")
    other.send(100 * KB, more=False)
    assert await other.outcome == 100 * KB


async def test_small_bodies_need_no_memory_budget(begin: Begin) -> None:
    large = [begin(150 * KB), begin(150 * KB)]
    for each in large:
        each.send(150 * KB, more=False)
        assert await each.outcome == 150 * KB
    for _ in range(100):
        small = begin(64 * KB)
        small.send(64 * KB, more=False)
        assert await small.outcome == 64 * KB
    larger = begin(64 * KB + 1)
    larger.send(64 * KB + 1, more=False)
    assert "bodies_bytes" in await refusal(larger, Unavailable)


async def test_a_refused_body_takes_no_memory_budget(begin: Begin) -> None:
    for _ in range(10):
        assert "body_bytes" in await refusal(begin(200 * KB + 1), BodyTooLarge)
        chunked = begin()
        chunked.send(190 * KB, more=True)
        chunked.send(20 * KB, more=True)
        assert "body_bytes" in await refusal(chunked, BodyTooLarge)
    last = begin(200 * KB)
    last.send(200 * KB, more=False)
    assert await last.outcome == 200 * KB


async def test_a_body_has_the_time_that_its_bytes_take_at_the_least_rate(begin: Begin) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    client = begin(100 * KB)
    client.send(50 * KB, more=True)  # which may take half a second
    assert "body_bytes_per_s" in await refusal(client, RequestTimeout)
    assert 0.2 + 0.5 - 0.01 < loop.time() - began < 5


async def test_a_body_that_does_not_come_has_the_timeout_alone(begin: Begin) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert "body_timeout_s" in await refusal(begin(100 * KB), RequestTimeout)
    assert 0.2 - 0.01 < loop.time() - began < 5
