"""Profiles of workers: which jobs each is for."""

from __future__ import annotations

import pytest

from qwicket.scaling.profiles import Profile, parse_profiles

GIB = 1 << 30


def sizes(*texts: str) -> dict[str, tuple[int, int | None]]:
    return {
        each.name: (each.above_bytes, each.memory_bytes)
        for each in parse_profiles(texts, "partition=main")
    }


def test_without_profiles_there_is_one_of_the_common_options() -> None:
    expected = [Profile("", {"partition": "main"}, 7)]
    assert parse_profiles((), "partition=main", 7) == expected


def test_a_profile_has_the_common_options_and_its_own() -> None:
    (found,) = parse_profiles(["gpu=partition=gpu exclusive"], "partition=main time=1:00")
    assert found.options == {"partition": "gpu", "time": "1:00", "exclusive": None}


def test_each_size_leaves_smaller_jobs_to_the_next_smaller_one() -> None:
    small, large = GIB * 8 // 10, 4 * GIB * 8 // 10
    found = sizes("huge=", "large=mem=8G cpus-per-task=2", "small=mem-per-cpu=1024")
    assert found == {"small": (0, small), "large": (small, large), "huge": (large, None)}


@pytest.mark.parametrize(
    ("size", "kib"), [("2048K", 2048), ("2", 2048), ("2M", 2048), ("1gb", 1 << 20), ("1T", 1 << 30)]
)
def test_sizes_have_the_units_of_slurm(size: str, kib: int) -> None:
    assert sizes(f"one=mem={size}") == {"one": (0, int(0.8 * kib * 1024))}


def test_named_projects_are_left_by_profiles_that_name_none() -> None:
    lab, big, rest = parse_profiles(
        ["lab=projects=a,b mem=1G", "big=projects=b,a mem=2G comment=x", "rest=mem=1G"], ""
    )
    assert (lab.projects, lab.except_projects, lab.above_bytes) == (("a", "b"), (), 0)
    assert (lab.options["comment"], big.options["comment"]) == ("Qwicket: a,b", "x")
    assert big.above_bytes == lab.memory_bytes
    assert (rest.projects, rest.except_projects, rest.above_bytes) == ((), ("a", "b"), 0)
    assert "projects" not in lab.options


@pytest.mark.parametrize(
    ("texts", "named"),
    [
        (["mem=1G"], "'1G' is not an option"),
        (["a=mem=0"], "mem must be a size such as 4G, not '0'"),
        (["a=mem-per-cpu=1.5G"], "mem-per-cpu must be a size"),
        (["a=mem=1G", "b=mem=1G"], "'a' and 'b' are for the same jobs"),
        (["a=", "b="], "'a' and 'b' are for the same jobs"),
        (["a=projects=x,y mem=1G", "b=projects=y mem=2G"], "'a' and 'b' are for the same jobs"),
        (["a=mem=1G", "a=mem=2G"], "two profiles 'a'"),
        (["-a=mem=1G"], "is not a profile"),
    ],
)
def test_what_is_no_profile_is_refused_by_name(texts: list[str], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        parse_profiles(texts, "")
