"""Expectation values with error mitigation, and their standard errors.

With g the groups, v the values of an observable in one shot of g's runs with each Pauli divided by
its readout factor f, and N these shots, a value is Σ_g mean(v). Its variance is Σ_g var(v)/N, and
what the factors add: they were measured, too, and δ(value) = -Σ_j c_j e_j/f_j² δf_j to first order,
for the terms c_j with raw expectation values e_j.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from random import Random
from typing import Final, NamedTuple

import numpy as np
from msgspec import structs

from qwicket.circuits.mitigation import extrapolation, runs
from qwicket.circuits.mitigation.runs import Combination
from qwicket.circuits.outcomes import (
    COUNTS,
    EVS,
    STDS,
    Array,
    Completion,
    Outcome,
    PartResult,
    decode,
    encode,
    float64_array,
    int64_array,
)
from qwicket.circuits.qubit import Estimation, QubitCircuit
from qwicket.engines.failures import CannotRun
from qwicket.engines.qubit.estimates import Floats, Run, array, constants, moments
from qwicket.engines.qubit.tasks import EngineResult
from qwicket.model.failures import Failure

_KEYS: Final = "keys"


class _Readout(NamedTuple):
    """Shots of the calibrations, and the readout factor of each Pauli."""

    arrays: dict[str, Array]
    factors: Floats


class _Values(NamedTuple):
    """Values of all observables at one noise factor, without constants, and their variances."""

    means: Floats
    variances: Floats


def run(circuit: QubitCircuit, shots: int, run_once: Run, rng: Random) -> EngineResult:
    """Return the outcome of an estimation with a mitigation; see `runs.array_shapes`.

    Args:
        circuit: Circuit with its estimation.
        shots: Shots of each run of the circuit.
        run_once: Function that runs one circuit.
        rng: Random numbers, which draw the runs.

    Raises:
        CannotRun: A run fails, or the readout errors are too large.
    """
    found, flipped = [], []
    for number, each in enumerate(runs.plan(circuit, shots, rng)):
        found.append(run_once(each.circuit, (COUNTS,), number).arrays)
        flipped.append(each.flipped)
    return combine(runs.combination(circuit, flipped), found)


def combine(combination: Combination, found: Sequence[dict[str, Array]]) -> EngineResult:
    """Return the outcome of an estimation from the keys and counts of each of its runs.

    Raises:
        CannotRun: The readout errors are too large.
    """
    estimation, mitigation = combination.estimation, combination.mitigation
    outcomes = [
        _unflipped(arrays, bits) for arrays, bits in zip(found, combination.flipped, strict=True)
    ]
    rest = iter(outcomes)
    readout = None
    if mitigation.randomizations and estimation.groups:
        readout = _readout(estimation, _pooled(islice(rest, mitigation.calibrations)))
    values = []
    for _ in mitigation.noise_factors or (1.0,):
        pools = [
            _pooled(islice(rest, max(1, mitigation.randomizations))) for _ in estimation.groups
        ]
        values.append(_values(estimation, pools, combination.n_clbits, readout))
    n_shots = sum(map(_n_shots, outcomes))
    arrays = {}
    if estimation.mitigation is not None:
        arrays[runs.RUNS] = int64_array(np.array([len(outcomes), n_shots], "<i8").tobytes())
    if mitigation.noise_factors:
        return EngineResult(arrays | _extrapolated(combination, values, n_shots))
    (only,) = values
    evs, stds = only.means + constants(estimation), np.sqrt(only.variances)
    return EngineResult(arrays | {EVS: array(evs), STDS: array(stds)})


def of_parts(
    combinations: Sequence[Combination], parts: Sequence[PartResult], seed: int
) -> Completion:
    """Return the results of estimations from those of their runs, which another machine ran.

    An estimation of which a run failed fails like the first of these.

    Args:
        combinations: The estimations.
        parts: Checked results of their runs, one after the other.
        seed: Seed of the job.
    """
    rest = iter(parts)
    return tuple(
        [_of_parts(each, list(islice(rest, len(each.flipped))), seed) for each in combinations]
    )


def _of_parts(combination: Combination, parts: Sequence[PartResult], seed: int) -> PartResult:
    outcomes = []
    for part in parts:
        if isinstance(part, Failure):
            return part
        outcomes.append(decode(part))
    try:
        found = combine(combination, [each.arrays for each in outcomes])
    except CannotRun as refusal:
        return Failure(refusal.code, refusal.message)
    return encode(
        Outcome(
            registers=(),
            arrays=found.arrays,
            engine=outcomes[0].engine if outcomes else "none",
            engine_version=outcomes[0].engine_version if outcomes else "1",
            seed=seed,
            # A lab gives each of its circuits the time of all.
            seconds=max([each.seconds for each in outcomes], default=0.0),
        )
    )


def _unflipped(arrays: dict[str, Array], flipped: Sequence[int]) -> dict[str, Array]:
    """Return outcomes with some bits inverted."""
    keys = arrays[_KEYS]
    mask = sum(1 << bit for bit in flipped).to_bytes(keys.shape[1], "little")
    rows = np.frombuffer(keys.data, np.uint8).reshape(keys.shape) ^ np.frombuffer(mask, np.uint8)
    return {_KEYS: structs.replace(keys, data=rows.tobytes()), COUNTS: arrays[COUNTS]}


def _pooled(outcomes: Iterable[dict[str, Array]]) -> dict[str, Array]:
    """Return the outcomes of several runs as those of one; a key may occur repeatedly."""
    outcomes = list(outcomes)
    keys = [each[_KEYS] for each in outcomes]
    shape = (sum(each.shape[0] for each in keys), keys[0].shape[1])
    data = b"".join([each.data for each in keys])
    counts = b"".join([each[COUNTS].data for each in outcomes])
    return {_KEYS: Array(keys[0].dtype, shape, data), COUNTS: int64_array(counts)}


def _n_shots(arrays: dict[str, Array]) -> int:
    return int(np.frombuffer(arrays[COUNTS].data, "<i8").sum())


def _with_sums(estimation: Estimation, sums: Sequence[Sequence[tuple[int, float]]]) -> Estimation:
    return structs.replace(estimation, observables=tuple(map(tuple, sums)))


def _singles(estimation: Estimation) -> Estimation:
    """Return an estimation in which each Pauli is an observable."""
    return _with_sums(estimation, [[(index, 1.0)] for index in range(len(estimation.paulis))])


def _measured(estimation: Estimation) -> list[int]:
    return [index for index, pauli in enumerate(estimation.paulis) if pauli.qubits]


def _readout(estimation: Estimation, arrays: dict[str, Array]) -> _Readout:
    """Return the readout factor of each Pauli: its mean where, without errors, it is always 1."""
    measured = _measured(estimation)
    factors, _ = moments(_singles(estimation), measured, arrays, 0)
    errors = np.sqrt(np.maximum(1 - factors**2, 0) / _n_shots(arrays))
    for index in measured:
        if factors[index] <= 2 * errors[index]:
            raise CannotRun(
                "unsupported",
                "the readout errors are too large to mitigate: the product of"
                f" {len(estimation.paulis[index].qubits)} qubits is read right no more often than"
                " wrong",
            )
    return _Readout(arrays, factors)


def _values(
    estimation: Estimation,
    pools: Sequence[dict[str, Array]],
    first: int,
    readout: _Readout | None,
) -> _Values:
    """Return the values at one noise factor from the shots of each group."""
    scales = np.ones(len(estimation.paulis)) if readout is None else readout.factors
    scaled = _with_sums(
        estimation,
        [
            [(index, c / scales[index]) for index, c in terms if estimation.paulis[index].qubits]
            for terms in estimation.observables
        ],
    )
    means, variances = np.zeros((2, len(estimation.observables)))
    raw = np.zeros(len(estimation.paulis))
    for group, arrays in zip(estimation.groups, pools, strict=True):
        mean, square = moments(scaled, group, arrays, first)
        means += mean
        variances += np.maximum(square - mean**2, 0) / _n_shots(arrays)
        raw += moments(_singles(estimation), group, arrays, first)[0]
    if readout is not None:
        slopes = _with_sums(
            estimation,
            [
                [(index, c * raw[index] / scales[index]) for index, c in terms]
                for terms in scaled.observables
            ],
        )
        mean, square = moments(slopes, _measured(estimation), readout.arrays, 0)
        variances += np.maximum(square - mean**2, 0) / _n_shots(readout.arrays)
    return _Values(means, variances)


def _extrapolated(
    combination: Combination, values: Sequence[_Values], n_shots: int
) -> dict[str, Array]:
    """Return values without noise, those at each noise factor, and those of each extrapolator.

    Constants, which noise does not change, are added last.
    """
    estimation, mitigation = combination.estimation, combination.mitigation
    factors = np.array(combination.noise_factors)
    means = np.stack([each.means for each in values], axis=1)
    stds = np.sqrt(np.stack([each.variances for each in values], axis=1))
    shapes = runs.array_shapes(mitigation, len(means))
    at = np.array([0.0, *mitigation.extrapolated_factors])
    fits, errors = np.full((2, *shapes[runs.EVS_EXTRAPOLATED]), np.nan)
    least = factors.argmin()
    best, best_errors = means[:, least].copy(), stds[:, least].copy()
    for row, terms in enumerate(estimation.observables):
        bound = sum(abs(c) for index, c in terms if estimation.paulis[index].qubits)
        if not bound:  # a constant
            fits[row], errors[row] = 0.0, 0.0
            continue
        # Shots that all agree have no spread, which does not make their mean certain.
        own = np.maximum(stds[row], bound / n_shots)
        has_value = False
        for column, name in enumerate(mitigation.extrapolators):
            found = extrapolation.fit(name, factors, means[row], own, at)
            if found is None:
                continue
            fits[row, column], errors[row, column] = found
            if not has_value and extrapolation.is_successful(found, bound):
                has_value, best[row], best_errors[row] = True, found.values[0], found.stds[0]
    offsets = constants(estimation)
    arrays = {
        runs.NOISE_FACTORS: factors,
        runs.EVS_NOISE_FACTORS: means + offsets[:, None],
        runs.STDS_NOISE_FACTORS: stds,
        runs.EVS_EXTRAPOLATED: fits + offsets[:, None, None],
        runs.STDS_EXTRAPOLATED: errors,
    }
    found_arrays = {name: _shaped(of_name, shapes[name]) for name, of_name in arrays.items()}
    return {EVS: array(best + offsets), STDS: array(best_errors), **found_arrays}


def _shaped(values: Floats, shape: tuple[int, ...]) -> Array:
    return structs.replace(float64_array(values.astype("<f8").tobytes()), shape=shape)
