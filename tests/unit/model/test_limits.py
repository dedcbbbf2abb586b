from __future__ import annotations

import re
from pathlib import Path

import pytest

import qwicket
from qwicket.model.limits import Limits, PhotonicBounds

SOURCES = [
    path.read_text()
    for path in Path(qwicket.__file__).parent.rglob("*.py")
    if path.name != "limits.py"
]


@pytest.mark.parametrize("name", Limits.__struct_fields__)
def test_every_limit_is_enforced_somewhere(name: str) -> None:
    assert any(re.search(rf"\b(limits\.)?{name}\b", text) for text in SOURCES)


def test_what_an_operator_sets_travels_with_the_job() -> None:
    assert PhotonicBounds.of(Limits()) == PhotonicBounds()
    few = PhotonicBounds.of(Limits(amplitudes=8, counted_photons=1.5))
    assert (few.amplitudes, few.counted_photons, few.squeezing) == (8, 1.5, 2.5)
