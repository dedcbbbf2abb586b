"""What lists say of sizes."""

from __future__ import annotations

import pytest

from qwicket.cli.listing import size


@pytest.mark.parametrize(
    ("family", "wires", "words"),
    [
        ("qubit", 1, "1 qubit"),
        ("qubit", 5000, "5,000 qubits"),
        ("photonic", 8, "8 modes"),
        ("atoms", 1, "1 wire"),
    ],
)
def test_the_size_of_a_device_has_its_familys_unit(family: str, wires: int, words: str) -> None:
    assert size(family, wires) == words
