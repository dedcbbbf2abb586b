"""Expectation values: the circuit runs once for each group of Paulis, and shots are averaged.

All terms of one group are read from the same shots, so their errors are correlated; groups are
independent. With g running over groups, v over the values that an observable's terms in g add up to
in one shot, and N shots in each run, `evs` = Σ_g mean(v) and `stds` = √(Σ_g var(v) / N), the
standard error of `evs`. Exact values have no shots: `stds` is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qwicket.circuits import estimation as estimations
from qwicket.circuits.outcomes import COUNTS, EVS, PROBABILITIES, STDS, Array, float64_array
from qwicket.circuits.qubit import Estimation, Pauli, QubitCircuit
from qwicket.engines.failures import CannotRun
from qwicket.engines.qubit.tasks import EngineResult

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Run = Callable[[QubitCircuit, tuple[str, ...], int], EngineResult]
"""Runs a circuit for some outputs; the number identifies a run of the circuit."""

_MAX_VALUES: Final = 1 << 21

_ZERO: Final = "0+r"
_ONE: Final = "1-l"
"""Projectors, which are 1 where the measured bit is 0, and where it is 1."""


def run(
    circuit: QubitCircuit, shots: int, run_once: Run, *, max_values: int = _MAX_VALUES
) -> EngineResult:
    """Return `evs` and `stds` of a circuit's estimation.

    Args:
        circuit: Circuit with its estimation.
        shots: Shots of each run.
        run_once: Function that runs the circuit of one group.
        max_values: Largest number of values in memory at once.

    Raises:
        CannotRun: A run fails, or the circuit has no exact values.
    """
    estimation = circuit.estimation
    assert estimation is not None
    means = constants(estimation)
    variances = np.zeros_like(means)
    outputs = (PROBABILITIES,) if estimation.is_exact else (COUNTS,)
    for number, group in enumerate(estimation.groups):
        found = run_once(estimations.measurement_circuit(circuit, group), outputs, number)
        if estimation.is_exact and PROBABILITIES not in found.arrays:
            text = "this circuit has no exact expectation values: ask for a precision"
            raise CannotRun("unsupported", text)
        mean, square = moments(estimation, group, found.arrays, circuit.n_clbits, max_values)
        means += mean
        if not estimation.is_exact:
            variances += np.maximum(square - mean**2, 0) / shots
    return EngineResult({EVS: array(means), STDS: array(np.sqrt(variances))})


def array(values: Floats) -> Array:
    """Return one value per observable as little-endian float64."""
    return float64_array(values.astype("<f8", copy=False).tobytes())


def constants(estimation: Estimation) -> Floats:
    """Return the identity's contribution to each observable."""
    return np.array(
        [
            sum(factor for index, factor in terms if not estimation.paulis[index].qubits)
            for terms in estimation.observables
        ],
        dtype=np.float64,
    )


def moments(
    estimation: Estimation,
    group: Sequence[int],
    arrays: dict[str, Array],
    first: int,
    max_values: int = _MAX_VALUES,
) -> tuple[Floats, Floats]:
    """Return mean and mean square of a group's contribution to each observable in one shot.

    Args:
        estimation: Its Paulis and observables count.
        group: Indices of Paulis that the shots measure.
        arrays: Outcomes: `keys`, and `counts` or `probabilities`.
        first: Index of the first bit that the group's measurement writes.
        max_values: Largest number of values in memory at once.
    """
    keys = arrays["keys"]
    rows = np.frombuffer(keys.data, np.uint8).reshape(keys.shape)
    weights, whole = _weights(arrays)
    terms = _terms(estimation, group)
    bit_of = {
        qubit: first + bit for bit, qubit in enumerate(estimations.qubits_read(estimation, group))
    }
    paulis = [estimation.paulis[index] for index in group]
    mean, square = np.zeros((2, len(estimation.observables)))
    step = max(1, max_values // (len(terms.factors) + len(paulis) + 1))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        signs = np.stack([_values(pauli, rows[part], bit_of) for pauli in paulis])
        values = np.add.reduceat(terms.factors * signs[terms.columns], terms.starts)
        mean[terms.rows] += values @ weights[part]
        square[terms.rows] += values**2 @ weights[part]
    return mean / whole, square / whole


class _Terms(NamedTuple):
    """Terms of a group, for the observables that have terms in it.

    Attributes:
        rows: Indices of these observables.
        starts: Index of the first term of each.
        columns: The Pauli of each term, by its index in the group.
        factors: The coefficient of each term, a column.
    """

    rows: Integers
    starts: Integers
    columns: Integers
    factors: Floats


def _terms(estimation: Estimation, group: Sequence[int]) -> _Terms:
    column = {index: number for number, index in enumerate(group)}
    rows: list[int] = []
    starts: list[int] = []
    columns: list[int] = []
    factors: list[float] = []
    for row, observable in enumerate(estimation.observables):
        own = [(column[index], factor) for index, factor in observable if index in column]
        if own:
            rows.append(row)
            starts.append(len(columns))
            columns += [index for index, _ in own]
            factors += [factor for _, factor in own]
    arrays = [np.array(each, np.int64) for each in (rows, starts, columns)]
    return _Terms(arrays[0], arrays[1], arrays[2], np.array(factors)[:, np.newaxis])


def _weights(arrays: dict[str, Array]) -> tuple[Floats, int]:
    """Return the weight of each outcome, and the sum of weights.

    Counts are divided at the end, so that a value that is equal in all shots has variance 0.
    """
    if PROBABILITIES in arrays:
        return np.frombuffer(arrays[PROBABILITIES].data, "<f8"), 1
    counts = np.frombuffer(arrays[COUNTS].data, "<i8")
    return counts.astype(np.float64), int(counts.sum())


def _values(pauli: Pauli, rows: NDArray[np.uint8], bit_of: dict[int, int]) -> Floats:
    """Return the eigenvalue of a Pauli in each outcome."""
    parity = np.zeros(len(rows), np.uint8)
    share = np.ones(len(rows), np.uint8)
    for letter, qubit in zip(pauli.letters, pauli.qubits, strict=True):
        bit = bit_of[qubit]
        read = rows[:, bit >> 3] >> (bit & 7) & 1
        if letter in _ZERO:
            share &= 1 - read
        elif letter in _ONE:
            share &= read
        else:
            parity ^= read
    values: Floats = share * (1.0 - 2.0 * parity)
    return values
