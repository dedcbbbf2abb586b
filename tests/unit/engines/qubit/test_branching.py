"""Mid-circuit measurement: against density matrices, single shots and formulas."""

from __future__ import annotations

import time
from collections import Counter
from itertools import pairwise
from math import cos, pi, sin

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng

from qwicket.circuits.qubit import (
    Branch,
    Gate,
    Jump,
    Measure,
    Op,
    QubitCircuit,
    Register,
    Relation,
    Reset,
)
from qwicket.engines.qubit import state_vectors
from qwicket.engines.qubit.numpy_engine import NumpySimulator, NumpyState
from qwicket.engines.qubit.qulacs_engine import QulacsSimulator
from qwicket.engines.qubit.state_vectors import StateVectorEngine
from qwicket.engines.qubit.states import Simulator
from support import qubit_math
from support.for_each import for_each
from support.qubit_math import assert_follows

SIMULATORS = (NumpySimulator(), QulacsSimulator())
both = pytest.mark.parametrize("simulator", SIMULATORS, ids=lambda simulator: simulator.name)


def circuit(n_qubits: int, n_bits: int, *ops: Op) -> QubitCircuit:
    return QubitCircuit(n_qubits, ops, (Register("c", n_bits),))


def h(qubit: int) -> Gate:
    return Gate("h", (qubit,))


def x(qubit: int) -> Gate:
    return Gate("x", (qubit,))


def cx(control: int, target: int) -> Gate:
    return Gate("x", (target,), (), (control,))


def ry(qubit: int, angle: float) -> Gate:
    return Gate("ry", (qubit,), (angle,))


# --- closed formulas ------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("basis", ["z", "x", "y"])
def test_teleportation_gives_the_statistics_of_what_was_sent(
    simulator: Simulator, basis: str
) -> None:
    """u(θ, φ, 0)|0⟩ has ⟨X⟩ = sin θ cos φ, ⟨Y⟩ = sin θ sin φ and ⟨Z⟩ = cos θ."""
    theta, phi = 1.1, 0.7
    turn = {"z": (), "x": (h(2),), "y": (Gate("sdg", (2,)), h(2))}[basis]
    mean = {"z": cos(theta), "x": sin(theta) * cos(phi), "y": sin(theta) * sin(phi)}[basis]
    sent = circuit(
        3,
        3,
        Gate("u", (0,), (theta, phi, 0)),
        *(h(1), cx(1, 2), cx(0, 1), h(0)),
        *(Measure(0, 0), Measure(1, 1)),
        *(Branch((1,), "==", "1", 1), x(2)),
        *(Branch((0,), "==", "1", 1), Gate("z", (2,))),
        *turn,
        Measure(2, 2),
    )
    outcome = qubit_math.run_on(simulator, sent, 100_000)
    expected = {key: (1 + (-1) ** (key >> 2) * mean) / 8 for key in range(8)}
    assert outcome.probabilities() == pytest.approx(expected, abs=1e-12)
    assert_follows(outcome.counts(), expected, 100_000)


@both
def test_repeat_until_success(simulator: Simulator) -> None:
    """Try again while a coin shows 1, five times at most: P(k failures) = p^k (1-p), p = sin²(θ/2).

    Bit k is written by try k alone; whoever succeeded jumps to the end.
    """
    theta, tries = 1.3, 5
    ops: list[Op] = []
    for number in range(tries):
        rest = 4 * (tries - number - 1)
        ops += [Reset(0), ry(0, theta), Measure(0, number)]
        ops.append(Branch((number,), "!=", "0", rest) if rest else Jump(0))
    p = sin(theta / 2) ** 2
    outcome = qubit_math.run_on(simulator, circuit(1, tries, *ops), 50_000)
    expected = {(1 << k) - 1: p**k * (1 - p) for k in range(tries)} | {(1 << tries) - 1: p**tries}
    assert outcome.probabilities() == pytest.approx(expected, abs=1e-12)
    assert_follows(outcome.counts(), expected, 50_000)


