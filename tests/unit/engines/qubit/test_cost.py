"""What a job is expected to need: the admission rule, and more."""

from __future__ import annotations

from math import exp
from typing import Any

import msgspec
import pytest

from qwicket.circuits.noise import GateNoise, NoiseModel, ReadoutError, Relaxation, SiteNoise
from qwicket.circuits.options import RunOptions
from qwicket.circuits.qubit import Gate, Measure
from qwicket.circuits.summary import Summary
from qwicket.engines.qubit.cost import estimate, exact_leaves, gate_equivalents, max_saved_states
from qwicket.model.limits import INT64_MAX
from support.for_each import for_each

GIB = 1 << 30


def options(
    shots: int, outputs: tuple[str, ...], noise: NoiseModel | None = None, engine: str = ""
) -> RunOptions:
    return RunOptions(shots=shots, seed=0, outputs=outputs, noise=noise, engine=engine)


def cost(
    summary: Summary,
    shots: int,
    outputs: tuple[str, ...],
    noise: NoiseModel | None = None,
    engine: str = "",
) -> tuple[int, float]:
    found = estimate(summary, options(shots, outputs, noise, engine))
    return found.bytes, found.seconds


def one(n_qubits: int, n_gates: int = 0) -> Summary:
    return Summary("qubit", 1, n_qubits, n_gates, 0)


@pytest.mark.parametrize(("n_qubits", "gigabytes"), [(26, 1.6), (28, 6.5), (29, 13), (30, 26)])
def test_counts_of_wide_states_take_24_bytes_an_amplitude(n_qubits: int, gigabytes: float) -> None:
    n_bytes, _ = cost(one(n_qubits), 1_000, ("counts",))
    assert n_bytes == pytest.approx((64 << 20) + 24 * 2**n_qubits, rel=1e-3)
    assert n_bytes == pytest.approx(gigabytes * 1e9, rel=0.06)


def test_probabilities_take_48_bytes_an_amplitude() -> None:
    counted, _ = cost(one(26), 1_000, ("counts",))
    exact, _ = cost(one(26), 1_000, ("probabilities",))
    assert exact - counted >= 24 * 2**26


def test_memory_in_shot_order_costs_bytes_and_time() -> None:
    counted = cost(one(2), 1_000_000, ("counts",))
    ordered = cost(one(2), 1_000_000, ("counts", "memory"))
    assert ordered[0] - counted[0] >= 1_000_000
    assert ordered[1] > counted[1]


def test_seconds_add_up_over_circuits_and_bytes_do_not() -> None:
    few = cost(Summary("qubit", 1, 10, 100, 50), 1_000, ("counts",))
    many = cost(Summary("qubit", 7, 10, 700, 350), 1_000, ("counts",))
    assert many[0] == few[0] + 6 * 150 * 400
    assert many[1] == pytest.approx(7 * few[1])


def test_gates_take_time_by_the_gate_and_the_amplitude() -> None:
    def gates_s(n_qubits: int, n_gates: int) -> float:
        without, with_gates = (cost(one(n_qubits, n), 1_000, ("counts",))[1] for n in (0, n_gates))
        return with_gates - without

    assert gates_s(24, 180) == pytest.approx(180 * gates_s(24, 1), rel=0.01)
    assert gates_s(24, 180) == pytest.approx(4 * gates_s(22, 180), rel=0.01)


def test_small_jobs_are_quick_and_fit_in_any_worker() -> None:
    n_bytes, seconds = cost(one(2, 2), 1_000, ("counts", "memory", "probabilities"))
    assert n_bytes < 70 << 20
    assert seconds < 1e-3


def test_numbers_stay_storable_however_wide_the_program() -> None:
    for n_qubits in (63, 64, 1_023, 5_000):
        n_bytes, seconds = cost(Summary("qubit", 5_000, n_qubits, 10**6, 0), 10**6, ("memory",))
        assert 1_000 * GIB < n_bytes <= INT64_MAX
        assert 300 < seconds < 1e18


