"""A budget under load: many connections, two servers, and servers that are killed.

The long form (`QWICKET_FAULT=long`) sends 10,000 submissions from 64 connections.
"""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from qwicket.gateway.admin import Admin
from qwicket.store.database import Tx
from support.budgets import budgets
from support.programs import BELL
from support.repetitions import IS_LONG, databases, runs
from support.server import LiveServer, database_of, running_server
from support.stores import execute
from support.waiting import until

pytestmark = pytest.mark.extended

SUBMISSIONS = runs(400, long=10_000)
ROOM = SUBMISSIONS // 2
CONNECTIONS = 64
SHOTS = 7
NO_RESPONSE = 0
OPTIONS = ("--limit", f"waiting_jobs={2 * SUBMISSIONS}")
JOB = {"device": "simulator", "program": BELL, "shots": SHOTS}


async def submit_all(
    servers: Sequence[LiveServer], token: str, *, with_keys: bool = False
) -> Counter[int]:
    """Send all submissions, and count the responses by status.

    With keys, one without a response is sent again under its key until it has one.
    """
    numbers = iter(range(SUBMISSIONS))
    found: Counter[int] = Counter()

    async def one(client: httpx.AsyncClient) -> None:
        for _ in numbers:
            headers = {"Idempotency-Key": str(uuid.uuid4())} if with_keys else {}
            while True:
                try:
                    answer = await client.post("/v1/jobs", json=JOB, headers=headers)
                    status = answer.status_code
                except httpx.TransportError:
                    status = NO_RESPONSE
                found[status] += 1
                if not with_keys or status not in (NO_RESPONSE, 503):
                    break
                await asyncio.sleep(0.05)

    urls = itertools.cycle([server.url for server in servers])
    async with asyncio.TaskGroup() as group:
        clients = []
        for url, _ in zip(urls, range(CONNECTIONS), strict=False):
            headers = {"Authorization": f"Bearer {token}"}
            limits = httpx.Limits(max_connections=1)
            client = httpx.AsyncClient(
                base_url=url, headers=headers, timeout=60, limits=limits, verify=False
            )
            clients.append(client)
            group.create_task(one(client))
    for client in clients:
        await client.aclose()
    return found


def set_budgets(server: LiveServer) -> None:
    """Give ada room for half of the submissions, and count their shots and their time, too."""
    plenty = 1e9

    async def put(admin: Admin) -> None:
        await budgets(admin).put("ada", "jobs", "total", ROOM)
        await budgets(admin).put("ada", "shots", "total", plenty, device="simulator")
        await budgets(admin).put("ada", "seconds", "total", plenty)

    server.as_admin(put)


def use_and_history(server: LiveServer) -> tuple[dict[str, int], dict[str, int]]:
    """Return what the budgets say was used, and the sums over the history of jobs."""

    def sums(tx: Tx) -> dict[str, int]:
        ((jobs, shots, micros),) = execute(
            tx,
            "select count(*), coalesce(sum(shots * n_circuits), 0), coalesce(sum(used_us), 0)"
            " from job where state = 'completed'",
        )
        return {"jobs": int(jobs), "shots": int(shots), "seconds": int(micros)}

    async def both(admin: Admin) -> tuple[dict[str, int], dict[str, int]]:
        states = await budgets(admin).all()
        used: dict[str, int] = {each.budget.unit: each.budget.used for each in states}
        return used, await admin.store._database.scan(sums)

    return server.as_admin(both)


def assert_settled(server: LiveServer) -> None:
    """Wait until all jobs have ended; what was used is then what the history says."""
    with server.client() as client:

        def ended() -> bool:
            waiting = client.get("/v1/jobs?state=queued,running&limit=1").json()["jobs"]
            return not waiting

        until(ended, "all jobs have ended", timeout_s=120)
    used, history = use_and_history(server)
    assert used == history
    assert used["jobs"] == ROOM
    assert used["shots"] == SHOTS * ROOM


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_exactly_as_many_jobs_are_accepted_as_the_budget_has_room_for(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    with (
        database_of(kind, request) as url,
        running_server(tmp_path, *OPTIONS, database_url=url) as server,
    ):
        token = server.token()
        set_budgets(server)
        found = asyncio.run(submit_all([server], token))
        assert found == {201: ROOM, 403: SUBMISSIONS - ROOM}
        assert_settled(server)


def test_two_servers_share_one_budget(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    with database_of("postgres", request) as url, ExitStack() as stack:
        servers = [
            stack.enter_context(running_server(tmp_path / str(number), *OPTIONS, database_url=url))
            for number in range(2)
        ]
        token = servers[0].token()
        set_budgets(servers[0])
        found = asyncio.run(submit_all(servers, token))
        assert found == {201: ROOM, 403: SUBMISSIONS - ROOM}
        assert_settled(servers[0])


@pytest.mark.parametrize("kind", databases(short="postgres"))
def test_a_killed_server_overdraws_and_loses_nothing(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    with database_of(kind, request) as url:
        server = LiveServer(tmp_path, *OPTIONS, database_url=url)
        token = server.token()
        set_budgets(server)

        async def with_kills() -> Counter[int]:
            task = asyncio.create_task(submit_all([server], token, with_keys=True))
            for _ in range(runs(1, long=5)):
                await asyncio.sleep(2.0 if IS_LONG else 0.3)
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
            return await task

        found = asyncio.run(with_kills())
        assert found.pop(NO_RESPONSE) > 0, "it was killed under load"
        found.pop(503, None)
        assert found == {201: ROOM, 403: SUBMISSIONS - ROOM}
        assert_settled(server)
        assert server.stop() == 0
