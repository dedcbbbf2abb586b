"""Exponentials of sums of Pauli strings, against `scipy.linalg.expm` of the dense sum."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm
from scipy.special import jv

from qwicket.circuits.qubit import Gate
from qwicket.engines.failures import CannotRun
from qwicket.engines.qubit import pauli
from qwicket.engines.qubit.numpy_engine import NumpySimulator
from qwicket.engines.qubit.qulacs_engine import QulacsSimulator
from qwicket.engines.qubit.states import Simulator
from support import qubit_math
from support.for_each import for_each

SIMULATORS = (NumpySimulator(), QulacsSimulator())
both = pytest.mark.parametrize("simulator", SIMULATORS, ids=lambda simulator: simulator.name)


def exact(terms: tuple[str, ...], params: tuple[float, ...]) -> np.ndarray:
    """exp(-i Σ params·terms) with the leftmost letter most significant."""
    generator = sum(p * qubit_math.string(t) for t, p in zip(terms, params, strict=True))
    found: np.ndarray = expm(-1j * generator)
    return found


def applied(terms: tuple[str, ...], params: tuple[float, ...]) -> np.ndarray:
    n = len(terms[0])
    gate = Gate("pauliexp", tuple(range(n)), params, (), terms)
    return pauli.exponential(pauli.sum_of(gate), np.eye(1 << n, dtype=complex))


@pytest.mark.parametrize(
    ("terms", "params"),
    [
        (("Z",), (0.3,)),
        (("Y",), (-2.0,)),
        (("I", "X"), (0.4, 1.1)),
        (("XX", "YY", "ZZ"), (0.3, -0.7, 1.9)),
        (("XY", "YX"), (0.3, 0.8)),
        (("ZZI", "IZZ", "ZIZ", "III"), (0.1, 5.0, -2.2, 0.9)),
    ],
)
def test_sum_of_commuting_terms_is_exact(terms: tuple[str, ...], params: tuple[float, ...]) -> None:
    assert np.abs(applied(terms, params) - exact(terms, params)).max() < 1e-14


@pytest.mark.parametrize(
    ("terms", "params"),
    [
        (("X", "Z"), (0.3, 0.4)),
        (("X", "Y", "Z", "I"), (0.3, 0.4, -1.2, 0.5)),
        (("ZZI", "IZZ", "XII", "IXI", "IIX"), (0.2, 0.2, 0.31, 0.31, 0.31)),
        (("XYZ", "ZZZ", "YIX", "IIX"), (0.3, -0.1, 0.6, 1e-9)),
    ],
)
def test_sum_of_terms_that_do_not_commute_is_exact(
    terms: tuple[str, ...], params: tuple[float, ...]
) -> None:
    assert np.abs(applied(terms, params) - exact(terms, params)).max() < 1e-14


def test_long_evolution_stays_exact() -> None:
    """X and Z at right angles: exp(-it(X+Z)/√2) = cos t - i sin t (X+Z)/√2."""
    t = 400.0
    axis = (qubit_math.X + qubit_math.Z) / np.sqrt(2)
    expected = np.cos(t) * np.eye(2) - 1j * np.sin(t) * axis
    params = (t / np.sqrt(2), t / np.sqrt(2))
    assert np.abs(applied(("X", "Z"), params) - expected).max() < 1e-12


def test_evolution_beyond_the_bound_cannot_run() -> None:
    with pytest.raises(CannotRun, match="terms do not commute and their sum is 20000, above 10000"):
        applied(("X", "Z"), (1e4, 1e4))


def test_commuting_terms_have_no_bound() -> None:
    turns = 2 * np.pi * 1_000_000
    assert (
        np.abs(applied(("ZZ", "XX"), (turns + 0.25, 0.5)) - exact(("ZZ", "XX"), (0.25, 0.5))).max()
        < 1e-9
    )


def test_equal_terms_add_up() -> None:
    gate = Gate("pauliexp", (0,), (0.25, 0.5, 1.0), (), ("X", "Z", "X"))
    assert [(t.x, t.z, t.coefficient) for t in pauli.sum_of(gate)] == [(1, 0, 1.25), (0, 1, 0.5)]


def test_empty_sum_changes_nothing() -> None:
    state = qubit_math.evolved(NumpySimulator(), 1, [Gate("h", (0,)), Gate("pauliexp", (0,))])
    assert np.abs(qubit_math.vector(state) - 0.5**0.5).max() < 1e-15


words = st.text(alphabet="IXYZ", min_size=3, max_size=3)
sums = st.dictionaries(words, st.floats(-3, 3, allow_nan=False), min_size=1, max_size=5)


@given(sums)
@settings(max_examples=100)
def test_any_sum_is_exact(coefficients: dict[str, float]) -> None:
    terms, params = tuple(coefficients), tuple(coefficients.values())
    assert np.abs(applied(terms, params) - exact(terms, params)).max() < 5e-14


@given(st.lists(words, max_size=6))
def test_commutation_by_a_basis_is_commutation_of_all_pairs(letters: list[str]) -> None:
    def commute(one: str, other: str) -> bool:
        clashes = sum(a != b and "I" not in (a, b) for a, b in zip(one, other, strict=True))
        return clashes % 2 == 0

    gate = Gate("pauliexp", (0, 1, 2), (1.0,) * len(letters), (), tuple(letters))
    expected = all(commute(one, other) for one, other in combinations(letters, 2))
    assert pauli.all_commute(pauli.sum_of(gate)) is expected


@for_each("x", [1e-20, 1e-12, 0.3, 1.0, 7.5, 30.0, 1000.0, 9999.5])
def test_bessel_functions_are_those_of_scipy(x: float) -> None:
    found = pauli.bessel(x)
    assert np.abs(found - jv(np.arange(len(found)), x)).max() < 1e-12
    assert abs(jv(len(found), x)) < 1e-15


# --- on both simulators ---------------------------------------------------------------------------


@both
@pytest.mark.parametrize("terms", [("XYZ",), ("XXI", "ZZI"), ("XYZ", "ZZX", "IIY"), ("III", "ZIZ")])
@pytest.mark.parametrize("controls", [(), (3,), (3, 0)])
def test_gate_acts_on_scattered_targets(
    simulator: Simulator, terms: tuple[str, ...], controls: tuple[int, ...]
) -> None:
    params = (0.4, -1.3, 0.8)[: len(terms)]
    gates = [*qubit_math.scrambling(5), Gate("pauliexp", (4, 1, 2), params, controls, terms)]
    found = qubit_math.vector(qubit_math.evolved(simulator, 5, gates))
    expected = qubit_math.amplitudes(5, gates)
    assert abs(abs(np.vdot(found, expected)) - 1) < 1e-13


@both
def test_rightmost_letter_acts_on_the_first_target(simulator: Simulator) -> None:
    """exp(-iπ/2 X) = -iX flips its qubit, and only that."""
    for first, second in product((0, 1), repeat=2):
        if first == second:
            continue
        gate = Gate("pauliexp", (first, second), (np.pi / 2,), (), ("IX",))
        flipped = qubit_math.evolved(simulator, 2, [gate]).probabilities()
        assert flipped[1 << first] == pytest.approx(1)
