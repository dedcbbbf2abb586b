"""Results as the page of a job shows them: rows, bars, columns, and addresses."""

from __future__ import annotations

import numpy as np
import pytest

from qwicket.circuits.outcomes import Outcome, int64_array, key_array, key_width
from qwicket.circuits.qubit import Register
from qwicket.pages.job_result import ResultView, View, columns, result_view, short


def outcome(counts: list[int], n_bits: int) -> Outcome:
    """Return the outcome whose key k was counted `counts[k]` times."""
    width = key_width(n_bits)
    keys = b"".join(k.to_bytes(width, "little") for k in range(len(counts)))
    arrays = {
        "keys": key_array(keys, n_bits),
        "counts": int64_array(np.array(counts, dtype="<i8").tobytes()),
    }
    registers = (Register("c", n_bits),)
    return Outcome(
        registers=registers, arrays=arrays, engine="e", engine_version="1", seed=7, seconds=0.5
    )


def shown(counts: list[int], n_bits: int, view: View, other: list[int] | None = None) -> ResultView:
    compared = outcome(other, n_bits) if other else None
    return result_view(outcome(counts, n_bits), compared, view)


def test_bars_reach_to_a_round_share_at_the_end_of_the_axis() -> None:
    found = shown([500, 300, 200, 0], 2, View())
    assert [row.label for row in found.rows] == ["00", "01", "10"]
    assert found.axis == (0.0, 0.5)
    assert [row.width for row in found.rows] == [100, 60, 40]
    assert [row.share for row in found.rows] == [0.5, 0.3, 0.2]


def test_on_a_logarithmic_scale_equal_ratios_are_equal_steps() -> None:
    first, second, third = (
        row.width for row in shown([1000, 100, 10, 0], 2, View(scale="log")).rows
    )
    assert first == 100
    assert first - second == pytest.approx(second - third, abs=0.11)
    assert third > 0


@pytest.mark.parametrize("n", [2, 33])
def test_only_3_to_32_outcomes_have_a_logarithmic_scale(n: int) -> None:
    counts = [2 ** (k % 20) for k in range(n)]
    found = shown(counts, 6, View(scale="log"))
    assert not found.has_scales
    assert found.rows == shown(counts, 6, View()).rows
    assert shown([1] * 32, 6, View()).has_scales


def test_bars_of_another_job_share_the_axis_and_all_outcomes_are_shown() -> None:
    found = shown([50, 50], 1, View(order="bits"), [0, 8])
    assert [(row.label, row.share, row.other) for row in found.rows] == [
        ("0", 0.5, 0.0),
        ("1", 0.5, 1.0),
    ]
    assert [(row.width, row.other_width) for row in found.rows] == [(50, 0), (50, 100)]


def test_of_many_outcomes_the_most_frequent_are_rows_beside_columns_of_all() -> None:
    counts = [*range(1, 65)]
    few, more = (shown(counts, 6, View(rows=rows)) for rows in (0, 100))
    assert [row.value for row in few.rows] == [*range(64, 52, -1)]
    assert few.more == (52, 1378.0, 1378 / 2080)  # 1 + 2 + … + 52, + 64
    assert (len(more.rows), more.more) == (64, None)
    assert few.columns is not None
    assert few.columns == more.columns
    assert few.columns.uniform == 2080 / 64
    every = shown([1] * 32, 5, View())
    assert (len(every.rows), every.more, every.columns) == (32, None, None)


def test_columns_are_ranked_and_of_very_many_only_some_are_drawn() -> None:
    few = columns([1, 4, 2], 7, 2)
    assert few.path == "M0 100V0.0h1V50.0h1V75.0h1V100"
    assert (few.uniform, few.uniform_y) == (1.75, 56.2)
    many = columns(range(1, 4001), 1.0, 30)
    assert (many.n, many.path.count("h1"), many.highest, many.lowest) == (400, 400, 4000, 1)
    assert many.uniform is None


def test_a_long_label_keeps_both_ends() -> None:
    assert short("1" * 18) == "1" * 18
    assert short("1" * 10 + "0" * 10) == "11111111…00000000"


def test_an_address_has_only_what_is_not_usual() -> None:
    view = View.of({"order": "bits", "scale": "x", "with": " a&b ", "rows": "7", "show": "s"}, 2)
    assert view == View(2, "bits", "linear", "a&b", 0, "s")
    assert view.address(show="", order="count") == "?part=2&with=a%26b"
    assert View().address() == "?"
