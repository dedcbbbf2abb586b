"""The admission rule of shared/engines.md, section 3."""

from __future__ import annotations

import pytest

from qwicket.engines.qubit.cost import estimate
from qwicket.model.circuits import Summary
from qwicket.model.limits import INT64_MAX

GIB = 1 << 30


def one(n_qubits: int, n_gates: int = 0) -> Summary:
    return Summary("qubit", 1, n_qubits, n_gates, 0)


@pytest.mark.parametrize(("n_qubits", "gigabytes"), [(26, 1.6), (28, 6.5), (29, 13), (30, 26)])
def test_counts_of_wide_states_take_24_bytes_an_amplitude(n_qubits: int, gigabytes: float) -> None:
    n_bytes, _ = estimate(one(n_qubits), 1_000, ("counts",))
    assert n_bytes == pytest.approx((64 << 20) + 24 * 2**n_qubits, rel=1e-3)
    assert n_bytes == pytest.approx(gigabytes * 1e9, rel=0.06)


def test_probabilities_take_48_bytes_an_amplitude() -> None:
    counted, _ = estimate(one(26), 1_000, ("counts",))
    exact, _ = estimate(one(26), 1_000, ("probabilities",))
    assert exact - counted >= 24 * 2**26


def test_memory_in_shot_order_costs_bytes_and_time() -> None:
    counted = estimate(one(2), 1_000_000, ("counts",))
    ordered = estimate(one(2), 1_000_000, ("counts", "memory"))
    assert ordered[0] - counted[0] >= 1_000_000
    assert ordered[1] > counted[1]


def test_seconds_add_up_over_circuits_and_bytes_do_not() -> None:
    few = estimate(Summary("qubit", 1, 10, 100, 50), 1_000, ("counts",))
    many = estimate(Summary("qubit", 7, 10, 700, 350), 1_000, ("counts",))
    assert many[0] == few[0]
    assert many[1] == pytest.approx(7 * few[1])


def test_gates_take_a_state_at_seven_hundred_million_amplitudes_a_second() -> None:
    without, with_gates = (estimate(one(24, n), 1_000, ("counts",))[1] for n in (0, 180))
    assert with_gates - without == pytest.approx(180 * 2**24 / 7e8, rel=0.01)


def test_small_jobs_are_quick_and_fit_in_any_worker() -> None:
    n_bytes, seconds = estimate(one(2, 2), 1_000, ("counts", "memory", "probabilities"))
    assert n_bytes < 70 << 20
    assert seconds < 1e-3


def test_numbers_stay_storable_however_wide_the_program() -> None:
    for n_qubits in (63, 64, 1_023, 5_000):
        n_bytes, seconds = estimate(Summary("qubit", 5_000, n_qubits, 10**6, 0), 10**6, ("memory",))
        assert 1_000 * GIB < n_bytes <= INT64_MAX
        assert 300 < seconds < 1e18
