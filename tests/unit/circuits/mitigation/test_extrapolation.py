"""Fits against the formulas that made their values, and their errors against the spread."""

from __future__ import annotations

import numpy as np
import pytest

from qwicket.circuits.mitigation.extrapolation import fit, is_successful
from support.for_each import for_each

FACTORS = np.array([1.0, 2.0, 3.0, 5.0])
AT = np.array([0.0, 1.0, 4.0])
EQUAL = np.full(4, 0.01)


@for_each(
    "name, formula",
    [
        ("linear", lambda x: 0.9 - 0.1 * x),
        ("polynomial_degree_1", lambda x: 0.9 - 0.1 * x),
        ("polynomial_degree_2", lambda x: 0.9 - 0.1 * x + 0.02 * x**2),
        ("polynomial_degree_3", lambda x: 0.9 - 0.1 * x + 0.02 * x**2 - 0.003 * x**3),
        ("exponential", lambda x: 0.9 * np.exp(-0.3 * x)),
        ("exponential", lambda x: -0.9 * np.exp(-0.3 * x)),
        ("fallback", lambda x: 0.7 + 0.0 * x),
    ],
)
def test_a_fit_returns_the_formula_of_its_values(name: str, formula: object) -> None:
    assert callable(formula)
    found = fit(name, FACTORS, formula(FACTORS), np.array([0.01, 0.02, 0.03, 0.04]), AT)
    assert found is not None
    assert found.values == pytest.approx(formula(AT), abs=1e-9)


@for_each("name", ["linear", "polynomial_degree_2", "exponential", "fallback"])
def test_the_error_of_a_fit_is_the_spread_of_its_values(name: str) -> None:
    rng = np.random.default_rng(5)
    stds = np.array([0.002, 0.004, 0.006, 0.008])
    values, errors = [], []
    for _ in range(400):
        noisy = 0.9 * np.exp(-0.3 * FACTORS) + rng.normal(0, stds)
        found = fit(name, FACTORS, noisy, stds, AT)
        assert found is not None
        values.append(found.values)
        errors.append(found.stds)
    # The standard deviation of 400 values is known to 1/√800; four times that is allowed.
    spread = np.std(values, axis=0)
    assert spread == pytest.approx(np.mean(errors, axis=0), rel=4 / np.sqrt(800))


@for_each(
    "values",
    [
        [0.5, 0.3, -0.1, 0.1],  # no exponential changes its sign
        [0.3, 0.4, 0.5, 0.6],  # noise that makes values grow is no decay
        [0.0, 0.4, 0.5, 0.6],
    ],
)
def test_what_does_not_decay_is_not_fitted_by_an_exponential(values: list[float]) -> None:
    assert fit("exponential", FACTORS, np.array(values), EQUAL, AT) is None


def test_too_few_different_factors_are_not_fitted() -> None:
    equal = np.ones(4)
    assert fit("linear", equal, equal, EQUAL, AT) is None
    assert fit("polynomial_degree_3", FACTORS[:3], equal[:3], EQUAL[:3], AT) is None


def test_a_fit_beyond_the_range_of_an_observable_is_no_success() -> None:
    for value, std, wanted in ((1.05, 0.05, True), (1.2, 0.05, False), (0.5, 1.1, False)):
        found = fit("fallback", FACTORS[:1], np.array([value]), np.array([std]), AT)
        assert is_successful(found, 1.0) is wanted
    assert not is_successful(None, 1.0)
