"""Extrapolates values at several noise factors to no noise, by weighted least squares."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qwicket.circuits.mitigation import EXTRAPOLATORS

Floats = NDArray[np.float64]

_STEPS: Final = 50
"""Gauss-Newton steps of a fit, which needs fewer than ten."""


class Fit(NamedTuple):
    """Values of a fit and their standard errors, at the points that were asked for."""

    values: Floats
    stds: Floats


def fit(extrapolator: str, factors: Floats, values: Floats, stds: Floats, at: Floats) -> Fit | None:
    """Fit values at noise factors; return None if the fit fails.

    Args:
        extrapolator: One of `EXTRAPOLATORS`.
        factors: Noise factors, float64.
        values: Values at these.
        stds: Standard errors of the values, greater than 0.
        at: Noise factors at which the fit is evaluated.
    """
    if len(np.unique(factors)) < EXTRAPOLATORS[extrapolator]:
        return None
    if extrapolator == "fallback":
        least = np.argmin(factors)
        return Fit(np.full(at.shape, values[least]), np.full(at.shape, stds[least]))
    if extrapolator == "exponential":
        return _exponential(factors, values, stds, at)
    degree = 1 if extrapolator == "linear" else int(extrapolator.rpartition("_")[2])
    powers = np.arange(degree + 1)
    return _linear(factors[:, None] ** powers, values, stds, at[:, None] ** powers)


def _linear(model: Floats, values: Floats, stds: Floats, model_at: Floats) -> Fit:
    """Fit coefficients of a model's columns to values, and evaluate them."""
    inverse = np.linalg.pinv(model / stds[:, None])
    coefficients = inverse @ (values / stds)
    # The covariance of the coefficients is inverse · inverseᵀ, because values/stds have variance 1.
    return Fit(model_at @ coefficients, np.linalg.norm(model_at @ inverse, axis=1))


def _exponential(factors: Floats, values: Floats, stds: Floats, at: Floats) -> Fit | None:
    """Fit A exp(-b x) with b ≥ 0, beginning with a line through the logarithms of the values."""
    sign = np.sign(values[np.argmin(factors)])
    sizes = sign * values
    if not sign or (sizes <= 0).any():
        return None
    # Of ln y the standard error is std / y.
    start = _linear(_line(factors), np.log(sizes), stds / sizes, np.eye(2))
    log_size, slope = start.values
    size, rate = np.exp(log_size), -slope
    for _ in range(_STEPS):
        decays = np.exp(-rate * factors)
        jacobian = np.stack([decays, -size * factors * decays], axis=1)
        step = np.linalg.pinv(jacobian / stds[:, None]) @ ((sizes - size * decays) / stds)
        size, rate = size + step[0], rate + step[1]
        if not (np.isfinite(size) and abs(rate * factors).max() < 100):
            return None
        if abs(step[0]) <= 1e-12 * abs(size) and abs(step[1]) <= 1e-12:
            break
    if size <= 0 or rate < 0:
        return None
    decays, decays_at = np.exp(-rate * factors), np.exp(-rate * at)
    jacobian = np.stack([decays, -size * factors * decays], axis=1)
    jacobian_at = np.stack([decays_at, -size * at * decays_at], axis=1)
    errors = np.linalg.norm(jacobian_at @ np.linalg.pinv(jacobian / stds[:, None]), axis=1)
    return Fit(sign * size * decays_at, errors)


def _line(factors: Floats) -> Floats:
    return factors[:, None] ** np.arange(2)


def is_successful(found: Fit | None, bound: float) -> bool:
    """Return whether a fit's first value is usable.

    Its standard error must be below the bound on the observable's values, and the value within it,
    up to two standard errors.
    """
    if found is None or not np.isfinite([found.values[0], found.stds[0]]).all():
        return False
    value, std = float(found.values[0]), float(found.stds[0])
    return std <= bound and abs(value) <= bound + 2 * std
