"""Geometry of the plots: histograms of use per day, and maps of calibrations.

Templates draw them. Lengths are in units of the SVG.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from math import cos, floor, hypot, log10, pi, sin
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qwicket.circuits.calibrations import Calibrated, QubitFigures

_HEIGHT: Final = 220
_LEFT: Final = 56
"""Space for the numbers of the vertical axis."""
_CHAR: Final = 8
"""Width of a character of a label."""
MAX_MAP_QUBITS: Final = 160
"""Qubits of a map; those with higher numbers are not drawn."""
_MAX_MARKS: Final = 400
"""Qubits and pairs of a map together, so that its page stays small."""
_MAP_MARGIN: Final = 14
"""Space above and below the places of qubits, which are drawn as circles of radius 11."""
_ROUNDS: Final = 60
"""Iterations that place the qubits of a map."""


class Bar(NamedTuple):
    """A bar of a histogram.

    `x` and `width` are of the bar's slot, in which the bar is drawn with space on both sides.
    The height is from the bottom.
    """

    label: str
    value: float
    x: float
    width: float
    height: float


class Tick(NamedTuple):
    """A value of the vertical axis, and its distance from the top."""

    value: float
    y: float


class Plot(NamedTuple):
    """A histogram.

    `left` is the space left of the bars, included in `width`; `below` is the space for labels, not
    included in `height`.
    """

    width: int
    height: int
    below: int
    bars: tuple[Bar, ...]
    left: int = 0
    ticks: tuple[Tick, ...] = ()


def histogram(rows: Sequence[tuple[str, float]], *, step: int) -> Plot:
    """Return a histogram.

    Args:
        rows: Labels and values.
        step: Distance of the bars.
    """
    top = max((value for _, value in rows), default=0.0)

    def height(value: float) -> float:
        return _HEIGHT * value / top if value > 0 else 0.0

    bars = tuple(
        Bar(label, value, _LEFT + number * step, step, height(value))
        for number, (label, value) in enumerate(rows)
    )
    below = _CHAR * max((len(bar.label) for bar in bars), default=0) + 12
    ticks = tuple(Tick(value, round(_HEIGHT - height(value), 1)) for value in _steps(top))
    return Plot(_LEFT + step * len(rows), _HEIGHT, below, bars, _LEFT, ticks)


def _steps(top: float) -> list[float]:
    """Return 0 and up to five multiples of 1, 2 or 5 times a power of ten, up to a value."""
    if top <= 0:
        return []
    power = 10.0 ** floor(log10(top / 2))
    step = next((m * power for m in (0.5, 1, 2, 5) if top / (m * power) <= 5), 10 * power)
    return [round(k * step, 12) for k in range(int(top / step) + 1)]


class MapQubit(NamedTuple):
    """A qubit of a map. `shade` is from 0 (best of those drawn) to 1 (worst); all 0 if equal."""

    number: int
    x: float
    y: float
    shade: float
    figures: QubitFigures
    gate_error: float

    @property
    def level(self) -> int:
        return _level(self.shade)


class MapPair(NamedTuple):
    """A pair of a map, with the error of its gate.

    `shade` is from 0 (best of those drawn) to 1 (worst); all 0 if equal.
    """

    a: int
    b: int
    x1: float
    y1: float
    x2: float
    y2: float
    error: float
    shade: float

    @property
    def level(self) -> int:
        return _level(self.shade)


def _level(shade: float) -> int:
    """Return the colour of a shade, from 1 (best) to 5 (worst)."""
    return 1 + min(4, int(5 * shade))


class Map(NamedTuple):
    """A map of qubits and pairs, 400 wide and `height` high from `top` on.

    `n_pairs` counts the connected pairs, also those that are not drawn. If all pairs are connected,
    only those with figures of their own are drawn and counted.
    """

    top: float
    height: float
    qubits: tuple[MapQubit, ...]
    pairs: tuple[MapPair, ...]
    n_pairs: int


def calibration_map(calibrated: Calibrated, n_qubits: int, figure: str) -> Map:
    """Return the map of a calibration.

    Args:
        calibrated: The calibration.
        n_qubits: Number of qubits of its device.
        figure: What shades the qubits: `t1`, `t2`, `readout` or `gate`.
    """
    body = calibrated.body
    n_qubits = min(n_qubits, MAX_MAP_QUBITS)
    connected = body.connectivity
    places = _places(n_qubits, connected)
    figures = [body.qubits.get(number, body.qubit) for number in range(n_qubits)]
    worse = [
        _badness(each, each.gate.error if each.gate else body.one_qubit.error, figure)
        for each in figures
    ]
    shades = _shades(worse)
    own = {tuple(sorted(each.qubits)): each.error for each in body.pairs}
    all_pairs = connected if connected is not None else tuple(own)
    drawn = [(a, b) for a, b in all_pairs if max(a, b) < n_qubits][: _MAX_MARKS - n_qubits]
    pairs = [(a, b, own.get(tuple(sorted((a, b))), body.two_qubit.error)) for a, b in drawn]
    pair_shades = _shades([error for _, _, error in pairs])
    ys = [y for _, y in places]
    return Map(
        min(ys) - _MAP_MARGIN,
        max(ys) - min(ys) + 2 * _MAP_MARGIN,
        tuple(
            MapQubit(
                number,
                *places[number],
                shades[number],
                each,
                each.gate.error if each.gate else body.one_qubit.error,
            )
            for number, each in enumerate(figures)
        ),
        tuple(
            MapPair(a, b, *places[a], *places[b], error, shade)
            for (a, b, error), shade in zip(pairs, pair_shades, strict=True)
        ),
        len(all_pairs),
    )


def _badness(figures: QubitFigures, gate_error: float, figure: str) -> float:
    match figure:
        case "t1":
            return -figures.t1_s
        case "t2":
            return -figures.t2_s
        case "readout":
            return figures.spam_error
        case _:
            return gate_error


def _shades(values: Sequence[float]) -> list[float]:
    low, high = min(values, default=0.0), max(values, default=0.0)
    if high <= low:
        return [0.0] * len(values)
    return [round((value - low) / (high - low), 2) for value in values]


@lru_cache(64)
def _places(
    n_qubits: int, connected: tuple[tuple[int, int], ...] | None
) -> tuple[tuple[float, float], ...]:
    """Return places in a square of 400.

    They are on a circle if all pairs are connected (None) or there are under three qubits;
    otherwise they come from stress majorization of the connections (Gansner, Koren and North, Graph
    drawing by stress majorization, 2004, equation 8).
    """
    turn = 2 * pi / max(1, n_qubits)
    circle = [(cos(turn * k - pi / 2), sin(turn * k - pi / 2)) for k in range(n_qubits)]
    if connected is None or n_qubits < 3:
        return _scaled(circle)
    near: list[list[int]] = [[] for _ in range(n_qubits)]
    for a, b in connected:
        if max(a, b) < n_qubits:
            near[a].append(b)
            near[b].append(a)
    distances = [_distances(near, start) for start in range(n_qubits)]
    places = _initial_places(distances, circle)
    for _ in range(_ROUNDS):
        places = [_moved(k, places, distances[k]) for k in range(n_qubits)]
    return _scaled(places)


def _initial_places(
    distances: Sequence[Sequence[float]], circle: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    """Return the places before the first iteration, from the distances along two axes.

    The first axis joins two distant qubits, `left` and `right`; the second joins `up`, the farthest
    from that axis, and `down`. A small circle is added, so that no two qubits start at the same
    place.
    """
    numbers = range(len(distances))
    left = max(numbers, key=lambda k: distances[0][k])
    right = max(numbers, key=lambda k: distances[left][k])
    far = distances[left][right]

    def from_axis(k: int) -> float:
        return distances[left][k] + distances[right][k] - far

    # Of equally far ones, the one nearest the middle of the axis.
    up = max(numbers, key=lambda k: (from_axis(k), -abs(distances[left][k] - far / 2)))
    # Far from `up`, and about as far from `left` as from `right`.
    down = max(
        numbers, key=lambda k: distances[up][k] - abs(distances[left][k] - distances[right][k])
    )
    return [
        (
            distances[left][k] - distances[right][k] + 0.1 * circle[k][0],
            distances[up][k] - distances[down][k] + 0.1 * circle[k][1],
        )
        for k in numbers
    ]


def _distances(near: Sequence[Sequence[int]], start: int) -> list[float]:
    """Return distances in steps; unconnected qubits are one step farther than all others."""
    found = {start: 0}
    queue = deque([start])
    while queue:
        here = queue.popleft()
        for there in near[here]:
            if there not in found:
                found[there] = found[here] + 1
                queue.append(there)
    far = max(found.values()) + 1
    return [float(found.get(k, far)) for k in range(len(near))]


def _moved(
    k: int, places: Sequence[tuple[float, float]], distances: Sequence[float]
) -> tuple[float, float]:
    """Return the new place of qubit k: the mean of where each other qubit wants it.

    Qubit j wants it at `distances[j]` along the present line; weights are 1/distance². All qubits
    move at once, from the old places.
    """
    x, y = places[k]
    total = sum_x = sum_y = 0.0
    for j, (other_x, other_y) in enumerate(places):
        if j == k:
            continue
        wanted = distances[j]
        weight = 1 / (wanted * wanted)
        length = hypot(x - other_x, y - other_y) or 1e-9
        sum_x += weight * (other_x + wanted * (x - other_x) / length)
        sum_y += weight * (other_y + wanted * (y - other_y) / length)
        total += weight
    return sum_x / total, sum_y / total


def _scaled(places: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Return places scaled so that the larger extent is from 20 to 380, and centred."""
    if not places:
        return ()
    xs, ys = [x for x, _ in places], [y for _, y in places]
    extent = max(max(xs) - min(xs), max(ys) - min(ys)) or 1.0
    middle_x, middle_y = (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2
    return tuple(
        (
            round(200 + 360 * (x - middle_x) / extent, 1),
            round(200 + 360 * (y - middle_y) / extent, 1),
        )
        for x, y in places
    )
