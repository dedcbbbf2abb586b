"""A large result of another cloud is read in a process of its own, which may need too much memory.

The server and the other jobs go on.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from functools import partial

import msgspec
import pytest

from qwicket import programs
from qwicket.circuits.frames import frames
from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import Encoded, decode
from qwicket.circuits.qubit import unpack
from qwicket.clients.http.bounds import Turn
from qwicket.devices.remotes import Remote
from qwicket.drivers.remote.calls import CloudCalls
from qwicket.drivers.remote.clouds import CloudError, InvalidResult, RemoteProgram
from qwicket.drivers.remote.large_results import LargeResults
from qwicket.model.limits import JobLimits, Limits
from qwicket.programs.rewriting import rewrite
from support import hostile_cloud
from support.hostile_cloud import HostileCloud, ResultCloud
from support.remotes import BELL
from support.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.needs_vendors]

KEY = "the-key-of-the-account"
MB = 1 << 20
COUNTS = {"0": 0.5, "3": 0.5}
"""Frequencies of a Bell state, as IonQ sends them."""
ENDED = {"id": "job-0", "status": "completed", "metadata": {"qwicket_job": "m"}}


def bell() -> RemoteProgram:
    read = programs.read("openqasm3", BELL.encode(), Limits())
    format, source = rewrite(unpack(read.circuits), "ionq.circuit.v1")
    options = RunOptions(shots=4, seed=1, outputs=("counts",))
    shapes = frames("qubit", read.circuits)
    return RemoteProgram(format, source, {}, read.circuits, "qubit", shapes, options)


class Reader:
    """Reads large results of one cloud."""

    def __init__(self, cloud: HostileCloud, limits: JobLimits) -> None:
        remote = Remote(kind="ionq", url=cloud.url, device="far", key_env="KEY")
        self._calls = CloudCalls(KEY, 2)
        self._results = LargeResults(remote, KEY, (), Limits(jobs=limits))

    async def read(self) -> dict[int, int]:
        """Return the counts of the first job's result."""
        read = partial(self._results.read, "job-0", bell())
        (part,), _ = await self._calls.call_in_turn(read)
        assert isinstance(part, Encoded)
        return decode(part).counts()

    async def hold_parsing(self, is_held: threading.Event, release: threading.Event) -> None:
        """Hold the turn to parse, which all clouds share."""

        def hold(turn: Turn) -> None:
            turn.parse()
            is_held.set()
            assert release.wait(30)

        await self._calls.call_in_turn(hold)

    def close(self) -> None:
        self._calls.close()
        self._results.close()


@asynccontextmanager
async def reader(
    attack: hostile_cloud.Attack, **limits: int
) -> AsyncIterator[tuple[Reader, HostileCloud]]:
    with ResultCloud(attack) as cloud:
        cloud.jobs["job-0"] = ENDED
        made = Reader(cloud, msgspec.structs.replace(JobLimits(), **limits))
        try:
            yield made, cloud
        finally:
            made.close()


async def test_a_result_is_read_that_is_as_large_as_the_limit_allows() -> None:
    attack = hostile_cloud.padded(COUNTS, 6 * MB)
    async with reader(attack) as (allowed, _), reader(attack, result_bytes=5 * MB) as (limited, _):
        assert await allowed.read() == {0: 2, 3: 2}
        with pytest.raises(CloudError, match=r"at most 5,242,880 are read .*result_bytes"):
            await limited.read()


async def test_a_result_that_needs_too_much_memory_ends_its_process_alone() -> None:
    async with reader(hostile_cloud.numbers(16 * MB), memory_bytes=96 * MB) as (hostile, _):
        text = r"reading it takes more memory than 96 MiB \(limit memory_bytes\)"
        with pytest.raises(InvalidResult, match=text):
            await hostile.read()


async def test_one_large_result_is_parsed_at_a_time_and_no_cloud_delays_others() -> None:
    attack = hostile_cloud.padded(COUNTS, 6 * MB)
    async with (
        reader(hostile_cloud.large_and_then_drip) as (endless, endless_cloud),
        reader(attack) as (other, _),
        reader(attack) as (waiting, cloud),
    ):
        never = asyncio.create_task(endless.read())
        is_held, release = threading.Event(), threading.Event()
        with ExitStack() as stack:
            stack.callback(release.set)
            holding = asyncio.create_task(other.hold_parsing(is_held, release))
            assert await asyncio.to_thread(is_held.wait, 30)
            read = asyncio.create_task(waiting.read())
            await is_so(lambda: cloud.sent_bytes > 6 * MB and endless_cloud.sent_bytes > 6 * MB)
            assert not read.done()
        assert await read == {0: 2, 3: 2}
        await holding
        assert not never.done()
        endless.close()
        with pytest.raises(CloudError, match="stopped"):
            await never


async def is_so(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(until, condition, "the condition of the test")
