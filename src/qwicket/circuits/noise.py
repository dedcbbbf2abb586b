"""Noise models of devices, as data that a TOML file can hold. Engines simulate them.

    name = "aria-1"
    source = "The maker's guide on noise models: r = 0.0005 and 0.0133"
    one_qubit = { depolarizing = 0.000375 }
    two_qubit = { depolarizing = 0.01246875 }

    [gates.rz]                       # no noise: a virtual Z gate only changes later phases

    [readout]
    one_for_zero = 0.004
    zero_for_one = 0.006

Noise follows every gate, on the gate's qubits: a depolarizing channel, then the bit flips of
`Relaxation`, amplitude damping, and phase damping. A gate on more than two qubits, controls
included, has the noise of one gate on each pair of them. A `delay` has only the relaxation of its
time. Measurement adds the readout error; preparation and other idle time add nothing.

A site is one qubit or one pair. Sites may have noise of their own, and qubits may relax during a
gate:

    relaxation = { t1_s = 80e-6, t2_s = 60e-6 }
    relaxation_of.4 = { t1_s = 45e-6, t2_s = 70e-6 }
    two_qubit = { depolarizing = 0.008, duration_s = 300e-9 }

    [[sites]]
    qubits = [3, 4]
    default = { depolarizing = 0.021, duration_s = 380e-9 }
"""

from __future__ import annotations

from collections.abc import Sequence
from math import expm1, inf, log1p
from typing import Annotated, Literal, NamedTuple

import msgspec

Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Lifetime = Annotated[float, msgspec.Meta(ge=1e-12, le=1e9)]
Index = Annotated[int, msgspec.Meta(ge=0)]


class Decay(NamedTuple):
    """Effect of relaxation on one qubit: bit flips, then amplitude and phase damping.

    Attributes:
        bit_flip: Probability that X or Y occurs, both equally likely.
        amplitude_damping: Probability γ that |1⟩ decays to |0⟩.
        log_coherence: Natural logarithm of √(1-λ), where λ is the parameter of phase damping. It
            is exact near λ = 1, where λ itself is not: after 32 T2 with T1 = T2, 1-λ is 1e-14, and
            a coherence computed from the rounded λ would be wrong by up to 0.2 %.
    """

    bit_flip: float = 0.0
    amplitude_damping: float = 0.0
    log_coherence: float = 0.0

    @property
    def phase_damping(self) -> float:
        """Parameter λ of phase damping, which multiplies coherences by √(1-λ)."""
        return -expm1(2 * self.log_coherence)


