"""What the callbacks of a live server's event loop do.

Start the server with `MEASURED` in its environment, and send what may be slow:

    live = LiveServer(folder, **MEASURED)
    assert_loop_stays_free(live, lambda: httpx.post(...))

Calls and bytes are counted (`counted_loop/sitecustomize.py`): they are the same on every machine,
and do not count threads beside the loop. Wait for the answers of what you send.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import httpx

from support.server import LiveServer

TIMED = {"QWICKET_MEASURE_LOOP": "1"}
"""Logs the CPU time of callbacks alone, for what is measured."""
_COUNTING = Path(__file__).with_name("counted_loop")
MEASURED = {
    **TIMED,
    "PYTHONPATH": os.pathsep.join([str(_COUNTING), *filter(None, [os.getenv("PYTHONPATH")])]),
}
MAX_CALLS = 300_000
"""Calls of Python and C functions in one callback, for anything that a client sends. The most are
218,000: a head or chunks of tens of thousands of pieces arrive at once."""
MAX_BYTES = 1_000_000
"""Bytes of JSON and forms that one callback parses and writes. The most are 565 kB, of devices with
5,000 qubits; a body that is read on the loop has 64 kB, and is read up to four times."""
MAX_MS = 200.0
"""CPU time of the loop's thread in one callback: ten times what is promised, because a virtual
machine's CPU time includes time that its host took. A callback of 13 ms measured up to 98."""

_TIMED = re.compile(r"qwicket\.loop (\d+\.\d) ms of CPU in (.*)")
_COUNTED = re.compile(r"counted (\d+) calls, (\d+) bytes in (.*)")


def assert_loop_stays_free(
    live: LiveServer,
    send: Callable[[], object],
    *,
    max_calls: int = MAX_CALLS,
    max_bytes: int = MAX_BYTES,
) -> float:
    """Check that no callback of what is sent does more than the bounds above.

    Args:
        live: The server.
        send: Sends requests and waits for their answers.
        max_calls: A bound in place of `MAX_CALLS`.
        max_bytes: A bound in place of `MAX_BYTES`.

    Returns:
        CPU time of the longest callback in ms; 0 if none took 5 ms.

    Raises:
        AssertionError: A callback exceeded a bound.
    """
    text = logged(live, send)
    slow = [found[0] for found in _TIMED.finditer(text) if float(found[1]) > MAX_MS]
    slow += [
        found[0]
        for found in _COUNTED.finditer(text)
        if int(found[1]) > max_calls or int(found[2]) > max_bytes
    ]
    assert not slow, "The event loop was kept:\n" + "\n".join(slow[:10])
    return longest_ms(text)


def n_calls(do: Callable[[], object]) -> int:
    """Return how many functions something calls in this thread, as a server counts them."""
    count = 0

    def add(_frame: FrameType, event: str, _arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(add)
    try:
        do()
    finally:
        sys.setprofile(None)
    return count


def longest_ms(text: str) -> float:
    """Return the CPU time of the longest callback of a log in ms; 0 if none took 5 ms."""
    return max((float(found[1]) for found in _TIMED.finditer(text)), default=0.0)


def logged(live: LiveServer, send: Callable[[], object]) -> str:
    """Return what the server logs while something is sent."""
    mark = live.log.stat().st_size
    send()
    # A callback that writes an answer is logged when it ends, but before the next one begins.
    httpx.get(live.url + "/livez", verify=False, timeout=60).raise_for_status()
    return live.log.read_bytes()[mark:].decode()
