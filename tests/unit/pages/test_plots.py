"""Geometry of plots: heights of bars, and places of qubits."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import combinations, pairwise
from math import hypot

import pytest

from qwicket import devices
from qwicket.circuits.calibrations import Calibrated, Calibration, GateFigures, QubitFigures
from qwicket.pages.plots import MAX_MAP_QUBITS, calibration_map, histogram

pytestmark = pytest.mark.needs_vendors


PLAIN = QubitFigures(t1_s=1e-4, t2_s=1e-4, one_for_zero=0.01, zero_for_one=0.03)


def calibrated(connectivity: tuple[tuple[int, int], ...] | None) -> Calibrated:
    gate = GateFigures(error=0.001, duration_s=1e-8)
    worse = QubitFigures(t1_s=5e-5, t2_s=1e-4, one_for_zero=0.1, zero_for_one=0.1, gate=gate)
    body = Calibration(
        valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        source="test",
        qubit=PLAIN,
        one_qubit=gate,
        two_qubit=GateFigures(error=0.01, duration_s=1e-7),
        qubits={1: worse},
        connectivity=connectivity,
    )
    return Calibrated("c", "d", 0, body)


def test_bars_are_as_high_as_their_values() -> None:
    plot = histogram([("00", 100), ("11", 25)], step=36)
    assert [bar.height / plot.height for bar in plot.bars] == [1.0, 0.25]


@pytest.mark.parametrize(
    ("values", "marks"),
    [
        ([100, 25], [0, 20, 40, 60, 80, 100]),
        ([0.62], [0, 0.2, 0.4, 0.6]),
        ([7], [0, 2, 4, 6]),
        ([0], []),
    ],
)
def test_the_axis_has_round_numbers_at_their_heights(
    values: list[float], marks: list[float]
) -> None:
    plot = histogram([(str(n), value) for n, value in enumerate(values)], step=36)
    assert [tick.value for tick in plot.ticks] == marks
    assert all(0 <= tick.y <= plot.height for tick in plot.ticks)
    if values[0]:
        heights = [plot.height * (1 - tick.value / values[0]) for tick in plot.ticks]
        assert [tick.y for tick in plot.ticks] == pytest.approx(heights, abs=0.1)


@pytest.mark.parametrize(("shown", "worst"), [("t1", 1), ("readout", 1)])
def test_a_worse_qubit_is_darker(shown: str, worst: int) -> None:
    found = calibration_map(calibrated(None), 3, shown)
    assert [each.number for each in found.qubits if each.shade == 1.0] == [worst]


def test_connections_of_qubits_that_are_not_drawn_take_no_places() -> None:
    beyond = tuple(pairwise(range(MAX_MAP_QUBITS, MAX_MAP_QUBITS + 300)))
    found = calibration_map(calibrated((*beyond, (0, 1), (1, 2))), MAX_MAP_QUBITS + 300, "t1")
    assert [(each.a, each.b) for each in found.pairs] == [(0, 1), (1, 2)]
    assert found.n_pairs == len(beyond) + 2


Line = tuple[float, float, float, float]


def _crosses(a: Line, b: Line) -> bool:
    def side(x: float, y: float, line: Line) -> float:
        x1, y1, x2, y2 = line
        return (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)

    if {a[:2], a[2:]} & {b[:2], b[2:]}:
        return False
    of_a = side(b[0], b[1], a) * side(b[2], b[3], a)
    of_b = side(a[0], a[1], b) * side(a[2], a[3], b)
    return of_a < 0 and of_b < 0


GRID = tuple(
    (5 * row + column, 5 * row + column + step)
    for row in range(5)
    for column in range(5)
    for step in (1, 5)
    if (step == 5 and row < 4) or (step == 1 and column < 4)
)
HEAVY = devices.calibrations()["qwicket_heavyhex27"].connectivity or ()


@pytest.mark.parametrize(
    ("n_qubits", "connectivity"),
    [(5, tuple(pairwise(range(5)))), (25, GRID), (27, HEAVY), (4, ((0, 1),))],
    ids=["line", "grid", "heavy hexagons", "lone qubits"],
)
def test_lattices_are_drawn_without_crossings(
    n_qubits: int, connectivity: tuple[tuple[int, int], ...]
) -> None:
    found = calibration_map(calibrated(connectivity), n_qubits, "t1")
    lines = [(each.x1, each.y1, each.x2, each.y2) for each in found.pairs]
    assert len(lines) == len(connectivity)
    assert not [pair for pair in combinations(lines, 2) if _crosses(*pair)]
    places = [(each.x, each.y) for each in found.qubits]
    assert min(hypot(a[0] - b[0], a[1] - b[1]) for a, b in combinations(places, 2)) > 26
    assert all(20 <= value <= 380 for place in places for value in place)
