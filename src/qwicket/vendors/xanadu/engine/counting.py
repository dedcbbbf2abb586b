"""Photon counting by the fastest exact method that the state allows."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from qwicket.engines.failures import CannotRun
from qwicket.model.limits import PhotonicLimits
from qwicket.vendors.xanadu.engine import lattice, pair_states
from qwicket.vendors.xanadu.engine.gates import Real
from qwicket.vendors.xanadu.engine.moments import classical_counts, is_classical, mean_photons


def draw(
    cov: Real, means: Real, shots: int, rng: Generator, bounds: PhotonicLimits
) -> NDArray[np.int64]:
    """Return photon counts drawn from a Gaussian state, shots × modes.

    Args:
        cov: Covariances of (x…, p…), ħ = 2.
        means: Means of the same, one row or one per shot.
        shots: Number of shots.
        rng: Source of randomness.
        bounds: Limits of the photonic engine.

    Raises:
        CannotRun: The state is not classical, and has too many modes, photons or shots.
    """
    if is_classical(cov):
        return classical_counts(cov, means, shots, rng)
    n_modes = len(cov) // 2
    _refuse_above("modes to count", n_modes, "counted_modes", bounds.counted_modes)
    _refuse_above("shots of photon counting", shots, "counted_shots", bounds.counted_shots)
    photons = mean_photons(cov, means)
    mean = float(photons.sum())
    found = None if np.any(means) else pair_states.split(cov)
    if found is not None:
        _refuse_above("mean photons", mean, "pair_photons", bounds.pair_photons)
        return pair_states.draw(cov, found, shots, rng, bounds.amplitudes)
    _refuse_above("mean photons", mean, "counted_photons", bounds.counted_photons)
    order = np.argsort(photons).tolist()
    return lattice.draw(cov, means, order, shots, rng, bounds.amplitudes)


def _refuse_above(noun: str, number: float, name: str, limit: float) -> None:
    if number > limit:
        text = f"{number:,.6g} {noun} are too many; the limit '{name}' is {limit:,.6g}"
        raise CannotRun("unsupported", text)
