"""What a pilot takes its machine for."""

from __future__ import annotations

import os
import re
import time

import pytest

from qwicket.compute.memory import available_bytes
from qwicket.pilots.node import detect_node, new_name

SLURM = {"SLURM_CPUS_ON_NODE": "4", "SLURM_JOB_ID": "4242"}


def test_without_a_batch_system_it_is_what_the_kernel_says() -> None:
    found = detect_node(environment={})
    assert found.slots == len(os.sched_getaffinity(0))
    assert 0 < found.memory_bytes * found.slots <= available_bytes()
    assert found.seconds_left() is None


def test_slurm_says_cores_memory_and_time() -> None:
    end = str(int(time.time()) + 600)
    found = detect_node(
        environment={**SLURM, "SLURM_MEM_PER_NODE": "1000", "SLURM_JOB_END_TIME": end}
    )
    assert (found.slots, found.memory_bytes) == (4, 200 << 20)
    assert found.seconds_left() == pytest.approx(600, abs=5)


def test_memory_may_be_given_by_core() -> None:
    assert detect_node(environment={**SLURM, "SLURM_MEM_PER_CPU": "1000"}).memory_bytes == 800 << 20


def test_what_is_given_replaces_what_was_found() -> None:
    found = detect_node(2, 1 << 30, 60.0, {**SLURM, "SLURM_MEM_PER_NODE": "1000"})
    assert (found.slots, found.memory_bytes) == (2, 1 << 30)
    assert found.seconds_left() == pytest.approx(60, abs=5)


def test_a_time_that_has_passed_leaves_nothing() -> None:
    assert detect_node(environment={"SLURM_JOB_END_TIME": "1000"}).seconds_left() == 0


@pytest.mark.parametrize("text", ["", "many", "-1", "1.5"])
def test_a_variable_that_is_no_number_counts_for_nothing(text: str) -> None:
    assert (
        detect_node(environment={"SLURM_CPUS_ON_NODE": text}).slots
        == detect_node(environment={}).slots
    )


def test_a_name_says_where_and_is_never_the_same() -> None:
    assert re.fullmatch(r"node1-[0-9a-f]{8}", new_name("node1", {}))
    assert re.fullmatch(r".+-4242-[0-9a-f]{8}", new_name(environment=SLURM))
    assert new_name("node1", {}) != new_name("node1", {})
