"""Programs that tests drive and that pip does not bring: browsers, proxies, shells."""

from __future__ import annotations

import os
import shutil

import pytest


def installed(*names: str) -> str:
    """Return the path of the first of these programs; without any the test is skipped.

    Where CI=true says that everything must be there, it fails instead.
    """
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    why = f"{names[0]} is not installed"
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)
