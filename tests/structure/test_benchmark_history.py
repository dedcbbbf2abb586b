"""Figures over time: what is read from a run's tables, and the committed picture."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from benchmarks.figures import Table
from benchmarks.history import PICTURE, Run, picture, quantity, runs, series, write


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2.79 ms / 3.62 ms", 2.79e-3),
        ("1,133/s; 54.53 ms / 79.38 ms", 1133.0),
        ("0.44 s", 0.44),
        ("40 MiB", 40.0),
        ("+0.0 %", 0.0),
        ("6,689 ms", 6.689),
        ("697 bytes", None),
        ("", None),
    ],
)
def test_the_first_quantity_of_a_text_is_its_value(text: str, value: float | None) -> None:
    assert quantity(text) == (None if value is None else pytest.approx(value))


def test_a_run_is_written_and_read_again(tmp_path: Path) -> None:
    rows = [["status poll, p50 / p95", "SQLite", "0.25 ms / 0.28 ms", "", "", ""]]
    head = ["figure", "database", "measured", "floor", "bar", ""]
    run = Run("2026-01-02T03:04:05+00:00", "abc1234", "a machine", [Table(head, rows)])
    later = Run("2026-02-02T03:04:05+00:00", "bcd2345", "a machine", [Table(head, rows)])
    assert write(later, tmp_path).name == "2026-02-02-bcd2345.json"
    write(run, tmp_path)
    assert runs(tmp_path) == [run, later]
    ((name, lines),) = series(runs(tmp_path)).items()
    assert name == "status poll, p50 / p95"
    assert [point.value for point in lines["SQLite"]] == [pytest.approx(0.25e-3)] * 2


def test_a_figure_keeps_its_panel_under_a_new_name() -> None:
    head = ["figure", "database", "measured", "floor", "bar", ""]
    names = ("submit → result", "submit, then result")
    made = [
        Run(
            f"2026-0{month}-02T03:04:05+00:00",
            "abc1234",
            "a machine",
            [
                Table(
                    head, [[f"{name}, Bell, 1,000 shots, p50 / p95", "SQLite", "2 ms", "", "", ""]]
                )
            ],
        )
        for month, name in enumerate(names, 1)
    ]
    ((_, lines),) = series(made).items()
    assert [point.value for point in lines["SQLite"]] == [pytest.approx(2e-3)] * 2


def test_the_committed_picture_shows_the_committed_runs() -> None:
    assert PICTURE.read_text() == picture(runs())
    assert len(list(ET.parse(PICTURE).getroot().iter("{http://www.w3.org/2000/svg}circle"))) >= 12
