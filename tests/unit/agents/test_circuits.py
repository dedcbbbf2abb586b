"""Circuits of a lab's function: the server's values under names, readable when fields are added."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from qwicket.agents import circuits as lab
from qwicket.circuits import atoms, photonic, qubit

WIDE = 2**80 + 3
QUBITS = qubit.QubitCircuit(
    3,
    (
        qubit.Gate("rx", (0,), (0.5,)),
        qubit.Gate("x", (2,), (), (0, 1)),
        qubit.Gate("pauliexp", (0, 1), (0.25,), (), ("XZ",)),
        qubit.Measure(0, 1),
        qubit.Branch((0, 1), ">=", str(WIDE), 1),
        qubit.Reset(2),
        qubit.Jump(0),
    ),
    (qubit.Register("a", 2), qubit.Register("b", 1)),
)
ATOMS = atoms.AtomCircuit(
    "spins", (3, 1), (atoms.AtomGate("rlx", (0,), (0.5,)),), (1, 0), shots=7, seed=5
)
PHOTONS = photonic.PhotonicCircuit(
    2,
    (
        photonic.Gate("Xgate", (1,), (photonic.Formula(((1.0, 0.0), "q0", "*")),)),
        photonic.Measure("homodyne", (0,), 0.5),
        photonic.Measure("fock", (1,), 0.0, (0.25,)),
    ),
    n_bins=2,
)


def test_a_circuit_on_qubits_has_named_fields() -> None:
    (circuit,) = lab.unpack("qubit", qubit.pack((QUBITS,)), 20)
    assert isinstance(circuit, lab.QubitCircuit)
    assert (circuit.qubits, circuit.shots, circuit.bits) == (3, 20, 3)
    assert [(each.name, each.size) for each in circuit.registers] == [("a", 2), ("b", 1)]
    rx, ccx, terms, measure, branch, reset, jump = circuit.operations
    assert isinstance(rx, lab.Gate)
    assert (rx.name, rx.targets, rx.parameters, rx.controls) == ("rx", (0,), (0.5,), ())
    assert isinstance(ccx, lab.Gate)
    assert (ccx.name, ccx.label, ccx.qubits) == ("x", "ccx", (0, 1, 2))
    assert isinstance(terms, lab.Gate)
    assert terms.terms == ("XZ",)
    assert isinstance(measure, lab.Measure)
    assert (measure.qubit, measure.bit) == (0, 1)
    assert isinstance(branch, lab.Branch)
    assert (branch.bits, branch.relation, branch.value, branch.skip) == ((0, 1), ">=", WIDE, 1)
    assert isinstance(reset, lab.Reset)
    assert reset.qubit == 2
    assert isinstance(jump, lab.Jump)
    assert jump.skip == 0


def test_an_experiment_on_atoms_has_named_fields() -> None:
    (circuit,) = lab.unpack("atoms", atoms.pack((ATOMS,)), 20)
    assert isinstance(circuit, lab.AtomCircuit)
    assert (circuit.kind, circuit.atoms, circuit.measured) == ("spins", (3, 1), (1, 0))
    assert (circuit.shots, circuit.seed) == (7, 5)
    (gate,) = circuit.operations
    assert (gate.name, gate.wires, gate.parameters) == ("rlx", (0,), (0.5,))


def test_a_photonic_circuit_has_named_fields() -> None:
    (circuit,) = lab.unpack("photonic", photonic.pack((PHOTONS,)), 20)
    assert isinstance(circuit, lab.PhotonicCircuit)
    assert (circuit.modes, circuit.bins, circuit.shots) == (2, 2, 20)
    gate, homodyne, fock = circuit.operations
    assert isinstance(gate, lab.PhotonicGate)
    assert (gate.name, gate.modes) == ("Xgate", (1,))
    assert gate.parameters == (lab.Formula(((1.0, 0.0), "q0", "*")),)
    assert isinstance(homodyne, lab.PhotonicMeasure)
    assert (homodyne.kind, homodyne.modes, homodyne.angle) == ("homodyne", (0,), 0.5)
    assert isinstance(fock, lab.PhotonicMeasure)
    assert fock.dark_counts == (0.25,)


PACKED = {
    "qubit": qubit.pack((QUBITS,)),
    "atoms": atoms.pack((ATOMS,)),
    "photonic": photonic.pack((PHOTONS,)),
}


@pytest.mark.parametrize("family", PACKED)
def test_a_circuit_cannot_be_unpacked_by_position(family: str) -> None:
    found: Any = lab.unpack(family, PACKED[family], 1)[0]
    with pytest.raises(TypeError):
        _, *_ = found
    with pytest.raises(TypeError):
        found[0]
    with pytest.raises(TypeError):
        _, *_ = found.operations[0]
    with pytest.raises(AttributeError):
        found.shots = 2


@pytest.mark.parametrize("family", PACKED)
def test_fields_that_a_later_server_adds_change_nothing(family: str) -> None:
    known = lab.unpack(family, PACKED[family], 9)
    (document,) = msgspec.msgpack.decode(PACKED[family])
    operations = 2 if family == "atoms" else 1
    document[operations] = [[*each, "new"] for each in document[operations]]
    document += ["new", {"newer": 1}]
    assert lab.unpack(family, msgspec.msgpack.encode([document]), 9) == known


@pytest.mark.parametrize(
    ("family", "packed"),
    [("qubit", msgspec.msgpack.encode([[1, [["pulse", 0]], []]])), ("ions", b"\x90")],
)
def test_what_this_version_cannot_read_says_what_to_do(family: str, packed: bytes) -> None:
    with pytest.raises(lab.UnknownCircuit, match="install the version of the server"):
        lab.unpack(family, packed, 1)
