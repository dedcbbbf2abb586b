"""The core, without any vendor or feature, passes its tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from integration.test_deletions import check, copy_without, run
from qwicket import features, vendors

pytestmark = [pytest.mark.extended, pytest.mark.timeout(600)]

OF_CORE = (
    *("circuits", "devices", "dialects", "drivers", "gateway", "model", "programs", "schema"),
    "engines/test_engines.py",
)
"""Unit tests of what could know a vendor or a feature."""


def test_the_core_passes_its_tests_alone(tmp_path: Path) -> None:
    env = copy_without(tmp_path, vendors.NAMES, features.NAMES)
    check(tmp_path, env)
    folders = [f"tests/unit/{name}" for name in OF_CORE]
    openqasm = "--ignore=tests/unit/programs/openqasm"  # a language that knows no vendor
    options = ("-q", "-p", "no:cacheprovider", "-m", "not extended", openqasm)
    run(tmp_path, env, "pytest", *options, *folders)
