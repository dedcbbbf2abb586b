"""Noise of a twin, a simulated device with the calibration of a real one.

Costs of gates (docs/decisions/0010):

| gate | two-qubit gates | one-qubit gates, on each of its qubits |
|---|---|---|
| `id z s sdg t tdg rz p`: a change of frame | 0 | 0 |
| any other on one qubit | 0 | 1 |
| the machine's own on two qubits | 1 | 0 |
| any other on two qubits | 1 | 1 |
| `swap` | as three `cx` | as three `cx` |
| on more qubits, for each pair | as two `cx` | as two `cx` |

During a gate each of its qubits relaxes by its T1 and T2. Depolarizing noise adds the rest, so that
the gate's average infidelity is exactly the calibrated error; if relaxation alone exceeds this
error, nothing is added. The process fidelities of a gate that counts as several multiply.

Average fidelity F and process fidelity f on d dimensions: F = (d f + 1)/(d + 1). Relaxation for a
time t has f = (1 + 2 exp(-t/T2) + exp(-t/T1))/4 on each qubit, for both values of `relaxes_to`.
Depolarizing noise ρ → (1-r)ρ + r·1/d before a channel of process fidelity f makes it
(1-r) f + r/d², because a channel with a constant result has the process fidelity 1/d² (Nielsen,
Phys. Lett. A 303, 249, 2002).
"""

from __future__ import annotations

from math import exp, prod
from typing import TYPE_CHECKING, Final, NamedTuple

from qwicket.circuits.noise import GateNoise, NoiseModel, ReadoutError, Relaxation, SiteNoise

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from qwicket.circuits.calibrations import Calibration, GateFigures, Pair, QubitFigures

FRAME_CHANGES: Final = ("id", "z", "s", "sdg", "t", "tdg", "rz", "p", "cgphase")
"""Gates that only shift the phases of later pulses: exact and without duration (McKay et al.,
Phys. Rev. A 96, 022330, 2017). The last is a global phase under one control, which equals a `p`."""

_ON_TWO: Final = ("cx", "cz", "ms", "zz", "rxx", "ryy", "rzz")


class Cost(NamedTuple):
    """Cost of a gate: two-qubit gates, and one-qubit gates on each of its qubits."""

    pairs: int
    ones: int

    def times(self, factor: int) -> Cost:
        return Cost(factor * self.pairs, factor * self.ones)


ONE: Final = Cost(0, 1)
NATIVE: Final = Cost(1, 0)
NATIVE_AND_ONE_QUBIT: Final = Cost(1, 1)


class OnPair(NamedTuple):
    """Noise of gates on a pair: the default, exceptions by name, and that of larger gates."""

    default: GateNoise
    gates: dict[str, GateNoise]
    multi_qubit: GateNoise


class Machine(NamedTuple):
    """The arguments of `noise`, for a process that derives it: of 5,000 qubits it takes long."""

    calibration: Calibration
    n_qubits: int
    native_gates: Collection[str]
    name: str


def noise(
    calibration: Calibration, n_qubits: int, native_gates: Collection[str], name: str
) -> NoiseModel:
    """Return the noise of a twin.

    Args:
        calibration: The calibration.
        n_qubits: Number of qubits of the device.
        native_gates: Native gates of the machine. Without a two-qubit gate among them, the
            calibrated error applies to any.
        name: Name of the model.
    """
    rule = _Rule(calibration, [gate for gate in _ON_TWO if gate in native_gates])
    everywhere = rule.on_pair((calibration.qubit, calibration.qubit), calibration.two_qubit)
    return NoiseModel(
        name=name,
        source=calibration.source,
        one_qubit=rule.on_one(calibration.qubit),
        two_qubit=everywhere.default,
        gates={**dict.fromkeys(FRAME_CHANGES, GateNoise()), **everywhere.gates},
        multi_qubit=everywhere.multi_qubit,
        sites=tuple(rule.sites(n_qubits)),
        relaxation=rule.relaxation(calibration.qubit),
        relaxation_of={q: rule.relaxation(each) for q, each in calibration.qubits.items()},
        readout=_readout(calibration.qubit),
        readout_of={q: _readout(each) for q, each in calibration.qubits.items()},
    )