class Relaxation(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Relaxation of a qubit.

    In a time t, the distance of ⟨Z⟩ from its steady state shrinks by the factor exp(-t/T1), and the
    coherences (off-diagonal elements of the density matrix) by the factor exp(-t/T2).

    Attributes:
        t1_s: T1 in seconds; None means no decay of ⟨Z⟩.
        t2_s: T2 in seconds, at most twice T1; None means 2 T1.
        relaxes_to: The steady state. `zero` is |0⟩, as in a cold environment: amplitude damping.
            `mixed` is the maximally mixed state, as in a hot environment. It is also the Pauli
            twirl of amplitude damping (Geller and Zhou, Phys. Rev. A 88, 012314, 2013). Its only
            errors are Paulis, so Clifford circuits still run on a stabilizer simulator.
    """

    t1_s: Lifetime | None = None
    t2_s: Lifetime | None = None
    relaxes_to: Literal["zero", "mixed"] = "zero"

    def __post_init__(self) -> None:
        if self.t1_s is not None and self.t2_s is not None and self.t2_s > 2 * self.t1_s:
            raise ValueError(f"t2_s = {self.t2_s:g} is more than twice t1_s = {self.t1_s:g}")

    def exponents(self, duration_s: float) -> tuple[float, float]:
        """Return t/T1 and t/T2 for a time t in seconds."""
        by_t1 = duration_s / self.t1_s if self.t1_s else 0.0
        return by_t1, duration_s / self.t2_s if self.t2_s else by_t1 / 2

    def during(self, duration_s: float) -> Decay:
        """Return the effect of relaxation during a time in seconds."""
        by_t1, by_t2 = self.exponents(duration_s)
        if self.relaxes_to == "zero":
            return Decay(0.0, -expm1(-by_t1), min(0.0, by_t1 / 2 - by_t2))
        flip = -expm1(-by_t1) / 2
        return Decay(flip, 0.0, min(0.0, -by_t2 - log1p(-flip)))


class GateNoise(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Noise after one gate.

    Attributes:
        depolarizing: Total probability p of the Paulis other than the identity, which are equally
            likely: 3 on one qubit, 15 on two. Makers and Qiskit Aer give the parameter r of
            ρ → (1-r)ρ + r·1/d instead: p = 3r/4 on one qubit, p = 15r/16 on two.
        amplitude_damping: Probability γ that |1⟩ decays to |0⟩, for each qubit of the gate.
        phase_damping: Parameter λ for each qubit: coherences shrink by the factor √(1-λ).
        duration_s: Duration of the gate in seconds. Each of its qubits also relaxes for this time,
            by `NoiseModel.relaxation`.
    """

    depolarizing: Probability = 0.0
    amplitude_damping: Probability = 0.0
    phase_damping: Probability = 0.0
    duration_s: Seconds = 0.0


class SiteNoise(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Noise of the gates on one qubit alone, or on one pair in either order.

    The first of these that exists applies: the site's `gates`, the model's `gates`, for a gate on
    more than two qubits the site's and then the model's `multi_qubit`, and `default`.

    Attributes:
        qubits: Number of the qubit, or of both.
        default: Noise of each gate there, instead of the model's `one_qubit` or `two_qubit`.
        gates: Noise of single gates by name, as in `NoiseModel.gates`.
        multi_qubit: Noise on this pair after a gate on more than two qubits.
    """

    qubits: Annotated[tuple[Index, ...], msgspec.Meta(min_length=1, max_length=2)]
    default: GateNoise
    gates: dict[str, GateNoise] = {}
    multi_qubit: GateNoise | None = None

    def __post_init__(self) -> None:
        if len(set(self.qubits)) < len(self.qubits):
            raise ValueError("the two qubits of a pair must differ")


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
        one_qubit: Noise of each gate on one qubit.
        two_qubit: Noise of each gate on two qubits.
        gates: Noise of single gates by name, instead of the two above. The name is that of the
            operation in a parsed circuit after one `c` for each control: `cx` is an `x` with one
            control.
        multi_qubit: Noise on each pair of qubits after a gate on more than two; None means
            `two_qubit`.
        sites: Noise of single qubits and pairs.
        relaxation: Relaxation of qubits during a gate or a `delay`.
        relaxation_of: Relaxation of single qubits, by number.
        readout: Error of each measurement.
        readout_of: Errors of measurements of single qubits, by number.
    """

    name: str
    source: str
    one_qubit: GateNoise = GateNoise()
    two_qubit: GateNoise = GateNoise()
    gates: dict[str, GateNoise] = {}
    multi_qubit: GateNoise | None = None
    sites: tuple[SiteNoise, ...] = ()
    relaxation: Relaxation = Relaxation()
    relaxation_of: dict[int, Relaxation] = {}
    readout: ReadoutError = ReadoutError()
    readout_of: dict[int, ReadoutError] = {}

    @property
    def relaxations(self) -> tuple[Relaxation, ...]:
        """All relaxations of qubits."""
        return (self.relaxation, *self.relaxation_of.values())

    @property
    def acts_on_delays(self) -> bool:
        """Whether a qubit that waits changes."""
        return any(each.t1_s or each.t2_s for each in self.relaxations)


class GateNoises:
    """Look-up of a model's noise by gate.

    Args:
        model: The model.
    """

    def __init__(self, model: NoiseModel) -> None:
        self._model = model
        self._sites = {tuple(sorted(site.qubits)): site for site in model.sites}

    def find(self, name: str, qubits: Sequence[int], *, is_on_more_than_two: bool) -> GateNoise:
        """Return the most specific noise that the model has for a gate on one qubit or one pair.

        Args:
            name: Name of the gate after one `c` for each control.
            qubits: The qubit or the pair.
            is_on_more_than_two: Whether the gate acts on further qubits.
        """
        model = self._model
        site = self._sites.get(tuple(sorted(qubits))) if self._sites else None
        if site is not None and name in site.gates:
            return site.gates[name]
        if name in model.gates:
            return model.gates[name]
        if is_on_more_than_two and site is not None and site.multi_qubit is not None:
            return site.multi_qubit
        if is_on_more_than_two and model.multi_qubit is not None:
            return model.multi_qubit
        if site is not None:
            return site.default
        return model.one_qubit if len(qubits) == 1 else model.two_qubit


def log_coherence(phase_damping: float) -> float:
    """Return the natural logarithm of √(1-λ), by which phase damping λ multiplies coherences.

    The result is -inf for λ = 1.
    """
    return log1p(-phase_damping) / 2 if phase_damping < 1 else -inf


def flip_probability(log_coherence: float) -> float:
    """Return the probability (1 - √(1-λ))/2 of a Z that has the effect of phase damping.

    Nielsen and Chuang, section 8.3.6. `expm1` avoids cancellation for small λ.

    Args:
        log_coherence: Natural logarithm of √(1-λ), as `log_coherence` returns it.
    """
    return -expm1(log_coherence) / 2
