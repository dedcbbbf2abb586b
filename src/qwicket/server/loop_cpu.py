"""CPU time of each callback of the event loop, for tests and for finding what is slow there.

Off unless `QWICKET_MEASURE_LOOP` is set. It needs asyncio's own loop: uvloop's callbacks cannot be
wrapped.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_LOGGED_MS: Final = 5.0
"""CPU time above which a callback is logged."""
_log = logging.getLogger("qwicket.loop")


def measure() -> None:
    """Log each callback, such as one step of a task, that takes over 5 ms of the thread's CPU."""
    # Typed as `Any`, because the stubs declare no `_run`. A TimerHandle inherits it.
    handle: Any = asyncio.Handle
    handle._run = _measured(handle._run)


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


def _name(handle: asyncio.Handle) -> Callable[[], str]:
    """Return a function that names a callback, even after a cancelled handle has dropped it."""
    callback: Any = handle._callback  # type: ignore[attr-defined]  # asyncio's own
    owner = getattr(callback, "__self__", None)
    return lambda: repr(owner if isinstance(owner, asyncio.Task) else callback)