@both
def test_reset_after_a_measurement_forgets(simulator: Simulator) -> None:
    """RY(θ) reads 1 with probability sin²(θ/2); after the reset the qubit reads 0 for certain."""
    ops = (ry(0, 0.9), Measure(0, 0), Reset(0), Measure(0, 1), ry(0, 2.0), Measure(0, 2))
    p, q = sin(0.45) ** 2, sin(1.0) ** 2
    outcome = qubit_math.run_on(simulator, circuit(1, 3, *ops))
    expected = {0: (1 - p) * (1 - q), 1: p * (1 - q), 4: (1 - p) * q, 5: p * q}
    assert outcome.probabilities() == pytest.approx(expected, abs=1e-12)


@both
def test_reset_of_one_half_of_a_pair_leaves_the_other_mixed(simulator: Simulator) -> None:
    pair = circuit(2, 2, h(0), cx(0, 1), Reset(0), h(1), Measure(0, 0), Measure(1, 1))
    assert qubit_math.run_on(simulator, pair).probabilities() == pytest.approx({0: 0.5, 2: 0.5})


@both
def test_second_measurement_repeats_the_first(simulator: Simulator) -> None:
    """Both halves are whole and normalised: each gives its bit again, and then H is fair."""
    ops = (ry(0, 0.4), Measure(0, 0), Gate("id", (0,)), Measure(0, 1), h(0), Measure(0, 2))
    outcome = qubit_math.run_on(simulator, circuit(1, 3, *ops))
    p = sin(0.2) ** 2
    expected = {0: (1 - p) / 2, 4: (1 - p) / 2, 3: p / 2, 7: p / 2}
    assert outcome.probabilities() == pytest.approx(expected, abs=1e-12)


def test_zeno() -> None:
    """Looks at a qubit between ten turns of θ: ⟨Z⟩ shrinks by cos θ each time.

    That is exact as long as branches below 1e-12 are none that matter.
    """
    looks: list[Op] = []
    for _ in range(10):
        looks += [ry(0, pi / 10), Measure(0, 0)]
    stays = circuit(1, 11, *looks, Measure(0, 10))
    p_one = (1 - cos(pi / 10) ** 10) / 2
    found = qubit_math.run(stays, outputs=("probabilities",)).probabilities()
    assert sum(p for key, p in found.items() if key >> 10) == pytest.approx(p_one, abs=1e-10)


# --- conditions -----------------------------------------------------------------------------------


@for_each("relation", ["==", "!=", "<", "<=", ">", ">="])
@for_each("value", [0, 2, 3, 9])
def test_branch_compares_the_number_in_its_bits(relation: Relation, value: int) -> None:
    """Two fair bits are a number from 0 to 3; where the relation holds, bit 2 is set."""
    ops = (h(0), h(1), Measure(0, 0), Measure(1, 1))
    tested = circuit(3, 3, *ops, Branch((0, 1), relation, str(value), 1), x(2), Measure(2, 2))
    expected = {
        number | qubit_math.RELATIONS[relation](number, value) << 2: 0.25 for number in range(4)
    }
    outcome = qubit_math.run(tested)
    assert outcome.probabilities() == pytest.approx(expected)
    assert outcome.counts().keys() == expected.keys()


def test_condition_on_a_very_wide_number() -> None:
    """Bit 9,999 alone is the number 2^9999, which has 3,010 digits."""
    bits = tuple(range(10_000))
    ops = (x(0), Measure(0, 9_999), Branch(bits, "==", str(1 << 9_999), 1), x(1), Measure(1, 0))
    outcome = qubit_math.run(circuit(2, 10_000, *ops), 5)
    assert outcome.counts() == {1 << 9_999 | 1: 5}


def test_if_else_runs_one_of_its_bodies() -> None:
    """Measure; 1: flip qubit 1, else flip qubit 2."""
    ops = (h(0), Measure(0, 0), Branch((0,), "==", "1", 2), x(1), Jump(1), x(2))
    outcome = qubit_math.run(circuit(3, 3, *ops, Measure(1, 1), Measure(2, 2)))
    assert outcome.probabilities() == pytest.approx({0b011: 0.5, 0b100: 0.5})


