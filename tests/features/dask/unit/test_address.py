from __future__ import annotations

import pytest

from qwicket.features.dask.address import ClusterAddress, parse


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("dask://lab:8786", ClusterAddress("scheduler", "lab:8786")),
        ("dask+tls://lab:8786/", ClusterAddress("scheduler", "lab:8786")),
        ("dask+tcp://[::1]:8786", ClusterAddress("scheduler", "[::1]:8786", allows_plain_tcp=True)),
        ("dask+slurm:", ClusterAddress("slurm")),
        (
            "dask+slurm:?queue=main&cores=4&memory=16GB",
            ClusterAddress("slurm", options={"queue": "main", "cores": 4, "memory": "16GB"}),
        ),
        (
            "dask+kubernetes:?namespace=lab",
            ClusterAddress("kubernetes", allows_plain_tcp=True, options={"namespace": "lab"}),
        ),
        ("lab.clusters:ours", ClusterAddress("factory", "lab.clusters:ours")),
    ],
)
def test_address_has_one_of_the_forms(text: str, address: ClusterAddress | None) -> None:
    assert parse(text) == address


def test_only_a_running_scheduler_is_not_started_by_us() -> None:
    texts = ("dask://lab:1", "dask+slurm:", "dask+kubernetes:", "a:b")
    assert [found.is_ours for text in texts if (found := parse(text))] == [
        *(False, True, True, True)
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "'' is not one of 'local', dask://HOST:PORT"),
        ("slurm", "'slurm' is not one of"),
        ("tcp://lab:8786", "is not one of"),
        ("dask+ftp://lab:8786", "is not one of"),
        ("lab.clusters:", "is not one of"),
        ("1lab:ours", "is not one of"),
        ("dask://lab", "'dask://lab' is not an address such as dask://cluster.lab:8786"),
        ("dask://lab:0", "is not an address"),
        ("dask://lab:99999", "is not an address"),
        ("dask://:8786", "is not an address"),
        ("dask://lab:8786/path", "is not an address"),
        ("dask+slurm:queue", r"does not have the form dask\+slurm:\?queue=main"),
    ],
)
def test_other_text_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse(text)
