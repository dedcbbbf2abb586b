"""Options of sbatch, as `qwicket scale --slurm` takes them."""

from __future__ import annotations

import pytest

from qwicket.scaling.slurm import SlurmSite, parse_options


def test_words_become_options() -> None:
    found = parse_options("partition=gpu --time=04:00:00 exclusive comment='two words'")
    assert found == {
        "partition": "gpu",
        "time": "04:00:00",
        "exclusive": None,
        "comment": "two words",
    }


def test_slots_are_the_processors_of_a_job() -> None:
    assert SlurmSite(parse_options("cpus-per-task=8"), ["qwicket"], "g", idle_s=60).slots == 8
    assert SlurmSite(parse_options(""), ["qwicket"], "g", idle_s=60).slots == 1


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("job-name=mine", "'job-name' is set by Qwicket itself"),
        ("signal=USR1", "'signal' is set by Qwicket itself"),
        ("-p gpu", "'-p' is not an option"),
        ("Partition=gpu", "'Partition=gpu' is not an option"),
        ("cpus-per-task=many", "not 'many'"),
        ("cpus-per-task=0", "not '0'"),
        ("cpus-per-task", "not None"),
        ("comment='open", "closing quotation"),
    ],
)
def test_what_is_no_option_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        parse_options(text)