def test_nested_ifs_reach_every_body() -> None:
    """Two fair bits choose which of qubits 2 to 5 is flipped."""
    ops: tuple[Op, ...] = (
        *(h(0), h(1), Measure(0, 0), Measure(1, 1)),
        Branch((0,), "==", "1", 5),
        *(Branch((1,), "==", "1", 2), x(5), Jump(1), x(3), Jump(4)),
        *(Branch((1,), "==", "1", 2), x(4), Jump(1), x(2)),
        *(Measure(qubit, qubit) for qubit in range(2, 6)),
    )
    expected = {number | 1 << (2 + number): 0.25 for number in range(4)}
    assert qubit_math.run(circuit(6, 6, *ops)).probabilities() == pytest.approx(expected)


def test_switch_runs_one_case_or_the_default() -> None:
    """Three fair bits: cases 1, 4 and 6 flip qubits 3, 4 and 5; all else flips 6."""
    ops: list[Op] = [h(0), h(1), h(2), *(Measure(qubit, qubit) for qubit in range(3))]
    cases = {1: 3, 4: 4, 6: 5}
    for left, (value, qubit) in reversed(list(enumerate(reversed(cases.items())))):
        ops += [Branch((0, 1, 2), "==", str(value), 2), x(qubit), Jump(3 * left + 1)]
    ops += [x(6), *(Measure(qubit, qubit) for qubit in range(3, 7))]
    expected = {number | 1 << cases.get(number, 6): 0.125 for number in range(8)}
    assert qubit_math.run(circuit(7, 7, *ops)).probabilities() == pytest.approx(expected)


def test_jump_may_skip_measurements() -> None:
    """Whoever reads 1 skips a measurement that would have read 1 as well."""
    ops = (h(0), x(1), Measure(0, 0), Branch((0,), "==", "0", 1), Measure(1, 1))
    assert qubit_math.run(circuit(2, 2, *ops)).probabilities() == pytest.approx({0b10: 0.5, 1: 0.5})


def test_bits_are_overwritten_by_the_last_measurement() -> None:
    ops = (x(0), Measure(0, 0), x(0), h(1), Measure(1, 1), cx(1, 0), Measure(0, 0))
    assert qubit_math.run(circuit(2, 2, *ops)).probabilities() == pytest.approx({0: 0.5, 3: 0.5})


def test_idle_qubit_overwrites_with_zero() -> None:
    ops = (x(0), Measure(0, 0), Measure(0, 1), x(0), Measure(7, 0))
    assert qubit_math.run(circuit(8, 2, *ops)).probabilities() == pytest.approx({2: 1})


# --- any circuit ----------------------------------------------------------------------------------

angles = st.floats(-7, 7, allow_nan=False).map(lambda angle: round(angle, 3))


@st.composite
def ops(draw: st.DrawFn, n_qubits: int, left: int) -> Op:
    """An operation that `left` others follow, on 3 bits."""
    qubit = draw(st.integers(0, n_qubits - 1))
    other = draw(st.integers(0, n_qubits - 1))
    clbits = tuple(draw(st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True)))
    skip = draw(st.integers(0, left))
    kind = draw(st.sampled_from("uuccmmmrbbj"))
    match kind:
        case "u":
            return Gate("u", (qubit,), (draw(angles), draw(angles), draw(angles)))
        case "c" if qubit != other:
            return cx(qubit, other)
        case "m":
            return Measure(qubit, clbits[0])
        case "r":
            return Reset(qubit)
        case "b":
            relation = draw(st.sampled_from(sorted(qubit_math.RELATIONS)))
            return Branch(clbits, relation, str(draw(st.integers(0, 5))), skip)
        case "j":
            return Jump(skip)
    return h(qubit)


@st.composite
def circuits(draw: st.DrawFn) -> QubitCircuit:
    n_qubits = draw(st.integers(1, 3))
    size = draw(st.integers(1, 14))
    made = [draw(ops(n_qubits, size - place - 1)) for place in range(size)]
    return circuit(n_qubits, 3, *made)


