"""`make chaos` in short: clients of all dialects while everything breaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos.callers import CLIENTS
from chaos.mass import USERS
from chaos.report import text
from chaos.run import run
from support.repetitions import databases, runs


@pytest.mark.timeout(runs(300, long=1800))
@pytest.mark.parametrize("database", databases("postgres"))
def test_all_promises_hold_while_everything_breaks(database: str, tmp_path: Path) -> None:
    outcome = run(
        tmp_path / "world",
        jobs=10_000_000,
        seed=24,
        database=database,
        longest_s=runs(20, long=600),
        pace=runs(2, long=1),
        users=1,
        share=0.1,
    )
    figures = outcome.report.figures
    assert outcome.is_good, text(outcome)
    assert all(figures[f"{name}: answer"] for name in (*CLIENTS, *USERS)), text(outcome)
    assert outcome.kills >= 5
    disturbed = {kind.partition("_")[0] for kind, n in outcome.disturbances.items() if n}
    assert disturbed >= {"kill", "pause", "break", "cut", "fill", "move"}
