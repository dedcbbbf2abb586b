"""Calibrations: measured lifetimes, errors, durations and connectivity of a device.

    valid_from = 2026-01-31T12:00:00Z
    source = "measured on the bench"
    connectivity = [[0, 1], [1, 2]]          # without it every pair is connected
    readout_s = 4e-6
    qubit = { t1_s = 80e-6, t2_s = 60e-6, one_for_zero = 0.012, zero_for_one = 0.025 }
    one_qubit = { error = 0.0003, duration_s = 35e-9 }
    two_qubit = { error = 0.009, duration_s = 300e-9 }
    relaxes_to = "zero"

    [qubits.2]
    t1_s = 45e-6
    t2_s = 70e-6
    one_for_zero = 0.02
    zero_for_one = 0.04
    frequency_hz = 5.1e9
    gate = { error = 0.0008, duration_s = 35e-9 }

    [[pairs]]
    qubits = [1, 2]
    error = 0.021
    duration_s = 380e-9

`qubit`, `one_qubit` and `two_qubit` are the device's averages; they apply to all qubits and
pairs without figures of their own. Times are in seconds, each `error` is an average infidelity.
`twins` derives noise from a calibration.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final, Literal, NamedTuple

import msgspec

from qwicket.circuits.noise import Index, Lifetime, Probability, Seconds

Hertz = Annotated[float, msgspec.Meta(gt=0, le=1e18)]
Pair = tuple[Index, Index]
Connectivity = Annotated[tuple[Pair, ...], msgspec.Meta(max_length=10_000)]
Source = Annotated[str, msgspec.Meta(max_length=1_000)]

_MAX_LISTED_QUBITS: Final = 128
"""Qubits of a device for which all pairs are listed: 8,128."""


class GateFigures(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A gate.

    Attributes:
        error: Its average infidelity.
        duration_s: Its duration in seconds.
    """

    error: Probability
    duration_s: Seconds


class QubitFigures(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A qubit.

    Attributes:
        t1_s: Lifetime of |1⟩ in seconds.
        t2_s: Lifetime of a superposition in seconds, at most twice T1.
        one_for_zero: Probability of recording 1 where the qubit was prepared in 0.
        zero_for_one: Probability of recording 0 where it was prepared in 1.
        gate: Its one-qubit gates; None uses the device's average.
        frequency_hz: Frequency of its transition.
    """

    t1_s: Lifetime
    t2_s: Lifetime
    one_for_zero: Probability
    zero_for_one: Probability
    gate: GateFigures | None = None
    frequency_hz: Hertz | None = None

    def __post_init__(self) -> None:
        if self.t2_s > 2 * self.t1_s:
            raise ValueError(f"t2_s = {self.t2_s:g} is more than twice t1_s = {self.t1_s:g}")

    @property
    def spam_error(self) -> float:
        """Mean probability that a prepared 0 or 1 is recorded as the other."""
        return (self.one_for_zero + self.zero_for_one) / 2


class PairFigures(GateFigures, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The two-qubit gate of one pair, in either order.

    Attributes:
        qubits: The pair, counted from 0.
        error: Its average infidelity.
        duration_s: Its duration in seconds.
    """

    qubits: Pair

    def __post_init__(self) -> None:
        _check_pair(self.qubits)


class Medians(NamedTuple):
    """Medians of a calibration's figures over the qubits and connected pairs of a device."""

    readout_error: float
    pair_error: float
    gate_error: float
    t1_s: float
    t2_s: float


class Calibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One calibration.

    Attributes:
        valid_from: Time from which it is valid.
        source: Origin of the figures, as text of at most 1,000 characters.
        qubit: Averages of the qubits.
        one_qubit: Averages of the gates on one qubit.
        two_qubit: Averages of the gates on two qubits.
        qubits: Qubits with figures of their own.
        pairs: Pairs with figures of their own.
        connectivity: Pairs that a gate can act on, at most 10,000; None is all.
        readout_s: Duration of a measurement.
        reset_s: Duration of preparing |0⟩.
        relaxes_to: State to which qubits relax, see `noise.Relaxation`.
    """

    valid_from: Annotated[datetime, msgspec.Meta(tz=True)]
    source: Source
    qubit: QubitFigures
    one_qubit: GateFigures
    two_qubit: GateFigures
    qubits: dict[int, QubitFigures] = {}
    pairs: tuple[PairFigures, ...] = ()
    connectivity: Connectivity | None = None
    readout_s: Seconds | None = None
    reset_s: Seconds | None = None
    relaxes_to: Literal["zero", "mixed"] = "zero"

    def __post_init__(self) -> None:
        for pair in self.connectivity or ():
            _check_pair(pair)

    @property
    def valid_from_ms(self) -> int:
        return round(self.valid_from.timestamp() * 1000)

    def check(self, n_qubits: int) -> None:
        """Validate the time, and the qubits against a device.

        Raises:
            ValueError: In UTC the time is outside of the years 1 to 9999, or the calibration names
                a qubit that the device does not have.
        """
        try:
            self.valid_from.astimezone(UTC)
        except OverflowError:
            raise ValueError("valid_from is outside of the years 1 to 9999 in UTC") from None
        named = {*self.qubits}
        for pair in (*(self.connectivity or ()), *(each.qubits for each in self.pairs)):
            named.update(pair)
        if named and not 0 <= min(named) <= max(named) < n_qubits:
            raise ValueError(f"the calibration names a qubit outside 0..{n_qubits - 1}")

    def connected(self, n_qubits: int) -> tuple[Pair, ...]:
        """Return the pairs that a gate can act on.

        If all are connected, none is listed for a device of more than 128 qubits.
        """
        if self.connectivity is not None:
            return self.connectivity
        if n_qubits > _MAX_LISTED_QUBITS:
            return ()
        return tuple((a, b) for a in range(n_qubits) for b in range(a + 1, n_qubits))

    def medians(self, n_qubits: int) -> Medians:
        """Return the medians for a device of so many qubits, at least one."""
        from statistics import median  # late: few requests need it

        figures = [self.qubits.get(number, self.qubit) for number in range(n_qubits)]
        own = {tuple(sorted(each.qubits)): each.error for each in self.pairs}
        average = self.two_qubit.error
        if self.connectivity is not None:
            errors = [own.get(tuple(sorted(each)), average) for each in self.connectivity]
        else:
            n_others = n_qubits * (n_qubits - 1) // 2 - len(own)
            # Once they are the majority, further ones do not change the median.
            errors = [*own.values(), *[average] * min(n_others, len(own) + 1)]
        return Medians(
            median(each.spam_error for each in figures),
            median(errors or [average]),
            median((each.gate or self.one_qubit).error for each in figures),
            median(each.t1_s for each in figures),
            median(each.t2_s for each in figures),
        )


class Calibrated(msgspec.Struct, frozen=True):
    """A stored calibration, with an id to which jobs refer; `valid_from` is in Unix ms."""

    id: str
    device: str
    valid_from: int
    body: Calibration


def _check_pair(pair: Pair) -> None:
    if pair[0] == pair[1]:
        raise ValueError("the two qubits of a pair must differ")
