"""A made-up site of ten devices: the reasons of waiting jobs agree with what starts next."""

from __future__ import annotations

import random
from math import inf
from typing import NamedTuple

import msgspec
import pytest

from qwicket import devices
from qwicket.gateway import Gateway
from qwicket.gateway.queue import Queue
from qwicket.model.accounts import Token
from qwicket.model.devices import DeviceStatus
from qwicket.model.ids import new_id
from qwicket.model.jobs import (
    ALL_PROJECTS,
    Capacity,
    Holder,
    Job,
    JobQuery,
    Lease,
    Projects,
    Runner,
)
from qwicket.model.limits import INT64_MAX
from qwicket.model.states import JobState
from qwicket.scheduling import Dispatcher, Forecaster, QueuePosition
from qwicket.store import Store
from support.hand_driver import HandDriver
from support.stores import NOW, add_job, make_token
from unit.gateway.conftest import Clock

_ALONE = "copies of the core alone have no features"
BudgetStore = pytest.importorskip("qwicket.features.budgets.store", reason=_ALONE).BudgetStore
reserve = pytest.importorskip("support.reservations", reason=_ALONE).reserve
pytestmark = pytest.mark.anyio

MINUTE, HOUR = 60_000, 3_600_000
MEMORY = 1 << 30
SLOTS = 3
SERVED = (
    *("plain", "other", "off", "returning", "paused", "draining", "reserved", "partly"),
    "maintained",
)
NEXT = "it is the next job of its device"


class Waiting(NamedTuple):
    """A waiting job, and what was said of it; None for a held one."""

    job: Job
    said: QueuePosition | None

    @property
    def is_free(self) -> bool:
        """Whether nothing keeps it from starting but the jobs before it."""
        return self.said is not None and not self.said.obstacles


async def make_site(store: Store) -> list[tuple[Token, str]]:
    """Make the devices with what keeps their jobs from starting; return members and projects."""
    (like,) = [each for each in devices.built_in() if each.name == "simulator"]
    made = [msgspec.structs.replace(like, name=name) for name in SERVED]
    await store.devices.seed(
        [*made, msgspec.structs.replace(like, name="lab", driver="agent")], "file"
    )
    for name, status in (
        ("off", DeviceStatus(is_on=False, reason="new fridge")),
        ("returning", DeviceStatus(is_on=False, reason="coffee", until_at=NOW + 10 * MINUTE)),
        ("paused", DeviceStatus(is_on=False, is_paused=True, reason="calibration")),
        ("draining", DeviceStatus(is_draining=True, reason="moves")),
    ):
        await store.devices.set_status(name, status, NOW)
    ada, ben, cyd = [await make_token(store, name) for name in ("ada", "ben", "cyd")]
    await store.accounts.add_member("ada", "ben")
    await store.accounts.change_member("ada", "ben", shares=2)
    await store.accounts.set_shares("cyd", 3)
    await store.feature(BudgetStore).put(new_id(NOW), "cyd", "", "shots", "total", 10_000_000, NOW)
    until = {"from_at": NOW, "until_at": NOW + HOUR, "drain_ms": 0}
    await reserve(store, "cyd", device="reserved", reason="Exam 42", **until)
    await reserve(store, "cyd", device="partly", slots=2, **until)
    later = {"from_at": NOW + 10 * MINUTE, "until_at": NOW + HOUR, "drain_ms": 0}
    await reserve(store, device="maintained", kind="maintenance", **later)
    await store.leases.register(Runner("here", "server", 0, SLOTS, memory_bytes=MEMORY), NOW)
    return [(ada, ada.project), (ben, ada.project), (ben, ben.project), (cyd, cyd.project)]


async def add_jobs(store: Store, rng: random.Random, members: list[tuple[Token, str]]) -> None:
    for device in (*SERVED, "lab"):
        for _ in range(rng.randrange(8, 15)):
            token, project = rng.choice(members)
            job = await add_job(
                *(store, token),
                project=project,
                device=device,
                est_bytes=rng.choice([1 << 20, 1 << 20, MEMORY, MEMORY + 1]),
                # No two are due at the same time.
                est_seconds=rng.choice([1.0, 20.0, 400.0]) * rng.uniform(1, 1.1),
                priority=rng.choice([0, 0, 0, 5, -5]),
            )
            if rng.random() < 0.15:
                holder: Holder = "owner" if rng.random() < 0.5 else "admin"
                await store.queue_control.hold(job.id, holder, actor="", now=NOW)


async def look(gateway: Gateway, store: Store, device: str) -> dict[str, Waiting]:
    """Return the waiting jobs of a device with what is said of them now."""
    store.changes.resync()  # forecasts are made anew
    query = JobQuery(device=device, states=(JobState.QUEUED,), limit=100)
    jobs = await store.jobs.page_of_all(query)
    return {job.id: Waiting(job, await gateway.queue.position(job)) for job in jobs}


@pytest.mark.parametrize("seed", range(3))
async def test_what_is_said_of_each_waiting_job_agrees_with_what_the_dispatcher_starts(
    seed: int, gateway: Gateway, store: Store, clock: Clock
) -> None:
    rng = random.Random(seed)
    await add_jobs(store, rng, await make_site(store))
    dispatcher = Dispatcher(
        *(store, HandDriver(SLOTS), SERVED, "here", clock), capacity=Capacity(MEMORY)
    )
    seen: set[str] = set()
    for moment in (NOW, NOW + 10 * MINUTE, NOW + HOUR):
        clock.ms = moment
        if moment == NOW + HOUR:
            for name in ("off", "paused"):
                await store.devices.set_status(name, DeviceStatus(), moment)
        for device in SERVED:
            await start_all(gateway, store, dispatcher, device, seen)
        for waiting in (await look(gateway, store, "lab")).values():
            assert waiting.said is None or "no agent serves the device" in waiting.said.obstacles
    left = [each for device in SERVED for each in (await look(gateway, store, device)).values()]
    assert all(each.job.is_held or each.job.est_bytes > MEMORY for each in left)
    texts = " ".join(seen)
    for expected in (
        *("device is off: new fridge", "off until", "device is paused: calibration", "Exam 42"),
        *("2 slots reserved", "maintenance from", "maintenance until", "MiB of memory"),
        *("of its account", "of other members of its project", "other projects"),
    ):
        assert expected in texts


