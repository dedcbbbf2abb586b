"""Probabilities in IonQ's formats: a client that truncates their product with the shots."""

from __future__ import annotations

import struct

import msgspec

from qwicket.circuits.outcomes import (
    COUNTS,
    PROBABILITIES,
    Array,
    Outcome,
    float64_array,
    int64_array,
    key_array,
)
from qwicket.circuits.qubit import Register
from qwicket.vendors.ionq.dialect.results import probabilities
from support.for_each import for_each


def outcome(**arrays: Array) -> Outcome:
    return Outcome(
        registers=(Register("c", 1),),
        arrays={"keys": key_array(b"\x00\x01", 1), **arrays},
        engine="",
        engine_version="",
        seed=0,
        seconds=0,
    )


def truncated(of: Outcome, shots: int) -> list[int]:
    found = msgspec.json.decode(probabilities(of, shots), type=dict[str, float])
    return [int(p * shots) for p in found.values()]


@for_each("shots", [10, 100, 1_000, 1_023, 4_096])
def test_truncated_frequencies_times_shots_are_the_counts(shots: int) -> None:
    for n in range(1, shots):
        counts = int64_array(struct.pack("<2q", n, shots - n))
        assert truncated(outcome(**{COUNTS: counts}), shots) == [n, shots - n]


@for_each("p", [0.5, 0.29, 0.07])
def test_rounding_errors_of_exact_probabilities_lose_no_shot(p: float) -> None:
    for error in (-3e-16, 0, 3e-16):
        exact = float64_array(struct.pack("<2d", p + error, 1 - p - error))
        assert truncated(outcome(**{PROBABILITIES: exact}), 100) == [
            round(100 * p),
            round(100 * (1 - p)),
        ]


def test_other_probabilities_are_written_as_they_are() -> None:
    for p in (1e-15, 1 / 3, 0.5 - 1e-9):
        exact = float64_array(struct.pack("<2d", p, 1 - p))
        text = probabilities(outcome(**{PROBABILITIES: exact}), 1_000)
        assert msgspec.json.decode(text, type=dict[str, float])["0"] == p
