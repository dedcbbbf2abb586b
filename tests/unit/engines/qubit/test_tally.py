"""Outcomes gathered from leaves, and the arrays that they become."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from numpy.random import default_rng

from qwicket.circuits.outcomes import MAX_OUTCOME_BYTES
from qwicket.circuits.qubit import Gate, Measure, Op, QubitCircuit, Register
from qwicket.engines.failures import CannotRun
from qwicket.engines.qubit import program, sampling
from qwicket.engines.qubit.branching import Leaf
from qwicket.engines.qubit.numpy_engine import NumpySimulator
from qwicket.engines.qubit.sampling import check_size
from qwicket.engines.qubit.tally import Tally, arrays, count_shots, join_keys, memory, split
from support import qubit_math

X1 = Gate("x", (1,))


def leaf(bits: int, amount: float) -> Leaf:
    """Qubit 0 is fair, qubit 1 is on."""
    state = qubit_math.evolved(NumpySimulator(), 2, [Gate("h", (0,)), X1])
    return Leaf(bits, amount, state)


def tally(*measures: Measure, n_bits: int = 12) -> Tally:
    ops: tuple[Op, ...] = (Gate("h", (0,)), X1, *measures)
    return Tally(program.read(QubitCircuit(2, ops, (Register("c", n_bits),))))


def test_definite_bits_and_measured_bits_make_one_key() -> None:
    found = dict(tally(Measure(0, 11), Measure(1, 0)).weigh(leaf(0b0100_0000, 0.5)))
    low, high = 0b0100_0001, 0b1000_0100_0001
    expected = {low.to_bytes(2, "little"): 0.25, high.to_bytes(2, "little"): 0.25}
    assert found == pytest.approx(expected)


def test_bit_measured_last_forgets_what_it_was() -> None:
    found = dict(tally(Measure(1, 3), Measure(0, 4)).weigh(leaf(0b11000, 1.0)))
    assert found == pytest.approx({b"\x08\0": 0.5, b"\x18\0": 0.5})


def test_nothing_measured_last_leaves_the_definite_bits() -> None:
    assert dict(tally().weigh(leaf(5, 0.25))) == {b"\5\0": 0.25}
    assert dict(tally().count(leaf(5, 7), default_rng(1))) == {b"\5\0": 7}


def test_count_draws_all_shots_of_a_leaf() -> None:
    count_shots = dict(tally(Measure(0, 0), n_bits=1).count(leaf(0, 1_000), default_rng(1)))
    assert sum(count_shots.values()) == 1_000
    assert abs(count_shots[b"\0"] - 500) < 110


def test_shots_of_many_states_are_counted_by_the_bits_that_show_them() -> None:
    """Qubit 1 is read into bit 9 and qubit 0 into bit 0; so many states make several chunks."""
    drawn = [np.array(each, dtype=np.int64) for each in ([0, 3, 3], [3], [1], [], [1, 2])]
    found = count_shots(iter(drawn), sampling.measured_bits({0: 0, 9: 1}, 10), max_states=2)
    assert found == {b"\0\0": 1, b"\1\0": 2, b"\0\2": 1, b"\1\2": 3}


def test_rows_become_keys_and_keys_rows() -> None:
    rows = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.uint8)
    assert list(split(rows)) == [b"\1\2\3", b"\4\5\6"]
    assert join_keys([b"\1\2\3", b"\4\5\6"], 3).tolist() == rows.tolist()


def test_arrays_are_aligned_and_ascend_as_numbers() -> None:
    made = arrays({b"\0\1": 3, b"\2\0": 1}, {b"\0\1": 0.75, b"\1\0": 0.25}, 9, qubit_math.ALL)
    assert made["keys"].data == b"\1\0\2\0\0\1"
    assert np.frombuffer(made["counts"].data, dtype="<i8").tolist() == [0, 1, 3]
    assert np.frombuffer(made["probabilities"].data, dtype="<f8").tolist() == [0.25, 0, 0.75]
    assert "memory" not in made


def test_keys_of_several_bytes_ascend_from_any_order() -> None:
    numbers = [1 << 16, 258, 257, 256, 2, 1]
    made = arrays({each.to_bytes(3, "little"): 1 for each in numbers}, None, 17, ("counts",))
    assert made["keys"].data == b"".join(each.to_bytes(3, "little") for each in sorted(numbers))


def test_memory_holds_every_shot_once() -> None:
    counts = Counter({b"\0\1": 30, b"\2\0": 10})
    made = memory(counts, 9, default_rng(2))
    assert made.shape == (40, 2)
    assert Counter(split(np.frombuffer(made.data, dtype=np.uint8).reshape(40, 2))) == counts


def test_more_than_an_outcome_holds_cannot_run() -> None:
    """The keys of an outcome take a quarter of its bytes at most."""
    n_bits = 8 * (MAX_OUTCOME_BYTES // 4 // 2)
    check_size(2, n_bits)
    three = Counter({b"\0\1": 1, b"\1\1": 1, b"\2\1": 1})
    for make in (
        lambda: arrays(three, None, n_bits, ("counts",)),
        lambda: memory(three, n_bits, default_rng(1)),
    ):
        with pytest.raises(CannotRun, match=f"3 bit strings of {n_bits} bits") as caught:
            make()
        assert caught.value.code == "outcome_too_large"
