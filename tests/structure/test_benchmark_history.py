"""Figures over time: what is read from a run's tables, and the picture of many."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from benchmarks.figures import Table, leading, number
from benchmarks.history import Run, picture, runs, series, write

from support.for_each import for_each

_HEAD = ["figure", "database", "measured", "lowest to highest", "floor", "bar", ""]


def _run(month: int) -> Run:
    rows = [["status poll, p50 / p95", "SQLite", "0.25 ms / 0.28 ms", "", "", "", ""]]
    at = f"2026-{month:02}-02T03:04:05+00:00"
    return Run(at, "abc1234", "a machine", "built: so", 5, {"queue": [Table(_HEAD, rows)]})


@for_each(
    "text, value, first",
    [
        ("2.79 ms / 3.62 ms", 2.79, "2.79 ms"),
        ("1,133/s; 54.53 ms / 79.38 ms", 1133.0, "1,133/s"),
        ("34.04 ms, 2.49 × bare", 34.04, "34.04 ms"),
        ("-0.1 %", -0.1, "-0.1 %"),
        ("6,689 ms", 6689.0, "6,689 ms"),
        ("", None, ""),
    ],
)
def test_the_first_quantity_of_a_text_is_its_value(
    text: str, value: float | None, first: str
) -> None:
    assert (number(text), leading(text)) == (value, first)


def test_a_run_is_written_read_and_drawn(tmp_path: Path) -> None:
    run, later = _run(1), _run(2)
    write(later, tmp_path)
    write(run, tmp_path)
    assert runs(tmp_path) == [run, later]
    ((name, lines),) = series(runs(tmp_path)).items()
    assert name == "status poll, p50 / p95"
    assert [point.value for point in lines["SQLite"]] == [pytest.approx(0.25)] * 2
    drawn = ET.fromstring(picture(runs(tmp_path)))
    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}circle"))) == 2
