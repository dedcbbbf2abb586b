"""Processes that listen on a port or serve a folder, as far as Linux shows them to this user."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

_LISTENS: Final = "0A"
"""State LISTEN in /proc/net/tcp (tcp_states.h)."""
_PROC: Final = Path("/proc")


class Holder(NamedTuple):
    """A process that listens on a port."""

    pid: int
    name: str

    @property
    def is_qwicket(self) -> bool:
        """Whether it is a Qwicket server."""
        try:
            words = (_PROC / str(self.pid) / "cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return b"serve" in words and any(word.endswith(b"qwicket") for word in words)


def holder(port: int) -> Holder | None:
    """Return a process that listens on a port; None if there is none that this user may see."""
    sockets = {f"socket:[{inode}]" for inode in _inodes(port)}
    for folder in _PROC.glob("[0-9]*") if sockets else ():
        try:
            if any(str(each.readlink()) in sockets for each in (folder / "fd").iterdir()):
                return Holder(int(folder.name), (folder / "comm").read_text().strip())
        except OSError:  # it ended, or is another user's
            continue
    return None


def _inodes(port: int) -> set[str]:
    inodes = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = (_PROC / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            _slot, local, _remote, state, *_others = words = line.split()
            if state == _LISTENS and int(local.rpartition(":")[2], 16) == port:
                inodes.add(words[9])  # the inode (proc(5), /proc/net/tcp)
    return inodes


def is_served(folder: Path) -> bool:
    """Return whether a server or a restore holds the lock of a folder, without taking it."""
    try:
        lock = (folder / "serve.lock").stat()
        locks = (_PROC / "locks").read_text()
    except OSError:
        return False
    device = f"{os.major(lock.st_dev):02x}:{os.minor(lock.st_dev):02x}"
    return f" {device}:{lock.st_ino} " in locks
