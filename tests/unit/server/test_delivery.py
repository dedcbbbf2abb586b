from __future__ import annotations

import asyncio

import pytest

from qwicket.server.delivery import WriteBuffer

pytestmark = pytest.mark.anyio
LARGE = bytes(100_000)


class Recorder(asyncio.Transport):
    """Keeps each write by itself, as the kernel would see it."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_closed
        self.written.append(bytes(data))

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def inner() -> Recorder:
    return Recorder()


@pytest.fixture
async def outlet(inner: Recorder) -> WriteBuffer:
    return WriteBuffer(inner, asyncio.get_running_loop())


async def test_head_and_body_leave_together(inner: Recorder, outlet: WriteBuffer) -> None:
    outlet.write(b"head")
    outlet.write(b"body")
    assert inner.written == [b"headbody"]


async def test_a_head_alone_leaves_in_the_next_turn(inner: Recorder, outlet: WriteBuffer) -> None:
    outlet.write(b"head")
    assert inner.written == []
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert inner.written == [b"head"]


async def test_pieces_keep_their_order_and_come_once(inner: Recorder, outlet: WriteBuffer) -> None:
    pieces = [b"a", b"b", b"c", LARGE, b"d", LARGE, LARGE, b"", b"e"]
    for number, piece in enumerate(pieces):
        outlet.write(piece)
        if number % 3 == 0:
            await asyncio.sleep(0)
    outlet.flush()
    outlet.flush()
    assert b"".join(inner.written) == b"".join(pieces)
    assert inner.written.count(LARGE) == 3  # none was copied


async def test_what_is_held_leaves_before_the_end(inner: Recorder, outlet: WriteBuffer) -> None:
    outlet.write(b"last")
    outlet.close()
    assert inner.written == [b"last"]
    assert inner.is_closed
    await asyncio.sleep(0)
    assert inner.written == [b"last"]
