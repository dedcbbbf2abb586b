"""Sizes in lists."""

from __future__ import annotations

import pytest

from qwicket.cli.listing import size_text


@pytest.mark.parametrize(
    ("family", "count", "text"),
    [
        ("qubit", 1, "1 qubit"),
        ("qubit", 5000, "5,000 qubits"),
        ("photonic", 8, "8 modes"),
        ("atoms", 1, "1 wire"),
    ],
)
def test_the_size_of_a_device_has_its_familys_unit(family: str, count: int, text: str) -> None:
    assert size_text(family, count) == text
