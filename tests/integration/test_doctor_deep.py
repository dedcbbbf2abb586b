"""`qwicket doctor --deep` beside servers: sound ones, paused ones, and damaged data."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from qwicket.cli import deep_checks
from qwicket.cli.options import DataLocation
from support.held import held_job
from support.ledger import ledger
from support.server import LiveServer, run_cli, running_server, server_on
from support.submitters import Submitter, crowd
from support.waiting import until

pytestmark = pytest.mark.extended


@pytest.fixture
def live(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[LiveServer]:
    with server_on(database_kind, request, tmp_path, "--lease-s", "2") as server:
        yield server


def rows(server: LiveServer, **env: str) -> list[dict[str, Any]]:
    """Return what the doctor found about the rows of a server's database."""
    place = ["--data-dir", str(server.folder / "data")]
    if server.database_url:
        place += ["--database-url", server.database_url]
    env = {"QWICKET_PORT": "0", "QWICKET_URL": server.url, **env}
    done = run_cli("doctor", "--deep", "--json", *place, env=env)
    assert done.stderr == ""
    found = [each for each in json.loads(done.stdout)["findings"] if each["about"] == "rows"]
    assert done.returncode == any(each["status"] == "wrong" for each in found), done.stdout
    return found


def start_long_job(server: LiveServer) -> str:
    with server.client() as client:
        body = {"program": held_job().program, "device": "simulator", "shots": 10}
        job: str = client.post("/v1/jobs", json=body).json()["id"]
        until(lambda: client.get(f"/v1/jobs/{job}").json()["state"] == "running", "it runs")
    return job


@pytest.mark.timeout(180)
@pytest.mark.both_databases
def test_a_server_under_load_is_consistent_at_any_moment(live: LiveServer) -> None:
    job = start_long_job(live)
    token = live.token()
    with crowd(*[Submitter(live, token, with_keys=False) for _ in range(3)]) as clients:
        clients.await_more(50)
        for _ in range(2):
            (found,) = rows(live, QWICKET_LEASE_S="30")
            assert found["status"] == "ok", found
            assert found["found"].endswith(" jobs: their rows agree")
        clients.await_more(10)
    with live.client() as client:
        client.post(f"/v1/jobs/{job}/cancel")
    with ledger(live) as books:
        books.await_end()


@pytest.mark.timeout(180)
def test_a_runner_without_a_heartbeat_is_named_and_a_killed_server_is_no_fault(
    tmp_path: Path,
) -> None:
    with running_server(tmp_path) as live:
        job = start_long_job(live)
        live.pause()
        (found,) = rows(live, QWICKET_LEASE_S="1", QWICKET_URL="")
        assert found["status"] == "wrong"
        assert " holds 1 jobs, without a heartbeat for 1 s" in found["found"]
        assert found["found"].startswith("server ")
        live.kill()
        first, second = rows(live, QWICKET_URL="")
        assert first["status"] == second["status"] == "ok"
        assert first["found"].startswith("1 jobs ran when the last server ended")
        live.start()
        with live.client() as client:
            client.post(f"/v1/jobs/{job}/cancel")


def test_checks_that_outlast_the_lease_time_accuse_no_runner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_server(tmp_path, "--lease-s", "2") as live:
        job = start_long_job(live)
        place = DataLocation(tmp_path / "data", None)
        monkeypatch.setattr(deep_checks, "_progress", lambda: lambda *_: time.sleep(2.5))
        (found,) = deep_checks.findings(place, is_served=True, lease_s=2.0)
        assert found.status == "ok", found
        live.pause()
        (found,) = deep_checks.findings(place, is_served=True, lease_s=2.0)
        assert "without a heartbeat for 2 s" in found.found
        live.resume()
        with live.client() as client:
            client.post(f"/v1/jobs/{job}/cancel")


@pytest.mark.timeout(120)
def test_damages_are_listed_with_their_number_and_a_remedy(tmp_path: Path) -> None:
    with running_server(tmp_path) as live:
        job = start_long_job(live)
        live.kill()
        path = tmp_path / "data" / "qwicket.db"
        with closing(sqlite3.connect(path, isolation_level=None)) as file:
            file.execute("delete from program")
            file.execute("insert into blob values (x'00', 0, x'00')")
        found = {each["found"]: each for each in rows(live, QWICKET_URL="")}
        lost = found[f"1 jobs have lost their program ({job})"]
        assert lost["status"] == "wrong"
        assert "restore the last backup" in lost["remedy"]
        left = next(each for text, each in found.items() if "were begun and not finished" in text)
        assert left["status"] == "warning"
        (tmp_path / "data").rename(tmp_path / "damaged")
        live.start()
