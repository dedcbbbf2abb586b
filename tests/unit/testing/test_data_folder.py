"""Folders of test beds that were killed are removed by the next one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from qwicket.testing.data_folder import PREFIX, data_folder, remove_abandoned

KILLED = """
import os, sys
from pathlib import Path
from qwicket.testing.data_folder import data_folder
with data_folder(Path(sys.argv[1])) as found:
    (found / "qwicket.db").write_text("x")
    print(found, flush=True)
    os.kill(os.getpid(), 9)
"""


def test_a_folder_is_removed_in_the_end(tmp_path: Path) -> None:
    with data_folder(tmp_path) as found:
        (found / "file").write_text("x")
        assert found.parent == tmp_path
    assert [*tmp_path.iterdir()] == []


def test_only_abandoned_folders_are_removed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    killed = Path(done.stdout.strip())
    assert (killed / "qwicket.db").exists()
    (tmp_path / "another").mkdir()
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / "another")
    with data_folder(tmp_path) as used:  # the killed one is too young to be sure
        assert killed.exists()
        remove_abandoned(tmp_path, young_s=0.0)
        assert used.exists()
        assert not killed.exists()
        assert (tmp_path / "another").exists()
        assert (tmp_path / f"{PREFIX}link").is_symlink()
