"""Results of atoms, of which a machine may have lacked some at the start of a shot."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import msgspec

from qwicket.circuits.outcomes import SAMPLES, Outcome, sample_array
from qwicket.gateway.views import JobResults
from qwicket.vendors.qbraid.dialect.jobs import v0_result


def test_an_empty_site_is_neither_in_the_ground_state_nor_excited() -> None:
    samples = sample_array(b"\0\0\1\0\xff\xff", 1, 3)
    outcome = Outcome(
        registers=(),
        arrays={SAMPLES: samples},
        engine="far",
        engine_version="",
        seed=0,
        seconds=0.0,
    )
    found = v0_result(cast("JobResults", SimpleNamespace(parts=(outcome,))))
    assert found["measurementCounts"] == {"gre": 1}
    (shot,) = msgspec.json.decode(msgspec.json.encode(found["measurements"]))
    assert (shot["pre_sequence"], shot["post_sequence"]) == ([1, 1, 0], [1, 0, 0])
