"""Large answers in chunks say what they would whole."""

from __future__ import annotations

import asyncio
from itertools import accumulate
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response

from qwicket.dialects.requests import RESPONSE_MEMORY
from qwicket.dialects.streaming import (
    ChunkedResponse,
    encode_in_chunks,
    raw,
    raw_base64,
    raw_list,
    raw_object,
)
from qwicket.gateway.response_budget import ResponseMemory
from support.for_each import for_each
from support.response_memory import response_memory

KB = 1 << 10


def sliced(tree: Any) -> Any:
    """Word every list and object of a tree in slices, and repeat lists until they are large."""
    if isinstance(tree, dict):
        return raw_object((key, sliced(value)) for key, value in tree.items())
    if isinstance(tree, list):
        return raw_list(sliced(each) for each in tree * 60)
    return tree


def whole(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: whole(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [whole(each) for each in tree * 60]
    return tree


@given(st.lists(st.integers(-9, 9) | st.text(max_size=4), max_size=9), st.booleans())
def test_lists_in_lists_come_out_as_they_are(items: list[Any], is_deep: bool) -> None:
    tree = [[items], {"a": items}] if is_deep else [items]
    chunks, size = encode_in_chunks(lambda: {"found": sliced([items]), "is": tree})
    text = b"".join(chunks)
    assert len(text) == size
    assert msgspec.json.decode(text) == {"found": whole([items]), "is": tree}


def test_large_parts_of_large_parts_come_out_in_their_places() -> None:
    """Each inner list is one chunk, and so is the list of them."""
    row = ["01" * 20] * 200

    def render() -> Any:
        return {"rows": raw_list([raw_list(row), n, raw_list(row)] for n in range(2_500)), "end": 1}

    found = msgspec.json.decode(b"".join(encode_in_chunks(render)[0]))
    assert found == {"rows": [[row, n, row] for n in range(2_500)], "end": 1}


def test_pieces_are_of_about_one_size() -> None:
    chunks, size = encode_in_chunks(lambda: {"memory": raw_list(["01" * 12] * 200_000), "end": 1})
    assert size == len(b"".join(chunks)) > 5_000_000
    assert max(map(len, chunks)) <= 300 * KB
    assert min(map(len, list(chunks)[:-1])) >= 100 * KB


def test_one_long_text_is_cut() -> None:
    text = msgspec.json.encode("x" * 3_000_000)
    chunks, size = encode_in_chunks(lambda: {"a": raw(text)})
    assert b"".join(chunks) == b'{"a":' + text + b"}"
    assert size == len(text) + 6
    assert max(map(len, chunks)) <= 300 * KB


@for_each("size", [0, 1, 2, 3, 5_000, 400_001])
def test_base64_in_chunks_is_base64(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    chunks, _ = encode_in_chunks(lambda: raw_base64(data[:size]))
    assert msgspec.json.decode(b"".join(chunks), type=bytes) == data[:size]
    assert msgspec.json.decode(raw_base64(data[:size]), type=bytes) == data[:size]


def test_nobody_can_write_a_mark() -> None:
    def render() -> Any:
        first = raw_list(range(3_000))
        mark = bytes(first)
        assert len(mark) > 32
        return [first, mark.decode().strip('"')[:-1]]  # even who had seen its first part

    (found, text) = msgspec.json.decode(b"".join(encode_in_chunks(render)[0]))
    assert found == [*range(3_000)]
    assert text.endswith(":")


def test_outside_of_an_answer_they_are_whole() -> None:
    assert bytes(raw_list(range(3_000))) == msgspec.json.encode([*range(3_000)])
    assert bytes(raw_object((str(n), n) for n in range(3_000))) == msgspec.json.encode(
        {str(n): n for n in range(3_000)}
    )


async def sent(
    response: Response, held: ResponseMemory
) -> tuple[list[dict[str, Any]], bytes, list[int]]:
    """Return what is sent, the whole of its body, and what was held before each message."""
    messages: list[dict[str, Any]] = []
    before: list[int] = []

    async def receive() -> dict[str, Any]:
        raise AssertionError("nothing is to be read")

    async def send(message: Any) -> None:
        messages.append(message)
        before.append(held._budget.held_bytes)

    await response({"type": "http", RESPONSE_MEMORY: held}, receive, send)
    return messages, b"".join(each.get("body", b"") for each in messages), before


@pytest.mark.anyio
async def test_a_response_made_whole_is_sent_in_chunks_too() -> None:
    body = bytes(range(256)) * 4_000
    response = ChunkedResponse.of(
        Response(body, 201, headers={"X-Own": "1"}, media_type="text/plain")
    )
    held = response_memory("ada")
    messages, text, before = await sent(response, held)
    head = dict(messages[0]["headers"])
    assert text == body
    assert messages[0]["status"] == 201
    assert head[b"x-own"] == b"1"
    assert head[b"content-length"] == b"%d" % len(body)
    assert len(messages) > 5
    assert not messages[-1].get("more_body", False)
    assert set(before) == {len(body)}, "until its end it is there"
    await held.close()
    assert held._budget.held_bytes == 0


@pytest.mark.anyio
async def test_pieces_that_were_sent_are_held_no_more() -> None:
    chunks, size = encode_in_chunks(lambda: raw_list(["01" * 12] * 50_000))
    lengths = [len(each) for each in chunks]
    held = response_memory("ada")
    messages, text, before = await sent(ChunkedResponse(chunks, size), held)
    assert [len(each["body"]) for each in messages[1:-1]] == lengths
    assert len(text) == size
    left = [size, *(size - done for done in accumulate(lengths))]
    assert before == [size, *left]
    assert held._budget.held_bytes == 0


@pytest.mark.anyio
async def test_others_run_between_the_chunks_of_a_client_that_takes_them_at_once() -> None:
    chunks, size = encode_in_chunks(lambda: raw_list(["01" * 12] * 50_000))
    n_pieces, steps = len(chunks), 0

    async def others() -> None:
        nonlocal steps
        while True:
            steps += 1
            await asyncio.sleep(0)

    running = asyncio.create_task(others())
    await sent(ChunkedResponse(chunks, size), response_memory())
    running.cancel()
    assert steps >= n_pieces