@given(circuits())
@settings(max_examples=150)
def test_any_circuit_has_the_probabilities_of_its_density_matrices(made: QubitCircuit) -> None:
    expected = qubit_math.exact(made)
    for simulator in SIMULATORS:
        outcome = qubit_math.run_on(simulator, made, 200)
        assert outcome.probabilities() == pytest.approx(expected, abs=1e-10)
        assert outcome.notes == ()
        assert_follows(outcome.counts(), expected, 200)
        assert Counter(outcome.memory()) == outcome.counts()


ROUNDS = circuit(
    3,
    4,
    *(ry(0, 0.8), ry(1, 1.9), cx(0, 2), Measure(2, 0), Branch((0,), "==", "1", 2)),
    *(ry(1, 0.5), Reset(2), cx(1, 2), Measure(1, 1), h(0), cx(2, 0), Measure(0, 2)),
    *(Branch((0, 1, 2), ">=", "3", 1), ry(1, 2.2), Measure(1, 3)),
)


def test_single_shots_agree_with_the_density_matrices() -> None:
    """The tests' two references are independent: one keeps branches, one draws them."""
    rng = default_rng(5)
    shots = 4_000
    drawn = Counter(qubit_math.one_shot(ROUNDS, rng) for _ in range(shots))
    assert_follows(drawn, qubit_math.exact(ROUNDS), shots)


@both
def test_split_shots_are_distributed_as_single_shots(simulator: Simulator) -> None:
    for seed in range(3):
        outcome = qubit_math.run_on(simulator, ROUNDS, 200_000, seed, ("counts",))
        assert_follows(outcome.counts(), qubit_math.exact(ROUNDS), 200_000)


# --- shots, seeds, order --------------------------------------------------------------------------


def test_memory_and_counts_are_the_same_shots_in_random_order() -> None:
    """Half of the neighbours of N fair bits differ: N/2 ± 6·√N/2."""
    coin = circuit(1, 1, h(0), Measure(0, 0), Gate("ry", (0,), (0.3,)))
    outcome = qubit_math.run(coin, 10_000)
    memory = outcome.memory()
    assert Counter(memory) == outcome.counts()
    assert abs(sum(a != b for a, b in pairwise(memory)) - 5_000) < 300


def test_equal_seeds_repeat_bit_for_bit_and_others_differ() -> None:
    one, again, other = (qubit_math.run(ROUNDS, 500, seed).arrays for seed in (1, 1, 2))
    assert one == again
    assert one["memory"] != other["memory"]
    assert qubit_math.run(ROUNDS, 500, 1, part=1).arrays["memory"] != one["memory"]


def test_what_is_asked_for_changes_no_count() -> None:
    expected = qubit_math.run(ROUNDS, 500, outputs=("counts",)).counts()
    assert qubit_math.run(ROUNDS, 500).counts() == expected
    memory = qubit_math.run(ROUNDS, 500, outputs=("memory",)).memory()
    assert Counter(memory) == expected


def test_only_what_was_asked_for_comes_out() -> None:
    for wanted, names in (
        (("counts",), {"keys", "counts"}),
        (("memory",), {"memory"}),
        (("probabilities",), {"keys", "probabilities"}),
        (qubit_math.ALL, {"keys", "counts", "memory", "probabilities"}),
    ):
        assert qubit_math.run(ROUNDS, 10, outputs=wanted).arrays.keys() == names


def test_keys_ascend() -> None:
    wide = circuit(1, 70, h(0), Measure(0, 69), h(0), Measure(0, 3), h(0), Measure(0, 0))
    keys = list(qubit_math.run(wide).keys())
    assert len(keys) == 8
    assert keys == sorted(keys)


# --- memory and time ------------------------------------------------------------------------------


@pytest.mark.parametrize("n_saved", [0, 1, 3])
def test_walking_again_gives_what_a_copy_gives(n_saved: int) -> None:
    engine = StateVectorEngine(QulacsSimulator(), saved_bytes=n_saved * (16 << 3))
    expected = qubit_math.run(ROUNDS, 300).arrays
    assert qubit_math.run_with(engine, ROUNDS, 300).arrays == expected


class Counting(NumpySimulator):
    """Knows how many of its states live at most at once."""

    def __init__(self) -> None:
        self.live = 0
        self.maximum = 0

    def zero_state(self, n_qubits: int) -> CountedState:
        return CountedState(super().zero_state(n_qubits)._tensor, self)


