from __future__ import annotations

import pytest

from qwicket.clients.native import JobFailed, Part, Result
from qwicket.clients.native.wire import ErrorBody, PartBody

GOOD = Part(counts={"00": 5}, probabilities={"00": 1.0}, memory=["00"] * 5)


def test_a_part_has_what_the_server_sent() -> None:
    body = PartBody(
        counts={"1": 2},
        probabilities={"1": 1.0},
        memory=["1", "1"],
        engine="qubit",
        engine_version="3",
        seed=7,
        seconds=0.5,
    )
    assert Part.from_body(body) == Part({"1": 2}, {"1": 1.0}, ["1", "1"], "qubit 3", 7, 0.5)


def test_a_part_that_failed_says_why() -> None:
    part = Part.from_body(PartBody(error=ErrorBody("out_of_time", "It took\ntoo long.")))
    assert part.error == "out_of_time: It took too long."
    assert part.counts == {}


def test_a_result_of_one_circuit_is_read_without_naming_it() -> None:
    result = Result("job", (GOOD,))
    assert (result.counts, result.probabilities) == ({"00": 5}, {"00": 1.0})
    assert result.memory == ["00"] * 5


@pytest.mark.parametrize("parts", [(), (GOOD, GOOD)])
def test_a_result_of_several_circuits_must_be_read_by_part(parts: tuple[Part, ...]) -> None:
    with pytest.raises(ValueError, match=r"circuits: read \.parts"):
        _ = Result("job", parts).counts


def test_the_counts_of_a_circuit_that_failed_are_no_empty_counts() -> None:
    with pytest.raises(JobFailed, match="out_of_time"):
        _ = Result("job", (Part(error="out_of_time: It took too long."),)).counts


def test_samples_of_a_job_of_one_circuit_are_its_own() -> None:
    part = Part.from_body(PartBody(samples=[[3, 0], [1, 2]]))
    assert Result("job", (part,)).samples == [[3, 0], [1, 2]]
