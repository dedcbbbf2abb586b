"""The shape of outcomes, derived from packed circuits."""

from __future__ import annotations

from qwicket.circuits import atoms, photonic
from qwicket.circuits.frames import Frame, frames
from qwicket.circuits.qubit import (
    Estimation,
    Gate,
    Measure,
    Pauli,
    QubitCircuit,
    Register,
    pack,
)


def test_of_qubits_the_registers_count() -> None:
    registers = (Register("a", 2), Register("b", 1))
    ops = (Gate("h", (0,)), Measure(0, 0))
    circuits = (QubitCircuit(3, ops, registers), QubitCircuit(1, (), ()))
    assert frames("qubit", pack(circuits)) == (Frame(registers=registers), Frame())


def test_of_an_estimation_the_number_of_observables_counts() -> None:
    asked = Estimation((Pauli("Z", (0,)),), ((0,),), (((0, 1.0),), ((0, 2.0),)))
    circuit = QubitCircuit(1, (), (), 50, asked)
    assert frames("qubit", pack((circuit,))) == (Frame(shots=50, n_observables=2),)


def test_of_atoms_columns_and_the_experiments_own_shots_count() -> None:
    gates = (atoms.AtomGate("rlx", (0,), (1.0,)),)
    circuit = atoms.AtomCircuit("spins", (3, 1), gates, (1, 0, 1), 50, 7)
    assert frames("atoms", atoms.pack((circuit,))) == (Frame(columns=3, dtypes=("<i2",), shots=50),)


def test_of_photons_the_kind_of_measurement_says_what_the_numbers_are() -> None:
    def circuit(*kinds: photonic.Kind) -> photonic.PhotonicCircuit:
        measured = tuple(photonic.Measure(kind, (k,)) for k, kind in enumerate(kinds))
        return photonic.PhotonicCircuit(3, measured)

    packed = photonic.pack(
        (circuit("fock", "threshold"), circuit("fock", "homodyne"), circuit("heterodyne"))
    )
    found = [(frame.columns, frame.dtypes) for frame in frames("photonic", packed)]
    assert found == [(2, ("<i8",)), (2, ("<f8",)), (1, ("<c16",))]
