"""The dialect in process: circuits that fail, what needs no database, addresses that grow old."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from qwicket import devices, engines
from qwicket.circuits.outcomes import RunResult
from qwicket.compute import ParserPool
from qwicket.dialects import mounts, shown_by
from qwicket.gateway import Gateway
from qwicket.gateway.admin import Admin
from qwicket.gateway.jobs import Jobs
from qwicket.model.accounts import Actor
from qwicket.model.failures import Failure
from qwicket.model.jobs import Job, JobQuery
from qwicket.model.limits import Limits
from qwicket.server.router import Router
from qwicket.store import Store, open_postgres
from qwicket.store.sqlite import SQLite
from support.ibm import BELL, DIALECT, SIMULATOR, experiment, measure, qobj
from support.server import database_of
from support.stores import NOW, add_job, open_new_sqlite

pytestmark = pytest.mark.anyio

LOST = Failure("out_of_memory", "The circuit needs more memory than its worker may use.")
LIMITS = Limits.from_names(memory_bytes=1 << 30)


@pytest.fixture
def database_url(database_kind: str, request: pytest.FixtureRequest) -> Iterator[str | None]:
    with database_of(database_kind, request) as url:
        yield url


@pytest.fixture
async def store(tmp_path: Path, database_url: str | None) -> AsyncIterator[Store]:
    opened = open_postgres(database_url) if database_url else open_new_sqlite(tmp_path)
    await opened.devices.seed(devices.built_in(shown_by), "builtin")
    await opened.calibrations.seed(devices.calibrations(), NOW)
    yield opened
    await opened.close()


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.ms = NOW

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def http(store: Store, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    admin = Admin(store, clock)
    await admin.add_account("ada", email=None, password=None)
    secret = (await admin.create_token("ada")).secret
    parsers = ParserPool(LIMITS)
    router = Router(mounts(Gateway(store, parsers, LIMITS, clock)), LIMITS)
    transport = httpx.ASGITransport(router)
    async with httpx.AsyncClient(transport=transport, base_url="http://q" + DIALECT) as client:
        signed_in = await client.post("/users/loginWithToken", json={"apiToken": secret})
        client.headers["X-Access-Token"] = signed_in.json()["id"]
        yield client
    await parsers.close()


async def failed_in_part(http: httpx.AsyncClient, store: Store) -> str:
    """Submit three circuits; run them all, and lose the second."""
    middle = experiment(*measure(0, 1), name="lost")
    body = {"backend": {"name": SIMULATOR}, "qObject": qobj(BELL, middle, BELL, shots=10)}
    sent = await http.post("/jobs", json=body)
    assert sent.status_code == 200, sent.text
    await store.leases.add_runner("r", "server", NOW)
    (assignment,) = (await store.leases.claim(SIMULATOR, "r", NOW)).taken
    good = engines.run("qubit", assignment.circuits, assignment.options)
    await store.leases.finish(assignment.lease, RunResult((good[0], LOST, good[2]), 0.1), NOW + 100)
    return str(sent.json()["id"])


async def test_the_others_are_readable_and_say_which_failed(
    http: httpx.AsyncClient, store: Store
) -> None:
    job = await failed_in_part(http, store)
    found: dict[str, Any] = (await http.get(f"/jobs/{job}")).json()
    assert found["status"] == "ERROR_RUNNING_JOB"
    assert found["error"]["message"]
    result = found["qObjectResult"]
    assert result["success"] is False
    first, lost, last = result["results"]
    for good in (first, last):
        assert good["success"]
        assert good["header"] == BELL["header"]
        assert sum(good["data"]["counts"].values()) == 10
    assert (lost["success"], lost["data"]) == (False, {})
    assert lost["status"] == f"ERROR: {LOST.message}"
    assert lost["header"]["name"] == "lost"
    assert [row["status"] for row in found["qasms"]] == ["DONE", "ERROR", "DONE"]
    assert found["summaryData"]["success"] is False
    url = (await http.get(f"/jobs/{job}/resultDownloadUrl")).json()["url"]
    fetched = (await http.get(url)).json()
    assert json.dumps(fetched) == json.dumps(result)


async def test_defaults_are_answered_with_one_look_up_of_the_token(
    http: httpx.AsyncClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer looks whether there is such a device; clients ask many times."""
    assert isinstance(store._database, SQLite)
    reads = []
    by_key = store._database._by_key
    one = by_key.one

    def counted(name: str, **params: Any) -> Any:
        reads.append(name)
        return one(name, **params)

    path = "/backends/qwicket_line5/defaults"
    assert (await http.get(path)).json() == {}

    def used(*_: Any, **__: Any) -> Any:
        raise AssertionError("the database was asked")

    monkeypatch.setattr(by_key, "one", counted)
    for name in ("scan", "write"):
        monkeypatch.setattr(store._database, name, used)
    assert (await http.get(path)).json() == {}
    assert reads == ["token_by_id"]
    refused = await http.get(path, headers={"X-Access-Token": "nonsense"})
    assert refused.status_code == 401


