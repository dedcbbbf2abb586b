"""Programs that tests use and that pip does not install: browsers, proxies, shells."""

from __future__ import annotations

import os
import shutil

import pytest


def installed(*names: str) -> str:
    """Return the path of the first of these programs; without any the test is skipped.

    With CI=true, which says that everything is installed, the test fails instead.
    """
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    why = f"{names[0]} is not installed"
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)
