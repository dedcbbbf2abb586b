"""Which body gives way when the memory of all bodies is used; test_router.py has the rest."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message

from qwicket.model.errors import BodyTooLarge, Unavailable
from qwicket.model.limits import Limits
from qwicket.server.bodies import Body, BodyBudget, WholeBody

pytestmark = pytest.mark.anyio

KB = 1 << 10
LIMITS = Limits.from_names(
    body_bytes=200 * KB,
    bodies_bytes=300 * KB,
    bodies_bytes_each=180 * KB,
    body_timeout_s=60,
    body_bytes_per_s=100 * KB,
).bodies


class Upload:
    """A body whose bytes arrive when a test sends them."""

    def __init__(self, budget: BodyBudget, owner: str) -> None:
        self._arriving: asyncio.Queue[Message] = asyncio.Queue()
        scope = {"headers": [(b"content-length", b"%d" % (150 * KB))]}
        self.body = Body(scope, self._arriving.get, LIMITS, budget, budget, lambda: owner)

    async def send(self, size: int, *, more: bool) -> None:
        self._arriving.put_nowait({"body": b"x" * size, "more_body": more})
        assert await self.body.receive() == {"body": b"x" * size, "more_body": more}


@pytest.mark.parametrize("slow", ["a", "b"])
async def test_the_slowest_incomplete_body_gives_way(slow: str) -> None:
    budget = BodyBudget("bodies_bytes", "bodies_bytes_each", LIMITS, slow_s=0.1)
    stalled = Upload(budget, slow)
    await stalled.send(100 * KB, more=True)
    steady = Upload(budget, "b" if slow == "a" else "a")
    await steady.send(70 * KB, more=True)
    waiting = asyncio.create_task(stalled.body.receive())
    await asyncio.sleep(0.15)
    await steady.send(60 * KB, more=True)
    third = Upload(budget, "c")
    await third.send(100 * KB, more=False)
    with pytest.raises(Unavailable, match="too slowly"):
        await waiting
    await steady.send(20 * KB, more=False)
    assert steady.body.is_complete


async def test_a_body_that_is_given_has_the_limits_of_its_route() -> None:
    limits = Limits.from_names(body_bytes=10, upload_bytes=20).bodies
    receive = asyncio.Queue[Message]().get
    body = WholeBody(b"x" * 11, receive, limits)
    for read in (body.read("body_bytes"), body.read_before_sign_in()):
        with pytest.raises(BodyTooLarge, match="limit body_bytes"):
            await read
    assert [each async for each in body.chunks("upload_bytes")] == [b"x" * 11]
    assert await WholeBody(b"x" * 10, receive, limits).read("body_bytes") == b"x" * 10
