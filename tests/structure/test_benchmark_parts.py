"""Parts of `make bench`: one that fails does not stop the others, nor lose what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from benchmarks import __main__ as bench
from benchmarks import history
from benchmarks.figures import Figure, Table

_HEAD = ["figure", "database", "measured", "floor", "bar", ""]
_POLL = Figure("status poll", "SQLite", "0.25 ms", "", "p50 ≤ 2 ms", is_within=True)
_ROW = ["status poll", "SQLite", "0.25 ms", "", "p50 ≤ 2 ms", "ok"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder to which `--keep` writes."""
    monkeypatch.setattr(bench, "write", partial(history.write, folder=tmp_path))
    monkeypatch.setattr(bench, "_commit", lambda: "abc1234")
    return tmp_path


def _measured(_settings: bench.Settings) -> bench.Verdicts:
    return bench._show_figures([_POLL])


def _fails_later(_settings: bench.Settings) -> bench.Verdicts:
    def figures() -> Iterator[Figure]:
        yield _POLL
        raise OSError("no space left")

    return bench._show_figures(figures())


def test_a_part_that_fails_does_not_stop_the_others_and_all_figures_are_kept(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    parts = {"first": _measured, "second": _fails_later, "third": _measured}
    assert bench.main(["--keep"], parts) == 1
    (run,) = history.runs(folder)
    assert run.failed == ["second"]
    assert run.tables == [Table(_HEAD, [_ROW])] * 3
    printed = capfd.readouterr()
    assert "OSError: no space left" in printed.err
    assert "failed, see the errors above: second" in printed.out


def test_without_failure_the_exit_status_is_0_and_only_the_named_parts_run(
    folder: Path,
) -> None:
    parts = {"first": _measured, "second": _fails_later}
    assert bench.main(["first", "--keep"], parts) == 0
    (run,) = history.runs(folder)
    assert (run.failed, run.tables) == ([], [Table(_HEAD, [_ROW])])


def test_costs_that_a_process_printed_before_it_failed_are_kept(folder: Path) -> None:
    interpreter = folder / "python"
    cost = '{"name":"X8","ours_ms":0.2,"bar_ms":0.3,"piquasso_ms":null,"walrus_ms":null}'
    interpreter.write_text(f"#!/bin/sh\necho '{cost}'\nexit 1\n")
    interpreter.chmod(0o755)
    assert bench.main(["photons", "--keep", "--photonic-peers", str(interpreter)]) == 1
    (run,) = history.runs(folder)
    assert run.failed == ["photons"]
    assert [table.rows for table in run.tables] == [
        [["X8", "0.2 ms", "0.3 ms", "", "", "", "", "ok"]]
    ]


def test_a_run_that_was_kept_without_failed_parts_is_still_read(tmp_path: Path) -> None:
    text = '{"at":"2026-01-02T03:04:05+00:00","commit":"a","machine":"m","tables":[]}'
    (tmp_path / "2026-01-02-a.json").write_text(text)
    (run,) = history.runs(tmp_path)
    assert run.failed == []


def test_a_second_run_of_a_day_does_not_replace_the_first(tmp_path: Path) -> None:
    first = history.Run("2026-01-02T03:04:05+00:00", "abc1234", "a machine", [])
    second = history.Run("2026-01-02T04:05:06+00:00", "abc1234", "a machine", [])
    assert history.write(first, tmp_path).name == "2026-01-02-abc1234.json"
    assert history.write(second, tmp_path).name == "2026-01-02T040506-abc1234.json"
    assert history.runs(tmp_path) == [first, second]
