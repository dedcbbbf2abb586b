"""Shots of analog programs in Braket's form."""

from __future__ import annotations

from qwicket.circuits.outcomes import SAMPLES, Outcome, sample_array
from qwicket.vendors.braket.dialect import analog


def test_an_empty_site_is_seen_neither_before_nor_after() -> None:
    samples = sample_array(b"\0\0\1\0\xff\xff", 1, 3)
    outcome = Outcome(
        registers=(),
        arrays={SAMPLES: samples},
        engine="far",
        engine_version="",
        seed=0,
        seconds=0.0,
    )
    (shot,) = analog.measurements(outcome)
    assert shot["shotResult"] == {"preSequence": [1, 1, 0], "postSequence": [1, 0, 0]}
