from __future__ import annotations

import resource
from collections.abc import Callable

import pytest

from qwicket.server.run import _SPARE_FILES, _raise_file_limit

Set = Callable[[int, int], None]


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, int]]:
    """Simulated limits of open files: a test could not raise the process's own again."""
    held = {"limit": (1_024, 4_096)}
    monkeypatch.setattr(resource, "getrlimit", lambda _: held["limit"])
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: held.update(limit=pair))
    return held


def test_the_soft_limit_of_files_is_raised_for_all_connections(
    files: dict[str, tuple[int, int]],
) -> None:
    assert _raise_file_limit(2_000) == 2_000
    soft, hard = files["limit"]
    assert 2_000 < soft < 4_096 == hard


def test_connections_are_fewer_where_files_are_few(files: dict[str, tuple[int, int]]) -> None:
    assert 2_000 < _raise_file_limit(10_000) < 4_096 - _SPARE_FILES
    assert files["limit"] == (4_096, 4_096)
    files["limit"] = (10, 10)
    assert _raise_file_limit(10_000) == 1


@pytest.mark.parametrize("soft", [100_000, resource.RLIM_INFINITY])
def test_room_enough_is_left_as_it_is(files: dict[str, tuple[int, int]], soft: int) -> None:
    files["limit"] = (soft, resource.RLIM_INFINITY)
    assert _raise_file_limit(2_000) == 2_000
    assert files["limit"] == (soft, resource.RLIM_INFINITY)