class CountedState(NumpyState):
    def __init__(self, tensor: np.ndarray, owner: Counting) -> None:
        super().__init__(tensor)
        self.owner = owner
        owner.live += 1
        owner.maximum = max(owner.maximum, owner.live)

    def copy(self) -> CountedState:
        return CountedState(self._tensor.copy(), self.owner)

    def __del__(self) -> None:
        self.owner.live -= 1


def flips(n_bits: int, angle: float = pi / 2) -> QubitCircuit:
    """The same qubit measured again and again, each time into a bit of its own."""
    looks = [op for bit in range(n_bits) for op in (ry(0, angle), Measure(0, bit))]
    return circuit(2, n_bits, *looks, cx(0, 1))


def test_live_states_are_at_most_the_logarithm_of_the_shots() -> None:
    """60 measurements, all taken both ways; 2^9 shots part 9 times before one is left alone."""
    simulator = Counting()
    outcome = qubit_math.run_on(simulator, flips(60), 512, 1, ("counts",))
    assert sum(outcome.counts().values()) == 512
    assert simulator.live == 0
    assert 4 < simulator.maximum <= 9 + 2


def test_live_states_keep_within_their_bound() -> None:
    """Memory for three saved states. Two more live: the evolved one, and a copy of it."""
    simulator = Counting()
    engine = StateVectorEngine(simulator, saved_bytes=3 * (16 << 2))
    qubit_math.run_with(engine, flips(30), 512, 1, ("counts",))
    assert simulator.maximum <= 3 + 2


def test_forty_measured_bits_with_every_branch_populated() -> None:
    """2^40 branches are possible, 3,000 shots take one each; every bit stays fair."""
    began = time.process_time()
    counts = qubit_math.run(flips(40), 3_000, outputs=("counts",)).counts()
    assert time.process_time() - began < 20
    assert sum(counts.values()) == 3_000
    assert len(counts) > 2_990
    for bit in range(40):
        ones = sum(n for key, n in counts.items() if key >> bit & 1)
        assert abs(ones - 1_500) < 6 * 0.5 * 3_000**0.5


@pytest.mark.extended
def test_a_hundred_thousand_measurements() -> None:
    """On two qubits, one of which turns in between."""
    looks = [op for _ in range(50_000) for op in (ry(0, 1.0), Measure(0, 0), Measure(1, 1))]
    began = time.process_time()
    counts = qubit_math.run(circuit(2, 2, *looks, cx(0, 1)), 3, outputs=("counts",)).counts()
    assert time.process_time() - began < 30
    assert sum(counts.values()) == 3
    assert counts.keys() <= {0, 1}


# --- exact probabilities --------------------------------------------------------------------------


def test_probabilities_up_to_4096_branches() -> None:
    """RY(θ) between measurements makes a chain: each bit differs from the last with sin²(θ/2)."""
    p = sin(0.35) ** 2
    outcome = qubit_math.run(flips(12, 0.7), 10)
    assert outcome.notes == ()
    found = outcome.probabilities()
    assert len(found) == 4_096
    for key in (0, 1, 0b101010101010, 0b111100001111, 4_095):
        changes = (key ^ key << 1 & 0xFFF).bit_count()
        assert found[key] == pytest.approx(p**changes * (1 - p) ** (12 - changes), abs=1e-12)


def test_more_branches_are_sampled_only() -> None:
    outcome = qubit_math.run(flips(13, 0.7), 10, outputs=("probabilities",))
    assert outcome.notes == ("sampled_only",)
    assert outcome.probabilities() == {}
    assert sum(outcome.counts().values()) == 10


def test_branches_that_take_too_long_are_sampled_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_vectors, "exact_leaves", lambda *_: 3)
    assert qubit_math.run(flips(2), 10).notes == ("sampled_only",)
    assert qubit_math.run(flips(1), 10).notes == ()


def test_too_many_outcomes_are_sampled_only() -> None:
    assert qubit_math.run(flips(3), 10, max_outcomes=7).notes == ("sampled_only",)
    assert qubit_math.run(flips(2), 10, max_outcomes=7).notes == ()