def test_idle_qubits_cost_nothing() -> None:
    wide = Summary("qubit", 1, 60, 2, 0, n_active=2, n_clbits=60)
    assert cost(wide, 1_000, ("counts",)) == cost(one(2, 2), 1_000, ("counts",))


def test_pauliexp_costs_what_it_is_worth() -> None:
    _, heavy = cost(Summary("qubit", 1, 20, 1, 0, n_extra_ops=500), 1, ("counts",))
    assert heavy == pytest.approx(cost(one(20, 501), 1, ("counts",))[1], rel=0.01)


# --- measurements on the way ----------------------------------------------------------------------


def splitting(n_qubits: int, n_splits: int, n_gates: int = 100) -> Summary:
    return Summary("qubit", 1, n_qubits, n_gates, 0, n_splits=n_splits, n_clbits=n_splits)


@for_each("n_splits", [1, 2, 5, 6, 7, 40])
def test_splits_double_the_branches_until_shots_run_out(n_splits: int) -> None:
    """Between measurements k and k + 1, evenly spread, there are min(64, 2^k) branches.

    A further gate is run once in each of them, wherever it stands: in their mean number.
    """
    branches = [min(64, 2**k) for k in range(n_splits + 1)]

    def further_gates_s(n_splits: int) -> float:
        fewer, more = (cost(splitting(16, n_splits, n), 64, ("counts",))[1] for n in (100, 1_100))
        return more - fewer

    expected = sum(branches) / len(branches) * further_gates_s(0)
    assert further_gates_s(n_splits) == pytest.approx(expected, rel=0.15)


def test_few_strikes_have_few_patterns() -> None:
    """10^6 shots of 10 gates at p = 10^-5: 150 Paulis strike at most once or so."""
    _, seconds = cost(Summary("qubit", 1, 16, 0, 10), 10**6, ("counts",), noise(1e-5))
    _, once = cost(Summary("qubit", 1, 16, 0, 10), 10**6, ("counts",))
    assert seconds < 200 * once


def test_waiting_branches_take_a_state_each_up_to_a_bound() -> None:
    straight, _ = cost(splitting(20, 0), 1_000, ("counts",))
    for n_splits, n_states in ((1, 1), (5, 5), (30, 10)):
        n_bytes, _ = cost(splitting(20, n_splits), 1_000, ("counts",))
        assert n_bytes - straight == pytest.approx(n_states * 16 * 2**20, rel=0.05)
    assert max_saved_states(20) == 16
    assert max_saved_states(25) == 0
    wide, _ = cost(splitting(28, 30), 1_000, ("counts",))
    assert wide == pytest.approx(24 * 2**28, rel=0.05)


def test_exact_branches_cost_time_at_most_five_seconds_more() -> None:
    for n_qubits in (2, 12, 20):
        counted = cost(splitting(n_qubits, 30), 10, ("counts",))[1]
        exact = cost(splitting(n_qubits, 30), 10, ("counts", "probabilities"))[1]
        assert 0 < exact - counted < 5 + 2


def test_a_walk_is_worth_its_gates_and_four_for_each_look() -> None:
    sums = Gate("pauliexp", (0, 1), (0.1, 0.2, 0.3), (), ("XX", "YY", "ZZ"))
    assert gate_equivalents([Gate("h", (0,)), Measure(0, 0), sums]) == 1 + 4 + (1 + 3)


def test_fewer_leaves_are_walked_to_where_they_are_dear() -> None:
    assert exact_leaves(2, 100) == 4_096
    assert 4_096 > exact_leaves(12, 1_000) > exact_leaves(16, 1_000) > 1
    assert exact_leaves(26, 1_000) == 1


# --- noise ----------------------------------------------------------------------------------------


def noise(p: float = 0.0, gamma: float = 0.0) -> NoiseModel:
    return NoiseModel(
        name="", source="", two_qubit=GateNoise(depolarizing=p, amplitude_damping=gamma)
    )


def test_noise_costs_a_run_for_each_shot_that_is_struck() -> None:
    summary = Summary("qubit", 1, 16, 0, 200)
    _, quiet = cost(summary, 1_000, ("counts",))
    _, noisy = cost(summary, 1_000, ("counts",), noise(0.005))
    disturbed = 1_000 * (1 - exp(-200 * 0.005))
    assert 0.4 * disturbed < noisy / quiet < 1.2 * disturbed


