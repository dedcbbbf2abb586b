"""Results of jobs in IQM Server's JSON. Encoding takes long, so it runs in a thread."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qwicket.circuits.outcomes import MEMORY, Outcome
from qwicket.dialects.streaming import raw_list, raw_object
from qwicket.model.errors import NoResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qwicket.gateway import JobResults

_SHOTS: Final = 1_000
"""Shots that become lists at once."""


def measurements(found: JobResults) -> list[Any]:
    """Return an object for each circuit: a list of shots for each key, of bits for each qubit."""
    return [raw_object(_each_key(outcome)) for outcome in _outcomes(found)]


def counts(found: JobResults) -> list[Any]:
    """Return the shots of each circuit by their bits, those of the first measurement first."""
    return [
        {
            "measurement_keys": [register.name for register in outcome.registers],
            "counts": raw_object(
                (f"{key:0{outcome.n_bits}b}"[::-1], number) for key, number in outcome.each_count()
            ),
        }
        for outcome in _outcomes(found)
    ]


def _outcomes(found: JobResults) -> Iterator[Outcome]:
    for part in found.parts:
        if not isinstance(part, Outcome):
            raise NoResult(part.message)
        yield part


def _each_key(outcome: Outcome) -> Iterator[tuple[str, Any]]:
    array = outcome.arrays[MEMORY]
    rows: NDArray[np.uint8] = np.frombuffer(array.data, np.uint8).reshape(array.shape)
    first = 0
    for register in outcome.registers:
        yield register.name, raw_list(_shots(rows, range(first, first + register.size)))
        first += register.size


def _shots(rows: NDArray[np.uint8], bits: range) -> Iterator[list[int]]:
    """Yield the values of some bits for each shot. Bit 0 is the lowest of the first byte."""
    places = np.array(bits)
    for start in range(0, len(rows), _SHOTS):
        some = rows[start : start + _SHOTS, places // 8]
        yield from ((some >> (places % 8)) & 1).tolist()
