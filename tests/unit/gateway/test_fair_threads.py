"""One thread per owner, in rounds, whatever fails, is cancelled or shut down on the way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextvars import copy_context

import pytest

from qwicket.gateway.fair_threads import OWNER, FairThreads


class Calls:
    """Calls that note when they begin, and then wait for `go_on`."""

    def __init__(self, threads: FairThreads) -> None:
        self.threads = threads
        self.begun: list[str] = []
        self.go_on = threading.Event()
        self._has_begun = threading.Condition()

    def submit(self, name: str, *, is_held: bool = True) -> Future[str]:
        """Submit a call; the first letter of its name is its owner."""

        def call() -> str:
            with self._has_begun:
                self.begun.append(name)
                self._has_begun.notify_all()
            assert not is_held or self.go_on.wait(30)
            return name

        return submit_for(name[0], self.threads, call)

    def wait_for(self, *names: str) -> None:
        """Wait until exactly these calls have begun."""
        with self._has_begun:
            assert self._has_begun.wait_for(lambda: len(self.begun) >= len(names), 30)
        assert self.begun == list(names)


@pytest.fixture
def calls() -> Iterator[Calls]:
    calls = Calls(FairThreads(2))
    yield calls
    calls.go_on.set()
    calls.threads.shutdown()


def submit_for(owner: str, threads: FairThreads, call: Callable[[], str]) -> Future[str]:
    def submit() -> Future[str]:
        OWNER.set(lambda: owner)
        return threads.submit(call)

    return copy_context().run(submit)


def test_an_owner_has_one_thread_so_that_another_has_the_other(calls: Calls) -> None:
    held = [calls.submit(f"e{number}") for number in range(32)]
    assert calls.submit("ada", is_held=False).result(30) == "ada"
    assert sorted(calls.begun) == ["ada", "e0"]
    calls.go_on.set()
    assert [each.result(30) for each in held] == [f"e{number}" for number in range(32)]


def test_owners_take_turns(calls: Calls) -> None:
    calls.submit("x0")
    calls.submit("y0")
    calls.wait_for("x0", "y0")
    later = [calls.submit(name) for name in ("x1", "x2", "a1", "a2", "b1")]
    calls.go_on.set()
    for each in later:
        each.result(30)
    assert {calls.begun[2], calls.begun[3]} == {"a1", "b1"}, "they had no turn yet"


def test_calls_of_the_server_itself_may_wait_for_each_other() -> None:
    threads, both = FairThreads(2), threading.Barrier(2)
    waiting = [threads.submit(both.wait, 30) for _ in range(2)]
    assert sorted(each.result(30) for each in waiting) == [0, 1]
    threads.shutdown()


def test_a_failed_or_cancelled_call_does_not_end_its_owners_turns(calls: Calls) -> None:
    def fail() -> str:
        raise SystemExit("no")

    first = calls.submit("e0")
    failed = submit_for("e", calls.threads, fail)
    cancelled, last = calls.submit("e1"), calls.submit("e2")
    assert cancelled.cancel()
    calls.go_on.set()
    assert (first.result(30), last.result(30)) == ("e0", "e2")
    with pytest.raises(SystemExit):
        failed.result(30)
    assert calls.begun == ["e0", "e2"]


def test_what_waits_at_a_shutdown_still_runs(calls: Calls) -> None:
    submitted = [calls.submit(f"e{number}") for number in range(3)]
    calls.wait_for("e0")
    calls.threads.shutdown(wait=False)
    calls.go_on.set()
    assert [each.result(30) for each in submitted] == ["e0", "e1", "e2"]
    with pytest.raises(RuntimeError):
        calls.submit("e3")


@pytest.mark.anyio
async def test_the_event_loop_uses_them_for_the_owner_of_a_task(calls: Calls) -> None:
    asyncio.get_running_loop().set_default_executor(calls.threads)

    async def work(name: str, *, is_held: bool) -> None:
        OWNER.set(lambda: name)
        await asyncio.to_thread(lambda: not is_held or calls.go_on.wait(30))

    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        for _ in range(32):
            tasks.create_task(work("eve", is_held=True))
        await asyncio.sleep(0)
        await asyncio.create_task(work("ada", is_held=False))
        calls.go_on.set()