def test_noise_needs_one_more_state() -> None:
    """40·2^n in all."""
    n_bytes, _ = cost(Summary("qubit", 1, 26, 0, 100), 100, ("counts",), noise(0.001))
    assert n_bytes == pytest.approx((64 << 20) + 40 * 2**26, rel=0.01)


def test_damping_looks_at_the_state_after_every_gate() -> None:
    summary = Summary("qubit", 1, 16, 0, 200)
    _, paulis = cost(summary, 1_000, ("counts",), noise(0.005))
    _, damping = cost(summary, 1_000, ("counts",), noise(gamma=0.005))
    assert damping > 5 * paulis


@pytest.mark.parametrize(
    ("name", "n_once", "n_twice"),
    [("rx", 10, 0), ("ms", 0, 10), ("cx", 0, 10), ("ccx", 0, 10), ("pauliexp", 0, 10)],
)
def test_the_worst_gate_counts_for_those_on_as_many_qubits(
    name: str, n_once: int, n_twice: int
) -> None:
    bad = NoiseModel(name="", source="", gates={name: GateNoise(depolarizing=0.1)})
    disturbed, spared = (
        cost(Summary("qubit", 1, 10, *numbers), 1_000, ("counts",), bad)[1]
        for numbers in ((n_once, n_twice), (n_twice, n_once))
    )
    assert disturbed > 2 * spared


def test_one_qubit_gates_have_rates_of_their_own() -> None:
    """IonQ's one-qubit gates are 25 times better than its two-qubit gates."""
    model = NoiseModel(
        name="",
        source="",
        one_qubit=GateNoise(depolarizing=0.0005),
        two_qubit=GateNoise(depolarizing=0.0125),
    )
    _, once = cost(Summary("qubit", 1, 14, 50, 0), 1_000, ("counts",), model)
    _, twice = cost(Summary("qubit", 1, 14, 0, 50), 1_000, ("counts",), model)
    assert twice > 10 * once


def test_gates_that_count_as_several_do_not_represent_all() -> None:
    usual = GateNoise(depolarizing=0.01)
    plain = NoiseModel(name="", source="", two_qubit=usual)
    swaps = NoiseModel(
        name="",
        source="",
        two_qubit=usual,
        gates={"swap": GateNoise(depolarizing=0.03)},
        multi_qubit=GateNoise(depolarizing=0.02),
    )
    summary = Summary("qubit", 1, 14, 0, 50)
    assert cost(summary, 1_000, ("counts",), swaps) == cost(summary, 1_000, ("counts",), plain)


@pytest.mark.parametrize(("qubits", "numbers"), [((3,), (10, 0)), ((3, 4), (0, 10))])
def test_the_worst_qubit_or_pair_counts(qubits: tuple[int, ...], numbers: tuple[int, int]) -> None:
    site = SiteNoise(qubits=qubits, default=GateNoise(depolarizing=0.1))
    bad = NoiseModel(name="", source="", sites=(site,))
    disturbed, spared = (
        cost(Summary("qubit", 1, 10, *each), 1_000, ("counts",), bad)[1]
        for each in (numbers, numbers[::-1])
    )
    assert disturbed > 2 * spared


def test_relaxation_counts_as_the_strikes_or_looks_that_it_is() -> None:
    """At T1 = T2 = 100 gates, mixed: bits flip with (1 - e^-0.01)/2, phases half as often."""
    lasting = GateNoise(duration_s=1.0)
    summary = Summary("qubit", 1, 14, 50, 0, is_clifford=True)

    def seconds(noise: GateNoise, **relaxation: Any) -> float:
        model = NoiseModel(name="", source="", one_qubit=noise, relaxation=Relaxation(**relaxation))
        return cost(summary, 1_000, ("counts",), model)[1]

    times = {"t1_s": 100.0, "t2_s": 100.0}
    assert seconds(lasting, **times) > 100 * seconds(lasting, relaxes_to="mixed", **times)
    turned = msgspec.structs.replace(summary, is_clifford=False)
    model = NoiseModel(
        name="", source="", one_qubit=lasting, relaxation=Relaxation(relaxes_to="mixed", **times)
    )
    same = NoiseModel(name="", source="", one_qubit=GateNoise(depolarizing=0.0075))
    assert cost(turned, 1_000, ("counts",), model)[1] == pytest.approx(
        cost(turned, 1_000, ("counts",), same)[1], rel=0.05
    )