async def start_all(
    gateway: Gateway, store: Store, dispatcher: Dispatcher, device: str, seen: set[str]
) -> None:
    """Let the dispatcher start what it can on a device; compare each start with what was said."""
    running = []
    while True:
        said = await look(gateway, store, device)
        for each in said.values():
            assert (each.said is None) == each.job.is_held
            seen.update(each.said.reasons if each.said else ())
            assert each.said is None or each.said.reasons, "each has a reason"
        free = {name: each for name, each in said.items() if each.is_free}
        first = [each.job.id for each in said.values() if each.said and each.said.turn == NEXT]
        assert {*first} <= free.keys()
        (taken, _) = await dispatcher._claim_from(device, 1)
        if not taken:
            assert not free, "nothing but other jobs was said to keep it, and it did not start"
            break
        running.append(taken[0].lease)
        assert first == [taken[0].lease.job]
        then = await look(gateway, store, device)
        if {each.job.id for each in then.values() if each.is_free} | {*first} == {*free}:
            for name, each in free.items():  # what starts before the others is one job less
                assert name in first or ahead(then[name]) == ahead(each) - 1
        if len(running) == SLOTS:
            await stop(store, running.pop(0))
    for lease in running:
        await stop(store, lease)


def ahead(waiting: Waiting) -> int:
    assert waiting.said
    return waiting.said.ahead


async def stop(store: Store, lease: Lease) -> None:
    """Cancel a running job, so that no run time corrects the estimates."""
    await store.jobs.cancel(lease.job, actor="", now=NOW)
    await store.leases.release(lease, "cancelled", NOW, counts_as_attempt=False)


async def test_the_jobs_of_which_no_worker_is_said_to_take_any_are_those_that_stay(
    gateway: Gateway, store: Store
) -> None:
    rng, seen = random.Random(1), set[str]()
    members = [await make_token(store, name) for name in ("ada", "ben", "cyd")]
    some = frozenset(each.project for each in members[:2])
    for turn in range(12):
        workers = [
            Runner(
                *(f"{turn}-{number}", "pilot", 0, 1),
                task_bytes=rng.choice([None, 1 << 20, 1 << 20]),
                ends_at=rng.choice([None, NOW, NOW + MINUTE]),
                projects=rng.choice([ALL_PROJECTS, Projects(some), Projects(some, are_left=False)]),
            )
            for number in range(3)
        ]
        for each in workers:
            await store.leases.register(each, NOW)
        for _ in range(12):
            est_bytes, est_seconds = rng.choice([1 << 20, MEMORY]), rng.choice([1.0, 400.0])
            await add_job(
                *(store, rng.choice(members)), est_bytes=est_bytes, est_seconds=est_seconds
            )
        said = await look(gateway, store, "simulator")
        seen.update(*[each.said.obstacles for each in said.values() if each.said])
        taken = {job for each in workers for job in await take_all(store, each)}
        assert taken == {job for job, each in said.items() if each.is_free}
        for each in workers:
            await store.leases.void_runner(each.id, NOW)
        for job in said:
            await store.jobs.cancel(job, actor="", now=NOW)
    texts = " ".join(seen)
    for expected in ("takes this project's jobs", "MiB of memory", "s left", "for such jobs"):
        assert expected in texts


async def take_all(store: Store, worker: Runner) -> list[str]:
    """Let a worker claim all jobs that it takes; return their ids."""
    left_s = inf if worker.ends_at is None else (worker.ends_at - NOW) / 1000
    capacity = Capacity(worker.task_bytes or INT64_MAX, left_s, worker.projects)
    found: list[str] = []
    while taken := (await store.leases.claim("simulator", worker.id, NOW, capacity=capacity)).taken:
        found += [each.lease.job for each in taken]
    return found


async def test_a_job_behind_very_many_has_an_estimated_position_and_its_reasons(
    gateway: Gateway, store: Store, clock: Clock
) -> None:
    ada, ben = await make_token(store, "ada"), await make_token(store, "ben")
    await store.leases.register(Runner("here", "server", 0, SLOTS, memory_bytes=MEMORY), NOW)
    jobs = [await add_job(store, ada, est_seconds=1.0) for _ in range(20)]
    for _ in range(5):
        await add_job(store, ben, est_seconds=1.0)
    forecaster = Forecaster(store, clock, max_jobs=6)
    queue = Queue(store, gateway._admission, forecaster, clock)
    last, huge = jobs[-1], await add_job(store, ada, est_bytes=MEMORY + 1, priority=-1)
    said = await queue.position(last)
    assert said is not None
    assert said.ahead == 19 + 5
    assert said.reasons == ("about 24 jobs start before it by turns",)
    assert said.start_in_s is not None
    assert 5 < said.start_in_s < 9
    first = await queue.position(jobs[0])
    assert first is not None
    assert first.ahead <= 1
    await store.devices.set_status("simulator", DeviceStatus(is_on=False, reason="moves"), NOW)
    store.changes.resync()
    said = await queue.position(huge)
    assert said is not None
    assert said.reasons == ("the device is off: moves", "about 25 jobs start before it by turns")
    assert said.start_in_s is None
