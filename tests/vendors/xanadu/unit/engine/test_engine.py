"""Whole circuits: reference values, Gaussian measurements, feed-forward, time bins."""

from __future__ import annotations

from math import comb, cosh, exp, pi, sinh, tanh

import numpy as np
import pytest
from scipy.stats import kstest

from qwicket.circuits.noise import NoiseModel
from qwicket.circuits.options import RunOptions
from qwicket.circuits.photonic import Formula, Gate, Measure, Op, PhotonicCircuit, summarise
from qwicket.engines.failures import CannotRun
from qwicket.model.limits import Limits
from qwicket.vendors.xanadu import blackbird
from qwicket.vendors.xanadu import engine as photonic
from support import photonic_math as photons
from support.for_each import for_each

SHOTS = 20_000


def close(drawn: np.ndarray, expected: float) -> bool:
    """Say whether the mean of numbers is as expected, within four standard errors."""
    error = drawn.std() / len(drawn) ** 0.5
    return bool(abs(drawn.mean() - expected) < 4 * error)


def has_variance(drawn: np.ndarray, expected: float) -> bool:
    """Say whether numbers are normal about zero with a variance (Kolmogorov and Smirnov)."""
    return bool(kstest(drawn / expected**0.5, "norm").pvalue > 1e-3)


def squeezed_pair(r: float) -> list[Op]:
    return [Gate("S2gate", (0, 1), (r, 0.0))]


def test_two_mode_squeezed_vacuum_has_equal_counts_of_a_geometric_law() -> None:
    q = tanh(1) ** 2
    drawn = photons.counts_of(squeezed_pair(1.0), 2, SHOTS, 1)
    assert np.array_equal(drawn[:, 0], drawn[:, 1])
    assert close(drawn[:, 0], sinh(1) ** 2)
    for n in range(5):
        assert close(drawn[:, 0] == n, (1 - q) * q**n)


def test_two_squeezers_on_a_beam_splitter_make_the_same() -> None:
    ops = [Gate("Sgate", (0,), (1.0, 0.0)), Gate("Sgate", (1,), (-1.0, 0.0))]
    drawn = photons.counts_of([*ops, Gate("BSgate", (0, 1), (pi / 4, 0.0))], 2, SHOTS, 2)
    assert np.array_equal(drawn[:, 0], drawn[:, 1])
    assert close(drawn[:, 0], sinh(1) ** 2)


def test_threshold_detectors_click_where_there_are_photons() -> None:
    drawn = photons.run([*squeezed_pair(1.0), Measure("threshold", (0, 1))], 2, SHOTS, 3)
    assert set(drawn.ravel().tolist()) == {0, 1}
    assert close(drawn[:, 0], tanh(1) ** 2)


def test_squeezed_vacuum_has_even_counts() -> None:
    """P(2k) = C(2k, k) (tanh r / 2)^2k / cosh r; the fourth moment gives the variance's error."""
    shots, mean = 4_000, sinh(0.8) ** 2
    drawn = photons.counts_of([Gate("Sgate", (0,), (0.8, 0.4))], 1, shots, 4)[:, 0]
    law = np.array([comb(2 * k, k) * (tanh(0.8) / 2) ** (2 * k) / cosh(0.8) for k in range(99)])
    squares = (2 * np.arange(99) - mean) ** 2
    variance = 2 * mean * (mean + 1)
    assert law @ squares == pytest.approx(variance)
    error = ((law @ squares**2 - variance**2) / shots) ** 0.5
    assert not (drawn % 2).any()
    assert close(drawn, mean)
    assert close(drawn == 0, 1 / cosh(0.8))
    assert abs(((drawn - mean) ** 2).mean() - variance) < 4 * error


def test_equal_coherent_beams_leave_by_the_second_port() -> None:
    ops = [Gate("Coherent", (i,), (1.2, 0.0)) for i in (0, 1)]
    drawn = photons.counts_of([*ops, Gate("BSgate", (0, 1), (pi / 4, 0.0))], 2, SHOTS, 5)
    assert not drawn[:, 0].any()
    assert close(drawn[:, 1], 2.88)
    assert close(drawn[:, 1] == 0, exp(-2.88))


def test_loss_takes_photons_of_one_half_alone() -> None:
    drawn = photons.counts_of([*squeezed_pair(0.8), Gate("LossChannel", (1,), (0.6,))], 2, 3_000, 6)
    assert (drawn[:, 1] <= drawn[:, 0]).all()
    assert close(drawn[:, 1], 0.6 * sinh(0.8) ** 2)


def test_mach_zehnder_at_pi_does_not_mix() -> None:
    ops = [Gate("Coherent", (0,), (1.0, 0.0)), Gate("MZgate", (0, 1), (pi, 0.0))]
    drawn = photons.counts_of(ops, 2, 2_000, 7)
    assert not drawn[:, 1].any()
    assert drawn[:, 0].any()