def test_only_state_vectors_have_qubits_of_one() -> None:
    paulis, damping = noise(0.01), noise(gamma=0.01)
    wide = Summary("qubit", 1, 36, 40, 40, n_active=30, is_clifford=True)
    turned = msgspec.structs.replace(wide, is_clifford=False)

    def found(summary: Summary, model: NoiseModel | None = None, engine: str = "") -> int:
        return estimate(summary, options(10, ("counts",), model, engine)).state_qubits

    assert found(wide, paulis) == found(wide) == found(wide, engine="clifford") == 0
    assert found(wide, damping) == found(turned, paulis) == found(turned) == 30
    assert found(wide, engine="statevector") == found(wide, engine="qsim") == 30
    assert found(turned, engine="aer-mps") == 0


def test_read_out_errors_need_no_further_state() -> None:
    model = NoiseModel(name="", source="", readout=ReadoutError(one_for_zero=0.1))
    n_bytes, _ = cost(Summary("qubit", 1, 26, 0, 100), 100, ("counts",), model)
    assert n_bytes == pytest.approx((64 << 20) + 24 * 2**26, rel=0.01)


# --- stabilizers ----------------------------------------------------------------------------------


def clifford(n_qubits: int, **facts: int) -> Summary:
    plain = Summary("qubit", 1, n_qubits, n_qubits, n_qubits, is_clifford=True)
    return msgspec.structs.replace(plain, **facts)


def test_five_thousand_clifford_qubits_fit() -> None:
    n_bytes, seconds = cost(clifford(5_000), 10_000, ("counts",))
    assert n_bytes < 1 << 30
    assert 1 < seconds < 30


def test_clifford_circuits_may_measure_on_the_way_and_be_noisy() -> None:
    midway = clifford(1_000, n_splits=5_000, n_clbits=6_000)
    n_bytes, seconds = cost(midway, 1_000, ("counts",), noise(0.001))
    assert n_bytes < 1 << 30
    assert seconds < 60


def test_clifford_circuits_that_stim_cannot_run_cost_a_state() -> None:
    for summary, model in (
        (clifford(40), noise(gamma=0.1)),
        (clifford(40, n_splits=1, n_branches=1), noise(0.1)),
    ):
        assert cost(summary, 10, ("counts",), model)[0] > 1 << 40


def test_small_clifford_circuits_run_on_state_vectors() -> None:
    small = Summary("qubit", 1, 10, 100, 50)
    same = Summary("qubit", 1, 10, 100, 50, is_clifford=True)
    assert cost(same, 1_000, ("counts",)) == cost(small, 1_000, ("counts",))


# --- engines by name ------------------------------------------------------------------------------


def product(bits: int, n_qubits: int = 60, steps: int = 1_000) -> Summary:
    return Summary("qubit", 1, n_qubits, 100, 100, n_bond_bits=bits, n_bond_steps=steps)


def test_a_named_engine_costs_what_it_costs() -> None:
    ghz = clifford(26)
    assert cost(ghz, 10, ("counts",))[0] < 1 << 28
    assert cost(ghz, 10, ("counts",), engine="statevector")[0] > 24 * 2**26
    assert cost(clifford(3), 10, ("counts",), engine="clifford")[0] < 1 << 28


def test_qsim_is_counted_as_qulacs() -> None:
    assert cost(one(24, 100), 10, ("counts",), engine="qsim") == cost(one(24, 100), 10, ("counts",))