async def test_an_expired_address_is_forbidden(http: httpx.AsyncClient, clock: Clock) -> None:
    body = {"backend": {"name": SIMULATOR}, "allowObjectStorage": True}
    draft = (await http.post("/jobs", json=body)).json()
    url = draft["objectStorageInfo"]["uploadUrl"]
    clock.ms += 3_599_000
    assert (await http.put(url, content=b"{}")).status_code == 200
    clock.ms += 2_000
    refused = await http.put(url, content=b"{}")
    assert refused.status_code == 403
    assert "expired" in refused.json()["error"]["message"]
    fresh = (await http.get(f"/jobs/{draft['id']}/jobUploadUrl")).json()["url"]
    assert (await http.put(fresh, content=b"{}")).status_code == 200


async def test_an_access_token_lives_as_long_as_it_says(
    http: httpx.AsyncClient, clock: Clock
) -> None:
    clock.ms += 14 * 86_400_000 - 1_000
    assert (await http.get("/users/me")).status_code == 200
    clock.ms += 2_000
    refused = await http.get("/users/me")
    assert refused.status_code == 401
    assert "expired" in refused.json()["error"]["message"]


async def test_only_what_is_asked_for_twice_at_once_is_done_once(
    http: httpx.AsyncClient, store: Store
) -> None:
    body = {"backend": {"name": SIMULATOR}, "allowObjectStorage": True}
    draft = (await http.post("/jobs", json=body)).json()
    await http.put(draft["objectStorageInfo"]["uploadUrl"], content=json.dumps(qobj()).encode())
    path = f"/jobs/{draft['id']}/jobDataUploaded"
    answers = await asyncio.gather(*(http.post(path) for _ in range(5)))
    assert [answer.status_code for answer in answers] == [200] * 5
    assert {answer.json()["job"]["status"] for answer in answers} == {"QUEUED"}


@pytest.mark.both_databases
async def test_a_job_deleted_while_runtimes_list_is_made_is_left_out(
    http: httpx.AsyncClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    (account,) = await store.accounts.all()
    (token,) = await store.accounts.tokens(account.id)
    given: dict[str, Any] = {
        "dialect": "runtime",
        "error": LOST,
        "vendor_fields": b'{"program":"sampler"}',
    }
    first, second = [await add_job(store, token, **given) for _ in range(2)]
    address = "http://q/ibm/runtime/classic/jobs"
    listed = (await http.get(address)).json()["jobs"]
    assert [job["id"] for job in listed] == [second.id, first.id]
    found = Jobs.page

    async def page(jobs: Jobs, actor: Actor, query: JobQuery) -> list[Job]:
        page = await found(jobs, actor, query)
        await store.jobs.delete(second.id)
        return page

    monkeypatch.setattr(Jobs, "page", page)
    answer = await http.get(address)
    assert answer.status_code == 200, answer.text
    assert [job["id"] for job in answer.json()["jobs"]] == [first.id]


@pytest.mark.both_databases
@pytest.mark.parametrize("field", ["backend.name", "kind", "name", "tags"])
async def test_a_filter_for_a_nul_finds_nothing(http: httpx.AsyncClient, field: str) -> None:
    sent = await http.post("/jobs", json={"backend": {"name": SIMULATOR}, "qObject": qobj(BELL)})
    assert sent.status_code == 200, sent.text
    answer = await http.get("/jobs", params={"filter": json.dumps({"where": {field: "x\0"}})})
    assert (answer.status_code, answer.json()) == (200, []), answer.text
