"""The client for event loops against a live server."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing
from typing import Any

import pytest

import qwicket
from qwicket.clients.native import ApiError, AsyncClient, JobFailed, WaitTimeout
from support.held import held_job
from support.programs import BELL
from support.server import LiveServer


def run(server: LiveServer, work: Any, account: str = "ada") -> Any:
    """Run `work(client)` in an event loop of its own."""

    async def main() -> Any:
        async with qwicket.aconnect(server.url, server.token(account)) as client:
            found: Coroutine[Any, Any, Any] = work(client)
            return await found

    return asyncio.run(main())


def test_fifty_jobs_at_once_have_a_result_each(server: LiveServer) -> None:
    async def work(client: AsyncClient) -> None:
        device = await client.device("simulator")
        jobs = await asyncio.gather(*(device.run(BELL, shots=10) for _ in range(50)))
        results = await asyncio.gather(*(job.result(timeout=60) for job in jobs))
        assert len({job.id for job in jobs}) == 50
        assert [sum(result.counts.values()) for result in results] == [10] * 50

    run(server, work)


def test_a_job_is_found_followed_and_listed(server: LiveServer) -> None:
    async def work(client: AsyncClient) -> None:
        held = held_job()
        job = await client.submit(held.program, "simulator", name="followed")
        assert await job.status in ("queued", "running")
        states = []
        async for event in job.events():
            states.append(event.state)
            held.release()
        assert states[-1] == job.state == await job.status == "completed"
        assert await job.position is None
        found = await client.job(job.id)
        assert found.url == job.url == f"{server.url}/ui/jobs/{job.id}"
        assert (await found.result(arrays=True)).arrays["counts"].sum() == 1000
        assert [each.id for each in await client.jobs(name="followed")] == [job.id]

    run(server, work)


def test_changes_are_streamed_and_jobs_deleted(server: LiveServer) -> None:
    async def work(client: AsyncClient) -> None:
        since = (await client.account())["change"]
        job = await client.submit(BELL, "simulator")
        async with aclosing(client.events(since)) as changes:
            async for change in changes:
                assert (change.job, change.number > since) == (job.id, True)
                if change.state == "completed":
                    break
        await job.delete()
        with pytest.raises(ApiError, match="not_found"):
            await client.job(job.id)

    run(server, work, server.unused("follower"))


def test_devices_and_calibrations_are_read(server: LiveServer) -> None:
    async def work(client: AsyncClient) -> None:
        assert "simulator" in [device.name for device in await client.devices()]
        device = await (await client.device("qwicket_line5")).refresh()
        assert (await device.calibration())["qubits"]["0"]["t1_s"] == 67e-6

    run(server, work)


def test_arrays_must_be_asked_for(server: LiveServer) -> None:
    async def work(client: AsyncClient) -> None:
        result = await (await client.submit(BELL, "simulator")).result()
        with pytest.raises(qwicket.clients.native.ClientError, match="arrays=True"):
            _ = result.arrays

    run(server, work)


def test_a_wait_that_is_over_or_cancelled_leaves_the_job_running(server: LiveServer) -> None:
    async def work(client: AsyncClient) -> None:
        job = await client.submit(held_job().program, "simulator")
        with pytest.raises(WaitTimeout, match=job.id):
            await job.wait(timeout=0.2)
        task = asyncio.create_task(job.wait())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not (await job.refresh()).is_final
        assert (await (await job.cancel()).wait(timeout=30)).state == "cancelled"
        with pytest.raises(JobFailed, match=job.id):
            await job.result()

    run(server, work)


def test_a_refusal_says_what_and_why(server: LiveServer) -> None:
    async def work(client: AsyncClient) -> None:
        with pytest.raises(ApiError) as caught:
            await client.submit("no program", "simulator")
        assert (caught.value.code, caught.value.status) == ("invalid_program", 400)

    run(server, work)
