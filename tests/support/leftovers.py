"""Ends the processes that a test process started when it ends, even if it is killed.

Fixtures stop their servers, but not when the test process crashes or is killed. So each test
process has a watchdog process, which outlives it and kills the processes with its mark in their
environment, those that were registered, and the children of both.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

OWNERS: Final = "TEST_PROCESSES"
"""The environment variable with the marks of the test processes above a process."""

_GRACE_S: Final = 3.0
_PAUSE_S: Final = 0.1
_is_worker = False
_watchdogs: list[int] = []
"""Pipes to the watchdogs, open until this process ends: a file object would warn that it is."""


def start_watchdog(*, is_worker: bool = False) -> None:
    """Mark this process's environment, which children inherit, and start its watchdog.

    A worker of a parallel run has the mark of the run's first process as well.
    """
    global _is_worker
    _is_worker = is_worker
    mark = secrets.token_hex(8)
    # Without the marks: the watchdog of a process further up must not kill this one.
    env = {name: value for name, value in os.environ.items() if name != OWNERS}
    read_end, write_end = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-I", __file__, str(os.getpid()), mark],
        stdin=read_end,
        env=env,
        start_new_session=True,  # Ctrl-C at a terminal reaches the tests, not the watchdog
    )
    os.close(read_end)
    process.returncode = 0  # no one waits for it: it ends after this process
    _watchdogs.append(write_end)
    os.environ[OWNERS] = f"{os.environ.get(OWNERS, '')},{mark}"


def marks() -> dict[str, str]:
    """Return the marks for a child whose environment is not copied from this process."""
    return {OWNERS: os.environ[OWNERS]}


@contextlib.contextmanager
def shared() -> Iterator[None]:
    """Start what other test processes of the run use too: it outlives this one, not the run."""
    own = os.environ[OWNERS]
    if _is_worker:
        os.environ[OWNERS] = own.rpartition(",")[0]
    try:
        yield
    finally:
        os.environ[OWNERS] = own


def register_child(pid: int) -> None:
    """Register a child that overwrites its environment, as nginx does, with the watchdog."""
    for pipe in _watchdogs:
        os.write(pipe, b"%d %d\n" % (pid, _started_at(pid)))


def main(owner: int, mark: str) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended already
        owner_fd = os.pidfd_open(owner)
        if os.getppid() == owner:  # else the number may be another process's by now
            select.select([owner_fd], [], [])
    os.set_blocking(sys.stdin.fileno(), False)  # a fork of the owner may hold the other end open
    named = [line.split() for line in sys.stdin.read().splitlines()]
    _kill({(int(pid), int(started)) for pid, started in named}, mark.encode())


def _kill(named: set[tuple[int, int]], mark: bytes) -> None:
    """Ask all of them to end, then kill those left, until none is found."""
    asked: set[int] = set()
    deadline = time.monotonic() + _GRACE_S
    while left := _left(named, mark):
        is_late = time.monotonic() > deadline
        for pid in left if is_late else left - asked:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if is_late else signal.SIGTERM)
        asked |= left
        time.sleep(_PAUSE_S)


def _left(named: set[tuple[int, int]], mark: bytes) -> set[int]:
    """Return the living processes that are marked or named, and all below them."""
    found: set[int] = set()
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = _stat(pid)
            if fields[0] == "Z":
                continue
            children.setdefault(int(fields[1]), []).append(pid)
            is_named = (pid, int(fields[19])) in named
            if is_named or mark in (folder / "environ").read_bytes():
                found.add(pid)
    below = list(found)
    while below:
        more = [pid for pid in children.get(below.pop(), []) if pid not in found]
        found.update(more)
        below += more
    return found - {os.getpid()}


def _started_at(pid: int) -> int:
    """Return when a process started, in clock ticks: with its number, this is it and no other."""
    return int(_stat(pid)[19])


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
