"""Databases written by earlier versions: today's server migrates them and serves what they hold."""

from __future__ import annotations

import contextlib
import json
import lzma
import shlex
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psycopg
import pytest

from qwicket.store import consistency, statements
from qwicket.store.sqlite import SQL_FRAGMENTS
from support.ibm import Client as IBMClient
from support.pilots import RawAgent
from support.postgres import PostgresServer
from support.server import LiveServer, run_cli
from support.waiting import until

DATA = Path(__file__).parent.parent / "data"
SCHEMAS = sorted(folder.name for folder in DATA.glob("schema-*"))
NEWEST = max(number for number, _ in statements.migrations(SQL_FRAGMENTS))
OLDER = [each for each in SCHEMAS if int(each.removeprefix("schema-")) < NEWEST]
LEASE_S = "2"
"""On PostgreSQL the runner of the old server counts as alive for so long."""


class Old(NamedTuple):
    """A running server on a migrated copy of an old database.

    Attributes:
        server: The server.
        expected: What the users of the database saw before.
        version: Returns the number of the last migration that the database had.
    """

    server: LiveServer
    expected: dict[str, Any]
    version: Callable[[], int]

    def read(self, job: str, path: str = "", **params: Any) -> httpx.Response:
        """Read a job, by its name in the fixture, with the token that it was made with."""
        known = self.expected["jobs"][job]
        with self.client(known["token"]) as http:
            return http.get(f"/v1/jobs/{known['id']}{path}", params=params)

    def client(self, token: str) -> httpx.Client:
        return self.server.client(self.expected["tokens"][token])

    def jobs(self, *states: str) -> list[str]:
        """Return the names of the jobs that were in one of these states."""
        known = self.expected["jobs"].items()
        return [name for name, job in known if job["state"] in states]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=SCHEMAS)
def old(
    request: pytest.FixtureRequest,
    kind: str,
    postgres: PostgresServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Old]:
    source = DATA / request.param
    expected = json.loads((source / "expected.json").read_text(encoding="utf-8"))[kind]
    folder = tmp_path_factory.mktemp("old")
    opened = _sqlite if kind == "sqlite" else _postgres
    with opened(source, folder, postgres) as (url, version):
        assert version() == int(request.param.removeprefix("schema-"))
        server = LiveServer(folder, "--lease-s", LEASE_S, database_url=url)
        yield Old(server, expected, version)
        assert server.stop() == 0
        server.assert_calm()


