"""CPU time of each callback of the event loop, for tests and for finding what is slow there.

Off unless `QWICKET_MEASURE_LOOP` is set. It needs asyncio's own loop: uvloop's callbacks cannot be
wrapped.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from asyncio import selector_events
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_LOGGED_MS: Final = 5.0
"""CPU time above which a callback is logged."""
_log = logging.getLogger("qwicket.loop")


def measure() -> None:
    """Log each callback, such as one step of a task, that takes over 5 ms of the thread's CPU.

    Closed connections are freed at once, as uvloop frees them. Asyncio leaves them to the garbage
    collector, because their transports refer to themselves: 5,000 took it up to 40 ms.
    """
    # Typed as `Any`, because the stubs declare no `_run`. A TimerHandle inherits it.
    handle: Any = asyncio.Handle
    handle._run = _measured(handle._run)
    transport: Any = selector_events._SelectorSocketTransport  # type: ignore[attr-defined]  # asyncio's own
    transport._call_connection_lost = _freed(transport._call_connection_lost)


def _measured(run: Callable[[asyncio.Handle], None]) -> Callable[[asyncio.Handle], None]:
    @functools.wraps(run)
    def measured(handle: asyncio.Handle) -> None:
        callback = _name(handle)
        began = time.thread_time()
        run(handle)
        cpu_ms = (time.thread_time() - began) * 1000
        if cpu_ms > _LOGGED_MS:
            _log.warning("%.1f ms of CPU in %s", cpu_ms, callback())

    return measured


def _freed(lose: Callable[[Any, Exception | None], None]) -> Callable[..., None]:
    @functools.wraps(lose)
    def freed(transport: Any, exc: Exception | None) -> None:
        lose(transport, exc)
        transport._read_ready_cb = None  # a method of the transport; it reads nothing more

    return freed


def _name(handle: asyncio.Handle) -> Callable[[], str]:
    """Return a function that names a callback, even after a cancelled handle has dropped it."""
    callback: Any = handle._callback  # type: ignore[attr-defined]  # asyncio's own
    owner = getattr(callback, "__self__", None)
    return lambda: repr(owner if isinstance(owner, asyncio.Task) else callback)