def test_dark_counts_are_added() -> None:
    drawn = photons.run([Measure("fock", (0, 1), dark_counts=(0.5, 0.0))], 2, SHOTS, 8)
    assert close(drawn[:, 0], 0.5)
    assert not drawn[:, 1].any()


@pytest.mark.parametrize(("angle", "variance"), [(0.0, exp(-1.2)), (pi / 2, exp(1.2))])
def test_homodyne_sees_the_quadrature_of_its_angle(angle: float, variance: float) -> None:
    ops: list[Op] = [Gate("Sgate", (0,), (0.6, 0.0)), Measure("homodyne", (0,), angle)]
    drawn = photons.run(ops, 1, SHOTS, 9)
    assert drawn.dtype == np.float64
    assert has_variance(drawn[:, 0], variance)


def test_heterodyne_adds_a_unit_of_vacuum() -> None:
    drawn = photons.run(
        [Gate("Coherent", (0,), (1.5, 0.0)), Measure("heterodyne", (0,))], 1, SHOTS, 10
    )
    assert drawn.dtype == np.complex128
    assert has_variance(drawn[:, 0].real - 1.5, 0.5)
    assert has_variance(drawn[:, 0].imag, 0.5)


def test_homodyne_of_a_pair_is_correlated_as_its_covariance() -> None:
    drawn = photons.quadratures_of([*squeezed_pair(0.7), Measure("homodyne", (0, 1))], 2, SHOTS, 11)
    assert close(drawn[:, 0] * drawn[:, 1], sinh(1.4))
    assert has_variance(drawn[:, 0] - drawn[:, 1], 2 * exp(-1.4))


def fed(gain: float) -> Gate:
    return Gate("Xgate", (1,), (Formula(((gain, 0.0), "q0", "*")),))


def test_a_measured_quadrature_moves_another_mode_in_its_own_shot() -> None:
    """The twin's variance given the outcome is 1/cosh 2r, its mean tanh 2r times the outcome."""
    ops: list[Op] = [*squeezed_pair(0.7), Measure("homodyne", (0,)), fed(-tanh(1.4))]
    drawn = photons.quadratures_of([*ops, Measure("homodyne", (1,))], 2, SHOTS, 12)
    assert has_variance(drawn[:, 0], cosh(1.4))
    assert has_variance(drawn[:, 1], 1 / cosh(1.4))
    assert close(drawn[:, 0] * drawn[:, 1], 0.0)


def test_photons_are_counted_given_what_was_measured_before() -> None:
    """Brought back to the origin, the twin is squeezed vacuum: its counts are even."""
    ops: list[Op] = [*squeezed_pair(0.7), Measure("homodyne", (0,)), fed(-tanh(1.4))]
    drawn = photons.run([*ops, Measure("fock", (1,))], 2, 2_000, 13)
    assert not (drawn[:, 1] % 2).any()
    assert close(drawn[:, 1], (cosh(1.4) + 1 / cosh(1.4)) / 4 - 0.5)
    astray = photons.run([*ops[:-1], Measure("fock", (1,))], 2, 2_000, 14)
    assert (astray[:, 1] % 2).any()
    assert close(astray[:, 1], sinh(0.7) ** 2)


def test_heterodyne_leaves_its_twin_in_a_coherent_state() -> None:
    """The twin's amplitude is tanh r · β*, so its mean count is sinh² r and its law a mixture."""
    ops = [*squeezed_pair(0.7), Measure("heterodyne", (0,)), Measure("fock", (1,))]
    drawn = photons.run(ops, 2, SHOTS, 15)
    light = tanh(0.7) ** 2 * np.abs(drawn[:, 0]) ** 2
    counts = drawn[:, 1].real
    assert close(counts - light, 0.0)
    assert close((counts - light) ** 2 - light, 0.0)


def test_a_formula_without_a_finite_value_is_refused() -> None:
    gate = Gate("Xgate", (1,), (Formula(("q0", "log")),))
    with pytest.raises(CannotRun, match="not a finite real number"):
        photons.run([Measure("homodyne", (0,)), gate, Measure("homodyne", (1,))], 2, 100, 0)


def test_too_many_photons_of_an_environment_are_refused_also_if_nothing_follows() -> None:
    ops: list[Op] = [Gate("ThermalLossChannel", (0,), (0.5, 1e9))]
    with pytest.raises(CannotRun, match=r"5e\+08 photons are too many"):
        photons.counts_of(ops, 1, 10, 1)


def test_a_measured_value_displaces_only_so_far() -> None:
    gate = Gate("Xgate", (1,), (Formula(("q0", "cosh", (1e9, 0.0), "*")),))
    with pytest.raises(CannotRun, match=r"the most by measured values is 1e\+06"):
        photons.run([Measure("homodyne", (0,)), gate, Measure("fock", (1,))], 2, 100, 0)


@for_each("name", ["sin", "arctan", "cosh", "arcsinh", "exp"])
def test_functions_of_measured_values_are_numpys(name: str) -> None:
    gate = Gate("Xgate", (1,), (Formula(("q0", name, (2.0, 0.0), "**")),))
    ops: list[Op] = [Measure("homodyne", (0,)), gate, Measure("homodyne", (1,))]
    drawn = photons.run(ops, 2, 4_000, 16)
    assert has_variance(drawn[:, 1] - getattr(np, name)(drawn[:, 0]) ** 2, 1.0)


