from __future__ import annotations

import asyncio

import pytest

from qwicket.model.accounts import Token
from qwicket.model.jobs import Job
from qwicket.model.states import FINAL, JobState
from qwicket.store import Changes, JobChange, Store
from support.stores import NOW, add_job

pytestmark = pytest.mark.anyio

CHANGE = JobChange("job", 2, JobState.RUNNING, "simulator")


def written(job: Job) -> JobChange:
    return JobChange(job.id, job.version, job.state, job.device, job)


async def test_a_watch_wakes_for_its_job_alone() -> None:
    hub = Changes()
    with hub.watch("job") as watch, hub.watch("other") as other:
        hub.publish([CHANGE])
        assert await watch.changed(5)
        assert not await other.changed(0.01)


async def test_the_watch_of_a_device_wakes_for_all_of_its_jobs() -> None:
    hub = Changes()
    with hub.watch_device("simulator") as watch, hub.watch_device("other") as other:
        hub.publish([CHANGE, CHANGE._replace(job="another")])
        assert await watch.changed(5)
        assert not await other.changed(0.01)
    assert not hub._watches


async def test_a_waiter_for_the_end_wakes_for_no_other_change() -> None:
    hub = Changes()
    with hub.watch("job", awaits_end=True) as watch:
        hub.publish([CHANGE, CHANGE._replace(state=JobState.CANCELLING)])
        assert not await watch.changed(0.01)
        for state in FINAL:
            hub.publish([CHANGE._replace(state=state)])
            assert await watch.changed(5)
        hub.resync()
        assert await watch.changed(5)


async def test_a_change_before_the_wait_is_not_missed() -> None:
    hub = Changes()
    with hub.watch("job") as watch:
        hub.publish([CHANGE, CHANGE])
        assert await watch.changed(5)
        assert not await watch.changed(0.01)


async def test_all_watches_of_a_job_wake() -> None:
    hub = Changes()
    with hub.watch("job") as one, hub.watch("job") as two:
        hub.publish([CHANGE])
        assert all(await asyncio.gather(one.changed(5), two.changed(5)))


async def test_a_watch_that_ended_leaves_nothing_behind() -> None:
    hub = Changes()
    with hub.watch("job"):
        pass
    assert not hub._watches


async def test_closing_ends_every_wait_at_once() -> None:
    hub = Changes()
    with hub.watch("job") as watch:
        waiting = asyncio.create_task(watch.changed(60))
        await asyncio.sleep(0)
        hub.close()
        async with asyncio.timeout(30):
            assert not await waiting
            assert not await watch.changed(60)


async def test_a_listener_hears_of_its_states_alone() -> None:
    hub = Changes()
    heard: list[JobChange] = []
    stop = hub.listen(heard.append, JobState.QUEUED, JobState.FAILED)
    changes = [CHANGE._replace(state=state) for state in JobState]
    hub.publish(changes)
    assert [change.state for change in heard] == [JobState.QUEUED, JobState.FAILED]
    stop()
    stop()
    hub.publish(changes)
    assert len(heard) == 2


async def test_a_listener_receives_all_changes_until_it_stops() -> None:
    hub = Changes()
    heard: list[JobChange] = []
    stop = hub.listen(heard.append)
    hub.publish([CHANGE])
    stop()
    hub.publish([CHANGE])
    assert heard == [CHANGE]


async def test_the_watch_of_an_account_wakes_for_its_jobs_and_for_jobs_of_unknown_accounts(
    store: Store, ada: Token
) -> None:
    job = await add_job(store, ada)
    hub = Changes()  # that of the store wakes all once it listens to PostgreSQL
    with hub.watch_account(ada.account) as mine, hub.watch_account("grace") as other:
        hub.publish([written(job)])
        assert await mine.changed(5)
        assert not await other.changed(0.01)
        hub.publish([JobChange(job.id, 1, job.state, job.device)])  # as of another server
        assert await mine.changed(5)
        assert await other.changed(5)
    assert not hub._account_watches


async def test_the_watch_of_an_account_wakes_for_what_the_store_has_written(
    store: Store, ada: Token
) -> None:
    with store.changes.watch_account(ada.account) as mine:
        await add_job(store, ada)
        assert await mine.changed(5)


async def test_a_watch_begins_with_what_was_just_written(store: Store, ada: Token) -> None:
    hub = Changes(remembered_s=60.0)  # the store's own: 0.1 s, or until it connects
    store.changes.listen(lambda change: hub.publish([change]))
    job = await add_job(store, ada)
    with hub.watch(job.id) as watch:
        assert watch.latest is not None
        assert watch.latest.row == job
    await store.jobs.cancel(job.id, actor="ada", now=NOW)
    with hub.watch(job.id) as watch:
        assert watch.latest is None


@pytest.mark.parametrize("what", ["another server's word", "a resync", "time"])
async def test_what_may_have_changed_elsewhere_is_not_remembered(
    store: Store, ada: Token, what: str
) -> None:
    job = await add_job(store, ada)
    hub = Changes(remembered_s=0.0 if what == "time" else 60.0)
    hub.publish([written(job)])
    if what == "another server's word":
        hub.publish([JobChange(job.id, 2, JobState.RUNNING, job.device)])
    elif what == "a resync":
        hub.resync()
    with hub.watch(job.id) as watch:
        assert watch.latest is None


async def test_a_bounded_number_of_jobs_is_remembered(store: Store, ada: Token) -> None:
    hub = Changes(max_remembered=10)
    for _ in range(25):
        hub.publish([written(await add_job(store, ada))])
    assert 0 < len(hub._remembered) <= 10
