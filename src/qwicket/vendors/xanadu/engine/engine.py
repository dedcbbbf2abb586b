"""Runs one photonic circuit: photons are counted at the end, all else is in program order.

Nothing acts on a mode after its measurement, so counting photons last changes no distribution.
"""

from __future__ import annotations

from math import cos, sin
from time import perf_counter
from typing import Any, Final

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng
from numpy.typing import NDArray

from qwicket.circuits.options import RunOptions
from qwicket.circuits.outcomes import SAMPLES, Array, Outcome
from qwicket.circuits.photonic import (
    Formula,
    Gate,
    Measure,
    Parameter,
    PhotonicCircuit,
)
from qwicket.engines.failures import CannotRun
from qwicket.model.limits import PhotonicLimits
from qwicket.vendors.xanadu.engine import counting
from qwicket.vendors.xanadu.engine.formulas import evaluate
from qwicket.vendors.xanadu.engine.gates import (
    Complex,
    Real,
    check_covariances,
    squeezing,
    symplectic,
)
from qwicket.vendors.xanadu.engine.gaussian import Gaussian

NAME: Final = "gaussian"

Samples = NDArray[np.int64] | Real | Complex
_MAX_FEED_FORWARD: Final = 1e6
"""Largest |α| of a displacement that depends on measured values (feed-forward), in any shot.

The limit `displacement` bounds all others.
"""
_DTYPES: Final = {"i": "<i8", "f": "<f8", "c": "<c16"}


def run(circuit: PhotonicCircuit, options: RunOptions, part: int) -> Outcome:
    """Run one circuit; arguments as for `engines.photonic.run`."""
    started = perf_counter()
    rng = default_rng(SeedSequence(options.seed, spawn_key=(part,)))
    samples = sample(circuit, options.shots, rng, options.photonic or PhotonicLimits())
    if circuit.n_bins:
        # Time-domain programs measure mode t in bin t: shots × 1 spatial mode × bins.
        samples = samples.reshape(options.shots, 1, circuit.n_bins)
    dtype = _DTYPES[samples.dtype.kind]
    packed = Array(dtype, samples.shape, samples.astype(dtype).tobytes())
    return Outcome(
        registers=(),
        arrays={SAMPLES: packed},
        engine=NAME,
        engine_version=f"1 (numpy {np.__version__})",
        seed=options.seed,
        seconds=perf_counter() - started,
    )


def sample(circuit: PhotonicCircuit, shots: int, rng: Generator, bounds: PhotonicLimits) -> Samples:
    """Draw all shots of a circuit.

    Returns:
        Shots × measured modes in ascending order: complex128 if any mode is measured by
        heterodyne, else float64 if any by homodyne, else int64 (photon counts).

    Raises:
        CannotRun: A bound is exceeded, a matrix is not what its operation needs, the value of a
            formula is not a finite real number, or an operation is unknown.
    """
    machine = _Simulation(circuit.n_modes, shots, rng, bounds)
    for op in circuit.ops:
        if isinstance(op, Gate):
            machine.apply(op)
        else:
            machine.measure(op)
    found = machine.finish()
    columns: list[NDArray[Any]] = [found[mode] for mode in sorted(found)]
    return np.stack(columns, axis=1)


