"""A vendor is one folder, one line in a list, and the public paths of its client."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import qwicket
from qwicket.vendors import NAMES
from support.vendor_folders import PUBLIC_CLIENTS

PACKAGE = Path(qwicket.__file__).parent


def test_the_source_names_a_vendor_in_its_own_folder_only(subtests: pytest.Subtests) -> None:
    texts = {
        str(path.relative_to(PACKAGE)): path.read_text()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    for name in NAMES:
        own = (
            "vendors/__init__.py",
            f"vendors/{name}/",
            f"clients/{PUBLIC_CLIENTS.get(name, name)}/",
        )
        word = re.compile(rf"(?<![a-z]){name}", re.IGNORECASE)
        with subtests.test(name):
            others = {path for path, text in texts.items() if word.search(text)}
            # What another vendor's clients write may contain the name, such as names of formats.
            others = {path for path in others if not path.startswith("vendors/")}
            named = {path for path in others if not path.startswith(own)}
            assert named == set()
