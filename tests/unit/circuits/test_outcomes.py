from __future__ import annotations

import hashlib
import struct
import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwicket.circuits import outcomes
from qwicket.circuits.outcomes import (
    Encoded,
    Outcome,
    decode,
    encode,
    key_array,
    key_width,
    sample_array,
)
from qwicket.circuits.qubit import Register


def outcome(n_bits: int, counts: dict[int, int], memory: list[int] | None = None) -> Outcome:
    width = key_width(n_bits)
    rows = b"".join(key.to_bytes(width, "little") for key in counts)
    arrays = {
        "keys": key_array(rows, n_bits),
        "counts": outcomes.int64_array(b"".join(n.to_bytes(8, "little") for n in counts.values())),
    }
    if memory is not None:
        rows = b"".join(key.to_bytes(width, "little") for key in memory)
        arrays["memory"] = key_array(rows, n_bits)
    return Outcome(
        registers=(Register("c", n_bits),),
        arrays=arrays,
        engine="test",
        engine_version="1",
        seed=7,
        seconds=0.5,
    )


@given(
    st.integers(1, 200).flatmap(
        lambda n: st.tuples(
            st.just(n),
            st.dictionaries(st.integers(0, (1 << n) - 1), st.integers(1, 2**62), max_size=20),
        )
    )
)
def test_counts_of_any_width_survive_the_journey(case: tuple[int, dict[int, int]]) -> None:
    n_bits, counts = case
    assert decode(encode(outcome(n_bits, counts))).counts() == counts


def test_memory_keeps_its_order() -> None:
    assert decode(encode(outcome(9, {}, [256, 0, 511, 1]))).memory() == [256, 0, 511, 1]


def test_outcomes_with_no_shots_are_left_out_of_counts() -> None:
    assert outcome(2, {0: 5, 1: 0, 3: 2}).counts() == {0: 5, 3: 2}


def test_absent_arrays_are_empty() -> None:
    result = outcome(2, {0: 1})
    assert result.memory() == []
    assert result.probabilities() == {}


def test_a_flipped_bit_is_noticed() -> None:
    encoded = encode(outcome(2, {0: 5}))
    spoiled = bytes([encoded.body[0] ^ 1]) + encoded.body[1:]
    with pytest.raises(ValueError, match="sha256"):
        decode(Encoded(spoiled, encoded.sha256))


def test_an_outcome_that_would_unpack_beyond_all_bounds_is_refused() -> None:
    bomb = zlib.compress(bytes(100_000))
    with pytest.raises(ValueError, match="larger"):
        decode(Encoded(bomb, hashlib.sha256(bomb).digest()), max_bytes=1000)


@pytest.mark.parametrize("is_packed", [False, True])
def test_whether_an_outcome_is_longer_depends_on_its_unpacked_size(is_packed: bool) -> None:
    body = msgspec.msgpack.encode("x" * 70_000)
    kept = zlib.compress(body) if is_packed else body
    assert outcomes.is_longer(kept, len(body) - 1)
    assert not outcomes.is_longer(kept, len(body))


def test_samples_are_numbers_in_shot_order() -> None:
    rows = [[500, 0, 3], [0, 1, 2]]
    flat = [number for row in rows for number in row]
    array = sample_array(struct.pack("<6h", *flat), 2, 3)
    outcome = Outcome(
        registers=(), arrays={"samples": array}, engine="", engine_version="", seed=0, seconds=0.0
    )
    assert decode(encode(outcome)).samples() == rows


@pytest.mark.parametrize(
    ("dtype", "shape", "form", "flat", "rows"),
    [
        ("<i8", (2, 2), "<4q", [1, 0, -(1 << 40), 3], [[1, 0], [-(1 << 40), 3]]),
        ("<f8", (2, 1, 2), "<4d", [0.5, 1.0, -2.0, 0.0], [[0.5, 1.0], [-2.0, 0.0]]),
        ("<c16", (1, 2), "<4d", [0.5, 1.0, -2.0, 0.0], [[[0.5, 1.0], [-2.0, 0.0]]]),
    ],
)
def test_samples_of_photons_are_of_three_types(
    dtype: str, shape: tuple[int, ...], form: str, flat: list[float], rows: list[object]
) -> None:
    array = outcomes.Array(dtype, shape, struct.pack(form, *flat))
    outcome = Outcome(
        registers=(), arrays={"samples": array}, engine="", engine_version="", seed=0, seconds=0.0
    )
    assert outcome.samples() == rows


def test_outcome_of_bits_has_no_samples() -> None:
    outcome = Outcome(registers=(), arrays={}, engine="", engine_version="", seed=0, seconds=0.0)
    assert outcome.samples() == []
