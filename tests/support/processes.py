"""Facts about other processes, from /proc."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_LISTEN = "0A"


def children_of(pid: int) -> list[int]:
    """Return the direct children of a process; none if it has ended."""
    children: list[int] = []
    with contextlib.suppress(FileNotFoundError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
                children += [int(child) for child in (thread / "children").read_text().split()]
    return children


def below(pid: int) -> set[int]:
    """Return the children of a process, theirs, and so on."""
    children = children_of(pid)
    return {*children, *(each for child in children for each in below(child))}


def workers_of(pid: int) -> list[int]:
    """Return the processes of a server that run jobs: those of its worker and express slots."""
    return _forked(pid, b"qwicket.engines")


def parsers_of(pid: int) -> list[int]:
    """Return the processes of a server that parse programs."""
    return _forked(pid, b"qwicket.programs:")


def _forked(pid: int, warm_up: bytes) -> list[int]:
    """Return the processes that a server's fork server with a certain warm-up has forked."""
    found = []
    for child in children_of(pid):
        with contextlib.suppress(OSError):  # it ended meanwhile
            if warm_up in Path(f"/proc/{child}/cmdline").read_bytes():
                found += children_of(child)
    return found


def is_alive(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    fields = _stat(pid)
    return bool(fields) and fields[0] != "Z"


def user_ticks(pid: int) -> int:
    """Return the processor time that a process used in user mode, in clock ticks."""
    fields = _stat(pid)
    return int(fields[11]) if fields else 0


def cpu_s(pid: int) -> float:
    """Return the processor time of a process and all below it, ended ones included, in seconds."""
    found = [_stat(each) for each in (pid, *below(pid))]
    ticks = sum(int(time) for fields in found if fields for time in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def processor_ns(pid: int) -> int:
    """Return the processor time of a process's first thread, in nanoseconds."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def wake_ups(pid: int) -> int:
    """Return the voluntary context switches of a process's threads, and of its children's.

    Threads that have ended do not count.
    """
    total = 0
    for each in (pid, *children_of(pid)):
        for thread in Path(f"/proc/{each}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
                for line in (thread / "status").read_text().splitlines():
                    if line.startswith("voluntary_ctxt_switches:"):
                        total += int(line.split()[1])
    return total


def resident_bytes(pid: int) -> int:
    """Return the memory of a process that is in RAM."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    return 0


def connections(pid: int, port: int) -> int:
    """Return how many connections to a port of its own a process holds open."""
    held = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # it was closed meanwhile
            held.add(entry.readlink().name)
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    of_port = [row for row in rows if row[1].endswith(f":{port:04X}") and row[3] != _LISTEN]
    return sum(f"socket:[{row[9]}]" in held for row in of_port)


def unread_bytes(port: int) -> int:
    """Return how many bytes wait in the kernel for the process that listens on a port."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    of_port = [row for row in rows if row[1].endswith(f":{port:04X}") and row[3] != _LISTEN]
    return sum(int(row[4].partition(":")[2], 16) for row in of_port)


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
