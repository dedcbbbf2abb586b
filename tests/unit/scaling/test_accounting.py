"""Jobs of Slurm, as `sacct` prints them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qwicket.scaling import SiteError
from qwicket.scaling.accounting import SlurmJob, slurm_jobs


@pytest.fixture
def sacct(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file that a `sacct` of this test prints; it adds its arguments to `asked`."""
    command = tmp_path / "sacct"
    command.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\ncat {tmp_path}/printed\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "printed").write_text("")
    return tmp_path / "printed"


def test_ids_that_are_no_numbers_are_not_asked_for(sacct: Path) -> None:
    sacct.write_text("71|chem|ada|CANCELLED by 0|5\n72|||PENDING|\n")
    assert slurm_jobs(["71", "x", "-1", "\u0661", "", "72", "71"]) == {
        "71": SlurmJob("71", "chem", "ada", "CANCELLED by 0", 5),
        "72": SlurmJob("72", "", "", "PENDING", 0),
    }
    assert (sacct.parent / "asked").read_text().endswith("--jobs=71,72\n")


def test_without_ids_nothing_is_asked(sacct: Path) -> None:
    assert slurm_jobs(["x"]) == {}
    assert not (sacct.parent / "asked").exists()


def test_many_ids_are_asked_for_in_several_commands(sacct: Path) -> None:
    slurm_jobs([str(number) for number in range(1, 1_002)])
    assert len((sacct.parent / "asked").read_text().splitlines()) == 3


@pytest.mark.parametrize("line", ["71|chem", "71|chem|ada|COMPLETED|many", "slurm: warning"])
def test_a_line_that_is_no_job_is_an_error_of_the_site(line: str, sacct: Path) -> None:
    sacct.write_text(f"{line}\n")
    with pytest.raises(SiteError, match="no job"):
        slurm_jobs(["71"])
