"""Random bits, fetched in pieces."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from qwicket.model.random_bits import random_bits


def test_bits_are_as_many_as_asked_and_half_of_them_are_set() -> None:
    for count in (1, 8, 63, 128):
        drawn = [random_bits(count) for _ in range(2_000)]
        assert max(drawn) < 1 << count
        n_bits = 2_000 * count
        n_set = sum(number.bit_count() for number in drawn)
        assert abs(n_set - n_bits / 2) < 6 * (n_bits / 4) ** 0.5


def test_threads_never_draw_the_same_bits() -> None:
    with ThreadPoolExecutor(8) as threads:
        drawn = [*threads.map(lambda _: random_bits(128), range(20_000))]
    assert len(set(drawn)) == len(drawn)


def test_a_child_process_does_not_draw_its_parents_bits() -> None:
    random_bits(128)
    reading, writing = os.pipe()
    if not (child := os.fork()):
        os.write(writing, str([random_bits(128) for _ in range(300)]).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        theirs = stream.read()
    os.waitpid(child, 0)
    ours = [random_bits(128) for _ in range(300)]
    assert theirs.count(",") == 299
    assert not any(str(number) in theirs for number in ours)
