"""The compute as the rest of the server sees it: on an event loop, by names."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import qwicket.compute
from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.compute import (
    Compute,
    EngineJob,
    ForkServer,
    InvalidResponse,
    LocalCompute,
    Stopped,
    TimeLimitExceeded,
    WorkError,
)
from support.pools import WORKER_PATH, announced, eventually, holdings, is_gone

JOB = EngineJob("qubit", b"circuits", b"options")


@pytest.fixture(autouse=True)
def _worker_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", WORKER_PATH)


def with_compute(
    use: Callable[[LocalCompute], Awaitable[None]], engine: str = "support.pool_tasks:engine"
) -> None:
    async def main() -> None:
        compute = LocalCompute(1, memory_bytes=None, engine=engine, fork_server=ForkServer())
        try:
            await use(compute)
        finally:
            await compute.close()

    asyncio.run(main())


def run(compute: Compute, *jobs: EngineJob, timeout_s: float = 30.0) -> Awaitable[list[RunResult]]:
    return compute.run(jobs, timeout_s=timeout_s)


def endless(path: Path) -> EngineJob:
    return EngineJob("qubit", str(path).encode(), b"")


def test_work_reaches_the_engine_and_its_completion_comes_back() -> None:
    async def use(compute: Compute) -> None:
        other = EngineJob("atoms", b"more", b"")
        assert await run(compute, JOB, other) == [
            RunResult((Encoded(body, hashlib.sha256(body).digest()),), 0.5)
            for body in (JOB.circuits, b"more")
        ]

    with_compute(use)


@pytest.mark.parametrize("engine", ["stingy_engine", "lying_engine", "endless_list", "pid"])
def test_an_answer_that_is_no_completion_of_each_job_is_a_death(engine: str) -> None:
    async def use(compute: LocalCompute) -> None:
        with pytest.raises(InvalidResponse):
            await run(compute, JOB, JOB)

    with_compute(use, f"support.pool_tasks:{engine}")


def test_cancelling_the_await_kills_the_process(tmp_path: Path) -> None:
    async def use(compute: LocalCompute) -> None:
        running = asyncio.ensure_future(run(compute, endless(tmp_path / "spin")))
        worker = await asyncio.to_thread(announced, tmp_path / "spin")
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await asyncio.to_thread(eventually, lambda: is_gone(worker))

    with_compute(use, "support.pool_tasks:endless_engine")


def test_cancelling_the_await_of_waiting_work_keeps_the_process(tmp_path: Path) -> None:
    async def use(compute: LocalCompute) -> None:
        running = asyncio.ensure_future(run(compute, endless(tmp_path / "spin")))
        worker = await asyncio.to_thread(announced, tmp_path / "spin")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(run(compute, endless(tmp_path / "never")), 0.01)
        assert not is_gone(worker)
        assert not running.done()
        running.cancel()
        await asyncio.wait([running])

    with_compute(use, "support.pool_tasks:endless_engine")
    assert not (tmp_path / "never").is_symlink()


def test_time_limit_is_an_exception_of_the_await(tmp_path: Path) -> None:
    async def use(compute: LocalCompute) -> None:
        with pytest.raises(TimeLimitExceeded):
            await run(compute, endless(tmp_path / "spin"), timeout_s=0.1)

    with_compute(use, "support.pool_tasks:endless_engine")


def test_close_fails_what_runs_and_leaves_nothing(tmp_path: Path) -> None:
    before = holdings()

    async def use(compute: LocalCompute) -> None:
        running = asyncio.ensure_future(run(compute, endless(tmp_path / "spin")))
        await asyncio.to_thread(announced, tmp_path / "spin")
        await compute.close()
        with pytest.raises(Stopped):
            await running
        with pytest.raises(Stopped):
            await run(compute, JOB)

    with_compute(use, "support.pool_tasks:endless_engine")
    assert holdings() <= before


def test_engine_that_is_missing_fails_the_work() -> None:
    async def use(compute: LocalCompute) -> None:
        with pytest.raises(WorkError, match="ModuleNotFoundError"):
            await run(compute, JOB)

    with_compute(use, "no_such_engines:run")


def test_engines_are_reached_unless_another_function_is_named() -> None:
    async def main() -> None:
        compute = LocalCompute(1, memory_bytes=1 << 30)
        try:
            with pytest.raises(WorkError, match="KeyError: 'no such family'"):
                await run(compute, EngineJob("no such family", b"", b""))
        finally:
            await compute.close()

    asyncio.run(main())


def test_compute_says_its_slots_and_memory() -> None:
    async def main() -> None:
        compute = LocalCompute(2, memory_bytes=1 << 30, fork_server=ForkServer())
        assert (compute.slots, compute.memory_bytes) == (2, 1 << 30)
        await compute.close()

    asyncio.run(main())


def test_server_process_imports_no_engine() -> None:
    code = "import qwicket.compute, sys; print('qwicket.engines' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"False\n"


def test_public_names_are_sorted_and_exist() -> None:
    names = qwicket.compute.__all__
    assert names == sorted(names)
    assert all(hasattr(qwicket.compute, name) for name in names)
