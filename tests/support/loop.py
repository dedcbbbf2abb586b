"""How long a live server's event loop was kept by one callback, in CPU time of the loop's thread.

Start the server with `MEASURED` in its environment, and look at it with `LoopCPU`:

    live = LiveServer(folder, **MEASURED)
    cpu = LoopCPU(live)
    ...  # send what may be slow
    assert cpu.longest_ms() <= MOST_MS, cpu.slowest()

CPU time does not count what neighbours on the machine take, nor threads beside the loop. Wait for
the answers of what you sent before you look: a callback is logged when it ends.
"""

from __future__ import annotations

import re

from support.server import LiveServer

MEASURED = {"QWICKET_MEASURE_LOOP": "1"}
MOST_MS = 20.0
"""Bar for anything that a client sends."""

_LINE = re.compile(r"qwicket\.loop (\d+\.\d) ms of CPU in (.*)")


class LoopCPU:
    """What one server's log says of its loop since this was made."""

    def __init__(self, live: LiveServer) -> None:
        self._log = live.log
        self._mark = live.log.stat().st_size

    def longest_ms(self) -> float:
        """Return the CPU time of the longest callback; 0 if none took 5 ms."""
        return max((took_ms for took_ms, _ in self._callbacks()), default=0.0)

    def slowest(self) -> str:
        """Return the longest callbacks with their times, for a failing test's message."""
        longest = sorted(self._callbacks(), reverse=True)[:5]
        return "\n".join(f"{took_ms} ms: {callback}" for took_ms, callback in longest)

    def _callbacks(self) -> list[tuple[float, str]]:
        text = self._log.read_bytes()[self._mark :].decode()
        return [(float(found[1]), found[2]) for found in _LINE.finditer(text)]