def test_columns_are_modes_in_ascending_order() -> None:
    ops: list[Op] = [Gate("Coherent", (2,), (5.0, 0.0))]
    drawn = photons.run([*ops, Measure("fock", (2,)), Measure("fock", (0,))], 3, 10, 17)
    assert not drawn[:, 0].any()
    assert drawn[:, 1].all()


TIMED = """type tdm (temporal_modes=3)
float array p0[1, 3] =
    0.7, 0.3, 0
Sgate(0.8, 0.0) | 1
BSgate(p0, 0.5) | [0, 1]
{measure} | 0
"""


def outcome(text: str, shots: int, seed: int = 1) -> np.ndarray:
    (circuit,) = blackbird.read(text.encode(), Limits())
    made = photonic.run(circuit, RunOptions(shots=shots, seed=seed, outputs=()), 0)
    array = made.arrays["samples"]
    assert made.engine in photonic.list_installed()
    return np.frombuffer(array.data, array.dtype).reshape(array.shape)


def test_time_bins_give_an_array_of_shots_spatial_modes_and_bins() -> None:
    """The first bin holds sin² θ₀ of the squeezed light; the last mixer passes all of it on."""
    drawn = outcome(TIMED.format(measure="MeasureFock()"), 2_000)
    assert drawn.shape == (2_000, 1, 3)
    m = sinh(0.8) ** 2
    kept = np.sin([0.7, 0.3, 0.0]) ** 2
    means = kept[0] * m, (kept[1] + (1 - kept[1]) * (1 - kept[0])) * m, (1 - kept[1]) * m
    assert close(drawn[:, 0, 0], means[0])
    assert close(drawn[:, 0, 1], means[1])
    assert close(drawn[:, 0, 2], means[2])


def test_the_same_seed_gives_the_same_numbers_and_parts_differ() -> None:
    text = "Sgate(1) | 0\nMeasureX | 0"
    assert np.array_equal(outcome(text, 50), outcome(text, 50))
    assert not np.array_equal(outcome(text, 50), outcome(text, 50, seed=2))
    (circuit,) = blackbird.read(text.encode(), Limits())
    options = RunOptions(shots=50, seed=1, outputs=())
    assert photonic.run(circuit, options, 0).arrays != photonic.run(circuit, options, 1).arrays


def test_a_job_is_estimated_without_running_it() -> None:
    circuit = PhotonicCircuit(8, (Measure("fock", tuple(range(8))),))
    few, many = (RunOptions(shots=shots, seed=0, outputs=()) for shots in (10, 10_000))
    summary = summarise((circuit,))
    small, large = (photonic.estimate(summary, each) for each in (few, many))
    assert small.bytes < large.bytes
    assert small.seconds < large.seconds
    assert small.state_qubits == 0
    assert photonic.unsupported_reason(summary, few) is None


def test_noise_models_of_gates_are_objected_to() -> None:
    noise = NoiseModel(name="", source="")
    options = RunOptions(shots=1, seed=0, outputs=(), noise=noise)
    assert photonic.unsupported_reason(summarise(()), options)


def test_random_programs_end_in_finite_samples_or_a_refusal() -> None:
    """Nothing else leaves the engine, no warning either."""
    rng = np.random.default_rng(21)
    pairs = ("S2gate", "BSgate", "MZgate", "sMZgate")
    singles = ("Sgate", "Squeezed", "Coherent", "Dgate")
    n_run = n_refused = 0
    for _ in range(400):
        size = rng.choice([0.3, 1.0, 3.0, 30.0])
        ops: list[Op] = [Measure("homodyne", (3,))]
        for _ in range(rng.integers(1, 12)):
            name = str(rng.choice([*pairs, *singles, "Pgate", "LossChannel", "fed"]))
            modes = tuple(rng.permutation(3)[: 1 + (name in pairs)].tolist())
            params = tuple(rng.uniform(-size, size, 2).tolist())
            if name == "fed":
                function = str(rng.choice(["exp", "tan", "sinh", "log", "sqrt"]))
                ops.append(Gate("Xgate", modes, (Formula(("q3", function)),)))
            elif name == "LossChannel":
                ops.append(Gate(name, modes, (abs(params[0]) / size,)))
            else:
                ops.append(Gate(name, modes, params[: 1 if name == "Pgate" else 2]))
        ops.append(Measure(rng.choice(["fock", "threshold", "heterodyne"]), (0, 1, 2)))
        try:
            drawn = photons.run(ops, 4, 10, 1)
        except CannotRun:
            n_refused += 1
        else:
            n_run += 1
            assert drawn.shape == (10, 4)
            assert np.isfinite(drawn).all()
    assert min(n_run, n_refused) > 50


def test_warming_runs_something() -> None:
    photonic.warm_up()
