"""Expected fidelity of circuits on a noisy device: their estimated success probability.

It is the product of these factors, as in Nishio et al. (arXiv:1903.10963), with the factor for idle
qubits of Quetschlich, Burgholzer and Wille (arXiv:2310.06889):

| of each | factor |
|---|---|
| gate | 1 - its average infidelity, which for a calibrated gate is the calibrated error |
| measurement | 1 - the mean of its two readout errors |
| qubit that waits for a time t, or is delayed, after its first gate | exp(-t/min(T1, T2)) |

Each gate begins once all its qubits are free. A gate on more than two qubits counts as one on each
pair of them, one after another. All branches of a circuit count. The average fidelity of a gate
follows from its noise as `twins` describes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations
from math import exp, inf, log, sqrt
from typing import Final, NamedTuple

from qwicket.circuits.mitigation.runs import upper_bounds
from qwicket.circuits.noise import GateNoise, GateNoises, NoiseModel, Relaxation
from qwicket.circuits.qubit import DELAY, Gate, Measure, QubitCircuit

_NEGLIGIBLE: Final = -50.0
"""Logarithm of a fidelity below which a circuit is not followed further."""

_MAX_OPS: Final = 100_000
"""They take 0.3 s. Circuits of one job are often alike."""


class _GateFigures(NamedTuple):
    log_fidelity: float
    duration_s: float


def expected_fidelity(
    circuits: Iterable[QubitCircuit], model: NoiseModel, *, max_ops: int = _MAX_OPS
) -> float:
    """Return the mean expected fidelity of the runs of some circuits, from 0 to 1.

    Args:
        circuits: The circuits.
        model: Noise of the device.
        max_ops: Number of operations after which no further circuit counts.
    """
    device = _Device(model)
    total, n_runs, n_ops = 0.0, 0, 0
    for circuit in circuits:
        if n_ops >= max_ops:
            break
        for times, run in upper_bounds(circuit):
            total += times * exp(device.log_fidelity(run))
            n_runs += times
            n_ops += len(run.ops)
    return min(1.0, total / n_runs) if n_runs else 1.0


class _Device:
    """Figures of a device's gates and qubits, worked out once each."""

    def __init__(self, model: NoiseModel) -> None:
        self._model = model
        self._noises = GateNoises(model)
        self._figures: dict[tuple[str, tuple[int, ...]], _GateFigures] = {}

    def log_fidelity(self, circuit: QubitCircuit) -> float:
        """Return the logarithm of a circuit's expected fidelity; -inf for none."""
        found = 0.0
        free_at: dict[int, float] = {}  # of each qubit with a gate
        for op in circuit.ops:
            if type(op) is Measure:
                found += self._log_readout(op.qubit)
            elif type(op) is Gate:
                qubits = op.targets + op.controls
                if op.name == DELAY:
                    for qubit in qubits:
                        if qubit in free_at:
                            free_at[qubit] += op.params[0]
                            found -= self._idle(qubit, op.params[0])
                    continue
                figures = self._of_gate("c" * len(op.controls) + op.name, qubits)
                begin = max([free_at.get(qubit, 0.0) for qubit in qubits], default=0.0)
                for qubit in qubits:
                    if qubit in free_at:
                        found -= self._idle(qubit, begin - free_at[qubit])
                    free_at[qubit] = begin + figures.duration_s
                found += figures.log_fidelity
            if found < _NEGLIGIBLE:
                return -inf
        if circuit.readouts is not None:
            for _, qubit in circuit.readouts.measured:
                found += self._log_readout(qubit)
        return found

    def _log_readout(self, qubit: int) -> float:
        error = self._model.readout_of.get(qubit, self._model.readout)
        return _log(1 - (error.one_for_zero + error.zero_for_one) / 2)

    def _idle(self, qubit: int, seconds: float) -> float:
        """Return the time in which a qubit waits, in its T1 or T2, whichever is shorter."""
        return max(self._relaxation(qubit).exponents(seconds)) if seconds else 0.0

    def _relaxation(self, qubit: int) -> Relaxation:
        return self._model.relaxation_of.get(qubit, self._model.relaxation)

    def _of_gate(self, name: str, qubits: tuple[int, ...]) -> _GateFigures:
        key = (name, qubits)
        if key not in self._figures:
            parts = [*self._parts(name, qubits)]
            fidelities, durations = [each[0] for each in parts], [each[1] for each in parts]
            self._figures[key] = _GateFigures(sum(map(_log, fidelities)), sum(durations))
        return self._figures[key]

    def _parts(self, name: str, qubits: tuple[int, ...]) -> Iterator[tuple[float, float]]:
        """Yield average fidelity and duration of a gate on its qubit or on each of its pairs."""
        pairs: list[tuple[int, ...]] = list(combinations(qubits, 2))
        groups = pairs or [(qubit,) for qubit in qubits]
        for group in groups:
            noise = self._noises.find(name, group, is_on_more_than_two=len(groups) > 1)
            yield self._average_fidelity(noise, group), noise.duration_s

    def _average_fidelity(self, noise: GateNoise, qubits: tuple[int, ...]) -> float:
        """Return (d f + 1)/(d + 1), where f is the process fidelity on d dimensions."""
        kept = 1.0
        for qubit in qubits:
            by_t1, by_t2 = self._relaxation(qubit).exponents(noise.duration_s)
            left = 1 - noise.amplitude_damping
            coherence = sqrt(left * (1 - noise.phase_damping)) * exp(-by_t2)
            kept *= (1 + 2 * coherence + left * exp(-by_t1)) / 4
        dimension = 1 << len(qubits)
        # From the probability of all Paulis but the identity to that of a random state.
        mixed = noise.depolarizing * dimension**2 / (dimension**2 - 1)
        process = (1 - mixed) * kept + mixed / dimension**2
        return (dimension * process + 1) / (dimension + 1)


def _log(fidelity: float) -> float:
    return log(fidelity) if fidelity > 0 else -inf
