"""The reader process: what it reads, what it refuses, and what it survives."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator

import pytest
from msgspec import structs

from qwicket.compute import Readers
from qwicket.model.circuits import Checked
from qwicket.model.errors import InvalidProgram, LimitExceeded, TooManyRequests
from qwicket.model.limits import Limits
from qwicket.programs import Refusal, read
from support.processes import user_ticks
from support.programs import BELL
from support.waiting import until

pytestmark = pytest.mark.anyio

LIMITS = Limits()
FORMAT = "ionq.circuit.v1"
SOURCE = json.dumps(BELL).encode()


@pytest.fixture
async def readers() -> AsyncIterator[Readers]:
    made = Readers(LIMITS)
    yield made
    await made.close()


def large(gates: int) -> bytes:
    gate = {"gate": "rx", "target": 0, "rotation": 0.25}
    return json.dumps({"gateset": "qis", "qubits": 1, "circuit": [gate] * gates}).encode()


async def test_a_reader_reads_as_the_server_would(readers: Readers) -> None:
    assert await readers.read(FORMAT, SOURCE) == read(FORMAT, SOURCE, LIMITS)


async def test_a_refusal_comes_back_whole(readers: Readers) -> None:
    bad = SOURCE.replace(b"cnot", b"warp")
    with pytest.raises(InvalidProgram) as here:
        read(FORMAT, bad, LIMITS)
    answer = await readers.read(FORMAT, bad)
    assert isinstance(answer, Refusal)
    error = answer.error()
    assert type(error) is InvalidProgram
    assert (error.detail, error.field) == (here.value.detail, here.value.field)


async def test_a_limit_that_is_exceeded_comes_back_as_one() -> None:
    readers = Readers(structs.replace(LIMITS, operations=10))
    answer = await readers.read(FORMAT, large(1_000))
    assert isinstance(answer, Refusal)
    assert isinstance(answer.error(), LimitExceeded)
    await readers.close()


async def test_a_text_that_takes_too_long_is_refused_and_the_next_is_read() -> None:
    readers = Readers(structs.replace(LIMITS, read_time_s=0.1))
    await readers.read(FORMAT, SOURCE)
    with pytest.raises(LimitExceeded, match="read_time_s"):
        await readers.read(FORMAT, large(200_000))
    assert isinstance(await readers.read(FORMAT, SOURCE), Checked)
    await readers.close()


async def test_only_so_many_texts_wait() -> None:
    readers = Readers(structs.replace(LIMITS, reads_waiting=3))
    answers = await asyncio.gather(
        *(readers.read(FORMAT, SOURCE) for _ in range(5)), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [Checked] * 3 + [TooManyRequests] * 2
    assert isinstance(await readers.read(FORMAT, SOURCE), Checked)
    await readers.close()


async def test_a_text_that_takes_too_much_memory_is_refused_and_the_next_is_read() -> None:
    readers = Readers(structs.replace(LIMITS, read_memory_bytes=16 << 20))
    with pytest.raises(LimitExceeded, match="read_memory_bytes"):
        await readers.read(FORMAT, large(150_000))
    assert isinstance(await readers.read(FORMAT, SOURCE), Checked)
    await readers.close()


async def test_a_reader_that_dies_costs_its_one_request_a_refusal(readers: Readers) -> None:
    await readers.read(FORMAT, SOURCE)
    (pid,) = readers._pool.pids()
    before = user_ticks(pid)
    reading = asyncio.create_task(readers.read(FORMAT, large(200_000)))
    await asyncio.to_thread(until, lambda: user_ticks(pid) > before + 3, "it reads")
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(InvalidProgram, match="could not be read"):
        await reading
    assert isinstance(await readers.read(FORMAT, SOURCE), Checked)
