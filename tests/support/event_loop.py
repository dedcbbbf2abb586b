"""The longest callback of a live server's event loop, in CPU time of the loop's thread.

Start the server with `MEASURED` in its environment, and send what may be slow:

    live = LiveServer(folder, **MEASURED)
    assert_loop_stays_free(live, lambda: httpx.post(...))

CPU time does not count threads beside the loop. Wait for the answers of what you send.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import httpx

from support.server import LiveServer

MEASURED = {"QWICKET_MEASURE_LOOP": "1"}
MAX_MS = 20.0
"""Limit for anything that a client sends."""
MAX_ATTEMPTS = 5
_PAUSE_S = 2.0

_LINE = re.compile(r"qwicket\.loop (\d+\.\d) ms of CPU in (.*)")


def assert_loop_stays_free(
    live: LiveServer, send: Callable[[], object], *, max_attempts: int = MAX_ATTEMPTS
) -> list[float]:
    """Check that no callback of what is sent takes over `MAX_MS`.

    A virtual machine's CPU time includes time that its host took, which it cannot separate: a loop
    of 2 ms measured up to 22 ms of CPU, a callback of 13 ms up to 98. Such noise only adds time,
    and lasts for seconds. So requests over the limit are sent again after a pause, and the check
    fails if they exceed the limit each time.

    Returns:
        Time of the longest callback of each attempt in ms, 0 where none took 5 ms; the last is
        within the limit.

    Raises:
        AssertionError: Each of `max_attempts` attempts exceeded the limit.
    """
    longest_ms: list[float] = []
    for attempt in range(max_attempts):
        time.sleep(_PAUSE_S if attempt else 0)
        mark = live.log.stat().st_size
        send()
        # A callback that writes an answer is logged when it ends, but before the next one begins.
        httpx.get(live.url + "/livez", verify=False, timeout=60).raise_for_status()
        text = live.log.read_bytes()[mark:].decode()
        callbacks = [(float(found[1]), found[2]) for found in _LINE.finditer(text)]
        longest_ms.append(max((took_ms for took_ms, _ in callbacks), default=0.0))
        if longest_ms[-1] <= MAX_MS:
            return longest_ms
    slowest = "\n".join(f"{ms} ms: {name}" for ms, name in sorted(callbacks, reverse=True)[:5])
    raise AssertionError(f"The event loop was kept {longest_ms} ms. The last time:\n{slowest}")
