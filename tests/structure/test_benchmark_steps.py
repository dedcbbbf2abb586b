"""The benchmark of a job's steps names functions by their paths, which renames can break."""

from __future__ import annotations

import pytest
from benchmarks.steps import EVENTS, STEPS, place_of

NAMES = {name for names in STEPS.values() for name in names} | {name for _, name, _ in EVENTS}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_what_is_measured_exists(name: str) -> None:
    owner, attribute = place_of(name)
    assert callable(getattr(owner, attribute))
