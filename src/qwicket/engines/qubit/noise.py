"""What a noise model means for each gate and qubit of a program."""

from __future__ import annotations

from math import sqrt
from typing import Final

from qwicket.engines.qubit.program import Program
from qwicket.model.circuits import Gate, Measure
from qwicket.model.noise import GateNoise, NoiseModel, ReadoutError

QUIET: Final = GateNoise()
EXACT: Final = ReadoutError()


class Noise:
    """A noise model, looked up by gate.

    Args:
        model: The model as data.
    """

    def __init__(self, model: NoiseModel) -> None:
        self._model = model
        self._known: dict[tuple[str, int, int], GateNoise] = {}

    def after(self, gate: Gate) -> GateNoise:
        """Return what follows a gate: on each pair of its qubits, or on its only one.

        A qubit that is in several pairs is damped as often, and the damping here is the whole.
        """
        kind = (gate.name, len(gate.controls), len(gate.targets))
        if kind not in self._known:
            self._known[kind] = self._after(*kind)
        return self._known[kind]

    def readout(self, qubit: int) -> ReadoutError:
        """Return the read-out error of a qubit, by its number in the circuit."""
        return self._model.readout_of.get(qubit, self._model.readout)

    def _after(self, name: str, n_controls: int, n_targets: int) -> GateNoise:
        n_qubits = n_controls + n_targets
        if not n_qubits:
            return QUIET
        usual = self._model.one_qubit if n_qubits == 1 else self._model.two_qubit
        found = self._model.gates.get("c" * n_controls + name, usual)
        if n_qubits <= 2:
            return found
        return GateNoise(
            depolarizing=found.depolarizing,
            amplitude_damping=1 - (1 - found.amplitude_damping) ** (n_qubits - 1),
            phase_damping=1 - (1 - found.phase_damping) ** (n_qubits - 1),
        )


def noise_of(model: NoiseModel | None, program: Program) -> Noise | None:
    """Return the noise of a program, or None where it changes nothing."""
    if model is None:
        return None
    noise = Noise(model)
    measured = [op.qubit for op in program.ops if isinstance(op, Measure)]
    measured += program.written.values()
    if any(noise.readout(program.original(qubit)) != EXACT for qubit in measured):
        return noise
    if any(noise.after(op) != QUIET for op in program.ops if isinstance(op, Gate)):
        return noise
    return None


def flip_probability(noise: GateNoise) -> float:
    """Return the probability of a Z that phase damping amounts to: (1 - √(1-λ))/2.

    Nielsen and Chuang, section 8.3.6; written so that nothing cancels for small λ.
    """
    return noise.phase_damping / (2 + 2 * sqrt(1 - noise.phase_damping))
