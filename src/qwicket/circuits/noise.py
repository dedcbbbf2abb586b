"""Noise models of devices, as data for TOML files. Engines implement their simulation.

    name = "aria-1"
    source = "IonQ, guide on simulation with noise models: r = 0.0005 and 0.0133"
    one_qubit = { depolarizing = 0.000375 }
    two_qubit = { depolarizing = 0.01246875 }

    [gates.rz]                       # exact, as it is done by relabelling phases

    [readout]
    one_for_zero = 0.004
    zero_for_one = 0.006

Noise follows every gate, on the gate's qubits: depolarizing first, then bits that flip, amplitude
damping, and phase damping. A gate on more than two qubits, controls included, counts as one gate on
each pair of them. Preparation, measurement and waiting add nothing but the read-out error.

Qubits and pairs may have noise of their own, and qubits may relax while a gate lasts:

    relaxation = { t1_s = 80e-6, t2_s = 60e-6 }
    relaxation_of.4 = { t1_s = 45e-6, t2_s = 70e-6 }
    two_qubit = { depolarizing = 0.008, duration_s = 300e-9 }

    [[sites]]
    qubits = [3, 4]
    usual = { depolarizing = 0.021, duration_s = 380e-9 }
"""

from __future__ import annotations

from math import expm1, inf, log1p
from typing import Annotated, Literal, NamedTuple

import msgspec

Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Lifetime = Annotated[float, msgspec.Meta(ge=1e-12, le=1e9)]
Index = Annotated[int, msgspec.Meta(ge=0)]


class Decay(NamedTuple):
    """Effect of relaxation on a qubit: bit flips, then damping (see `GateNoise`).

    Attributes:
        bit_flip: Probability that X or Y occurs, both equally likely.
        amplitude_damping: Probability γ that |1⟩ decays to |0⟩.
        log_coherence: Logarithm of √(1-λ). Near λ = 1 it is exact where λ itself is rounded: after
            32 T2 coherences would be wrong by a thousandth.
    """

    bit_flip: float = 0.0
    amplitude_damping: float = 0.0
    log_coherence: float = 0.0

    @property
    def phase_damping(self) -> float:
        """Return λ."""
        return -expm1(2 * self.log_coherence)


class Relaxation(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Relaxation of a qubit.

    After a time t, ⟨Z⟩ is exp(-t/T1) as far from its end as it was, and what is off the diagonal
    has shrunk by exp(-t/T2).

    Attributes:
        t1_s: T1 in seconds; None is never.
        t2_s: T2 in seconds, at most twice T1; None is as long as T1 allows.
        towards: Where it ends. `zero`: in |0⟩, as surroundings do that are cold against the qubit;
            amplitude damping. `mixed`: anywhere, as hot surroundings do, and as what remains of
            amplitude damping when it is twirled over the Paulis (Geller and Zhou, Phys. Rev. A 88,
            012314, 2013); Paulis alone, so that Clifford circuits stay quick.
    """

    t1_s: Lifetime | None = None
    t2_s: Lifetime | None = None
    towards: Literal["zero", "mixed"] = "zero"

    def __post_init__(self) -> None:
        if self.t1_s is not None and self.t2_s is not None and self.t2_s > 2 * self.t1_s:
            raise ValueError(f"t2_s = {self.t2_s:g} is more than twice t1_s = {self.t1_s:g}")

    def exponents(self, duration_s: float) -> tuple[float, float]:
        """Return t/T1 and t/T2."""
        by_t1 = duration_s / self.t1_s if self.t1_s else 0.0
        return by_t1, duration_s / self.t2_s if self.t2_s else by_t1 / 2

    def during(self, duration_s: float) -> Decay:
        """Return the effect of relaxation for some seconds."""
        by_t1, by_t2 = self.exponents(duration_s)
        if self.towards == "zero":
            return Decay(0.0, -expm1(-by_t1), min(0.0, by_t1 / 2 - by_t2))
        flip = -expm1(-by_t1) / 2
        return Decay(flip, 0.0, min(0.0, -by_t2 - log1p(-flip)))


class GateNoise(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Noise after one gate.

    Attributes:
        depolarizing: Total probability that a Pauli other than the identity occurs, each of the
            3 on one qubit, or 15 on two, being as likely. A channel ρ → (1-r)ρ + r·1/d, which is
            how IonQ and Qiskit Aer write it, has 3r/4 on one qubit and 15r/16 on two.
        amplitude_damping: γ, the probability that |1⟩ decays to |0⟩, for each qubit of the gate.
        phase_damping: λ, for each qubit: what is off the diagonal shrinks by √(1-λ).
        duration_s: Seconds in which each qubit of the gate relaxes besides, as
            `NoiseModel.relaxation` says.
    """

    depolarizing: Probability = 0.0
    amplitude_damping: Probability = 0.0
    phase_damping: Probability = 0.0
    duration_s: Seconds = 0.0


class SiteNoise(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Noise of the gates on one qubit alone, or on one pair in either order.

    Attributes:
        qubits: The qubit, or the two.
        usual: Follows each gate there, in place of the model's `one_qubit` or `two_qubit`.
        gates: Exceptions by name; they go before the model's, and those before `usual`.
        several: Like the model's `several`, on this pair.
    """

    qubits: Annotated[tuple[Index, ...], msgspec.Meta(min_length=1, max_length=2)]
    usual: GateNoise
    gates: dict[str, GateNoise] = {}
    several: GateNoise | None = None

    def __post_init__(self) -> None:
        if len(set(self.qubits)) < len(self.qubits):
            raise ValueError("a pair is of two qubits")


class ReadoutError(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Probabilities that a measured bit is recorded wrong.

    Attributes:
        one_for_zero: Probability of recording 1 where the qubit was 0.
        zero_for_one: Probability of recording 0 where the qubit was 1.
    """

    one_for_zero: Probability = 0.0
    zero_for_one: Probability = 0.0


class NoiseModel(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """The noise of a device.

    Attributes:
        name: Name for users.
        source: Source of the numbers, in words.
        one_qubit: Follows each gate on one qubit.
        two_qubit: Follows each gate on two qubits.
        gates: Exceptions by name: that of the flat form with a `c` in front for each control, so
            `cx` is an `x` with one control.
        several: Follows a gate on more than two qubits, on each pair; None is as `two_qubit`.
        sites: Noise of single qubits and pairs.
        relaxation: Relaxation of qubits during a gate.
        relaxation_of: Exceptions by number of the qubit.
        readout: Follows each measurement.
        readout_of: Exceptions by number of the qubit.
    """

    name: str
    source: str
    one_qubit: GateNoise = GateNoise()
    two_qubit: GateNoise = GateNoise()
    gates: dict[str, GateNoise] = {}
    several: GateNoise | None = None
    sites: tuple[SiteNoise, ...] = ()
    relaxation: Relaxation = Relaxation()
    relaxation_of: dict[int, Relaxation] = {}
    readout: ReadoutError = ReadoutError()
    readout_of: dict[int, ReadoutError] = {}


def log_coherence(phase_damping: float) -> float:
    """Return the logarithm of what phase damping leaves off the diagonal: √(1-λ)."""
    return log1p(-phase_damping) / 2 if phase_damping < 1 else -inf


def flip_probability(log_coherence: float) -> float:
    """Return the probability of a Z that leaves as much off the diagonal: (1 - √(1-λ))/2.

    Nielsen and Chuang, section 8.3.6; written so that nothing cancels for small λ.
    """
    return -expm1(log_coherence) / 2
