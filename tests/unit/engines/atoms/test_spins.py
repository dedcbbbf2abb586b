"""Closed forms, and random programs against dense matrices."""

from __future__ import annotations

from math import comb, cos, pi, sin, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwicket.circuits.atom_costs import DENSE_DIMENSION, is_dense
from qwicket.circuits.atoms import AtomCircuit
from qwicket.engines.atoms import engine
from support.for_each import for_each
from unit.engines.atoms.circuits import dense, made, spins


def mean(n: int, *gates: tuple[str, list[int], list[float]]) -> float:
    p = engine.probabilities(spins([n], *gates))
    return float(p @ np.arange(n + 1))


def binomial(n: int, p: float) -> list[float]:
    return [comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]


@for_each("theta", [0.0, 0.3, pi / 2, 2.5, pi, 2 * pi])
def test_turned_spin_is_binomial(theta: float) -> None:
    p = engine.probabilities(spins([20], ("rlx", [0], [theta])))
    np.testing.assert_allclose(p, binomial(20, sin(theta / 2) ** 2), atol=1e-12)


def test_half_a_turn_moves_all_atoms() -> None:
    p = engine.probabilities(spins([500], ("rlx", [0], [pi])))
    assert p[500] == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("phi", [0.0, 0.7, 2.0, pi])
def test_ramsey_fringe(phi: float) -> None:
    circuit = spins([12], ("rlx", [0], [pi / 2]), ("rlz", [0], [phi]), ("rlx", [0], [pi / 2]))
    p = engine.probabilities(circuit)
    np.testing.assert_allclose(p, binomial(12, cos(phi / 2) ** 2), atol=1e-12)


@pytest.mark.parametrize("chi", [0.05, 0.4, 20 * pi - 0.2])
def test_twisting_shortens_the_spin(chi: float) -> None:
    """Kitagawa and Ueda, Phys. Rev. A 47, 5138 (1993)."""
    n = 30
    found = mean(n, ("rlx", [0], [pi / 2]), ("rlz2", [0], [chi]), ("rlx", [0], [pi / 2]))
    assert found == pytest.approx(n / 2 * (1 + cos(chi) ** (n - 1)), abs=1e-9)


@pytest.mark.parametrize("exchange", [0.2, 1.0, 20 * pi])
def test_exchange_passes_an_excitation_on(exchange: float) -> None:
    p = engine.probabilities(spins([1, 1], ("rlx", [0], [pi]), ("rlxly", [0, 1], [exchange])))
    assert p[0, 1] == pytest.approx(sin(exchange) ** 2, abs=1e-9)


def test_blockade_slows_two_atoms_by_the_root_of_two() -> None:
    omega = 0.9
    p = engine.probabilities(spins([1, 1], ("rydberg_full", [0, 1], [omega, 0.0, 1e7])))
    assert p[0, 0] == pytest.approx(cos(sqrt(2) * omega / 2) ** 2, abs=1e-6)
    assert p[0, 1] == pytest.approx(p[1, 0], abs=1e-12)
    assert p[1, 1] < 1e-12


ANGLES = st.floats(0, 6)
ONE_WIRE = {"rlx": 1, "rlz": 1, "rlz2": 1, "sq_full": 3}
SEVERAL = ("rlxly", "rlzlz")
WHOLE = {"multiqudit_full": 5}
RYDBERG = {"rydberg_block": 1, "rydberg_full": 3}


@st.composite
def programs(draw: st.DrawFn) -> AtomCircuit:
    two_level = draw(st.booleans())
    n_wires = draw(st.integers(1, 4 if two_level else 3))
    atoms = [1 if two_level else draw(st.integers(1, 3)) for _ in range(n_wires)]
    on_all = RYDBERG if two_level else WHOLE
    names = [*ONE_WIRE, *on_all, *(SEVERAL if n_wires > 1 else ())]
    gates = []
    for name in draw(st.lists(st.sampled_from(names), min_size=1, max_size=6)):
        wires = list(range(n_wires))
        if name in ONE_WIRE:
            wires = [draw(st.sampled_from(wires))]
        elif name in SEVERAL and draw(st.booleans()):
            wires = draw(st.permutations(wires))[:2]
        n_params = {**ONE_WIRE, **on_all}.get(name, 1)
        gates.append((name, wires, [draw(ANGLES) for _ in range(n_params)]))
    return spins(atoms, *gates)


@settings(max_examples=120)
@given(programs())
def test_random_program_is_what_dense_matrices_give(circuit: AtomCircuit) -> None:
    found = engine.probabilities(circuit)
    np.testing.assert_allclose(found, dense(circuit), atol=1e-9)


@pytest.mark.parametrize("params", [(0.4, 0.3, 0.02, 0.01, 0.05), (3.0, 1.0, 0.0, 0.3, 0.7)])
def test_gate_too_large_to_diagonalise_is_what_eigenvectors_give(
    params: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chebyshev's expansion, held to `eigh` on the same gate."""
    atoms = (31, 32)
    gate = ("multiqudit_full", [0, 1], list(params))
    circuit = spins(list(atoms), ("rlx", [0], [0.8]), gate)
    assert circuit.dimension > DENSE_DIMENSION
    assert not is_dense(made((gate,))[0], atoms)
    expanded = engine.probabilities(circuit)
    monkeypatch.setattr("qwicket.engines.atoms.spins.is_dense", lambda *_: True)
    np.testing.assert_allclose(expanded, engine.probabilities(circuit), atol=1e-10)


def test_large_gate_without_energies_does_nothing() -> None:
    turned = spins([31, 32], ("rlx", [0], [0.8]))
    idle = spins([31, 32], ("rlx", [0], [0.8]), ("multiqudit_full", [0, 1], [0.0] * 5))
    found = engine.probabilities(idle)
    np.testing.assert_allclose(found, engine.probabilities(turned), atol=1e-12)


def test_exchange_on_the_largest_pair_conserves_excitations() -> None:
    circuit = spins([89, 90], ("rlx", [0], [pi]), ("rlxly", [0, 1], [3.0]))
    p = engine.probabilities(circuit)
    k_a, k_b = np.indices(p.shape)
    assert p[k_a + k_b == 89].sum() == pytest.approx(1, abs=1e-9)
    assert p[89, 0] < 0.9
