"""For tests of `qwicket.compute`: conditions with a deadline, and facts about processes."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from qwicket.compute import Task

T = TypeVar("T")

WORKER_PATH = str(Path(__file__).parent.parent)
"""What workers need on PYTHONPATH to import `support.pool_tasks`."""

SOON_S = 20.0
"""Far more than anything here takes; exceeded only when something hangs."""


def eventually(condition: Callable[[], T], within_s: float = SOON_S) -> T:
    """Return the condition's first true value."""
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not true within {within_s} s"
        time.sleep(0.002)
    return value


def result(task: Task[T]) -> T:
    return task.future.result(SOON_S)


def failure(task: Task[T]) -> BaseException:
    error = task.future.exception(SOON_S)
    assert error is not None
    return error


def announced(path: Path) -> int:
    """Wait until a task runs that announces itself at `path`; return its process id."""
    eventually(path.is_symlink)
    return int(str(path.readlink()))


def is_gone(pid: int) -> bool:
    """Return whether a process has ended; a zombie has."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"


def parent_of(pid: int) -> int:
    """Return the process that started a process, which must be alive."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])


def children() -> set[int]:
    """Return this process's children, also zombies."""
    lists = (path.read_text() for path in Path("/proc/self/task").glob("*/children"))
    return {int(pid) for text in lists for pid in text.split()}


def holdings() -> set[str]:
    """Return the open files, threads and children of this process, each by what identifies it.

    A test that leaves nothing has no new ones at its end. Threads of earlier tests, and their
    connections, may end meanwhile.
    """
    gc.collect()  # so that objects of earlier tests do not count
    found = {f"thread {each.native_id} {each.name}" for each in threading.enumerate()}
    found |= {f"child {pid}" for pid in children()}
    for file in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the folder itself, which is closed again
            found.add(f"file {file.name} {file.readlink()}")
    return found
