"""What tests need of the machine: programs that pip does not install, and rights."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def installed(*names: str) -> str:
    """Return the path of the first of these programs; without any the test is skipped."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    return cannot_run(f"{names[0]} is not installed")


def cannot_run(why: str) -> NoReturn:
    """Skip the test; with CI=true, which says that the machine has everything, fail instead."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)
