from __future__ import annotations

import time

import pytest

from qwicket.model.suggestions import did_you_mean

DEVICES = ("simulator", "clifford", "qpu.aria-1")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("simulater", " Did you mean 'simulator'?"),
        ("SIMULATOR", " Did you mean 'simulator'?"),
        ("qpu.aria1", " Did you mean 'qpu.aria-1'?"),
        ("fridge", ""),
        ("", ""),
    ],
)
def test_the_nearest_name_is_suggested(name: str, said: str) -> None:
    assert did_you_mean(name, DEVICES) == said


def test_a_long_name_costs_no_time() -> None:
    began = time.process_time()
    assert did_you_mean("x" * 1_000_000, [f"device-{n}" for n in range(2_000)]) == ""
    assert time.process_time() - began < 1


def test_the_nearest_of_a_thousand_similar_names_is_found_in_little_time() -> None:
    names = [f"lab-in-the-north-building-rack-{n:04d}-device" for n in range(1_000)]
    began = time.process_time()
    said = did_you_mean("lab-in-the-north-building-rock-0777-device", names)
    assert said == f" Did you mean {names[777]!r}?"
    did_you_mean("ba" * 32, ["ab" * 30 + str(n) for n in range(1_000)])
    assert time.process_time() - began < 1, "it runs on the event loop"
