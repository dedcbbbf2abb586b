from __future__ import annotations

import asyncio
import gc
import logging
import time
import weakref
from asyncio import selector_events
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from qwicket.server.loop_cpu import measure


def busy() -> None:
    until = time.thread_time() + 0.03
    while time.thread_time() < until:
        pass


async def busy_step() -> None:
    await asyncio.sleep(0)
    busy()


async def idle() -> None:
    time.sleep(0.03)  # noqa: ASYNC251 - waits without CPU
    for _ in range(1_000):
        await asyncio.sleep(0)


async def in_thread() -> None:
    await asyncio.to_thread(busy)


async def timer() -> None:
    asyncio.get_running_loop().call_later(0, busy)
    await asyncio.sleep(0.01)


@pytest.fixture
def logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Callable[[], list[str]]:
    monkeypatch.setattr(asyncio.Handle, "_run", asyncio.Handle._run)
    transport: Any = selector_events._SelectorSocketTransport  # type: ignore[attr-defined]
    monkeypatch.setattr(transport, "_call_connection_lost", transport._call_connection_lost)
    measure()
    caplog.set_level(logging.WARNING, "qwicket.loop")
    return lambda: [record.getMessage() for record in caplog.records]


def test_a_step_of_a_task_that_takes_cpu_is_logged(logged: Callable[[], list[str]]) -> None:
    asyncio.run(busy_step())
    (line,) = logged()
    took, _, rest = line.partition(" ms of CPU in ")
    assert 30 <= float(took) < 300
    assert "busy_step" in rest


def test_a_timer_that_takes_cpu_is_logged(logged: Callable[[], list[str]]) -> None:
    asyncio.run(timer())
    (line,) = logged()
    assert "busy" in line


@pytest.mark.parametrize("harmless", [idle, in_thread])
def test_waiting_threads_and_many_short_steps_are_not_logged(
    logged: Callable[[], list[str]], harmless: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    asyncio.run(harmless())
    assert logged() == []


async def closed_connection() -> weakref.ref[asyncio.Transport]:
    """Return what is left of the server's side of a connection whose client has closed it."""
    sides: list[weakref.ref[asyncio.Transport]] = []
    lost = asyncio.Event()

    class Side(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            sides.append(weakref.ref(transport))

        def connection_lost(self, _: Exception | None) -> None:
            lost.set()

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Side, "127.0.0.1", 0)
    transport, _ = await loop.create_connection(asyncio.Protocol, *server.sockets[0].getsockname())
    transport.close()
    await lost.wait()
    await asyncio.sleep(0)
    server.close()
    return sides[0]


@pytest.mark.usefixtures("logged")
def test_a_closed_connection_does_not_wait_for_the_garbage_collector() -> None:
    gc.disable()
    try:
        assert asyncio.run(closed_connection())() is None
    finally:
        gc.enable()
