"""The spin-resolved form against Jordan and Wigner's, 256 levels."""

from __future__ import annotations

from math import sin

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwicket.circuits.atoms import AtomCircuit
from qwicket.engines.atoms import engine
from qwicket.engines.failures import CannotRun
from unit.engines.atoms.circuits import dense, fermions

ENERGIES = st.floats(0, 6).map(lambda energy: round(energy, 6))  # SciPy divides by tiny norms


@pytest.mark.parametrize("energy", [0.0, 0.3, 2.0])
def test_single_atom_hops(energy: float) -> None:
    circuit = fermions(("load", [5], []), ("fhop", [4, 5, 6, 7], [energy]))
    p = engine.probabilities(circuit)
    assert p[0, 0, 0, 0, 0, 0, 0, 1] == pytest.approx(sin(energy) ** 2, abs=1e-12)


@st.composite
def programs(draw: st.DrawFn) -> AtomCircuit:
    loaded = draw(st.lists(st.integers(0, 7), unique=True, max_size=5))
    gates: list[tuple[str, list[int], list[float]]] = [("load", [wire], []) for wire in loaded]
    for name in draw(st.lists(st.sampled_from(["fhop", "fint", "fphase"]), max_size=6)):
        first = draw(st.integers(0, 2 if name == "fhop" else 3))
        last = draw(st.integers(first + 1 if name == "fhop" else first, 3))
        wires, n_params = list(range(2 * first, 2 * last + 2)), last - first + (name != "fhop")
        if name == "fint":
            wires, n_params = list(range(8)), 1
        gates.append((name, wires, [draw(ENERGIES) for _ in range(n_params)]))
    return fermions(*gates)


@settings(max_examples=50)
@given(programs())
def test_random_program_is_what_jordan_and_wigner_give(circuit: AtomCircuit) -> None:
    found = engine.probabilities(circuit)
    np.testing.assert_allclose(found, dense(circuit), atol=1e-10)


def test_atoms_loaded_between_gates_have_the_signs_of_fermions() -> None:
    """Two atoms of one spin meet; both orders of loading, with others before them."""
    circuit = fermions(
        ("load", [2], []),
        ("load", [1], []),
        ("fhop", [0, 1, 2, 3], [0.7]),
        ("load", [6], []),
        ("load", [5], []),
        ("fhop", [0, 1, 2, 3, 4, 5, 6, 7], [0.9, 0.4, 1.3]),
        ("fint", list(range(8)), [1.1]),
        ("fhop", [0, 1, 2, 3, 4, 5, 6, 7], [0.2, 0.8, 0.5]),
    )
    np.testing.assert_allclose(engine.probabilities(circuit), dense(circuit), atol=1e-10)


def test_loading_where_an_atom_may_be_is_refused() -> None:
    circuit = fermions(("load", [0], []), ("fhop", [0, 1, 2, 3], [0.5]), ("load", [2], []))
    with pytest.raises(CannotRun, match=r"load: wire 2 holds an atom already, with probability"):
        engine.probabilities(circuit)
