"""Output while waiting: lines in a file or pipe, a progress bar on a terminal."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from qwicket.clients.native.progress import progress_display, state_text
from qwicket.clients.native.views import JobView

ID = "0198f3a0-0000-7000-8000-000000000000"


def job(state: str, **more: Any) -> JobView:
    return JobView({"id": ID, "state": state, **more})


def shown_job(*, wanted: bool) -> AbstractContextManager[Callable[[JobView], None] | None]:
    return progress_display(wanted)


def queued(
    position: int, starts_in_s: float | None = None, between: tuple[float, float] | None = None
) -> JobView:
    queue = {"position": position, "starts_in_s": starts_in_s}
    if between:
        queue |= {"starts_after_s": between[0], "starts_before_s": between[1]}
    return job("queued", queue=queue)


@pytest.mark.parametrize(
    ("view", "said"),
    [
        (job("queued"), "queued"),
        (queued(3), "queued, position 3"),
        (queued(1, 12.4), "queued, position 1, starts in about 12 s"),
        (queued(900, 600.0), "queued, position 900, starts in about 10 min"),
        (queued(9, 9000.0), "queued, position 9, starts in about 2.5 h"),
        (queued(9, 180.0, (120.0, 300.0)), "queued, position 9, starts in 2 to 5 min"),
        (queued(9, 60.0, (30.0, 300.0)), "queued, position 9, starts in 30 s to 5 min"),
        (queued(9, 60.0, (0.2, 300.0)), "queued, position 9, starts in 0 to 5 min"),
        (queued(9, 60.0, (59.9, 60.1)), "queued, position 9, starts in about 60 s"),
        (queued(9, 0.0, (0.0, 0.0)), "queued, position 9, starts in about 0 s"),
        (job("running"), "running"),
        (job("running", progress={"done": 0.5, "text": ""}), "running, 50%"),
        (job("running", progress={"done": 0.5, "text": "cooling"}), "running, 50%, cooling"),
        (job("completed"), "completed"),
    ],
)
def test_a_job_is_described_briefly(view: JobView, said: str) -> None:
    assert state_text(view) == said


def test_each_change_is_a_line_and_nothing_else_is(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_job(wanted=True) as watch:
        assert watch
        for view in (queued(2, 9.0), queued(2, 8.0), queued(1), job("running"), job("completed")):
            watch(view)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert [line.partition(": ")[2] for line in captured.err.splitlines()] == [
        "queued, position 2, starts in about 9 s",
        *("queued, position 1", "running", "completed"),
    ]


def test_nothing_is_shown_unasked(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_job(wanted=False) as watch:
        assert watch is None
    assert capsys.readouterr() == ("", "")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_progress_function_is_called_with_each_change() -> None:
    with progress_display(print) as watch:
        assert watch is print


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with shown_job(wanted=True) as watch:
        assert watch
        for view in (queued(4), queued(1), job("running"), job("completed")):
            watch(view)
    text = terminal.getvalue()
    assert "completed" in text
    assert "━" in text
    assert "0:00:0" in text


def test_a_terminal_without_rich_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    with shown_job(wanted=True) as watch:
        assert watch
        watch(queued(4))
    assert terminal.getvalue() == f"job {ID}: queued, position 4\n"
