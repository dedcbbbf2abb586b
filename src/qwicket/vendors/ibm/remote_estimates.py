"""Converts an estimator's results of IBM's APIs to outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qwicket.circuits.mitigation import runs
from qwicket.circuits.outcomes import EVS, STDS, Array, Outcome, float64_array, int64_array
from qwicket.drivers.remote import results
from qwicket.drivers.remote.clouds import InvalidResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qwicket.circuits.qubit import QubitCircuit

_AT_ZERO: Final = {runs.EVS_EXTRAPOLATED: EVS, runs.STDS_EXTRAPOLATED: STDS}
"""Arrays that begin with the values without noise, which the result has in others only."""


def outcome(fields: Mapping[str, Any], circuit: QubitCircuit, engine: str) -> Outcome:
    """Return the outcome of a circuit whose pub has a result with these fields.

    Raises:
        InvalidResult: A field is missing, malformed or of another size.
    """
    estimation = circuit.estimation
    assert estimation is not None
    n_observables = len(estimation.observables)
    shapes: dict[str, tuple[int, ...]] = {EVS: (n_observables,), STDS: (n_observables,)}
    mitigation = estimation.mitigation
    if mitigation is not None:
        shapes |= runs.array_shapes(mitigation, n_observables)
    arrays: dict[str, Array] = {}
    for name, shape in shapes.items():
        if name == runs.RUNS:
            n_circuits, n_shots = runs.n_runs_of(estimation), runs.all_shots(circuit)
            arrays[name] = int64_array(np.array([n_circuits, n_shots], "<i8").tobytes())
        elif name == runs.NOISE_FACTORS:
            factors = runs.combination(circuit, ()).noise_factors
            arrays[name] = float64_array(np.array(factors, "<f8").tobytes())
        elif name in _AT_ZERO:
            at_zero = _numbers(fields, _AT_ZERO[name], (n_observables,))[:, None, None]
            at_zero = np.broadcast_to(at_zero, (*shape[:2], 1))
            others = _numbers(fields, name, (*shape[:2], shape[2] - 1))
            arrays[name] = _array(np.concatenate([at_zero, others], axis=2))
        else:
            arrays[name] = _array(_numbers(fields, name, shape))
    return Outcome(
        registers=(),
        arrays=arrays,
        engine=engine,
        engine_version="",
        seed=0,
        seconds=0.0,
    )


def _numbers(fields: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    try:
        found: NDArray[np.float64] = results.floats_of_file(fields[name]["__value__"], shape)
        return found
    except Exception:  # NumPy reads a header as Python literals, with any of their errors
        raise InvalidResult(f"it has no {name} of the shape {shape}") from None


def _array(numbers: NDArray[np.float64]) -> Array:
    return Array("<f8", numbers.shape, numbers.tobytes())
