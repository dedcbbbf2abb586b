"""The disk is full at any write: a clear refusal, no partial job, and recovery with new space."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.repetitions import runs

pytestmark = pytest.mark.promise

ROUNDS = runs(20, long=400)
TESTS = Path(__file__).parents[1]


def test_writes_to_a_full_disk_are_refused_clearly_and_leave_nothing_behind(
    tmp_path: Path,
) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "support.history_full", str(tmp_path), str(ROUNDS)],
        cwd=TESTS,
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert ran.returncode == 0, ran.stderr
    answers = json.loads(ran.stdout)
    assert set(answers) <= {"done", "503", "507"}
    assert answers["done"] > ROUNDS  # the limits lie on both sides of what the work needs
    assert sum(answers.values()) - answers["done"] > ROUNDS
