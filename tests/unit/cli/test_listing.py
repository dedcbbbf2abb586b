"""What a table leaves out, and how wide it is."""

from __future__ import annotations

import pytest
from rich.console import Console

from qwicket.cli.listing import grid, size

ID = "01a1fad7-82a5-7a62-a892-190d52960000"


def drawn(rows: list[tuple[str, ...]], heads: tuple[str, ...], width: int = 80) -> list[str]:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(grid(rows, heads))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_a_column_in_which_nothing_stands_is_left_out() -> None:
    heads, line, row = drawn([("a", "", "x"), ("b", "", "")], ("id", "name", "state"))[:3]
    assert heads.split() == ["id", "state"]
    assert set(line) <= {"─", "━", " "}
    assert row.split() == ["a", "x"]


def test_a_list_of_nothing_has_its_heads() -> None:
    assert drawn([], ("id", "name"))[0].split() == ["id", "name"]


def test_a_list_of_jobs_fits_a_terminal_of_eighty_columns() -> None:
    row = (ID, "simulator", "completed", "", "2026-11-20 21:23:10")
    lines = drawn([row], ("id", "device", "state", "name", "created (UTC)"))
    assert len(lines) == 3
    assert lines[2].endswith("21:23:10")


@pytest.mark.parametrize(
    ("family", "wires", "words"),
    [
        ("qubit", 1, "1 qubit"),
        ("qubit", 5000, "5,000 qubits"),
        ("photonic", 8, "8 modes"),
        ("atoms", 1, "1 wire"),
    ],
)
def test_the_size_of_a_device_is_in_its_familys_word(family: str, wires: int, words: str) -> None:
    assert size(family, wires) == words
