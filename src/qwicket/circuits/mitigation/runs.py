"""Plans the runs of an estimation with error mitigation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Final, NamedTuple

import msgspec
from msgspec import structs

from qwicket.circuits import estimation as estimations
from qwicket.circuits.mitigation.folding import fold, foldable, reached
from qwicket.circuits.qubit import Estimation, Gate, Measure, Mitigation, QubitCircuit, Register

NOISE_FACTORS: Final = "noise_factors"
EVS_NOISE_FACTORS: Final = "evs_noise_factors"
STDS_NOISE_FACTORS: Final = "stds_noise_factors"
EVS_EXTRAPOLATED: Final = "evs_extrapolated"
STDS_EXTRAPOLATED: Final = "stds_extrapolated"
RUNS: Final = "runs"
"""Names of the arrays of an outcome beside `evs` and `stds`; see `array_shapes`."""


class Run(NamedTuple):
    """A circuit to run, and the classical bits that it reads inverted."""

    circuit: QubitCircuit
    flipped: tuple[int, ...]


class Combination(msgspec.Struct, frozen=True, array_like=True):
    """How the values of an estimation follow from its runs.

    Attributes:
        estimation: The estimation.
        n_clbits: Classical bits of its circuit, which come before those that its runs measure.
        noise_factors: Noise factors that folding reaches; 1 without extrapolation.
        flipped: The bits that each run reads inverted.
    """

    estimation: Estimation
    n_clbits: int
    noise_factors: tuple[float, ...]
    flipped: tuple[tuple[int, ...], ...]

    @property
    def mitigation(self) -> Mitigation:
        return self.estimation.mitigation or Mitigation()


def mitigated(circuit: QubitCircuit) -> tuple[Estimation, Mitigation]:
    """Return the estimation of a circuit, and its mitigation, which may change nothing."""
    estimation = circuit.estimation
    assert estimation is not None
    return estimation, estimation.mitigation or Mitigation()


def expand(circuit: QubitCircuit, rng: Random) -> tuple[tuple[QubitCircuit, ...], Combination]:
    """Return the runs of an estimation as circuits, and how its values follow from them."""
    found = list(plan(circuit, circuit.shots, rng))
    flipped = [each.flipped for each in found]
    return tuple([each.circuit for each in found]), combination(circuit, flipped)


def combination(circuit: QubitCircuit, flipped: Sequence[tuple[int, ...]]) -> Combination:
    """Return how the values of an estimation follow from runs that read these bits inverted."""
    estimation, mitigation = mitigated(circuit)
    n_gates = len(foldable(circuit.ops))
    factors = [reached(n_gates, factor) for factor in mitigation.noise_factors or (1.0,)]
    return Combination(estimation, circuit.n_clbits, tuple(factors), tuple(flipped))


def plan(circuit: QubitCircuit, shots: int, rng: Random) -> Iterator[Run]:
    """Yield the runs of a circuit with an estimation.

    Those of the calibrations come first, which read the qubits of all groups. Then come, for each
    noise factor and for each group, as many as there are randomizations, or one.

    Args:
        circuit: The circuit.
        shots: Shots of each run of the circuit.
        rng: Random numbers: which qubits are flipped, and which gates are folded.
    """
    estimation, mitigation = mitigated(circuit)
    circuit = structs.replace(circuit, shots=shots)
    if mitigation.randomizations and estimation.groups:
        empty = calibration_circuit(circuit)
        for mask in _masks(empty.n_clbits, mitigation.calibrations, rng):
            yield _flipped(empty, mask)
    for factor in mitigation.noise_factors or (1.0,):
        for group in estimation.groups:
            n_bits = len(estimations.qubits_read(estimation, group))
            for mask in _masks(n_bits, mitigation.randomizations, rng):
                folded = fold(circuit, factor, mitigation.folding, rng)
                yield _flipped(estimations.measurement_circuit(folded, group), mask)


def calibration_circuit(circuit: QubitCircuit) -> QubitCircuit:
    """Return a circuit that only measures the qubits that any run of an estimation reads."""
    estimation, mitigation = mitigated(circuit)
    qubits = estimations.qubits_read(estimation, range(len(estimation.paulis)))
    return QubitCircuit(
        circuit.n_qubits,
        tuple([Measure(qubit, bit) for bit, qubit in enumerate(qubits)]),
        (Register("calibration", len(qubits)),),
        mitigation.calibration_shots,
    )


def _masks(n_bits: int, n_masks: int, rng: Random) -> Iterator[int]:
    """Yield random bits; none of them are set where none are wanted.

    Every second mask is the complement of the one before, so that the difference between the two
    readout errors of a qubit cancels exactly, rather than on average.
    """
    mask = 0
    for number in range(max(1, n_masks)):
        if n_masks:
            mask = mask ^ ((1 << n_bits) - 1) if number % 2 else rng.getrandbits(n_bits)
        yield mask


def _flipped(circuit: QubitCircuit, mask: int) -> Run:
    """Return the run of a circuit with X before some of the measurements at its end."""
    first = len(circuit.ops) - circuit.registers[-1].size
    measurements = [op for op in circuit.ops[first:] if type(op) is Measure]
    chosen = [op for bit, op in enumerate(measurements) if mask >> bit & 1]
    flips = [Gate("x", (op.qubit,)) for op in chosen]
    ops = (*circuit.ops[:first], *flips, *measurements)
    return Run(structs.replace(circuit, ops=ops), tuple([op.clbit for op in chosen]))


def upper_bounds(circuit: QubitCircuit) -> list[tuple[int, QubitCircuit]]:
    """Return kinds of runs: their number, and a circuit that costs at least as much as each.

    A circuit without mitigation is one kind. With it, those of each noise factor are one, and the
    calibrations another.
    """
    n_runs, bound = estimations.runs_and_upper_bound(circuit)
    mitigation = circuit.estimation.mitigation if circuit.estimation else None
    if mitigation is None or not n_runs:
        return [(n_runs, bound)]
    kinds = []
    for factor in mitigation.noise_factors or (1.0,):
        folded = fold(circuit, factor, "front")
        _, bound = estimations.runs_and_upper_bound(folded)
        flips = _flipped(bound, -1 if mitigation.randomizations else 0).circuit
        kinds.append((n_runs * max(1, mitigation.randomizations), flips))
    if mitigation.randomizations:
        empty = calibration_circuit(circuit)
        kinds.append((mitigation.calibrations, _flipped(empty, -1).circuit))
    return kinds


def n_runs_of(estimation: Estimation) -> int:
    """Return the number of runs of an estimation, with or without mitigation."""
    mitigation = estimation.mitigation or Mitigation()
    n_runs = len(estimation.groups) * max(1, mitigation.randomizations)
    n_runs *= max(1, len(mitigation.noise_factors))
    return n_runs + mitigation.calibrations if n_runs else 0


def all_shots(circuit: QubitCircuit) -> int:
    """Return the shots of all runs of an estimation together."""
    assert circuit.estimation is not None
    mitigation = circuit.estimation.mitigation or Mitigation()
    n_runs = n_runs_of(circuit.estimation)
    n_calibrations = mitigation.calibrations if n_runs else 0
    return circuit.shots * (n_runs - n_calibrations) + n_calibrations * mitigation.calibration_shots


def array_shapes(mitigation: Mitigation, n_observables: int) -> dict[str, tuple[int, ...]]:
    """Return the arrays of an outcome beside `evs` and `stds`, with their shapes.

    `runs` has the numbers of circuits and of shots, as int64; all others are float64. Those that
    end with `_noise_factors` have the values at each of `noise_factors`, which are those that
    folding reaches. Those that end with `_extrapolated` have the values of each extrapolator at 0
    and at `Mitigation.extrapolated_factors`; NaN where its fit failed.
    """
    shapes: dict[str, tuple[int, ...]] = {RUNS: (2,)}
    if mitigation.noise_factors:
        at_factors = (n_observables, len(mitigation.noise_factors))
        points = 1 + len(mitigation.extrapolated_factors)
        extrapolated = (n_observables, len(mitigation.extrapolators), points)
        shapes |= {
            NOISE_FACTORS: at_factors[1:],
            EVS_NOISE_FACTORS: at_factors,
            STDS_NOISE_FACTORS: at_factors,
            EVS_EXTRAPOLATED: extrapolated,
            STDS_EXTRAPOLATED: extrapolated,
        }
    return shapes
