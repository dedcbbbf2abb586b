"""Make a database of the present schema with rows in every table and jobs in every state.

Run it by hand, once per schema; see README.md beside it. It runs a real server, submits jobs
through several dialects, kills the server, and then writes the states that no client can reach.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import lzma
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
import zlib
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import msgspec

from qwicket.circuits.outcomes import Encoded, Outcome, RunResult, int64_array, key_array
from qwicket.circuits.qubit import Register
from qwicket.model.ids import new_id
from qwicket.store import Store, open_postgres, open_sqlite
from support import held, ibm
from support.pilots import offer
from support.postgres import postgres_server
from support.programs import BELL
from support.server import LiveServer
from support.waiting import until

FOREVER_S = "100000000000"
SEED = 7
LAB = {
    "family": "qubit",
    "spec": {
        "description": "A machine on a bench",
        "qubits": 8,
        "formats": ["openqasm3"],
        "outputs": ["counts"],
        "shot_s": 0.001,
    },
}
QASM = (
    'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c;'
    " h q[0]; cx q[0], q[1]; c = measure q;"
)
AGENT = "0123456789abcdef"
LARGE_SHOTS = 700_000


def make(folder: Path) -> None:
    """Write both databases and what their users saw."""
    folder.mkdir(parents=True, exist_ok=True)
    expected = {}
    with tempfile.TemporaryDirectory() as work:
        expected["sqlite"] = _fill(Path(work), None)
        _save_sqlite(Path(work) / "data" / "qwicket.db", folder / "sqlite.db.xz")
    with tempfile.TemporaryDirectory() as work, postgres_server() as server:
        server.run("create database old")
        url = server.url.replace("/postgres?", "/old?")
        expected["postgres"] = _fill(Path(work), url)
        dump = Path(server._server.bin_path) / "pg_dump"
        _save_postgres(dump, url, folder / "postgres.sql.xz")
    text = json.dumps(expected, indent=1)
    (folder / "expected.json").write_text(text + "\n", encoding="utf-8")


def _fill(folder: Path, url: str | None) -> dict[str, Any]:
    """Fill a database; return what its users saw."""
    server = LiveServer(
        folder,
        *("--workers", "1", "--express-slots", "0"),  # a held job takes it, and all others wait
        *("--limit", f"draft_s={FOREVER_S}"),
        database_url=url,
    )
    try:
        expected = _people(server)
        with httpx.Client(base_url=server.url, timeout=120) as http:
            _done(http, expected)
            _bounded(server, http, expected)
            _unfinished(http, expected)
    finally:
        server.kill()
    asyncio.run(_unreachable(folder / "data", url, expected))
    return expected


def _people(server: LiveServer) -> dict[str, Any]:
    """Make accounts, projects, tokens and providers; return the tokens by what they may do."""
    server.admin("user", "add", "root", "--role", "admin")
    server.admin(
        "user", "add", "ada", "--email", "ada@example.org", "--password-stdin",
        stdin="a fixture's password\n",
    )  # fmt: skip
    for name in ("bob", "gone"):
        server.admin("user", "add", name)
    server.admin("project", "add", "lab")
    server.admin("project", "shares", "lab", "3")
    for name in ("ada", "bob"):
        server.admin("project", "member", "add", "lab", name)
    server.admin("device", "provider", "add", "acme")
    server.admin("device", "provider", "off", "acme")
    create = ("token", "create", "--user")
    tokens = {
        "ada": server.admin(*create, "ada"),
        "ada lab": server.admin(*create, "ada", "--project", "lab"),
        "ada reads": server.admin(*create, "ada", "--scope", "jobs:read"),
        "ada aria": server.admin(*create, "ada", "--device", "qpu.aria-1"),
        "ada expires": server.admin(*create, "ada", "--expires", "36500d"),
        "bob": server.admin(*create, "bob"),
        "root": server.admin(*create, "root", "--scope", "admin", "--scope", "jobs:read"),
        "serves": server.admin(*create, "bob", "--scope", "devices:serve", "--device", "bench"),
    }
    refused = {
        "revoked": server.admin(*create, "ada"),
        "expired": server.admin(*create, "ada", "--expires", "1s"),
        "disabled": server.admin(*create, "gone"),
    }
    with server.client(refused["revoked"]) as http:
        own = http.get("/v1/account").json()["token"]["id"]
    server.admin("token", "revoke", own)
    server.admin("user", "disable", "gone")
    server.admin("device", "off", "simulon_gaussian", "--reason", "in the fixture")
    return {"tokens": tokens, "refused": refused, "jobs": {}}


def _done(http: httpx.Client, expected: dict[str, Any]) -> None:
    """Run jobs of several dialects to their ends."""
    bell = {"device": "simulator", "program": BELL, "shots": 100, "seed": SEED}
    group = _post(http, expected, "ada", "/v1/groups", {"name": "a group"})["id"]
    closed = _post(http, expected, "ada", "/v1/groups", {"name": "closed"})["id"]
    _post(http, expected, "ada", f"/v1/groups/{closed}/close", {})
    expected["groups"] = {"open": group, "closed": closed}
    _native(http, expected, "ada", "bell", {**bell, "group": group, "tags": ["a", "ä"]})
    _native(http, expected, "ada", "keyed", {**bell, "name": "keyed"}, key="fixture-key")
    _native(http, expected, "ada lab", "of a project", bell)
    _native(http, expected, "ada aria", "twin", {**bell, "device": "qpu.aria-1"})
    _native(http, expected, "bob", "bob's", {**bell, "outputs": ["counts", "memory"]})
    many = {"qubits": 1, "circuits": [{"circuit": [{"gate": "x", "target": 0}]}, {"circuit": []}]}
    batch = {"type": "ionq.multi-circuit.v1", "backend": "simulator", "shots": 10, "input": many}
    _ionq(http, expected, "batch", batch, "completed")
    wrong = {"instructions": [["none", [0], [1.0]]], "num_wires": 1, "shots": 5}
    qlued = _qlued(http, expected, wrong)
    _expect(expected, "refused", "ada", qlued, "failed")
    for job in expected["jobs"].values():
        headers = _bearer(expected, job["token"])
        answer = http.get(f"/v1/jobs/{job['id']}/result", params={"wait": 60}, headers=headers)
        if job["state"] == "completed":
            assert answer.status_code == 200, answer.text
            job["result"] = answer.json()
    record = {"qbraidDeviceId": "aws_sv1", "vendorJobId": "fixture-1", "shots": "5"}
    headers = {"api-key": expected["tokens"]["ada"]}
    done = http.post("/qbraid/api/init-job", data=record, headers=headers)
    assert done.is_success, done.text
    gone = _native(http, expected, "ada", "deleted", bell)
    expected["deleted_after_their_end"] = [_wait(http, expected, "ada", gone)]  # they stay counted
    assert http.delete(f"/v1/jobs/{gone}", headers=_bearer(expected, "ada")).is_success
    del expected["jobs"]["deleted"]
    expected["deleted"] = gone


def _bounded(server: LiveServer, http: httpx.Client, expected: dict[str, Any]) -> None:
    """Store what bounds jobs or tells of them: one of each. Windows and invitations end."""
    server.admin("budget", "set", "ada", "--shots", "1000000")
    server.admin(
        *("reservation", "add", "qpu.forte-1", "--project", "lab", "--reason", "in the fixture"),
        *("--from", "1000d", "--to", "1001d"),
    )
    server.admin("invitation", "add", "--project", "lab", "--expires", "366d")
    bell = expected["jobs"]["bell"]["id"]
    share = _post(http, expected, "ada", f"/v1/jobs/{bell}/shares", {"account": "bob"})
    hook = _post(http, expected, "ada", "/v1/webhooks", {"url": "https://example.org/hook"})
    expected["bounds"] = {"shares": [share["id"]], "webhooks": [hook["id"]]}


def _unfinished(http: httpx.Client, expected: dict[str, Any]) -> None:
    """Leave jobs that wait, run, or have no program yet."""
    client = ibm.Client(http, expected["tokens"]["ada"])
    draft = client.draft()
    _expect(expected, "draft", "ada", draft["id"], "draft")
    whole = client.draft()
    url = whole["objectStorageInfo"]["uploadUrl"]
    assert http.put(url, content=json.dumps(ibm.qobj()).encode()).is_success
    _expect(expected, "uploaded", "ada", whole["id"], "draft")
    serves = _bearer(expected, "serves")
    announced = http.put("/v1/agent/devices/bench", json=LAB, headers=serves)
    assert announced.is_success, announced.text
    lab = {"device": "bench", "program": QASM, "shots": 20}
    _native(http, expected, "bob", "at the lab", lab, "running")
    asked_for = {"offer": offer(request=1, devices=["bench"]), "settled": 0}
    pulled = http.post(f"/v1/pilots/{AGENT}/pull", json=asked_for, headers=serves)
    assert pulled.json()["tasks"], pulled.text
    _native(http, expected, "bob", "waits for the lab", lab, "queued")
    long = {"device": "simulator", "program": held.held_job().program, "shots": 10, "seed": SEED}
    busy = _native(http, expected, "ada", "cancelling", long, "running")
    path, headers = f"/v1/jobs/{busy}", _bearer(expected, "ada")
    until(lambda: http.get(path, headers=headers).json()["state"] == "running", "the job runs")
    bell = {"device": "simulator", "program": BELL, "shots": 100, "seed": SEED}
    for token in ("ada", "ada lab", "bob"):
        _native(http, expected, token, f"queued by {token}", bell, "queued")
    for name in ("running", "uncertain", "large"):
        _native(http, expected, "bob", name, {**bell, "device": "clifford"}, "queued")
    cancelled = _native(http, expected, "ada", "cancelled", bell, "cancelled")
    assert http.post(f"/v1/jobs/{cancelled}/cancel", headers=headers).is_success


async def _unreachable(folder: Path, url: str | None, expected: dict[str, Any]) -> None:
    """Write what no client can bring about: the rows of a server that was killed."""
    store = open_postgres(url) if url else open_sqlite(folder)
    now = time.time_ns() // 1_000_000
    jobs = expected["jobs"]
    try:
        runner = new_id(now)
        await store.leases.add_runner(runner, "server", now, slots=1)
        claims = [await store.leases.claim("clifford", runner, now) for _ in range(3)]
        jobs["running"]["state"] = "running"
        taken = {one.lease.job: one.lease for claim in claims for one in claim.taken}
        await store.jobs.cancel(jobs["cancelling"]["id"], actor="fixture", now=now)
        jobs["cancelling"]["state"] = "cancelling"
        uncertain = taken[jobs["uncertain"]["id"]]
        await store.forwards.record_intent(uncertain, "fixture-marker", now)
        await store.leases.release(uncertain, "its runner is gone", now, counts_as_attempt=False)
        jobs["uncertain"]["state"] = "uncertain"
        await _finish_large(store, taken[jobs["large"]["id"]], now)
        jobs["large"] |= {"state": "completed", "shots": LARGE_SHOTS}
        upload = new_id(now)
        draft = await store.jobs.get(jobs["draft"]["id"])
        assert draft is not None
        await store.uploads.begin(
            upload, draft.id, draft.account, max_bytes=1 << 20, held_limit=1 << 40
        )
        await store.uploads.add(upload, 0, b"a piece of an upload that was cut")
    finally:
        await store.close()


async def _finish_large(store: Store, lease: Any, now: int) -> None:
    """Give a job a result in several chunks, which this file contains compressed."""
    keys, counts = b"\0\0" + b"\1\0", (LARGE_SHOTS).to_bytes(8, "little") + bytes(8)
    outcome = Outcome(
        registers=(Register("c", 9),),
        arrays={
            "keys": key_array(keys, 9),
            "counts": int64_array(counts),
            "memory": key_array(bytes(2 * LARGE_SHOTS), 9),
        },
        engine="fixture",
        engine_version="1",
        seed=SEED,
        seconds=1.0,
    )
    body = zlib.compress(msgspec.msgpack.encode(outcome), 0)
    assert len(body) > 1 << 20
    await store.leases.finish(lease, RunResult((Encoded(body, sha256(body).digest()),), 1.0), now)


def _bearer(expected: dict[str, Any], token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {expected['tokens'][token]}"}


def _post(
    http: httpx.Client, expected: dict[str, Any], token: str, path: str, body: dict[str, Any]
) -> Any:
    done = http.post(path, json=body, headers=_bearer(expected, token))
    assert done.is_success, done.text
    return done.json()


def _native(
    http: httpx.Client,
    expected: dict[str, Any],
    token: str,
    name: str,
    body: dict[str, Any],
    state: str = "completed",
    *,
    key: str | None = None,
) -> str:
    headers = _bearer(expected, token) | ({"Idempotency-Key": key} if key else {})
    done = http.post("/v1/jobs", json=body, headers=headers)
    assert done.status_code == 201, done.text
    job = str(done.json()["id"])
    _expect(expected, name, token, job, state)
    return job


def _ionq(
    http: httpx.Client, expected: dict[str, Any], name: str, body: dict[str, Any], state: str
) -> None:
    headers = {"Authorization": f"apiKey {expected['tokens']['ada']}"}
    done = http.post("/ionq/v0.4/jobs", json=body, headers=headers)
    assert done.is_success, done.text
    _expect(expected, name, "ada", done.json()["id"], state)


def _qlued(http: httpx.Client, expected: dict[str, Any], program: dict[str, Any]) -> str:
    """Submit to qlued a program that is refused: this makes a failed job."""
    done = http.post(
        "/qlued/api/v3/singlequdit/post_job",
        json={"payload": {"experiment_0": program}},
        headers=_bearer(expected, "ada"),
    )
    assert done.is_success, done.text
    return str(done.json()["job_id"])


def _expect(expected: dict[str, Any], name: str, token: str, job: str, state: str) -> None:
    expected["jobs"][name] = {"token": token, "id": job, "state": state}


def _wait(http: httpx.Client, expected: dict[str, Any], token: str, job: str) -> Any:
    headers = _bearer(expected, token)
    return http.get(f"/v1/jobs/{job}", params={"wait": 60}, headers=headers).json()


def _save_sqlite(database: Path, to: Path) -> None:
    packed = database.with_suffix(".packed")
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("vacuum into ?", (str(packed),))
    to.write_bytes(lzma.compress(packed.read_bytes(), preset=9))


def _save_postgres(dump: Path, url: str, to: Path) -> None:
    command: list[str | Path] = [
        dump,
        "--inserts",
        "--no-owner",
        "--no-privileges",
        "--schema=public",
        url,
    ]
    text = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    # Lines for psql alone, and settings that a connection of psycopg must not take over.
    settings = r"^(\\.*|SET .*|SELECT pg_catalog\.set_config.*|.*SCHEMA.*)\n"
    text = re.sub(settings, "", text, flags=re.MULTILINE)
    to.write_bytes(lzma.compress(text.encode(), preset=9))


if __name__ == "__main__":
    held.install()
    try:
        make(Path(sys.argv[1]))
    finally:
        held.uninstall()
