"""A small disk for the data, which can be filled."""

from __future__ import annotations

import os
import resource
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Protocol

_PAGE = 4096


class Disk(Protocol):
    """Where the data are.

    Attributes:
        folder: Where to put them.
        what: What it is, for the report.
    """

    folder: Path
    what: str

    def fill(self, pids: list[int]) -> None:
        """Leave no space. `pids` are the processes that write."""

    def empty(self, pids: list[int]) -> None:
        """Give the space back."""

    def close(self) -> None: ...


class MountedDisk:
    """An ext4 file system in a file, mounted; only root can do this."""

    what = "ext4 in a file, filled to the last block"

    def __init__(self, folder: Path, size_bytes: int) -> None:
        image = folder / "disk.img"
        self.folder = folder / "disk"
        self.folder.mkdir()
        with image.open("wb") as file:
            file.truncate(size_bytes)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", image], check=True)
        subprocess.run(["mount", "-o", "loop", image, self.folder], check=True)
        self.folder.chmod(0o755)
        self._ballast = self.folder / "ballast"

    def fill(self, pids: list[int]) -> None:
        with self._ballast.open("wb", buffering=0) as file:
            size = _PAGE * (self._free_pages() // 2)
            while size >= _PAGE:
                with suppress(OSError):  # somebody else took the space
                    end = os.fstat(file.fileno()).st_size
                    os.posix_fallocate(file.fileno(), end, size)
                size = min(size, _PAGE * self._free_pages()) // 2

    def _free_pages(self) -> int:
        free = os.statvfs(self.folder)
        return free.f_bavail * free.f_frsize // _PAGE

    def empty(self, pids: list[int]) -> None:
        self._ballast.unlink(missing_ok=True)

    def close(self) -> None:
        if subprocess.run(["umount", self.folder], check=False).returncode:
            subprocess.run(["umount", "-l", self.folder], check=False)  # once nobody uses it


class LimitedFiles:
    """A limit on the size of files for the servers: without root there is no disk to fill."""

    what = "a limit on the size of the servers' files (no root, so no disk of its own)"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, pids: list[int]) -> None:
        sizes = [each.stat().st_size for each in self.folder.rglob("*.db*")]
        self._limit(pids, max(sizes, default=0) + _PAGE)

    def empty(self, pids: list[int]) -> None:
        self._limit(pids, resource.RLIM_INFINITY)

    def _limit(self, pids: list[int], size_bytes: int) -> None:
        for pid in pids:
            with suppress(OSError):  # it has ended
                _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (size_bytes, hard))

    def close(self) -> None:
        pass


def disk(folder: Path, size_bytes: int) -> Disk:
    """Return a disk of its own, or without root a limit on the size of files."""
    if os.geteuid() == 0:
        with suppress(subprocess.CalledProcessError, FileNotFoundError):
            return MountedDisk(folder, size_bytes)
    (folder / "data").mkdir()
    return LimitedFiles(folder / "data")
