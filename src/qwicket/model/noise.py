"""How noisy a device is, as data that a TOML file can hold. The engines say how it is simulated.

    name = "aria-1"
    source = "IonQ, guide on simulation with noise models: r = 0.0005 and 0.0133"
    one_qubit = { depolarizing = 0.000375 }
    two_qubit = { depolarizing = 0.01246875 }

    [gates.rz]                       # exact, as it is done by relabelling phases

    [readout]
    one_for_zero = 0.004
    zero_for_one = 0.006

Noise follows every gate, on the gate's qubits: depolarizing first, then amplitude damping, then
phase damping. A gate on more than two qubits, controls included, counts as one two-qubit gate on
each pair of them. Preparation, measurement and waiting add nothing but the read-out error.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]


class GateNoise(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What follows one gate.

    Attributes:
        depolarizing: Total probability that a Pauli other than the identity strikes, each of the
            3 on one qubit, or 15 on two, being as likely. A channel ρ → (1-r)ρ + r·1/d, which is
            how IonQ and Qiskit Aer write it, has 3r/4 on one qubit and 15r/16 on two.
        amplitude_damping: γ, the probability that |1⟩ decays to |0⟩, for each qubit of the gate.
        phase_damping: λ, for each qubit: what is off the diagonal shrinks by √(1-λ).
    """

    depolarizing: Probability = 0.0
    amplitude_damping: Probability = 0.0
    phase_damping: Probability = 0.0


class ReadoutError(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often a measured bit is recorded wrong.

    Attributes:
        one_for_zero: Probability of recording 1 where the qubit was 0.
        zero_for_one: Probability of recording 0 where the qubit was 1.
    """

    one_for_zero: Probability = 0.0
    zero_for_one: Probability = 0.0


class NoiseModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The noise of a device.

    Attributes:
        name: What people call it.
        source: Where the numbers are from, in words.
        one_qubit: Follows each gate on one qubit.
        two_qubit: Follows each gate on two qubits.
        gates: Exceptions by name: that of the flat form with a `c` in front for each control, so
            `cx` is an `x` with one control.
        readout: Follows each measurement.
        readout_of: Exceptions by number of the qubit.
    """

    name: str
    source: str
    one_qubit: GateNoise = GateNoise()
    two_qubit: GateNoise = GateNoise()
    gates: dict[str, GateNoise] = {}
    readout: ReadoutError = ReadoutError()
    readout_of: dict[int, ReadoutError] = {}
