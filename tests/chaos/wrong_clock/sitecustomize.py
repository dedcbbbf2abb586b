"""Moves the wall clock of a Python process by what a file says, while it runs.

Python imports it at its start when this folder is on PYTHONPATH. CHAOS_CLOCK names a file with one
signed integer, the nanoseconds to add. Measured times (`time.monotonic`) stay as they are, as on a
machine whose clock is set.
"""

import mmap
import os
import time
from pathlib import Path

_FILE = os.environ.get("CHAOS_CLOCK")
if _FILE:
    with Path(_FILE).open("rb") as _opened:
        _offset = memoryview(mmap.mmap(_opened.fileno(), 8, access=mmap.ACCESS_READ)).cast("q")
    _time_ns = time.time_ns
    _time = time.time

    def time_ns() -> int:
        return _time_ns() + _offset[0]

    def time_s() -> float:
        return _time() + _offset[0] / 1e9

    time.time_ns = time_ns
    time.time = time_s
