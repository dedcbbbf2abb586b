"""Tasks that a server needs until it stops survive errors of the database that are not outages."""

from __future__ import annotations

import asyncio
import time

import psycopg
import pytest

from qwicket.model.jobs import Runner
from qwicket.scheduling import LivenessMonitor, MaintenanceLoop
from qwicket.scheduling.heartbeat import Heartbeat
from qwicket.store import Store, open_postgres
from support.postgres import PostgresServer
from support.stores import NOW

pytestmark = pytest.mark.anyio

LEASE_S = 0.4


async def beats(store: Store) -> dict[str, int]:
    return {runner.id: runner.beat for runner in await store.leases.runners()}


async def test_a_server_goes_on_after_a_table_was_missing_for_a_while(
    postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    with postgres.database() as url, psycopg.connect(url, autocommit=True) as operator:
        store = open_postgres(url)
        await store.leases.add_runner("me", "server", NOW)
        heartbeat = Heartbeat(
            store.leases, Runner("me", "server", 0, 0), lambda: NOW, lease_s=LEASE_S
        )
        liveness = LivenessMonitor(store, "me", lambda: NOW, time.monotonic, lease_s=LEASE_S)
        maintenance = MaintenanceLoop(store, "me", lambda: NOW, keep_days=None, every_s=0.1)
        tasks = [asyncio.create_task(each.run()) for each in (liveness, maintenance)]
        heartbeat.start()
        operator.execute("alter table runner rename to restored")  # as a restore begins
        failures = (
            "a heartbeat was not stored",
            "the heartbeats of runners could not be read",
            "maintenance failed and is retried",
        )
        async with asyncio.timeout(30):
            while not all(failure in caplog.text for failure in failures):
                await asyncio.sleep(0.05)
        operator.execute("alter table restored rename to runner")
        await store.leases.add_runner("dead", "server", NOW)
        before = (await beats(store))["me"]
        async with asyncio.timeout(30):
            while "dead" in (found := await beats(store)) or found["me"] < before + 2:
                await asyncio.sleep(0.05)
        assert not any(task.done() for task in tasks)
        for task in tasks:
            task.cancel()
        await asyncio.to_thread(heartbeat.stop)
        await store.close()
