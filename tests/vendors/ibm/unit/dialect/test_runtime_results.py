"""Shots of a register, from the bits of all registers."""

from __future__ import annotations

import numpy as np
import pytest

from qwicket.circuits.outcomes import MEMORY, Array, Outcome
from qwicket.circuits.qubit import Register
from qwicket.vendors.ibm.dialect.runtime.results import PackedBits, shots

N_BITS, N_SHOTS = 37, 50


def outcome() -> tuple[Outcome, np.ndarray]:
    """Return random shots, and each of their bits: bit 0 is the lowest of the first byte."""
    bits = np.random.default_rng(3).integers(0, 2, (N_SHOTS, N_BITS), np.uint8)
    rows = np.packbits(bits, axis=1, bitorder="little")
    memory = Array("uint8", rows.shape, rows.tobytes())
    registers = (Register("c", N_BITS),)
    return Outcome(
        registers=registers,
        arrays={MEMORY: memory},
        engine="",
        engine_version="",
        seed=0,
        seconds=0,
    ), bits


def test_a_register_has_its_bits_the_last_of_all_being_the_lowest(
    subtests: pytest.Subtests,
) -> None:
    for size in [1, 3, 7, 8, 9, 16, 37]:
        for start in [0, 1, 7, 8, 13, 16, 30]:
            with subtests.test(size=size, start=start):
                part, bits = outcome()
                width = min(size, N_BITS - start)
                found = shots(part, start, width)
                assert found.shape == (N_SHOTS, (width + 7) // 8)
                as_bits = np.unpackbits(found, axis=1)[:, ::-1]
                assert (as_bits[:, :width] == bits[:, start : start + width]).all()
                assert not as_bits[:, width:].any()


def test_bits_are_packed_without_gaps_between_shots_and_parts(subtests: pytest.Subtests) -> None:
    for size in [1, 5, 8, 37]:
        with subtests.test(size=size):
            part, bits = outcome()
            packed = PackedBits(size)
            found = packed.add(shots(part, 0, size)) + packed.add(shots(part, 0, size))
            found += packed.end()
            wanted = np.concatenate([bits[:, :size], bits[:, :size]]).reshape(-1)
            assert found == np.packbits(wanted, bitorder="little").tobytes()


def test_shots_are_unpacked_some_at_a_time() -> None:
    part, bits = outcome()
    packed = PackedBits(37, unpacked_bytes=100)
    found = packed.add(shots(part, 0, 37)) + packed.end()
    assert found == np.packbits(bits.reshape(-1), bitorder="little").tobytes()
