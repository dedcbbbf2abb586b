"""How often a cloud is asked for the states of its jobs."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence

import pytest

from qwicket.drivers.remote.clouds import CloudError, NoSuchJob, RemoteStatus, Statuses
from qwicket.drivers.remote.failures import read_one_by_one
from qwicket.drivers.remote.poller import Poller

POLL_S = 0.3


class Cloud:
    """Says that each job has ended once it is old enough; notes when it was asked."""

    def __init__(self, took_s: float = 0.0) -> None:
        self.asked: list[tuple[float, tuple[str, ...]]] = []
        self.began: dict[str, float] = {}
        self.took_s = took_s
        self.failures = 0

    async def statuses(self, ids: Sequence[str]) -> dict[str, RemoteStatus | NoSuchJob]:
        now = time.monotonic()
        self.asked.append((now, tuple(ids)))
        if self.failures:
            self.failures -= 1
            raise CloudError("busy")
        return {
            each: RemoteStatus("completed")
            if now - self.began.setdefault(each, now) >= self.took_s
            else RemoteStatus("running")
            for each in ids
        }

    @property
    def pauses(self) -> list[float]:
        times = [at for at, _ in self.asked]
        return [after - before for before, after in itertools.pairwise(times)]


@pytest.mark.anyio
async def test_jobs_one_after_another_are_asked_for_no_more_often_than_allowed() -> None:
    cloud = Cloud()
    poller = Poller(cloud.statuses, POLL_S)
    for k in range(4):
        assert (await poller.end_of(str(k), "mark")).state == "completed"
    assert len(cloud.asked) == 4
    assert min(cloud.pauses) >= POLL_S - 0.01


@pytest.mark.anyio
@pytest.mark.parametrize("failures", [0, 2])
async def test_a_cloud_that_is_asked_once_an_hour_is_asked_once_an_hour(failures: int) -> None:
    """The longest pause, a minute, is for clouds that are asked more often."""
    cloud = Cloud(took_s=3600.0)
    cloud.failures = failures
    poller = Poller(cloud.statuses, 3600.0)
    assert [await poller._poll(("7",)) for _ in range(3)] == [3600.0] * 3


@pytest.mark.anyio
async def test_many_jobs_share_each_question() -> None:
    cloud = Cloud(took_s=0.5)
    poller = Poller(cloud.statuses, POLL_S)
    waits = [asyncio.create_task(poller.end_of(str(k), "mark")) for k in range(50)]
    await asyncio.gather(*waits)
    assert len(cloud.asked[0][1]) == 50
    assert min(cloud.pauses) >= POLL_S - 0.01
    assert len(cloud.asked) <= 5


@pytest.mark.anyio
async def test_the_state_of_another_job_is_returned_at_once() -> None:
    async def statuses(ids: Sequence[str]) -> Statuses:
        return {each: RemoteStatus("waiting", marker="other") for each in ids}

    poller = Poller(statuses, 0.05)
    assert (await asyncio.wait_for(poller.end_of("a", "mark"), 5)).marker == "other"
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(poller.end_of("a", "other"), 0.5)
    poller.close()


@pytest.mark.anyio
async def test_a_failure_is_followed_by_a_longer_pause() -> None:
    cloud = Cloud()
    cloud.failures = 1
    poller = Poller(cloud.statuses, POLL_S)
    assert (await poller.end_of("a", "mark")).state == "completed"
    assert cloud.pauses[0] >= 2 * POLL_S - 0.01


@pytest.mark.anyio
async def test_a_job_whose_state_cannot_be_read_hides_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cloud = Cloud()

    def read(id: str) -> RemoteStatus:
        if id == "bad":
            raise CloudError("its record is broken")
        if id == "odd":
            raise KeyError("status")
        if id == "gone":
            raise NoSuchJob(id)
        return RemoteStatus("completed")

    async def statuses(ids: Sequence[str]) -> Statuses:
        await cloud.statuses(ids)
        return read_one_by_one(ids, read)

    poller = Poller(statuses, 0.05)
    stuck = [asyncio.create_task(poller.end_of(each, "mark")) for each in ("bad", "odd")]
    gone = asyncio.create_task(poller.end_of("gone", "mark"))
    await asyncio.sleep(0)  # they are the first
    for k in range(3):
        assert (await asyncio.wait_for(poller.end_of(str(k), "mark"), 5)).state == "completed"
    with pytest.raises(NoSuchJob):
        await asyncio.wait_for(gone, 5)
    assert cloud.asked[0][1][0] == "bad"
    assert cloud.asked[1][1][0] == "gone", "the others come first"
    assert [each.message for each in caplog.records if each.levelname == "WARNING"] == [
        "states of forwarded jobs could not be read: its record is broken",
        "states of forwarded jobs could not be read: the response was not understood (KeyError)",
    ], "the log says it once"
    for each in stuck:
        assert not each.done()
        each.cancel()
    poller.close()


@pytest.mark.anyio
@pytest.mark.parametrize("retry_after_s", [0.0, 0.4])
async def test_a_cloud_that_is_busy_is_asked_for_few_jobs_and_left_alone(
    retry_after_s: float,
) -> None:
    asked: list[tuple[float, str]] = []
    is_busy = True

    def read(id: str) -> RemoteStatus:
        asked.append((time.monotonic(), id))
        if is_busy and id != "0":
            raise CloudError("busy", retry_after_s)
        return RemoteStatus("completed")

    async def statuses(ids: Sequence[str]) -> Statuses:
        return read_one_by_one(ids, read)

    poller = Poller(statuses, 0.05)
    waits = [asyncio.create_task(poller.end_of(str(k), "mark")) for k in range(10)]
    await asyncio.wait_for(waits[0], 5)
    is_busy = False
    assert len(asked) == 1 + (1 if retry_after_s else 3)
    waits.append(asyncio.create_task(poller.end_of("new", "mark")))
    await asyncio.wait_for(asyncio.gather(*waits), 5)
    n = len(asked)
    assert sorted(id for _, id in asked[n - 10 :]) == sorted([*map(str, range(1, 10)), "new"])
    assert asked[n - 10][0] - asked[n - 11][0] >= max(retry_after_s, 0.05) - 0.01


@pytest.mark.anyio
async def test_a_job_is_gone_after_three_answers() -> None:
    asked = 0

    async def statuses(ids: Sequence[str]) -> dict[str, RemoteStatus | NoSuchJob]:
        nonlocal asked
        asked += 1
        return {each: NoSuchJob(each) for each in ids}

    poller = Poller(statuses, 0.05)
    with pytest.raises(NoSuchJob):
        await poller.end_of("a", "mark")
    assert asked == 3


@pytest.mark.anyio
async def test_a_cloud_may_show_a_job_late() -> None:
    asked = 0

    async def statuses(ids: Sequence[str]) -> Statuses:
        nonlocal asked
        asked += 1
        gone: Statuses = {each: NoSuchJob(each) for each in ids}
        return gone if asked <= 6 else {each: RemoteStatus("completed") for each in ids}

    poller = Poller(statuses, 0.05, settle_s=3.0)
    assert (await asyncio.wait_for(poller.end_of("a", "mark"), 5)).state == "completed"


@pytest.mark.anyio
async def test_a_run_that_lost_its_lease_takes_no_answer_from_the_next_one() -> None:
    """After a pause of this server both wait for one job, until the first hears of its loss."""
    has_ended = False

    async def statuses(ids: Sequence[str]) -> Statuses:
        state = RemoteStatus("completed" if has_ended else "running")
        return dict.fromkeys(ids, state)

    poller = Poller(statuses, 0.05)
    first = asyncio.create_task(poller.end_of("a", "mark"))
    await asyncio.sleep(0)
    second = asyncio.create_task(poller.end_of("a", "mark"))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    has_ended = True
    assert (await asyncio.wait_for(second, 5)).state == "completed"
