"""Default of the folder for data."""

from __future__ import annotations

import os
from pathlib import Path


def default_data_dir() -> Path:
    """Return `$XDG_DATA_HOME/qwicket`, or its usual place in the home folder."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "qwicket"
