"""Photonic circuits: packing and counting."""

from __future__ import annotations

import msgspec
import pytest

from qwicket.circuits import qubit
from qwicket.circuits.photonic import (
    Formula,
    Gate,
    Measure,
    PhotonicCircuit,
    pack,
    summarise,
    to_checked,
    unpack,
)
from qwicket.circuits.summary import Summary

FED = Formula(((0.5, 0.0), "q0", "*"))
CIRCUIT = PhotonicCircuit(
    3,
    (
        Gate("Sgate", (0,), (0.5, 0.0)),
        Gate("BSgate", (0, 1), (0.1, 0.2)),
        Measure("homodyne", (0,), 0.3),
        Gate("Dgate", (1,), (FED, 0.0)),
        Measure("fock", (1, 2), dark_counts=(0.1, 0.0)),
    ),
)


def test_circuits_come_back_as_they_were_packed() -> None:
    assert unpack(pack((CIRCUIT, CIRCUIT))) == (CIRCUIT, CIRCUIT)


def test_circuits_of_qubits_are_none_of_photons() -> None:
    with pytest.raises(msgspec.ValidationError):
        qubit.unpack(pack((CIRCUIT,)))


def test_a_summary_counts_modes_gates_and_measured_modes() -> None:
    summary = Summary("photonic", 2, 3, 4, 2, n_active=3, n_clbits=2, n_splits=3)
    assert summarise((CIRCUIT, CIRCUIT)) == summary
    assert to_checked((CIRCUIT, CIRCUIT)).summary == summary


def test_no_circuits_have_a_summary() -> None:
    assert summarise(()).n_qubits == 0
