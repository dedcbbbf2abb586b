"""Whose eyes a file with a secret is open to."""

from __future__ import annotations

import os
import stat
from typing import IO, Final

_GROUP_READS: Final = 0o040


def mode_for_others(file: IO[str] | IO[bytes]) -> int:
    """Return the mode of an open file if other users may access it, or 0.

    The group of a file of another user may read it. It is this server's group, to which Kubernetes
    or an administrator gives a secret: `root:qwicket`, mode 0440 or 0640.
    """
    found = os.fstat(file.fileno())
    mode = stat.S_IMODE(found.st_mode)
    harmless = 0o700 if found.st_uid == os.geteuid() else 0o700 | _GROUP_READS
    return mode if mode & ~harmless else 0