@pytest.mark.parametrize("schema", OLDER)
def test_checks_and_completion_migrate_nothing(
    schema: str, kind: str, postgres: PostgresServer, tmp_path: Path
) -> None:
    """Otherwise a look before an upgrade would leave the old version without its database."""
    opened = _sqlite if kind == "sqlite" else _postgres
    with opened(DATA / schema, tmp_path, postgres) as (url, version):
        before = version()
        where = ("--database-url", url) if url else ("--data-dir", str(tmp_path / "data"))
        done = run_cli("doctor", "--deep", "--json", *where, env={"QWICKET_PORT": "0"})
        findings = {each["about"]: each for each in json.loads(done.stdout)["findings"]}
        assert findings["database"]["status"] == "warning"
        assert "older version" in findings["database"]["found"]
        assert not {"rows", "tokens"} & set(findings)
        words = shlex.join(["qwicket", "device", "off", *where, "s"])
        asked = {"_QWICKET_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "5"}
        assert run_cli(env=asked).stdout.strip() == ""
        assert version() == before
        run_cli("device", "list", *where)
        assert version() > before
        assert "simulator" in run_cli(env=asked).stdout


@contextlib.contextmanager
def _sqlite(
    source: Path, folder: Path, _postgres: PostgresServer
) -> Iterator[tuple[None, Callable[[], int]]]:
    database = folder / "data" / "qwicket.db"
    database.parent.mkdir()
    database.write_bytes(lzma.decompress((source / "sqlite.db.xz").read_bytes()))

    def version() -> int:
        with contextlib.closing(sqlite3.connect(database)) as connection:
            return int(connection.execute("pragma user_version").fetchone()[0])

    yield None, version


@contextlib.contextmanager
def _postgres(
    source: Path, folder: Path, postgres: PostgresServer
) -> Iterator[tuple[str, Callable[[], int]]]:
    name = f"{source.name}_{folder.name}".replace("-", "_").lower()
    postgres.run(f"create database {name}")
    url = psycopg.conninfo.make_conninfo(postgres.url, dbname=name)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(lzma.decompress((source / "postgres.sql.xz").read_bytes()))

    def version() -> int:
        with psycopg.connect(url) as connection:
            row = connection.execute("select max(number) from schema_version").fetchone()
        assert row is not None
        return int(row[0])

    yield url, version
    postgres.run(f"drop database {name} with (force)")


def test_every_migration_has_run(old: Old) -> None:
    assert old.version() == NEWEST


def test_the_same_tokens_sign_in(old: Old) -> None:
    for name in ("ada", "ada lab", "ada reads", "ada aria", "ada expires", "bob", "root"):
        with old.client(name) as http:
            found = http.get("/v1/account").json()
        assert found["name"] == name.partition(" ")[0]
    for name, token in old.expected["refused"].items():
        with old.server.client(token) as http:
            assert http.get("/v1/account").status_code == 401, name


def test_tokens_keep_their_bounds(old: Old) -> None:
    with old.client("ada lab") as http:
        assert http.get("/v1/account").json()["token"]["project"] == "lab"
    with old.client("ada aria") as http:
        assert http.get("/v1/account").json()["token"]["devices"] == ["qpu.aria-1"]
    with old.client("ada reads") as http:
        assert http.post("/v1/jobs", json={}).status_code == 403


def test_a_password_still_signs_in(old: Old) -> None:
    body = {"email": "ada@example.org", "password": "a fixture's password"}
    with httpx.Client(base_url=old.server.url) as http:
        assert http.post("/ibm/api/users/login", json=body).status_code == 200


def test_completed_jobs_have_the_same_results(old: Old) -> None:
    completed = old.jobs("completed")
    assert len(completed) >= 6
    for name in completed:
        known = old.expected["jobs"][name]
        if "result" not in known:
            continue
        found = old.read(name, "/result").json()
        assert _measured(found) == _measured(known["result"]), name


def test_a_result_stored_in_chunks_is_whole(old: Old) -> None:
    shots = old.expected["jobs"]["large"]["shots"]
    (part,) = old.read("large", "/result").json()["parts"]
    assert part["counts"] == {"0" * 9: shots}
    assert len(part["memory"]) == shots


def test_jobs_that_had_ended_otherwise_are_as_they_were(old: Old) -> None:
    for name in old.jobs("failed", "cancelled"):
        assert old.read(name).json()["state"] == old.expected["jobs"][name]["state"]
    assert old.read("refused").json()["error"]["code"]


def test_queued_jobs_run_to_their_end(old: Old) -> None:
    simulated = [name for name in old.jobs("queued") if name.startswith("queued by")]
    assert len(simulated) == 3
    for name in simulated:
        assert old.read(name, wait=60).json()["state"] == "completed", name
        counts = old.read(name, "/result").json()["parts"][0]["counts"]
        assert counts.keys() <= {"00", "11"}
        assert sum(counts.values()) == 100


def test_a_job_that_ran_is_run_again(old: Old) -> None:
    assert old.read("running", wait=60).json()["state"] == "completed"


def test_a_job_that_was_asked_to_stop_is_cancelled(old: Old) -> None:
    until(
        lambda: old.read("cancelling").json()["state"] == "cancelled",
        "it is cancelled",
        timeout_s=30,
    )


def test_an_uncertain_job_stays_uncertain(old: Old) -> None:
    assert old.read("uncertain").json()["state"] == old.expected["jobs"]["uncertain"]["state"]


def test_a_lab_gets_its_jobs_again(old: Old) -> None:
    """One waited; one was held by an agent that is gone, and is offered once its lease is over."""
    jobs = old.expected["jobs"]
    wanted = {jobs[name]["id"] for name in ("at the lab", "waits for the lab")}
    held: list[dict[str, Any]] = []

    with old.client("serves") as http:
        agent = RawAgent(http, "bench")

        def pulled() -> bool:
            tasks = agent.pull(held, wait=1).json()["tasks"]
            held.extend(job["lease"] for task in tasks for job in task)
            return {lease["id"] for lease in held} == wanted

        until(pulled, "the agent holds both jobs", timeout_s=60)


def test_drafts_take_their_programs(old: Old) -> None:
    jobs = old.expected["jobs"]
    with httpx.Client(base_url=old.server.url, timeout=60) as http:
        client = IBMClient(http, old.expected["tokens"]["ada"])
        told = client.call("POST", f"/jobs/{jobs['uploaded']['id']}/jobDataUploaded")
        assert told.status_code == 200, told.text
        assert client.ended(jobs["uploaded"]["id"])["status"] == "COMPLETED"
    assert old.read("draft").json()["state"] == "draft"


def test_groups_records_and_devices_are_there(old: Old) -> None:
    groups = old.expected["groups"]
    with old.client("ada") as http:
        assert http.get(f"/v1/groups/{groups['open']}").json()["state"] == "open"
        assert http.get(f"/v1/groups/{groups['closed']}").json()["state"] == "closed"
        device = http.get("/v1/devices/simulon_gaussian").json()
        records = http.post(
            "/qbraid/api/get-user-jobs",
            headers={"api-key": old.expected["tokens"]["ada"]},
            json={},
        )
    assert "in the fixture" in json.dumps(device)
    assert "fixture-1" in records.text
    assert "acme" in old.server.admin("device", "provider", "list")


def test_what_bounds_jobs_and_tells_of_them_is_there(old: Old) -> None:
    known = old.expected.get("bounds", {"shares": [], "webhooks": []})
    with old.client("ada") as http:
        shares = http.get("/v1/shares").json()["shares"]
        webhooks = http.get("/v1/webhooks").json()["webhooks"]
    with old.client("root") as http:
        budgets = http.get("/v1/admin/budgets").json()["budgets"]
    assert [each["id"] for each in shares] == known["shares"]
    assert [each["id"] for each in webhooks] == known["webhooks"]
    assert [each["maximum"] for each in budgets] == [1_000_000] * len(shares)
    with old.client("bob") as http:
        seen = http.get(f"/v1/jobs/{old.expected['jobs']['bell']['id']}")
    assert seen.status_code == (200 if shares else 404)


def test_what_projects_store_is_counted(old: Old) -> None:
    """By the migration: maintenance recounts when a server starts, and logs what was wrong."""
    with old.client("bob") as http:
        projects = {each["name"]: each for each in http.get("/v1/projects").json()["projects"]}
    assert projects["bob"]["stored_bytes"] > 2 * old.expected["jobs"]["large"]["shots"]
    assert 0 < projects["lab"]["stored_bytes"] < 100_000
    assert "stored bytes of" not in old.server.log.read_text()


def test_what_jobs_have_used_is_summed_by_day(old: Old) -> None:
    """Until yesterday, because the jobs of these tests end today."""
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    ended = [old.read(job).json() for job in old.jobs("completed")]
    ended += old.expected.get("deleted_after_their_end", [])
    with old.client("root") as http:
        query = {"by": "device", "to": yesterday}
        rows = http.get("/v1/admin/usage", params=query).json()["usage"]
    expected: dict[str, list[int]] = {}
    for job in ended:
        if job["ended_at"][:10] <= yesterday:
            sums = expected.setdefault(job["device"], [0, 0])
            sums[0] += 1
            sums[1] += job["shots"] * job["circuits"]
    assert {row["device"]: [row["jobs"], row["shots"]] for row in rows} == expected


def test_a_deleted_job_stays_away(old: Old) -> None:
    with old.client("ada") as http:
        assert http.get(f"/v1/jobs/{old.expected['deleted']}").status_code == 404


def test_the_rows_agree_with_each_other(old: Old) -> None:
    with consistency.reading(old.server.folder / "data", old.server.database_url) as tx:
        assert list(consistency.problems(tx)) == []
    if old.server.database_url is None:
        path = old.server.folder / "data" / "qwicket.db"
        assert list(consistency.file_problems(path)) == []


def test_new_jobs_are_taken(old: Old) -> None:
    program = {"qubits": 1, "circuit": [{"gate": "x", "target": 0}]}
    body = {"device": "simulator", "program": program, "shots": 10}
    with old.client("ada") as http:
        made = http.post("/v1/jobs", json=body, headers={"Idempotency-Key": "fixture-key-2"})
        assert made.status_code == 201, made.text
        ended = http.get(f"/v1/jobs/{made.json()['id']}/result", params={"wait": 60}).json()
    assert ended["parts"][0]["counts"] == {"1": 10}


def _measured(result: dict[str, Any]) -> list[Any]:
    """Return what was measured in a result, without what later versions may add to it."""
    return [
        {name: part[name] for name in ("counts", "memory", "probabilities") if name in part}
        for part in result["parts"]
    ]
