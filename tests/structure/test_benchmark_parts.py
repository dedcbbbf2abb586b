"""Parts of `make bench`: one that fails does not stop the others, nor lose what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from benchmarks import __main__ as bench
from benchmarks import history, page
from benchmarks.figures import Figure, Table, combined

_HEAD = ["figure", "database", "measured", "floor", "bar", ""]
_POLL = Figure("status poll", "SQLite", "0.25 ms", "", "p50 ≤ 2 ms", is_within=True)
_ROW = ["status poll", "SQLite", "0.25 ms", "", "p50 ≤ 2 ms", "met"]
_RUN = history.Run("2026-01-02T03:04:05+00:00", "abc1234", "a machine", "built: so", 5, {})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder to which `--keep` writes."""
    kept = tmp_path / "history"
    monkeypatch.setattr(bench, "write", partial(history.write, folder=kept))
    monkeypatch.setattr(bench, "runs", partial(history.runs, folder=kept))
    monkeypatch.setattr(page, "write", partial(page.write, path=tmp_path / "speed.md"))
    monkeypatch.setattr(bench, "_commit", lambda: "abc1234")
    return tmp_path


def _measured(_settings: bench.Settings) -> None:
    bench._show_figures([_POLL])


def _fails_later(_settings: bench.Settings) -> None:
    def figures() -> Iterator[Figure]:
        yield _POLL
        raise OSError("no space left")

    bench._show_figures(figures())


def _kept(folder: Path) -> history.Run:
    (run,) = history.runs(folder / "history")
    return run


def test_a_part_that_fails_does_not_stop_the_others_and_all_figures_are_kept(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    parts = {"queue": _measured, "steps": _fails_later, "agents": _measured}
    assert bench.main(["--keep"], parts) == 1
    run = _kept(folder)
    assert run.failed == ["steps"]
    assert run.parts == {name: [Table(_HEAD, [_ROW])] for name in parts}
    printed = capfd.readouterr()
    assert "OSError: no space left" in printed.err
    assert "failed, see the errors above: steps" in printed.out
    assert "| parts that failed | steps" in (folder / "speed.md").read_text()


def test_without_failure_the_exit_status_is_0_and_only_the_named_parts_run(
    folder: Path,
) -> None:
    parts = {"queue": _measured, "steps": _fails_later}
    assert bench.main(["queue", "--keep"], parts) == 0
    run = _kept(folder)
    assert (run.failed, run.parts) == ([], {"queue": [Table(_HEAD, [_ROW])]})


def test_rounds_give_the_round_of_the_median_and_a_bar_that_most_did_not_meet_is_not_met(
    folder: Path,
) -> None:
    times = iter([3, 1, 2])

    def measure(_settings: bench.Settings) -> None:
        ms = next(times)
        bench._show_figures([_POLL._replace(measured=f"{ms} ms / 9 ms", is_within=ms < 2)])

    assert bench.main(["--rounds", "3", "--keep"], {"queue": measure}) == 1
    (table,) = _kept(folder).parts["queue"]
    assert table.head[2:4] == ["measured", "lowest to highest"]
    verdict = "**not met**"
    assert table.rows == [
        ["status poll", "SQLite", "2 ms / 9 ms", "1 ms to 3 ms", "", "p50 ≤ 2 ms", verdict]
    ]
    text = (folder / "speed.md").read_text()
    assert "## Bars that are not met\n\n- status poll (SQLite)\n" in text
    assert "0 met, 1 not met" in text


def test_a_row_that_only_one_round_has_is_kept() -> None:
    more = Table(_HEAD, [_ROW, ["page", *_ROW[1:]]])
    (table,) = combined([[Table(_HEAD, [_ROW])], [more]])
    assert [row[0] for row in table.rows] == ["status poll", "page"]


def test_what_was_measured_may_be_the_last_column() -> None:
    (table,) = combined([[Table(["step", "CPU"], [["parse", f"{k} ms"]])] for k in (3, 1, 2)])
    assert table.head == ["step", "CPU", "lowest to highest"]
    assert table.rows == [["parse", "2 ms", "1 ms to 3 ms"]]


def test_costs_that_a_process_printed_before_it_failed_are_kept(folder: Path) -> None:
    interpreter = folder / "python"
    cost = '{"name":"X8","ours_ms":0.2,"bar_ms":0.3,"piquasso_ms":null}'
    interpreter.write_text(f"#!/bin/sh\necho '{cost}'\nexit 1\n")
    interpreter.chmod(0o755)
    assert bench.main(["photons", "--keep", "--photonic-peers", str(interpreter)]) == 1
    run = _kept(folder)
    assert run.failed == ["photons"]
    assert [table.rows for table in run.parts["photons"]] == [
        [["X8", "0.2 ms", "0.3 ms", "", "", "met"]]
    ]


def test_a_second_run_of_a_day_does_not_replace_the_first(tmp_path: Path) -> None:
    second = history.Run("2026-01-02T04:05:06+00:00", "abc1234", "a machine", "built: so", 5, {})
    assert history.write(_RUN, tmp_path).name == "2026-01-02-abc1234.json"
    assert history.write(second, tmp_path).name == "2026-01-02T040506-abc1234.json"
    assert history.runs(tmp_path) == [_RUN, second]


def test_each_part_has_a_title() -> None:
    assert set(page.TITLES) == set(bench.PARTS)


def test_the_committed_page_is_that_of_the_committed_runs(tmp_path: Path) -> None:
    page.write(history.runs(), tmp_path / "speed.md")
    assert page.PAGE.read_text() == (tmp_path / "speed.md").read_text()


def test_trends_are_drawn_from_ten_runs_on(tmp_path: Path) -> None:
    for number, has_trends in ((9, False), (10, True)):
        page.write([_RUN] * number, tmp_path / "speed.md")
        assert (tmp_path / "speed.svg").exists() is has_trends