class _Rule:
    """Derivation of noise from one calibration and its machine's native two-qubit gates."""

    def __init__(self, calibration: Calibration, native: Sequence[str]) -> None:
        self._calibration = calibration
        self._native = native
        self._default_cost = NATIVE_AND_ONE_QUBIT if native else NATIVE
        self._cx = NATIVE if "cx" in native or not native else NATIVE_AND_ONE_QUBIT

    def sites(self, n_qubits: int) -> Iterator[SiteNoise]:
        """Yield qubits and pairs that differ from the average."""
        calibration, own = self._calibration, self._calibration.qubits
        for qubit, figures in own.items():
            yield SiteNoise(qubits=(qubit,), default=self.on_one(figures))
        gates = {_ascending(pair.qubits): pair for pair in calibration.pairs}
        pairs = set(gates)
        if own:
            connected = map(_ascending, calibration.connected(n_qubits))
            pairs.update(pair for pair in connected if not own.keys().isdisjoint(pair))
        for pair in sorted(pairs):
            ends = [own.get(qubit, calibration.qubit) for qubit in pair]
            found = self.on_pair(ends, gates.get(pair, calibration.two_qubit))
            yield SiteNoise(qubits=pair, **found._asdict())

    def on_one(self, qubit: QubitFigures) -> GateNoise:
        return self._gate((qubit,), self._calibration.two_qubit, ONE)

    def on_pair(self, ends: Sequence[QubitFigures], gate: GateFigures) -> OnPair:
        return OnPair(
            default=self._gate(ends, gate, self._default_cost),
            gates={
                **dict.fromkeys(self._native, self._gate(ends, gate, NATIVE)),
                "swap": self._gate(ends, gate, self._cx.times(3)),
            },
            multi_qubit=self._gate(ends, gate, self._cx.times(2)),
        )

    def relaxation(self, qubit: QubitFigures) -> Relaxation:
        relaxes_to = self._calibration.relaxes_to
        return Relaxation(t1_s=qubit.t1_s, t2_s=qubit.t2_s, relaxes_to=relaxes_to)

    def _gate(self, ends: Sequence[QubitFigures], pair: GateFigures, cost: Cost) -> GateNoise:
        """Return the noise of a gate on one or two qubits with this cost."""
        ones = [end.gate or self._calibration.one_qubit for end in ends]
        target = process_fidelity(pair.error, 4) ** cost.pairs
        target *= prod(process_fidelity(one.error, 2) for one in ones) ** cost.ones
        duration_s = cost.pairs * pair.duration_s
        duration_s += cost.ones * max(one.duration_s for one in ones)
        relaxed = prod(self._kept_by_relaxation(end, duration_s) for end in ends)
        return GateNoise(
            depolarizing=_depolarizing(target, relaxed, 2 ** len(ends)), duration_s=duration_s
        )

    def _kept_by_relaxation(self, qubit: QubitFigures, duration_s: float) -> float:
        by_t1, by_t2 = self.relaxation(qubit).exponents(duration_s)
        return (1 + 2 * exp(-by_t2) + exp(-by_t1)) / 4


def process_fidelity(error: float, dimension: int) -> float:
    """Return the process fidelity of a gate of this average infidelity on `dimension` states."""
    return max(0.0, 1 - error * (dimension + 1) / dimension)


def _depolarizing(target: float, relaxed: float, dimension: int) -> float:
    """Return the probability of a Pauli that reduces process fidelity `relaxed` to `target`.

    The result is 0 if relaxation alone exceeds the error, and at most 1.
    """
    if target >= relaxed:
        return 0.0
    squared = dimension**2
    gap = relaxed - 1 / squared
    return min(1.0, (relaxed - target) / gap * (squared - 1) / squared) if gap else 0.0


def _ascending(pair: Pair) -> Pair:
    return (min(pair), max(pair))


def _readout(qubit: QubitFigures) -> ReadoutError:
    return ReadoutError(one_for_zero=qubit.one_for_zero, zero_for_one=qubit.zero_for_one)
