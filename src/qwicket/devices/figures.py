"""Figures of a calibration, made from those that vendors publish."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import fmean
from typing import Final, NamedTuple

from qwicket.circuits.calibrations import Calibration, GateFigures, Pair, QubitFigures

LONGEST_S: Final = 1e9
"""Lifetime in seconds of qubits for which a file has none: so long that they do not relax."""
UNITS_S: Final = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
NO_GATE: Final = GateFigures(error=0.0, duration_s=0.0)


class Snapshot(NamedTuple):
    """A machine as a vendor's file describes it.

    Attributes:
        machine: Its name in the file.
        qubits: Number of its qubits, with the gaps in their numbers.
        calibration: Its figures.
        native_gates: Its own gates; None for the default of `virtual.device_file`.
    """

    machine: str
    qubits: int
    calibration: Calibration
    native_gates: tuple[str, ...] | None = None


class Unreadable(ValueError):
    """A file has no known form of calibration, or lacks a figure; the text says which."""


def qubit_figures(
    t1_s: float,
    t2_s: float,
    one_for_zero: float,
    zero_for_one: float,
    frequency_hz: float | None = None,
) -> QubitFigures:
    """Return a qubit. T2 is cut at 2 T1: measured values may scatter above this physical bound."""
    return QubitFigures(
        t1_s=t1_s,
        t2_s=min(t2_s, 2 * t1_s),
        one_for_zero=one_for_zero,
        zero_for_one=zero_for_one,
        frequency_hz=frequency_hz,
    )


def average_qubit(qubits: Sequence[QubitFigures]) -> QubitFigures:
    """Return the means of known lifetimes (an unknown T2 counts as 2 T1) and of readout errors."""
    return qubit_figures(
        _mean_lifetime([each.t1_s for each in qubits]),
        _mean_lifetime([each.t2_s for each in qubits]),
        fmean(each.one_for_zero for each in qubits),
        fmean(each.zero_for_one for each in qubits),
    )


def _mean_lifetime(seconds: Sequence[float]) -> float:
    return fmean([each for each in seconds if each < LONGEST_S] or seconds)


def mean_gate(gates: Sequence[GateFigures]) -> GateFigures:
    """Return the mean of gates; without gates, one that has no error and takes no time."""
    if not gates:
        return NO_GATE
    error = fmean(each.error for each in gates)
    return GateFigures(error=error, duration_s=fmean(each.duration_s for each in gates))


def sorted_pairs(pairs: Sequence[Sequence[int]]) -> tuple[Pair, ...]:
    """Return each pair once, the smaller qubit first."""
    return tuple(sorted({(min(a, b), max(a, b)) for a, b in pairs}))


def time_of(text: str) -> datetime:
    """Return the time in an ISO 8601 text; a time without a zone is in UTC."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
