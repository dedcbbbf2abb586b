"""The benchmark of a job's steps names functions by their paths, which renames can break."""

from __future__ import annotations

from benchmarks.steps import EVENTS, STEPS, place_of

NAMES = {name for names in STEPS.values() for name in names} | {name for _, name, _ in EVENTS}


def test_what_is_measured_exists() -> None:
    assert [name for name in sorted(NAMES) if not callable(found(name))] == []


def found(name: str) -> object:
    owner, attribute = place_of(name)
    return getattr(owner, attribute, None)
