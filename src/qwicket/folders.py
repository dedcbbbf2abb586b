"""Default data folder, and names of files in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

AWS_MASTER_FILE: Final = "aws-master-keys"
"""Name of the file with the master keys of AWS's key pairs, in the data folder."""


def default_data_dir() -> Path:
    """Return `$XDG_DATA_HOME/qwicket`, or its usual place in the home folder."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "qwicket"
