"""Folder of a test bed's data: in memory if it fits; after a kill, the next test bed removes it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX: Final = "qwicket-testing-"
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - only a folder inside is used
_NEEDED_BYTES: Final = 1 << 30
"""Free bytes of shared memory that a test bed needs there; else it uses a folder on disk."""
_YOUNG_S: Final = 60.0
"""Age in seconds up to which a folder stays: its test bed may not have locked it yet."""


@contextlib.contextmanager
def data_folder(parent: Path | None = None) -> Iterator[Path]:
    """Create a folder and remove it at the end; also remove those of killed test beds.

    Args:
        parent: Parent folder; by default `/dev/shm` if it is large enough, because commits to
            memory wait for no disk, else the folder of temporary files.
    """
    if parent is None:
        parent = _SHARED_MEMORY if _is_memory_usable() else Path(tempfile.gettempdir())
    remove_abandoned(parent)
    with tempfile.TemporaryDirectory(
        prefix=PREFIX, dir=parent, ignore_cleanup_errors=True
    ) as folder:
        lock = os.open(folder, os.O_RDONLY)  # the lock ends with this process, also after a kill
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield Path(folder)
        finally:
            os.close(lock)


def remove_abandoned(parent: Path, *, young_s: float = _YOUNG_S) -> None:
    """Remove folders of this user that no test bed holds."""
    for path in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            status = path.stat()
            is_ours = path.is_dir() and not path.is_symlink() and status.st_uid == os.getuid()
            if is_ours and time.time() - status.st_ctime >= young_s and _is_free(path):
                shutil.rmtree(path, ignore_errors=True)


def _is_free(path: Path) -> bool:
    lock = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(lock)


def _is_memory_usable() -> bool:
    try:
        space = os.statvfs(_SHARED_MEMORY)
    except OSError:
        return False
    is_enough = space.f_bavail * space.f_frsize >= _NEEDED_BYTES
    return is_enough and os.access(_SHARED_MEMORY, os.W_OK)
