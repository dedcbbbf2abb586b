from __future__ import annotations

from qwicket.circuits.atoms import AtomCircuit, AtomGate, pack, unpack

SPINS = AtomCircuit("spins", (4, 1), (AtomGate("rlxly", (1, 0), (0.5,)),), (1, 0, 1), 30, seed=-7)
FERMIONS = AtomCircuit("fermions", (), (AtomGate("load", (3,)),), (3,), 1)


def test_circuits_survive_packing() -> None:
    assert unpack(pack((SPINS, FERMIONS))) == (SPINS, FERMIONS)


def test_dimension_is_that_of_all_wires() -> None:
    assert (SPINS.shape, SPINS.dimension) == ((5, 2), 10)
    assert (FERMIONS.shape, FERMIONS.dimension) == ((2,) * 8, 256)
