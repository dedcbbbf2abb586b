"""Environments of vendors' clients take over each other's bytecode."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from contract.environments import share_bytecode

SITE = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages/pack"


def environment(folder: Path, source: Path) -> Path:
    """Make one with a package of one module, linked as uv does."""
    (folder / SITE).mkdir(parents=True)
    os.link(source, folder / SITE / "module.py")
    return folder


def imported(environment: Path) -> str:
    """Import the module; return what it knows of its place."""
    command = "import pack.module as m; print(m.place.__code__.co_filename)"
    env = {"PYTHONPATH": str((environment / SITE).parent)}
    done = subprocess.run(
        [sys.executable, "-c", command], env=env, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def compiled(environment: Path) -> list[int]:
    """Return the numbers of the files with bytecode."""
    return [path.stat().st_ino for path in (environment / SITE / "__pycache__").glob("*.pyc")]


def test_bytecode_of_the_same_file_is_shared_and_of_another_is_not(tmp_path: Path) -> None:
    source, other = tmp_path / "source.py", tmp_path / "other.py"
    source.write_text("def place(): return 1\n")
    other.write_text("def place(): return 2\n")
    first = environment(tmp_path / "vendor" / "first", source)
    (first / "ready").touch()
    imported(first)
    second = environment(tmp_path / "vendor" / "second", source)
    third = environment(tmp_path / "vendor" / "third", other)
    for each in (second, third):
        share_bytecode(each)
    assert compiled(second) == compiled(first) != []
    assert compiled(third) == []
    assert imported(second) == str(second / SITE / "module.py")
    assert compiled(second) == compiled(first)
