"""Photon counts against exact probabilities, and the methods against each other."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chi2_contingency

from qwicket.circuits.photonic import Gate, Op
from qwicket.engines.failures import CannotRun
from qwicket.model.limits import PhotonicLimits
from qwicket.vendors.xanadu.engine import counting, lattice, pair_states
from qwicket.vendors.xanadu.engine.engine import _Simulation
from qwicket.vendors.xanadu.engine.moments import is_classical, pure_amplitudes
from support import photonic_math as photons
from support.for_each import for_each

SHOTS = 6_000
MAX_AMPLITUDES = PhotonicLimits().amplitudes


def made(ops: list[Op], n: int) -> tuple[np.ndarray, np.ndarray]:
    machine = _Simulation(n, 1, np.random.default_rng(0), PhotonicLimits())
    for op in ops:
        assert isinstance(op, Gate)
        machine.apply(op)
    return machine._state.cov, machine._state.means


def pairs(r: tuple[float, ...], seed: int) -> list[Op]:
    n = len(r)
    rng = np.random.default_rng(seed)
    ops: list[Op] = [Gate("S2gate", (i, i + n), (each, 0.3)) for i, each in enumerate(r)]
    halves_of = (range(n), range(n, 2 * n))
    return ops + [photons.interferometer(photons.unitary(n, rng), modes) for modes in halves_of]


PURE = photons.entangled(3, np.random.default_rng(1))
LOSSY: list[Op] = [
    *PURE,
    Gate("LossChannel", (0,), (0.7,)),
    Gate("ThermalLossChannel", (2,), (0.8, 0.2)),
]
CLASSICAL: list[Op] = [
    Gate("Thermal", (0,), (0.6,)),
    Gate("Coherent", (1,), (0.7, 0.4)),
    photons.interferometer(photons.unitary(2, np.random.default_rng(4)), (0, 1)),
]


@pytest.mark.parametrize("ops", [PURE, LOSSY], ids=["pure", "lossy"])
def test_lattice_counts_follow_exact_probabilities(ops: list[Op]) -> None:
    cov, means = made(ops, 3)
    drawn = lattice.draw(cov, means, [1, 0, 2], SHOTS, np.random.default_rng(11), MAX_AMPLITUDES)
    assert photons.p_value(drawn, cov, means[0], 5) > 1e-3


def test_classical_counts_follow_exact_probabilities() -> None:
    cov, means = made(CLASSICAL, 2)
    assert is_classical(cov)
    drawn = counting.draw(cov, means, SHOTS, np.random.default_rng(12), PhotonicLimits())
    assert photons.p_value(drawn, cov, means[0], 6) > 1e-3
    by_lattice = lattice.draw(cov, means, [0, 1], SHOTS, np.random.default_rng(13), MAX_AMPLITUDES)
    assert photons.p_value(by_lattice, cov, means[0], 6) > 1e-3


@pytest.mark.parametrize("r", [(0.6,), (0.5, 0.3)])
def test_counts_by_halves_follow_exact_probabilities(r: tuple[float, ...]) -> None:
    cov, means = made(pairs(r, 5), 2 * len(r))
    found = pair_states.split(cov)
    assert found is not None
    drawn = pair_states.draw(cov, found, SHOTS, np.random.default_rng(14), MAX_AMPLITUDES)
    assert photons.p_value(drawn, cov, means[0], 6) > 1e-3


def test_both_methods_draw_pairs_alike() -> None:
    """Three modes a half: too many patterns for exact ones, so one sample against the other."""
    cov, means = made(pairs((0.6, 0.5, 0.4), 6), 6)
    found = pair_states.split(cov)
    assert found is not None
    one = pair_states.draw(cov, found, SHOTS, np.random.default_rng(15), MAX_AMPLITUDES)
    other = lattice.draw(
        cov, means, list(range(6)), SHOTS // 2, np.random.default_rng(16), MAX_AMPLITUDES
    )
    assert np.array_equal(other[:, :3].sum(axis=1), other[:, 3:].sum(axis=1))
    keys, where = np.unique(np.vstack([one, other]), axis=0, return_inverse=True)
    table = np.array(
        [np.bincount(part, minlength=len(keys)) for part in np.split(where.ravel(), [SHOTS])]
    )
    common = table.sum(axis=0) >= 30
    table = np.column_stack([table[:, common], table[:, ~common].sum(axis=1)])
    assert table.shape[1] > 20
    assert chi2_contingency(table).pvalue > 1e-3


def test_x8_counts_have_the_moments_of_its_unitary() -> None:
    """Mean_i = Σ_k |U_ik|² sinh² r_k, Cov(n_i, m_j) = |(U diag(sinh r cosh r) Uᵀ)_ij|²."""
    r = np.array([1.0, 0.8, 0.6, 0.4])
    u = photons.unitary(4, np.random.default_rng(7))
    ops: list[Op] = [Gate("S2gate", (i, i + 4), (float(r[i]), 0.0)) for i in range(4)]
    ops += [photons.interferometer(u, range(4)), photons.interferometer(u, range(4, 8))]
    drawn = photons.counts_of(ops, 8, 20_000, 17).astype(float)
    assert np.array_equal(drawn[:, :4].sum(axis=1), drawn[:, 4:].sum(axis=1))
    mean = np.tile(np.abs(u) ** 2 @ np.sinh(r) ** 2, 2)
    error = drawn.std(axis=0) / len(drawn) ** 0.5
    assert np.all(np.abs(drawn.mean(axis=0) - mean) < 4 * error)
    between = np.abs((u * (np.sinh(r) * np.cosh(r))) @ u.T) ** 2
    centred = drawn - mean
    products = centred[:, :4, None] * centred[:, None, 4:]
    errors = products.std(axis=0) / len(drawn) ** 0.5
    assert np.all(np.abs(products.mean(axis=0) - between) < 4.5 * errors)


def test_a_state_is_split_into_halves_only_where_that_is_exact() -> None:
    assert pair_states.split(made(pairs((0.5, 0.3), 5), 4)[0]) == ([0, 1], [2, 3])
    lossy = [*pairs((0.5, 0.3), 5), Gate("LossChannel", (0,), (0.9,))]
    assert pair_states.split(made(lossy, 4)[0]) is None
    assert pair_states.split(made([Gate("Sgate", (0,), (0.3, 0.0))], 2)[0]) is None


def _lattice(n: int, rng: np.random.Generator) -> tuple[lattice._Lattice, NDArray[np.complex128]]:
    """Return a lattice of a random state with a few counts drawn, and its γ."""
    ops: list[Op] = [Gate("Sgate", (mode,), (0.8, 0.3 * mode)) for mode in range(n)]
    ops.append(photons.interferometer(photons.unitary(n, rng), tuple(range(n))))
    b = pure_amplitudes(made(ops, n)[0])
    gamma = rng.standard_normal(n) + 1j * rng.standard_normal(n)
    drawn = lattice._Lattice(b, MAX_AMPLITUDES)
    for mode in range(n - 1):
        drawn._keep(mode, int(rng.integers(1, 4)))
    return drawn, gamma


@for_each("seed", range(5))
def test_polynomials_and_layers_give_the_same_weights(seed: int) -> None:
    drawn, gamma = _lattice(4, np.random.default_rng(seed))
    own = complex(drawn._b[3, 3])
    found = lattice._weights_of(drawn._polynomial(3, gamma), complex(gamma[3]), own)
    assert found is not None
    layers = drawn._layers(3, gamma)
    wanted = [next(layers) for _ in found]
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12 * sum(wanted))
    assert wanted[-1] < 1e-9 * sum(wanted)


def test_weights_behind_a_gap_are_found() -> None:
    """z¹² has all its weight at 12 and beyond; a trace of the vacuum must not hide it."""
    polynomial = np.zeros(13, complex)
    polynomial[0], polynomial[12] = 1e-9, 1
    found = lattice._weights_of(polynomial, 0.1 + 0j, 0j)
    assert found is not None
    assert np.argmax(found) == 12


def test_terms_that_cancel_are_left_to_layers() -> None:
    """Of (z - 4)²⁰ exp(4z) the terms are far larger than their sums."""
    polynomial = np.array(np.polynomial.polynomial.polyfromroots([4.0] * 20), complex)
    assert lattice._weights_of(polynomial, 4 + 0j, 0j) is None


def test_counts_beyond_the_factorials_are_left_to_layers() -> None:
    assert lattice._weights_of(np.ones(2, complex), 11 + 0j, 0j) is None


def test_a_pure_state_lies_below_every_state() -> None:
    cov, _ = made(LOSSY, 3)
    pure = lattice.purest(cov)
    form = np.block([[np.zeros((3, 3)), np.eye(3)], [-np.eye(3), np.zeros((3, 3))]])
    np.testing.assert_allclose(pure @ form @ pure, form, atol=1e-12)
    assert np.linalg.eigvalsh(cov - pure)[0] > -1e-12


@pytest.mark.parametrize(
    ("ops", "n", "shots", "text"),
    [
        (
            [Gate("Sgate", (i,), (0.1, 0.0)) for i in range(21)],
            21,
            1,
            "21 modes to count .* 'counted_modes' is 20",
        ),
        (
            [Gate("Sgate", (0,), (0.1, 0.0))],
            1,
            100_001,
            "100,001 shots .* 'counted_shots' is 100,000",
        ),
        ([Gate("Sgate", (0,), (2.5, 0.0))], 1, 1, "36.605 mean photons .* 'counted_photons' is 25"),
        ([Gate("S2gate", (0, 1), (2.5, 0.0))], 2, 1, "73.2.* mean photons .* 'pair_photons' is 60"),
    ],
)
def test_what_would_explode_is_refused_with_its_number(
    ops: list[Op], n: int, shots: int, text: str
) -> None:
    with pytest.raises(CannotRun, match=text):
        photons.counts_of(ops, n, shots, 0)


def test_amplitudes_are_bounded_in_number() -> None:
    few = PhotonicLimits(amplitudes=8)
    with pytest.raises(CannotRun, match=r"Shot \d+ of 100 .* the limit 'amplitudes' is 8\. A job"):
        photons.counts_of(PURE, 3, 100, 0, few)
    with pytest.raises(
        CannotRun, match=r"A shot with .* 'amplitudes' is 8\. A job with fewer shots"
    ):
        photons.counts_of(pairs((1.0, 1.0, 1.0), 1), 6, 100, 0, few)
