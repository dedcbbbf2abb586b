"""Settings of `--compute` that do not fit each other; `test_preflight.py` has more of them."""

from __future__ import annotations

import sys

import pytest

from qwicket.model.errors import InvalidRequest
from qwicket.server import Settings
from qwicket.server.compute import check


def test_a_cluster_without_the_extra_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InvalidRequest) as caught:
        check(Settings(compute="lab:ours"))
    assert str(caught.value) == (
        '--compute: lab:ours needs the extra "dask": install Qwicket again from the same place,'
        " with [dask] after its name."
    )


def test_the_most_is_never_below_a_least_that_is_set_alone() -> None:
    check(Settings(compute="dask+slurm:", compute_min=9))


@pytest.mark.parametrize(
    "settings",
    [
        Settings(no_dispatch=True),
        Settings(no_dispatch=True, workers=2),
        Settings(no_dispatch=True, workers=0, compute="dask+slurm:"),
    ],
)
def test_a_server_without_dispatch_has_neither_workers_nor_a_cluster(settings: Settings) -> None:
    with pytest.raises(InvalidRequest, match=r"--no-dispatch: .* set --workers 0"):
        check(settings)


def test_a_server_may_run_no_jobs() -> None:
    check(Settings(no_dispatch=True, workers=0))
