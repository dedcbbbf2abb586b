"""Writes the name of each module of a vendor that a process imports into the file `imported`.

The file is in the folder of this one. Python imports this module at its start when its folder is
the first of PYTHONPATH with such a module; processes that are forked later note their imports too.
"""

import os
import sys
from pathlib import Path

_FILE = Path(__file__).with_name("imported")


class _Notes:
    """A finder that finds nothing."""

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> None:
        if name.startswith("qwicket.vendors."):
            file = os.open(_FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(file, f"{name}\n".encode())
            os.close(file)


sys.meta_path.insert(0, _Notes)
