from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwicket.circuits.atom_costs import check, is_dense, spectrum, summarise, totals
from qwicket.circuits.atoms import AtomCircuit, AtomGate
from qwicket.engines.atoms import spins
from qwicket.model.errors import LimitExceeded
from qwicket.model.limits import Limits

ENERGIES = st.floats(0, 100)


def whole(atoms: tuple[int, ...], *params: float) -> AtomCircuit:
    gate = AtomGate("multiqudit_full", tuple(range(len(atoms))), params)
    return AtomCircuit("spins", atoms, (gate,), (0,), 10)


@settings(max_examples=60)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.tuples(*[ENERGIES] * 5))
def test_all_levels_are_within_the_spectrum(atoms: list[int], params: tuple[float, ...]) -> None:
    (gate,) = whole(tuple(atoms), *params).gates
    bounds = spectrum(gate, tuple(atoms))
    levels = np.linalg.eigvalsh(spins._whole(gate, tuple(atoms)))
    assert np.abs(levels - bounds.centre).max() <= bounds.radius * (1 + 1e-12) + 1e-9


@pytest.mark.parametrize("atoms", [(1,), (3, 3), (1, 4, 2), (2, 2, 2, 2)])
def test_totals_count_joint_levels(atoms: tuple[int, ...]) -> None:
    sums = [sum(levels) for levels in product(*[range(n + 1) for n in atoms])]
    assert totals(atoms) == [sums.count(total) for total in range(sum(atoms) + 1)]


def test_largest_dimension_is_allowed_and_the_next_refused_by_name() -> None:
    check(AtomCircuit("spins", (63, 127), (), (0,), 1), Limits())
    with pytest.raises(LimitExceeded) as refusal:
        check(AtomCircuit("spins", (500, 500), (), (0,), 1), Limits())
    assert refusal.value.detail == (
        "Hilbert space dimension too large! hilbert_dimension: 251001 is above the limit of 8192"
    )


def test_gate_of_too_much_energy_is_refused_by_name_where_it_cannot_be_diagonalised() -> None:
    strong = (5e6, 0.0, 0.0, 0.0, 0.0)
    check(whole((63, 63), *strong), Limits())
    assert is_dense(whole((63, 63), *strong).gates[0], (63, 63))
    check(whole((63, 64), 1.0, 1.0, 0.0, 0.1, 0.1), Limits())
    with pytest.raises(LimitExceeded, match=r"gate_work: multiqudit_full has energies"):
        check(whole((63, 64), *strong), Limits())


def test_gate_is_expanded_where_that_is_quicker() -> None:
    gentle = whole((63, 63), 1.0, 1.0, 0.0, 0.1, 0.1)
    assert not is_dense(gentle.gates[0], (63, 63))
    assert is_dense(whole((31, 31), 1.0, 1.0, 0.0, 0.1, 0.1).gates[0], (31, 31))


def test_summary_counts_what_is_spent_and_returned() -> None:
    gentle = whole((63, 63), 1.0, 1.0, 0.0, 0.1, 0.1)
    strong = whole((63, 63), 5e6, 0.0, 0.0, 0.0, 0.0)
    summary = summarise((gentle, strong))
    assert (summary.family, summary.n_circuits, summary.n_qubits) == ("atoms", 2, 2)
    assert (summary.n_ops_1q, summary.n_ops_2q, summary.n_samples) == (0, 2, 20)
    assert summary.work_bytes > 4096**2 * 8
    assert 10e9 < summary.work_ns < 60e9  # 17 s were measured for the eigenvectors
    assert summarise((gentle,)).work_ns < 3e9


def test_bases_that_circuits_share_are_counted_once() -> None:
    turn = AtomGate("rlx", (0,), (1.0,))
    once, twice = (AtomCircuit("spins", (500,), (turn,) * n, (0,), 1) for n in (1, 2))
    assert summarise((twice,)).work_ns < 1.2 * summarise((once,)).work_ns
