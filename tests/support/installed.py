"""What tests need of the machine and pip does not bring: the packages of tests/packages.txt."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / "tests" / "packages.txt"


class Package(NamedTuple):
    """A package of Debian, a program or file of it, and what is left out without it."""

    name: str
    brings: str
    left_out: str


def packages() -> Iterator[Package]:
    """Yield what the list names."""
    for line in PACKAGES.read_text().splitlines():
        if not line.startswith("#"):
            yield Package(*line.split(maxsplit=2))


def missing() -> list[str]:
    """Return a line for each package that is not there, and how to install them."""
    absent = [each for each in packages() if find(each.brings) is None]
    if not absent:
        return []
    names = " ".join(each.name for each in absent)
    lines = [f"  {each.name}: {each.left_out}" for each in absent]
    return ["not installed, and what is left out:", *lines, f"install: apt-get install {names}"]


def installed(*names: str) -> str:
    """Return the path of the first of these programs, whose package is in the list.

    Without any the test is skipped; with CI=true, which says that the machine has all packages, it
    fails.
    """
    (package,) = (each for each in packages() if each.brings == names[0])
    for name in names:
        if found := find(name):
            return found
    why = f"{names[0]} is not installed; Debian's package is {package.name}"
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


def find(name: str) -> str | None:
    """Return the path of a program, also of one that only root has in its path, or of a file."""
    return shutil.which(name, os.F_OK, f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
