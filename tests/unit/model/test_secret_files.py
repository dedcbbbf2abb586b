from __future__ import annotations

import os
from pathlib import Path

import pytest

from qwicket.model.secret_files import mode_for_others


def mode_of(path: Path, mode: int) -> int:
    path.chmod(mode)
    with path.open("rb") as file:
        return mode_for_others(file)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("secret\n")
    return path


def test_only_its_owner_may_read_a_secret(secret: Path) -> None:
    assert [mode_of(secret, mode) for mode in (0o600, 0o400, 0o700)] == [0, 0, 0]
    for mode in (0o640, 0o620, 0o610, 0o604, 0o602, 0o601):
        assert mode_of(secret, mode) == mode


@pytest.mark.needs_root("gives a file to another user")
def test_the_group_may_read_the_secret_of_another_user(secret: Path) -> None:
    os.chown(secret, 12345, os.getegid())
    assert [mode_of(secret, mode) for mode in (0o440, 0o640)] == [0, 0]
    for mode in (0o660, 0o650, 0o644, 0o642):
        assert mode_of(secret, mode) == mode
