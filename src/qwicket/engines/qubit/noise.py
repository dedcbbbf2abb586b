"""Errors of each gate and qubit of a program under a noise model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from typing import Final, NamedTuple

from qwicket.circuits.noise import (
    Decay,
    GateNoise,
    GateNoises,
    NoiseModel,
    ReadoutError,
    flip_probability,
    log_coherence,
)
from qwicket.circuits.qubit import DELAY, Gate, Measure
from qwicket.engines.qubit.program import Program

EXACT: Final = ReadoutError()

# Numbers of Paulis: 0 is I, 1 X, 2 Y, 3 Z; on two qubits the second's times 4 is added.
_ANY: Final = 1
_FLIPS: Final = (1, 3)
_Z: Final = (3, 4)


class PauliError(NamedTuple):
    """An error that may occur after a gate: one of some equally likely Paulis.

    Attributes:
        qubits: One or two qubits.
        probability: Probability that one of the Paulis occurs.
        low: Number of the first Pauli that may occur.
        high: Number after the last Pauli that may occur.
    """

    qubits: tuple[int, ...]
    probability: float
    low: int
    high: int

    @property
    def kind(self) -> tuple[float, int, int]:
        """Parameters of the draw, equal for equal kinds of error."""
        return self.probability, self.low, self.high

    @property
    def is_depolarizing(self) -> bool:
        """Whether every Pauli except the identity may occur."""
        return self.low == _ANY and self.high == 4 ** len(self.qubits)

    @property
    def is_phase_flip(self) -> bool:
        return (self.low, self.high) == _Z


class GateErrors(NamedTuple):
    """Errors after one gate: Paulis, then amplitude damping with probability γ on some qubits."""

    pauli_errors: tuple[PauliError, ...]
    damping: tuple[tuple[int, float], ...]

    @property
    def events(self) -> float:
        """Expected number of Pauli errors and decays, an upper bound."""
        events = 0.0
        for error in self.pauli_errors:
            events += error.probability
        for _, gamma in self.damping:
            events += gamma
        return events

    def on(self, operands: Sequence[int]) -> GateErrors:
        """Return the same errors on other qubits: qubit k becomes operands[k]."""
        pauli_errors = [
            error._replace(qubits=tuple([operands[index] for index in error.qubits]))
            for error in self.pauli_errors
        ]
        return GateErrors(
            tuple(pauli_errors), tuple([(operands[index], g) for index, g in self.damping])
        )


NO_ERRORS: Final = GateErrors((), ())


class Noise:
    """A noise model, looked up by the gates of a program.

    Args:
        model: The model as data.
        program: The program, with renumbered qubits; the model uses the original numbers.
    """

    def __init__(self, model: NoiseModel, program: Program) -> None:
        self._model = model
        self._program = program
        self._gates = GateNoises(model)
        self._is_alike = not (model.sites or model.relaxation_of)
        self._known: dict[tuple[object, ...], GateErrors] = {}

    @property
    def model(self) -> NoiseModel:
        return self._model

    def after(self, gate: Gate) -> GateErrors:
        """Return the errors after a gate."""
        return self.of_gate(gate).on(gate.targets + gate.controls)

    def of_gate(self, gate: Gate) -> GateErrors:
        """Return the errors after a gate whose targets and then controls are numbered from 0."""
        operands = gate.targets + gate.controls
        seconds = gate.params if gate.name == DELAY else ()
        where = len(operands) if self._is_alike else operands
        key = (gate.name, len(gate.controls), where, seconds)
        if key not in self._known:
            name = "c" * len(gate.controls) + gate.name
            self._known[key] = self._following(name, operands, seconds)
        return self._known[key]

    def readout(self, qubit: int) -> ReadoutError:
        """Return the readout error of a qubit, by its original number in the circuit."""
        return self._model.readout_of.get(qubit, self._model.readout)

    def _following(
        self, name: str, operands: tuple[int, ...], seconds: tuple[float, ...]
    ) -> GateErrors:
        indices = range(len(operands))
        pairs: list[tuple[int, ...]] = list(combinations(indices, 2))
        groups = pairs or [(index,) for index in indices]
        pauli_errors, flips = [], []
        amplitude: defaultdict[int, float] = defaultdict(float)
        coherence: defaultdict[int, float] = defaultdict(float)
        for group in groups:
            on = [operands[index] for index in group]
            if seconds:  # of a delay
                found = GateNoise(duration_s=seconds[0])
            else:
                original = [self._program.original(qubit) for qubit in on]
                is_on_more_than_two = len(groups) > 1
                found = self._gates.find(name, original, is_on_more_than_two=is_on_more_than_two)
            if found.depolarizing:
                pauli_errors.append(PauliError(group, found.depolarizing, _ANY, 4 ** len(group)))
            for index in group:
                decay = self._decay(operands[index], found.duration_s)
                if decay.bit_flip:
                    flips.append(PauliError((index,), decay.bit_flip, *_FLIPS))
                coherence[index] += log_coherence(found.phase_damping) + decay.log_coherence
                for part in (found.amplitude_damping, decay.amplitude_damping):
                    amplitude[index] += part - amplitude[index] * part
        pauli_errors += flips
        # Phase damping comes before amplitude damping here; the two commute.
        pauli_errors += [
            PauliError((index,), flip, *_Z)
            for index in indices
            if (flip := flip_probability(coherence[index]))  # 0 also for the smallest floats
        ]
        return GateErrors(
            tuple(pauli_errors), tuple((p, amplitude[p]) for p in indices if amplitude[p])
        )

    def _decay(self, qubit: int, duration_s: float) -> Decay:
        if not duration_s:
            return Decay()
        model = self._model
        relaxation = model.relaxation
        if model.relaxation_of:
            relaxation = model.relaxation_of.get(self._program.original(qubit), relaxation)
        return relaxation.during(duration_s)


def noise_of(model: NoiseModel | None, program: Program) -> Noise | None:
    """Return the noise of a program, or None if it changes nothing."""
    if model is None:
        return None
    noise = Noise(model, program)
    measured = [op.qubit for op in program.ops if isinstance(op, Measure)]
    measured += program.measurements.values()
    if any(noise.readout(program.original(qubit)) != EXACT for qubit in measured):
        return noise
    if any(noise.after(op) != NO_ERRORS for op in program.ops if isinstance(op, Gate)):
        return noise
    return None
