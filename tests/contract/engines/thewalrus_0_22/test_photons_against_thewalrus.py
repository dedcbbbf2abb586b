"""Photon counts against exact probabilities of The Walrus: hafnians and torontonians not our own.

States are pure, lossy, thermal and displaced; seeds are fixed.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import chi2
from thewalrus import threshold_detection_prob
from thewalrus.quantum import density_matrix_element

from qwicket.circuits.photonic import Gate, Measure
from qwicket.model.limits import PhotonicLimits
from qwicket.vendors.xanadu.engine import lattice, pair_states
from qwicket.vendors.xanadu.engine.engine import _Simulation
from support import photonic_math as photons

SHOTS = 10_000
MAX_AMPLITUDES = PhotonicLimits().amplitudes
DISPLACED = photons.entangled(3, np.random.default_rng(21))
PURE = [op for op in DISPLACED if isinstance(op, Gate) and op.name != "Dgate"]
LOSSES = [
    Gate("LossChannel", (0,), (0.6,)),
    Gate("LossChannel", (1,), (0.8,)),
    Gate("ThermalLossChannel", (2,), (0.7, 0.3)),
]
STATES = {
    "pure": PURE,
    "pure, displaced": DISPLACED,
    "lossy": [*PURE, *LOSSES],
    "lossy, displaced": [*DISPLACED, *LOSSES],
}
states = pytest.mark.parametrize("ops", STATES.values(), ids=STATES.keys())


def state(ops, n):
    machine = _Simulation(n, 1, np.random.default_rng(0), PhotonicLimits())
    for op in ops:
        machine.apply(op)
    return machine._state.cov, machine._state.means[0]


def exact(cov, means, pattern):
    return density_matrix_element(means, cov, list(pattern), list(pattern), hbar=2).real


def p_value(drawn, probability, levels):
    """Return p of a χ² test; patterns that are seldom, or have more photons, count together."""
    patterns = [each for each in product(range(levels), repeat=drawn.shape[1]) if sum(each) < 6]
    expected = np.array([SHOTS * probability(each) for each in patterns])
    seen = np.array([(drawn == each).all(axis=1).sum() for each in patterns])
    often = expected >= 8
    assert often.sum() > 3
    expected = np.append(expected[often], SHOTS - expected[often].sum())
    seen = np.append(seen[often], SHOTS - seen[often].sum())
    if expected[-1] < 8:
        expected, seen = expected[:-1], seen[:-1]
    return chi2.sf(((seen - expected) ** 2 / expected).sum(), len(seen) - 1)


@states
def test_the_probabilities_of_our_tests_are_those_of_thewalrus(ops):
    cov, means = state(ops, 3)
    for pattern in [(0, 0, 0), (1, 0, 0), (0, 2, 1), (1, 1, 1), (2, 0, 2), (3, 1, 0)]:
        assert photons.probability(cov, means, pattern) == pytest.approx(
            exact(cov, means, pattern), abs=1e-12, rel=1e-9
        )


@states
def test_counts_of_the_lattice_follow_hafnians(ops):
    cov, means = state(ops, 3)
    drawn = lattice.draw(
        cov, means[None], [2, 0, 1], SHOTS, np.random.default_rng(31), MAX_AMPLITUDES
    )
    assert p_value(drawn, lambda pattern: exact(cov, means, pattern), 6) > 1e-3


def test_counts_by_halves_follow_hafnians():
    ops = [Gate("S2gate", (i, i + 2), (r, 0.4)) for i, r in enumerate((0.6, 0.4))]
    unitary = photons.unitary(2, np.random.default_rng(22))
    ops += [photons.interferometer(unitary, modes) for modes in ((0, 1), (2, 3))]
    cov, means = state(ops, 4)
    found = pair_states.split(cov)
    assert found is not None
    drawn = pair_states.draw(cov, found, SHOTS, np.random.default_rng(32), MAX_AMPLITUDES)
    assert p_value(drawn, lambda pattern: exact(cov, means, pattern), 4) > 1e-3


@states
def test_clicks_follow_torontonians(ops):
    cov, means = state(ops, 3)
    drawn = photons.run([*ops, Measure("threshold", (0, 1, 2))], 3, SHOTS, 33)

    def probability(pattern):
        return threshold_detection_prob(means, cov, list(pattern), hbar=2).real

    assert p_value(drawn, probability, 2) > 1e-3
