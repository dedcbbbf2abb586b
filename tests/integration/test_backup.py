"""Back up a server under load, lose it, restore elsewhere: what was acknowledged is there."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from support.held import held_job
from support.ledger import ledger
from support.postgres import PostgresServer
from support.processes import is_alive
from support.programs import BELL
from support.server import LiveServer, cli, run_cli, running_server
from support.submitters import Submitter, crowd
from support.waiting import until

pytestmark = pytest.mark.extended

LEASE = ("--lease-s", "2")
CLIENTS = 4


@pytest.fixture
def lost(tmp_path: Path) -> LiveServer:
    """A server that a test kills. It has no express slot: its jobs run in workers."""
    return LiveServer(tmp_path / "lost", *LEASE, "--express-slots", "0")


@pytest.mark.timeout(300)
def test_jobs_acknowledged_before_a_backup_under_load_survive_the_loss_of_the_server(
    lost: LiveServer, tmp_path: Path
) -> None:
    token = lost.token()
    copy = tmp_path / "backup.db"
    place = ["--data-dir", str(lost.folder / "data")]
    with lost.client() as client:
        # One job runs throughout, so that the backup has a lease of the server.
        held = held_job()
        body = {"program": held.program, "device": "simulator", "shots": 10}
        running = client.post("/v1/jobs", json=body).json()["id"]
        worker = held.wait_until_running()
    with crowd(*[Submitter(lost, token, with_keys=True) for _ in range(CLIENTS)]) as clients:
        clients.await_more(100)
        before = {running, *clients.acknowledged}
        printed = cli("backup", str(copy), *place)
        assert printed.startswith(f"{copy}: 1 accounts, ")
        clients.await_more(20)
        refused = run_cli("restore", str(copy), "--replace", *place)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith("Error: Another server or a restore uses ")
    acknowledged = set(clients.acknowledged)
    assert clients.refusals == []
    lost.kill()
    until(lambda: not is_alive(worker), "its worker is gone")
    held.release()

    fresh = tmp_path / "fresh"
    printed = cli("restore", str(copy), "--data-dir", str(fresh / "data"))
    assert printed.startswith(f"{fresh / 'data' / 'qwicket.db'}: 1 accounts, ")
    with running_server(fresh, *LEASE) as live, ledger(live) as books, live.client(token) as client:
        assert client.get("/v1/account").json()["name"] == "ada", "old tokens sign in"
        books.await_end()
        kept = {job for (job,) in books.rows("select id from job")}
        assert before <= kept
        assert acknowledged - kept, "those after the backup are lost"
        books.assert_all_completed_uncounted(before)
        reasons = books.rows(f"select reason from job_event where job = '{running}'")
        assert reasons == [("its runner is dead",)], "it was queued again, once"
        # A client that repeats a lost submission creates the job anew; one of before, none.
        keys = {job: key for key, jobs in clients.keys.items() for job in jobs}
        bell = {"program": BELL, "device": "simulator", "shots": 10}
        for job in (min(before - {running}), min(acknowledged - kept)):
            again = client.post("/v1/jobs", json=bell, headers={"Idempotency-Key": keys[job]})
            assert again.status_code in (200, 201), again.text
            assert (again.json()["id"] == job) == (job in before)


@pytest.mark.timeout(120)
def test_errors_are_one_line_that_names_the_path(tmp_path: Path) -> None:
    place = ["--data-dir", str(tmp_path / "data")]
    cli("user", "add", "ada", *place)
    copy = tmp_path / "backup.db"
    command = [sys.executable, "-m", "qwicket", "backup", str(copy), *place]
    full = subprocess.run(
        command,
        capture_output=True,
        text=True,
        # As on a full disk, writes beyond this size fail.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        check=False,
    )
    assert (full.returncode, full.stdout) == (1, "")
    assert full.stderr.startswith(f"Error: {copy} cannot be written: ")
    assert full.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    absent = run_cli("restore", str(copy), *place, "--replace")
    assert absent.stderr == f"Error: {copy}: No such file or directory.\n"
    assert absent.returncode == 1
    assert cli("user", "list", *place).startswith("ada")


def test_a_backup_names_the_file_of_master_keys_that_it_does_not_contain(tmp_path: Path) -> None:
    place = ["--data-dir", str(tmp_path / "data")]
    cli("user", "add", "ada", *place)
    assert run_cli("backup", str(tmp_path / "before.db"), *place).stderr == ""
    cli("token", "create", "--user", "ada", "--aws", *place)
    printed = run_cli("backup", str(tmp_path / "after.db"), *place).stderr
    assert printed.startswith(f"Copy {tmp_path / 'data' / 'aws-master-keys'} to another place")
    assert printed.count("\n") == 1
    master = (tmp_path / "data" / "aws-master-keys").read_text().split()[1]
    copy = (tmp_path / "after.db").read_bytes()
    assert copy.startswith(b"SQLite format 3")
    for secret in (master.encode(), bytes.fromhex(master)):
        assert secret not in copy


def test_without_the_file_of_master_keys_a_restored_server_says_so(tmp_path: Path) -> None:
    place, restored = ["--data-dir", str(tmp_path / "data")], tmp_path / "live" / "data"
    cli("user", "add", "ada", *place)
    cli("token", "create", "--user", "ada", "--aws", *place)
    cli("backup", str(tmp_path / "copy.db"), *place)
    cli("restore", str(tmp_path / "copy.db"), "--data-dir", str(restored))

    def doctor() -> str:
        return run_cli("doctor", "--data-dir", str(restored)).stdout

    assert f"{restored / 'aws-master-keys'} is not there" in doctor()
    with running_server(tmp_path / "live") as live:
        until(lambda: "master keys is not there" in live.log.read_text(), "it is logged")
    (tmp_path / "data" / "aws-master-keys").rename(restored / "aws-master-keys")
    assert "key pairs" not in doctor()
    live.start()
    assert live.stop() == 0
    assert live.log.read_text().count("is not there") == 1


@pytest.mark.timeout(180)
def test_postgresql_is_dumped_and_restored_by_the_lines_that_are_printed(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    def run(line: str) -> None:
        found = {"PATH": f"{postgres.programs}:{os.environ['PATH']}"}
        subprocess.run(line, shell=True, check=True, cwd=tmp_path, env=os.environ | found)

    def address(name: str) -> str:
        postgres.run(f"create database {name}")
        return psycopg.conninfo.make_conninfo(postgres.url, dbname=name, password="unshown")

    first, second = address("dumped"), address("restored")
    with (
        running_server(tmp_path / "first", *LEASE, database_url=first) as live,
        live.client() as client,
    ):
        body = {"program": BELL, "device": "simulator", "shots": 10}
        job = client.post("/v1/jobs", json=body).json()["id"]
        assert client.get(f"/v1/jobs/{job}", params={"wait": 60}).json()["state"] == "completed"
        token = live.token()
        line = live.admin("backup", "qwicket.dump")
        assert "unshown" not in line
        run(line)
        assert (tmp_path / "qwicket.dump").stat().st_mode & 0o077 == 0
        checked = live.admin("backup", "--check")
        assert checked.startswith("The database: 1 accounts, 1 jobs (0 not ended), schema ")
    place = ["--database-url", second]
    assert "empty; qwicket serve creates its tables" in run_cli("doctor", *place).stdout
    unrestored = run_cli("restore", "--check", "qwicket.dump", *place)
    assert unrestored.stderr.startswith("Error: The database has no tables of Qwicket")
    run(cli("restore", "qwicket.dump", *place))
    assert cli("restore", "--check", "qwicket.dump", *place) == checked
    run(cli("restore", "qwicket.dump", "--replace", *place))
    with (
        running_server(tmp_path / "second", *LEASE, database_url=second) as live,
        live.client(token) as client,
    ):
        assert client.get(f"/v1/jobs/{job}").json()["state"] == "completed"
    for name in ("dumped", "restored"):
        postgres.run(f"drop database {name} with (force)")
