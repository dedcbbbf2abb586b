"""`--compute dask+kubernetes:` with the real dask-kubernetes, and a stub of Kubernetes below it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from qwicket.features.dask import launcher as dask_launcher
from support.dask_operator import DaskOperator
from support.held import held_job
from support.ledger import ledger
from support.programs import BELL
from support.server import running_server
from support.waiting import until

pytestmark = pytest.mark.extended

CLUSTER = "dask+kubernetes:?name=qw&image=qwicket&scheduler_service_type=LoadBalancer"


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[DaskOperator]:
    made = DaskOperator(tmp_path / "operator")
    yield made
    made.stop()


def test_workers_are_pods_that_come_with_the_work_and_go_with_the_server(
    operator: DaskOperator, tmp_path: Path
) -> None:
    options = ("--compute", CLUSTER, "--compute-min", "0", "--compute-max", "2", "--workers", "0")
    with running_server(tmp_path / "server", *options, **operator.env) as server:
        assert ("daskclusters", "qw") in operator.objects
        assert operator.replicas == 0, "nothing waits, so nothing is asked for"
        with server.client() as client, ledger(server) as books:

            def submitted(program: dict[str, object]) -> str:
                body = {"program": program, "device": "simulator", "shots": 100}
                return str(client.post("/v1/jobs", json=body).raise_for_status().json()["id"])

            bell, *long = [submitted(each) for each in [BELL, *[held_job(22).program] * 3]]
            until(lambda: operator.replicas == 2, "there are as many as allowed", timeout_s=60)
            done = client.get(f"/v1/jobs/{bell}", params={"wait": 60}).json()
            assert done["state"] == "completed"
            for job in long:
                client.post(f"/v1/jobs/{job}/cancel").raise_for_status()
            books.await_end()
            books.assert_each_ended_once({bell, *long})
            until(lambda: operator.replicas == 0, "no worker is wanted", timeout_s=60)
    until(lambda: not operator.objects, "the cluster is deleted")


def test_without_dask_kubernetes_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "dask_kubernetes", None)
    launch = dask_launcher.Launch("kubernetes", "", True, {}, 0, 1, 60)
    with pytest.raises(ValueError, match="pip install dask-kubernetes"):
        dask_launcher._loaded(launch)
