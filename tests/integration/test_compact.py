"""`qwicket compact`: the free space of the embedded database goes back to the disk."""

from __future__ import annotations

import re
import resource
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from support.server import IDLE, cli, run_here, running_server


@pytest.fixture
def place(tmp_path: Path) -> list[str]:
    """Options of a folder whose database has 4 MB of free pages."""
    data = tmp_path / "data"
    options = ["--data-dir", str(data)]
    cli("user", "add", "ada", *options)
    with closing(sqlite3.connect(data / "qwicket.db")) as database:
        database.execute("create table deleted as select randomblob(4000000)")
        database.execute("drop table deleted")
        database.commit()
    return options


def test_free_pages_go_and_rows_stay(tmp_path: Path, place: list[str]) -> None:
    file = tmp_path / "data" / "qwicket.db"
    before = file.stat().st_size
    printed = run_here("compact", *place)
    assert printed.returncode == 0, printed.stderr
    assert re.fullmatch(rf"{file}: \d\.\d MB, before \d\.\d MB\n", printed.stdout)
    assert file.stat().st_size < before - 3_900_000
    assert cli("user", "list", *place).startswith("ada")
    assert sorted(each.name for each in file.parent.iterdir() if "-" not in each.name) == [
        "qwicket.db",
        "serve.lock",
    ]


def test_a_server_that_uses_the_folder_is_not_disturbed(tmp_path: Path) -> None:
    with running_server(tmp_path, *IDLE) as live:
        refused = run_here("compact", "--data-dir", str(live.folder / "data"))
    assert refused.returncode == 1
    assert "Another server or a restore uses" in refused.stderr


def test_a_full_disk_changes_nothing(tmp_path: Path, place: list[str]) -> None:
    file = tmp_path / "data" / "qwicket.db"
    before = file.stat().st_size
    done = subprocess.run(
        [sys.executable, "-m", "qwicket", "compact", *place],
        capture_output=True,
        text=True,
        # As on a full disk, writes beyond this size fail.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"Error: \S+qwicket.db cannot be compacted: [^\n]+\.\n", done.stderr)
    assert file.stat().st_size == before
    assert cli("user", "list", *place).startswith("ada")


def test_other_databases_are_not_compacted(tmp_path: Path) -> None:
    refused = run_here("compact", "--database-url", "postgresql://nowhere/x")
    assert (refused.returncode, "VACUUM FULL" in refused.stderr) == (2, True)
    absent = run_here("compact", "--data-dir", str(tmp_path))
    assert (absent.returncode, "No such file" in absent.stderr) == (1, True)