def test_matrix_product_states_grow_with_the_bond() -> None:
    """Two matrices of bond² complex numbers for each qubit, and the cube of the bond in time."""
    few, more, maximum = (
        cost(product(bits), 1, ("counts",), engine="aer-mps") for bits in (1, 7, 10)
    )
    assert few[0] < 1.6 * GIB
    assert maximum[0] - few[0] >= 60 * 2 * 16 * 4**10
    assert (maximum[1] - few[1]) / (more[1] - few[1]) == pytest.approx(8**3, rel=0.02)
    assert few[1] < 5


def test_matrix_product_states_cost_time_by_the_shot() -> None:
    few, many = (cost(product(6), n, ("counts", "memory"), engine="aer-mps") for n in (1, 10**6))
    assert many[1] > few[1] + 60
    assert many[0] > few[0] + 64 * 10**6


def test_numbers_stay_storable_whatever_is_asked_for() -> None:
    worst = noise(1.0, 1.0)
    for is_clifford in (False, True):
        for n_qubits in (63, 5_000):
            summary = Summary(
                "qubit",
                5_000,
                n_qubits,
                10**6,
                10**6,
                n_clbits=10_000,
                n_splits=10**6,
                n_extra_ops=10**14,
                is_clifford=is_clifford,
                n_bond_bits=10**6,
                n_bond_steps=10**12,
            )
            for model, name in ((None, ""), (worst, ""), (None, "clifford"), (None, "aer-mps")):
                n_bytes, seconds = cost(summary, 10**6, ("counts", "memory"), model, name)
                assert 0 < n_bytes <= INT64_MAX
                assert 0 < seconds < 1e300


# --- noise that is followed exactly ---------------------------------------------------------------


def narrow(n_operands: int = 2, n_qubits: int = 8) -> Summary:
    return Summary("qubit", 1, n_qubits, 64, 32, n_operands=n_operands)


def test_exact_noise_costs_no_more_for_more_shots() -> None:
    thousand, million = (cost(narrow(), n, ("counts",), noise(0.01)) for n in (1_000, 1_000_000))
    assert million == thousand
    assert 1e-3 < thousand[1] < 10e-3
    n_bytes, _ = cost(narrow(n_qubits=10), 1_000_000, ("counts",), noise(0.01))
    assert n_bytes == pytest.approx((64 << 20) + 24 * 4**10, rel=0.01)


def test_exact_noise_costs_by_the_size_of_the_matrix_and_by_the_gate() -> None:
    """A gate on two qubits touches each of 4^n numbers once; one on three, four times as many."""

    def seconds(n_qubits: int, n_joint: int, n_operands: int = 2) -> float:
        summary = Summary("qubit", 1, n_qubits, 0, n_joint, n_operands=n_operands)
        return cost(summary, 1_000_000, ("counts",), noise(0.01))[1]

    more = seconds(10, 400) - seconds(10, 200)
    assert seconds(10, 600) - seconds(10, 400) == pytest.approx(more)
    fewer = seconds(9, 400) - seconds(9, 200)
    minimum = seconds(8, 400) - seconds(8, 200)
    assert (more - fewer) / (fewer - minimum) == pytest.approx(4)
    assert 3 * more < seconds(10, 400, 3) - seconds(10, 200, 3) < 6 * more


@pytest.mark.parametrize(
    ("summary", "engine"),
    [
        (narrow(4), ""),
        (narrow(0), ""),
        (narrow(n_qubits=11), ""),
        (narrow(), "statevector"),
        (msgspec.structs.replace(narrow(), n_splits=1), ""),
    ],
    ids=["wide gate", "unknown", "wide", "named", "on the way"],
)
def test_patterns_are_counted_where_noise_is_not_followed_exactly(
    summary: Summary, engine: str
) -> None:
    thousand, million = (
        cost(summary, n, ("counts",), noise(0.01), engine)[1] for n in (1_000, 1_000_000)
    )
    assert million > 100 * thousand


def test_few_struck_shots_are_patterns() -> None:
    weak, strong = (cost(narrow(), 100, ("counts",), noise(p))[1] for p in (1e-6, 0.1))
    assert weak < strong < 10e-3