class _Simulation:
    """The state, the outcomes so far, and the modes whose photons are counted at the end."""

    def __init__(self, n_modes: int, shots: int, rng: Generator, bounds: PhotonicLimits) -> None:
        self._state = Gaussian(n_modes)
        self._shots = shots
        self._rng = rng
        self._bounds = bounds
        self._found: dict[int, Samples] = {}
        self._quadratures: dict[str, Real] = {}
        self._counted: dict[int, tuple[bool, float]] = {}

    def apply(self, gate: Gate) -> None:
        if gate.name in ("Dgate", "Xgate", "Zgate"):
            self._displace(gate)
            return
        # Only the displacements above may have formulas; the filter is for the type checker.
        params = [float(each) for each in gate.params if not isinstance(each, Formula)]
        state, modes = self._state, gate.modes
        matrix = symplectic(gate.name, params, len(modes), self._bounds.squeezing)
        if matrix is not None:
            state.transform(matrix, modes)
        elif gate.name in ("LossChannel", "ThermalLossChannel"):
            state.lose(modes[0], *params)
        else:
            state.prepare(modes, *_preparation(gate.name, params, len(modes), self._bounds))

    def measure(self, op: Measure) -> None:
        for place, mode in enumerate(op.modes):
            match op.kind:
                case "homodyne":
                    found = self._state.homodyne(mode, op.angle, self._shots, self._rng)
                    self._quadratures[f"q{mode}"] = self._found[mode] = found
                case "heterodyne":
                    self._found[mode] = self._state.heterodyne(mode, self._shots, self._rng)
                case "fock" | "threshold":
                    dark = op.dark_counts[place] if op.dark_counts else 0.0
                    self._counted[mode] = op.kind == "threshold", dark

    def finish(self) -> dict[int, Samples]:
        """Count photons, and return the outcomes of every measured mode."""
        if self._counted:
            modes = sorted(self._counted)
            state = self._state.reduced(modes)
            counts = counting.draw(*state, self._shots, self._rng, self._bounds)
            for mode, column in zip(modes, counts.T, strict=True):
                # Thresholds have no dark counts.
                is_threshold, dark = self._counted[mode]
                noise = self._rng.poisson(dark, self._shots) if dark else 0
                self._found[mode] = np.minimum(column, 1) if is_threshold else column + noise
        return self._found

    def _displace(self, gate: Gate) -> None:
        first = self._value(gate.params[0])
        match gate.name:
            case "Dgate":
                by = first * np.exp(1j * self._value(gate.params[1]))
            case "Xgate":
                by = first / 2 + 0j
            case _:
                by = 0.5j * first
        is_feed_forward = any(isinstance(each, Formula) for each in gate.params)
        size = float(np.abs(by).max())
        if is_feed_forward:
            _check_displacement(size, _MAX_FEED_FORWARD, "the most by measured values")
        else:
            _check_displacement(size, self._bounds.displacement)
        self._state.displace(gate.modes[0], by)

    def _value(self, parameter: Parameter) -> Real:
        if isinstance(parameter, Formula):
            return evaluate(parameter, self._quadratures)
        return np.array([parameter], float)


def _preparation(
    name: str, params: list[float], n_modes: int, bounds: PhotonicLimits
) -> tuple[Real, Real]:
    """Return covariances and means of the state in which a preparation puts its modes.

    They are of (x…, p…), ħ = 2. `Gaussian` has the covariances by rows, then the means.
    """
    size = 2 * n_modes
    if name == "Gaussian":
        means = np.array(params[size * size :])
        amplitudes = np.hypot(means[:n_modes], means[n_modes:]) / 2
        _check_displacement(float(amplitudes.max()), bounds.displacement)
        cov = np.array(params[: size * size]).reshape(size, size)
        check_covariances(cov, bounds.squeezing)
        return cov, means
    cov, means = np.eye(size), np.zeros(size)
    match name:
        case "Thermal":
            cov *= 2 * params[0] + 1
        case "Coherent":
            means = _coherent(params[0], params[1], bounds.displacement)
        case "Squeezed" | "DisplacedSqueezed":
            half = squeezing(params[-2], params[-1], bounds.squeezing)
            cov = half @ half.T
            if name == "DisplacedSqueezed":
                means = _coherent(params[0], params[1], bounds.displacement)
        case "Vacuum":
            pass
        case _:
            raise CannotRun("unsupported", f"no engine here knows the operation {name!r}")
    return cov, means


def _coherent(r: float, phi: float, maximum: float) -> Real:
    """Return the mean of x and p, shape (2,), of the displacement r e^{i phi}; ħ = 2."""
    _check_displacement(abs(r), maximum)
    return np.array([2 * r * cos(phi), 2 * r * sin(phi)])


def _check_displacement(
    size: float, maximum: float, name: str = "the limit 'displacement'"
) -> None:
    if size > maximum:
        text = f"displacing by {size:g} is too far; {name} is {maximum:g}"
        raise CannotRun("unsupported", text)
