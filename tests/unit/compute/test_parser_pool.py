"""The reader process: what it reads, what it refuses, and what it survives."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from qwicket.circuits.summary import Checked
from qwicket.compute import ParserPool, Pool
from qwicket.model.errors import (
    InvalidProgram,
    LimitExceeded,
    QwicketError,
    TooManyRequests,
    Unavailable,
)
from qwicket.model.limits import Limits
from qwicket.programs import Refusal, compile_in_parser, read
from qwicket.vendors.ionq.limits import IonQLimits
from support import pubs
from support.processes import user_ticks
from support.programs import BELL
from support.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.needs_vendors]


def limited(**values: float) -> Limits:
    """Return limits under which long texts take long."""
    large = {"ionq_gates": 1_000_000, "program_json_bytes": 64 << 20}
    return Limits.from_names(IonQLimits, **(large | values))


LIMITS = limited()
FORMAT = "ionq.circuit.v1"
SOURCE = json.dumps(BELL).encode()
ADA, BOB, EVE = "ada", "bob", "eve"


@pytest.fixture
async def parsers() -> AsyncIterator[ParserPool]:
    made = ParserPool(LIMITS)
    made.start()
    yield made
    await made.close()


def large(gates: int) -> bytes:
    gate = b'{"gate": "rx", "target": 0, "rotation": 0.25}'
    return b'{"gateset": "qis", "qubits": 1, "circuit": [%b]}' % b",".join([gate] * gates)


async def test_a_reader_reads_as_the_server_would(parsers: ParserPool) -> None:
    assert await parsers.read(FORMAT, SOURCE, account=ADA) == read(FORMAT, SOURCE, LIMITS)


async def test_a_circuit_is_compiled_as_the_server_would(parsers: ParserPool) -> None:
    circuits = read(FORMAT, SOURCE, LIMITS).circuits
    found = await parsers.compile(circuits, 0, "zz", account=ADA)
    assert found == compile_in_parser(circuits, 0, LIMITS, "zz")
    assert isinstance(found, bytes)
    assert [gate["gate"] for gate in json.loads(found)["circuit"]].count("zz") == 1


async def test_what_is_not_compiled_comes_back_as_a_refusal(parsers: ParserPool) -> None:
    source = b"qubit q; reset q; bit c; c = measure q; U(0, 0, 0) q;"
    checked = await parsers.read("openqasm3", source, account=ADA)
    assert isinstance(checked, Checked)
    answer = await parsers.compile(checked.circuits, 0, "ms", account=ADA)
    assert isinstance(answer, Refusal)
    assert "mid-circuit measurement" in str(answer.error())


async def test_a_refusal_comes_back_whole(parsers: ParserPool) -> None:
    bad = SOURCE.replace(b"cnot", b"warp")
    with pytest.raises(InvalidProgram) as here:
        read(FORMAT, bad, LIMITS)
    answer = await parsers.read(FORMAT, bad, account=ADA)
    assert isinstance(answer, Refusal)
    error = answer.error()
    assert type(error) is InvalidProgram
    assert (error.detail, error.field) == (here.value.detail, here.value.field)


async def test_a_limit_that_is_exceeded_comes_back_as_one() -> None:
    parsers = ParserPool(limited(operations=10))
    answer = await parsers.read(FORMAT, large(1_000), account=ADA)
    assert isinstance(answer, Refusal)
    assert isinstance(answer.error(), LimitExceeded)
    await parsers.close()


async def test_a_text_that_takes_too_long_is_refused_and_the_next_is_read() -> None:
    parsers = ParserPool(limited(parse_time_s=0.1))
    await parsers.read(FORMAT, SOURCE, account=ADA)
    with pytest.raises(LimitExceeded, match="parse_time_s"):
        await parsers.read(FORMAT, large(200_000), account=ADA)
    assert isinstance(await parsers.read(FORMAT, SOURCE, account=ADA), Checked)
    await parsers.close()


async def read_many(parsers: ParserPool, accounts: str) -> list[str]:
    """Submit a text for each letter at once; return the kinds of the answers."""
    answers = await asyncio.gather(
        *(parsers.read(FORMAT, SOURCE, account=account) for account in accounts),
        return_exceptions=True,
    )
    return [getattr(answer, "detail", type(answer).__name__) for answer in answers]


async def test_only_so_many_texts_of_one_account_wait() -> None:
    parsers = ParserPool(limited(parser_queue_each=3))
    *read, first, second = await read_many(parsers, "aaabaa")
    assert read == ["Checked"] * 4
    assert first == second == "3 programs of yours wait to be parsed (limit parser_queue_each)."
    assert (parsers.refusals, parsers.waiting) == (2, 0)
    assert isinstance(await parsers.read(FORMAT, SOURCE, account="a"), Checked)
    await parsers.close()


async def test_only_so_many_texts_wait_but_everyones_first_may() -> None:
    parsers = ParserPool(limited(parser_queue=3))
    answers = await read_many(parsers, "aaaabcb")
    full = "programs wait to be parsed (limit parser_queue)."
    assert answers == ["Checked"] * 3 + [f"3 {full}"] + ["Checked"] * 2 + [f"5 {full}"]
    await parsers.close()


async def test_too_many_texts_of_an_account_are_refused_with_a_retry_after() -> None:
    parsers = ParserPool(limited(parser_queue_each=1))
    reading = asyncio.create_task(parsers.read(FORMAT, SOURCE, account=ADA))
    await asyncio.sleep(0)
    with pytest.raises(TooManyRequests) as refusal:
        await parsers.read(FORMAT, SOURCE, account=ADA)
    assert refusal.value.retry_after_s == 1.0
    await reading
    await parsers.close()


async def test_an_account_whose_texts_take_all_their_time_delays_no_other() -> None:
    parsers = ParserPool(limited(parse_time_s=100))
    await are_ready(parsers._pool)
    reading = [asyncio.create_task(begin_reading(parsers, EVE)) for _ in range(3)]
    os.kill(await busy_reader(parsers), signal.SIGSTOP)
    for account in (ADA, BOB, ADA):
        assert isinstance(await parsers.read(FORMAT, SOURCE, account=account), Checked)
    assert not any(task.done() for task in reading)
    await parsers.close()
    assert {type(error) for error in await asyncio.gather(*reading)} == {Unavailable}


async def test_a_text_that_takes_too_much_memory_is_refused_and_the_next_is_read() -> None:
    parsers = ParserPool(limited(parse_memory_bytes=16 << 20))
    with pytest.raises(LimitExceeded, match="parse_memory_bytes"):
        await parsers.read(FORMAT, large(150_000), account=ADA)
    assert isinstance(await parsers.read(FORMAT, SOURCE, account=ADA), Checked)
    await parsers.close()


async def test_a_program_whose_reader_is_killed_is_read_by_another(parsers: ParserPool) -> None:
    await are_ready(parsers._pool)
    reading = asyncio.create_task(begin_reading(parsers, ADA, 700_000))
    pid = await busy_reader(parsers)
    waiting = asyncio.create_task(parsers.read(FORMAT, SOURCE, account=ADA))
    os.kill(pid, signal.SIGKILL)
    assert await reading is None
    assert isinstance(await waiting, Checked)
    await asyncio.to_thread(until, lambda: len(parsers._pool.pids()) == 2, "it is replaced")
    assert pid not in parsers._pool.pids()


async def test_a_program_over_which_two_readers_die_is_refused(parsers: ParserPool) -> None:
    await are_ready(parsers._pool)
    reading = asyncio.create_task(begin_reading(parsers, ADA, 700_000))
    for _ in range(2):
        os.kill(await busy_reader(parsers), signal.SIGKILL)
    error = await reading
    assert isinstance(error, InvalidProgram)
    assert error.status == 400
    assert "could not be read" in error.detail
    assert isinstance(await parsers.read(FORMAT, SOURCE, account=ADA), Checked)


async def begin_reading(
    parsers: ParserPool, account: str, gates: int = 200_000
) -> Exception | None:
    """Read a long text; return what it was refused with."""
    try:
        await parsers.read(FORMAT, large(gates), account=account)
    except QwicketError as error:
        return error
    return None


async def busy_reader(parsers: ParserPool) -> int:
    """Return the process that reads a long text, which may be one that was just started."""
    before: dict[int, int] = {}

    def found() -> int | None:
        for slot in parsers._pool._slots:
            child = slot._child
            if child is not None and slot.is_busy:
                ticks = user_ticks(child.pid)
                if ticks > before.setdefault(child.pid, ticks) + 5:
                    return child.pid
        return None

    return await asyncio.to_thread(until, found, "it reads")


async def are_ready(pool: Pool) -> list[int]:
    """Wait until all processes of a pool can read; return their ids."""
    pool.start()

    def found() -> bool:
        return all(slot._child is not None for slot in pool._slots)

    await asyncio.to_thread(until, found, "all can read", timeout_s=60)
    return pool.pids()


# The additional process for short programs


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def held(parsers: ParserPool, *accounts: str) -> AsyncIterator[list[int]]:
    """Let accounts occupy all ordinary processes, which are paused meanwhile."""
    pids = await are_ready(parsers._pool)
    await are_ready(parsers._short_pool)
    reading = [asyncio.create_task(begin_reading(parsers, each)) for each in accounts]
    await asyncio.sleep(0)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    assert not parsers._slots.has_free_slot
    try:
        yield pids
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        await asyncio.gather(*reading)


async def is_read(parsers: ParserPool, account: str, within_s: float) -> bool:
    reading = asyncio.create_task(parsers.read(FORMAT, SOURCE, account=account))
    done, _ = await asyncio.wait([reading], timeout=within_s)
    if not done:
        reading.cancel()
    return bool(done) and isinstance(reading.result(), Checked)


async def test_short_programs_are_read_while_two_accounts_hold_every_process(
    parsers: ParserPool,
) -> None:
    async with held(parsers, EVE, "mallory"):
        for account in (ADA, BOB, ADA):
            assert isinstance(await parsers.read(FORMAT, SOURCE, account=account), Checked)
        assert (parsers.overruns, parsers.waiting) == (0, 0)


async def test_long_programs_and_accounts_that_hold_a_process_get_no_short_lane(
    parsers: ParserPool,
) -> None:
    async with held(parsers, EVE, "mallory"):
        assert not await is_read(parsers, EVE, within_s=0.5)
        bob = asyncio.create_task(begin_reading(parsers, BOB))
        done, _ = await asyncio.wait([bob], timeout=0.5)
        assert not done
        assert parsers.waiting == 1
    assert await bob is None


async def test_a_program_that_overruns_the_short_lane_is_read_after_all_and_bars_its_account() -> (
    None
):
    clock = Clock()
    parsers = ParserPool(LIMITS, clock)
    parsers.start()
    async with held(parsers, EVE, "mallory"):
        (short,) = parsers._short_pool.pids()
        os.kill(short, signal.SIGSTOP)
        reading = asyncio.create_task(parsers.read(FORMAT, SOURCE, account=ADA))
        await asyncio.to_thread(until, lambda: parsers.overruns, "it is stopped")
        assert not await is_read(parsers, ADA, within_s=0.1)
        await are_ready(parsers._short_pool)
        assert short not in parsers._short_pool.pids()
        assert await is_read(parsers, BOB, within_s=30)
    assert isinstance(await reading, Checked)
    async with held(parsers, EVE, "mallory"):
        clock.now += 59
        assert not await is_read(parsers, ADA, within_s=0.5)
        clock.now += 2
        assert await is_read(parsers, ADA, within_s=30)
    assert (parsers.overruns, parsers.refusals, parsers.deaths) == (1, 0, 0)
    await parsers.close()


def has_loaded_qiskit(pid: int) -> bool:
    return "qiskit" in Path(f"/proc/{pid}/maps").read_text()


async def test_the_short_lane_reads_qpy_with_qiskit_loaded_once_there_was_some(
    parsers: ParserPool,
) -> None:
    source = pubs.source("sampler", [pubs.circuit(pubs.bell()), None, 10])
    before = await are_ready(parsers._short_pool)
    parsers._short_pool._slots[0].deaths = 1
    assert isinstance(await parsers.read("qiskit.primitives", source, account=ADA), Checked)
    assert parsers.deaths == 1  # a count of Prometheus never falls
    (after,) = await are_ready(parsers._short_pool)
    assert after not in before
    assert has_loaded_qiskit(after)
    async with held(parsers, EVE, "mallory"):
        assert isinstance(await parsers.read("qiskit.primitives", source, account=ADA), Checked)
    assert parsers.overruns == 0


# Layouts of photonic devices


async def test_a_layout_is_checked_apart(parsers: ParserPool) -> None:
    assert await parsers.check_layout("Sgate({r}) | 0\nMeasureFock() | 0", account=ADA) is None
    refusal = await parsers.check_layout("warp | 0", account=ADA)
    assert isinstance(refusal, Refusal)
    assert "the operation 'warp' is not known" in refusal.detail
