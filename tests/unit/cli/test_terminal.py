"""Tables that fit a terminal, and lines that are written over."""

from __future__ import annotations

import io
import sys

import pytest

from qwicket.cli.terminal import RewrittenLines, can_rewrite, first_line, grid

ID = "01a1fad7-82a5-7a62-a892-190d52960000"
HEADINGS = ("id", "device", "state", "name", "created (UTC)")


def test_an_empty_column_is_left_out() -> None:
    rows = [("a", "", "x"), ("b", "", "")]
    assert grid(rows, ("id", "name", "state"), 80) == ["id  state", "─────────", "a   x", "b"]


def test_a_list_of_nothing_has_its_heads() -> None:
    assert grid([], ("id", "name"), 80) == ["id  name", "────────"]


def test_a_list_of_jobs_fits_a_terminal_of_eighty_columns() -> None:
    row = (ID, "simulator", "completed", "", "2026-11-20 21:23:10")
    lines = grid([row], HEADINGS, 80)
    assert len(lines) == 3
    assert lines[2] == f"{ID}  simulator  completed  2026-11-20 21:23:10"


def test_the_widest_columns_are_folded_at_spaces_and_the_first_is_whole() -> None:
    row = (ID, "simulator", "completed", "a long name of many words", "2026-11-20 21:23:10")
    lines = grid([row], HEADINGS, 85)
    assert lines == [
        "id                                    device     state      name         created",
        "                                                                         (UTC)",
        "─" * 84,
        f"{ID}  simulator  completed  a long name  2026-11-20",
        "                                                            of many      21:23:10",
        "                                                            words",
    ]


def test_a_word_that_is_too_long_is_broken() -> None:
    lines = grid([("a", "0123456789" * 2)], ("id", "name"), 13)
    assert lines[2:] == ["a   012345678", "    901234567", "    89"]


def test_a_terminal_that_is_too_narrow_gets_columns_of_eight() -> None:
    lines = grid([(ID, "simulator")], ("id", "device"), 20)
    assert lines[2:] == [f"{ID}  simulato", f"{'':36}  r"]
    assert first_line(lines[2], 20) == ID[:20]


@pytest.mark.parametrize(
    ("name", "printed"),
    [("量子", "量子"), ("e\u0301", "e\u0301 "), ("\x1b[2J\n", " [2J ")],
    ids=["wide", "combining", "control"],
)
def test_columns_line_up_whatever_the_letters(name: str, printed: str) -> None:
    lines = grid([(name, "x"), ("abcde", "y")], ("n", "m"), 80)
    cells = {"量子": 4, "e\u0301 ": 2, " [2J ": 5}[printed]
    assert lines[2] == printed + " " * (7 - cells) + "x"


def test_without_the_line_in_the_terminals_letters_a_rule_is_of_hyphens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "latin-1"))
    assert grid([], ("id",), 80) == ["id", "--"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_are_written_over_those_before() -> None:
    stream = Terminal()
    lines = RewrittenLines(stream)
    lines.show(["one", "two"])
    lines.show(["three"])
    lines.show([])
    clear = "\x1b[J"
    expected = f"{clear}one\ntwo\n" + f"\x1b[2A\r{clear}three\n" + f"\x1b[1A\r{clear}"
    assert stream.getvalue() == expected


@pytest.mark.parametrize(
    ("stream", "kind", "can"),
    [
        (Terminal(), "xterm", True),
        (Terminal(), "dumb", False),
        (Terminal(), "", False),
        (io.StringIO(), "xterm", False),
    ],
)
def test_only_a_terminal_that_moves_its_cursor_is_written_over(
    stream: io.StringIO, kind: str, can: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", kind)
    assert can_rewrite(stream) is can
