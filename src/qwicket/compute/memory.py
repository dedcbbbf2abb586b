"""Memory available to this process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_CGROUP_V2: Final = Path("/sys/fs/cgroup/memory.max")
_CGROUP_V1: Final = Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")
_MEMINFO: Final = Path("/proc/meminfo")


def available_bytes() -> int:
    """Return the smaller of the machine's available memory and the control group's limit.

    Where the available memory is unknown, the machine's whole memory counts.
    """
    return min([_available(), *_group_limits()])


def _available() -> int:
    try:
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    except OSError:
        pass
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _group_limits() -> list[int]:
    limits = []
    for path in (_CGROUP_V2, _CGROUP_V1):
        try:
            text = path.read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            limits.append(int(text))
    return limits
