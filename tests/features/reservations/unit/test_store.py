"""Reservations and maintenance windows: what they keep from starting, on both databases."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec import structs

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.features.reservations.store import ReservationStore, delete_ended
from qwicket.model.accounts import Token
from qwicket.model.errors import Conflict, NotFound, TooManyRequests
from qwicket.model.failures import Failure
from qwicket.model.jobs import JobQuery, Lease, Runner
from qwicket.model.states import JobState
from qwicket.store import JobChange, Store
from qwicket.store.sqlite import SQLite
from support.reservations import BEGIN, END, HOUR, reserve, window
from support.store_fixtures import OpenStore
from support.stores import NOW, add_job, execute, make_token, new_job, stored

pytestmark = pytest.mark.anyio


async def started(store: Store, now: int, device: str = "simulator", **how: Any) -> list[str]:
    return [
        each.lease.job for each in (await store.leases.claim(device, "runner", now, **how)).taken
    ]


@pytest.fixture
async def bob(store: Store) -> Token:
    return await make_token(store, "bob")


@pytest.mark.parametrize(
    ("now", "may_start"),
    [
        (BEGIN - 30_000, True),
        (BEGIN - 10_002, True),
        (BEGIN - 10_000, False),
        (BEGIN, False),
        (END - 1, False),
        (END, True),
    ],
)
async def test_a_window_keeps_jobs_of_others_from_starting(
    store: Store, ada: Token, bob: Token, runner: str, now: int, may_start: bool
) -> None:
    await reserve(store, "ada")
    job = await add_job(store, bob)
    assert (job.device in (await store.leases.claimable(now)).devices) is may_start
    assert await started(store, now) == [job.id] * may_start


@pytest.mark.both_databases
@pytest.mark.parametrize("now", [BEGIN - 10_000, BEGIN, END - 1, END])
async def test_the_jobs_of_its_projects_start_at_any_time(
    store: Store, ada: Token, bob: Token, runner: str, now: int
) -> None:
    await reserve(store, "ada")
    await add_job(store, bob)
    job = await add_job(store, ada, est_seconds=10_000.0)
    assert "simulator" in (await store.leases.claimable(now)).devices
    assert job.id in await started(store, now) + await started(store, now)


@pytest.mark.parametrize(
    ("est_seconds", "before_s", "may_start"),
    [(60.0, 121, True), (60.0, 119, False), (6.0, 17, True), (6.0, 15, False)],
)
async def test_jobs_that_may_still_run_when_it_begins_do_not_start(
    store: Store,
    ada: Token,
    bob: Token,
    runner: str,
    est_seconds: float,
    before_s: int,
    may_start: bool,
) -> None:
    await reserve(store, "ada")
    job = await add_job(store, bob, est_seconds=est_seconds)
    assert await started(store, BEGIN - 1000 * before_s) == [job.id] * may_start


async def test_a_shorter_job_of_the_same_project_starts_before_the_window(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    await reserve(store, "ada")
    await add_job(store, bob, est_seconds=100.0)
    short = await add_job(store, bob, est_seconds=1.0)
    assert await started(store, BEGIN - 60_000) == [short.id]


async def test_what_runs_when_it_begins_is_not_stopped(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    job = await add_job(store, bob)
    assert await started(store, NOW) == [job.id]
    await reserve(store, "ada", from_at=NOW)
    (held,) = await store.leases.held(runner)
    assert held.state is JobState.RUNNING


async def test_other_devices_are_not_concerned(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    await reserve(store, "ada")
    job = await add_job(store, bob, device="clifford")
    assert await started(store, BEGIN, "clifford") == [job.id]


@pytest.mark.both_databases
async def test_an_exclusive_one_concerns_all_its_devices(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    made = await reserve(store, "ada", is_exclusive=True, devices=("clifford", "simulator"))
    job = await add_job(store, bob, device="clifford")
    assert await started(store, BEGIN, "clifford") == []
    assert [await store.queues.may_start(job.id, now) for now in (BEGIN, END)] == [False, True]
    assert await store.feature(ReservationStore).of_device("clifford", NOW) == [made]


@pytest.mark.both_databases
async def test_what_is_reserved_for_a_project_is_also_for_those_below_it(
    store: Store, ada: Token, runner: str
) -> None:
    async def add(name: str) -> str:
        return (await store.accounts.add_project(name, 1, NOW)).id

    of_physics = [await add(name) for name in ("physics", "physics/lab")]
    others = [await add(name) for name in ("physics-2", "chemistry")]
    made = await reserve(store, "physics", "physics/lab", slots=1)
    of_physics += [await add(name) for name in ("physics/new", "physics/lab/anna")]
    reservations = store.feature(ReservationStore)
    (found,) = await reservations.of_device("simulator", NOW)
    assert found == await reservations.get(made.id)
    assert [*filter(found.permits, (*of_physics, *others))] == of_physics
    assert await reservations.project_names(made.id) == ["physics"]
    await store.accounts.add_member("physics/lab/anna", "ada")
    assert await reservations.project_names_for(made.id, ada.account) == ["physics/lab/anna"]
    jobs = [
        (await add_job(store, structs.replace(ada, project=each), est_seconds=1.0)).id
        for each in (*others, *of_physics)
    ]
    begun = [job for _ in range(6) for job in await started(store, BEGIN)]
    assert {*begun} == {*jobs[2:]}
    await reservations.remove(made.id, BEGIN)
    assert {job for _ in range(2) for job in await started(store, BEGIN)} == {*jobs[:2]}


async def test_short_jobs_of_others_do_not_use_the_express_slot(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    await reserve(store, "ada")
    await add_job(store, bob, express=True)
    own = await add_job(store, ada, express=True)
    taken = [
        each.lease.job
        for _ in range(2)
        for each in (await store.leases.claim_express({"simulator"}, runner, BEGIN)).taken
    ]
    assert taken == [own.id]


async def test_a_short_job_is_not_behind_another_of_its_account_that_may_not_start(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    """A student's job for the class starts, though one of his own came before."""
    await reserve(store, "ada")
    await add_job(store, bob, express=True)
    permitted = await add_job(store, bob, project=ada.project, express=True)
    (taken,) = (await store.leases.claim_express({"simulator"}, runner, BEGIN)).taken
    assert taken.lease.job == permitted.id


async def test_a_maintenance_window_keeps_every_job_from_starting(
    store: Store, ada: Token, runner: str
) -> None:
    await reserve(store, kind="maintenance")
    job = await add_job(store, ada)
    assert await started(store, BEGIN) == []
    assert await started(store, END) == [job.id]


async def test_others_use_the_slots_that_are_not_reserved(
    store: Store, ada: Token, bob: Token
) -> None:
    await store.leases.add_runner("runner", "server", NOW, slots=3)
    await reserve(store, "ada", slots=1)
    jobs = [await add_job(store, bob, est_seconds=1.0) for _ in range(3)]
    found = [await started(store, BEGIN) for _ in range(3)]
    assert found == [[jobs[0].id], [jobs[1].id], []]
    own = await add_job(store, ada, est_seconds=1.0)
    assert await started(store, BEGIN) == [own.id]
    assert await started(store, BEGIN) == []
    held = await store.leases.held("runner")
    other = next(each.lease for each in held if each.lease.job != own.id)
    await store.leases.release(other, "a test", BEGIN, counts_as_attempt=False)
    assert await started(store, BEGIN) != []


async def test_only_the_agents_slots_of_a_labs_device_count(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    agent = Runner("agent", "agent", 0, 1, "lab")
    await store.leases.add_runner("pilot", "pilot", NOW, slots=8)
    await asyncio.wrap_future(store.leases.record_heartbeat(agent, NOW))
    await reserve(store, "ada", device="lab", agent_device="lab", slots=1)
    await add_job(store, bob, device="lab")
    assert await started(store, BEGIN, "lab") == []


async def test_a_batch_of_tiny_jobs_takes_no_reserved_slots(
    store: Store, ada: Token, bob: Token
) -> None:
    await store.leases.add_runner("runner", "server", NOW, slots=2)
    await reserve(store, "ada", slots=1)
    for _ in range(4):
        await add_job(store, bob)
    assert len(await started(store, BEGIN, maximum=16)) == 1


async def test_a_released_job_of_another_project_waits_until_the_end(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    job = await add_job(store, bob)
    (taken,) = (await store.leases.claim("simulator", runner, BEGIN - HOUR // 2)).taken
    await reserve(store, "ada")
    lease: Lease = taken.lease
    await store.leases.release(lease, "its worker died", BEGIN, counts_as_attempt=False)
    assert (await stored(store, job)).state is JobState.QUEUED
    assert await started(store, BEGIN) == []
    assert await started(store, END) == [job.id]


async def test_the_next_due_time_is_the_end_of_the_present_window(
    store: Store, ada: Token, runner: str
) -> None:
    assert (await store.leases.claimable(NOW)).due_at is None
    await reserve(store, "ada")
    await reserve(store, "ada", from_at=END, until_at=END + HOUR, slots=1)
    assert (await store.leases.claimable(NOW)).due_at is None
    found = await store.leases.claimable(BEGIN)
    assert (found.due_at, found.reserves_slots) == (END, False)
    assert found.pause_s(END - 500, 2.0) == 0.5
    assert found.pause_s(BEGIN, 2.0) == 2.0
    assert found.pause_s(END + 1, 2.0) == 0.0
    found = await store.leases.claimable(END)
    assert (found.due_at, found.reserves_slots) == (END + HOUR, True)


async def test_a_device_has_one_reservation_at_a_time(store: Store, ada: Token) -> None:
    made = await reserve(store, "ada")
    with pytest.raises(Conflict, match=made.id):
        await reserve(store, "ada", from_at=END - 1, until_at=END + 1)
    with pytest.raises(Conflict, match=made.id):
        await reserve(store, "ada", from_at=BEGIN - 1, until_at=BEGIN + 1)
    await reserve(store, "ada", from_at=END, until_at=END + HOUR)
    await reserve(store, "ada", from_at=BEGIN - HOUR, until_at=BEGIN)
    await reserve(store, "ada", device="clifford")
    await reserve(store, kind="maintenance")


@pytest.mark.both_databases
async def test_a_refused_series_stores_nothing(store: Store, ada: Token) -> None:
    await reserve(store, "ada")
    new = [window(from_at=END, until_at=END + 1), window()]
    with pytest.raises(Conflict):
        await store.feature(ReservationStore).add(new, ["ada"])
    assert len(await store.feature(ReservationStore).all(NOW)) == 1


@pytest.mark.both_databases
async def test_a_reservation_is_listed_with_its_projects_until_it_ends(
    store: Store, ada: Token, bob: Token
) -> None:
    made = await reserve(store, "ada", "bob", reason="Exam 42", waiting_limit=3, slots=2)
    assert set(made.projects) == {ada.project, bob.project}
    (found,) = await store.feature(ReservationStore).all(END - 1)
    assert found.projects == made.projects
    assert (found.reason, found.waiting_limit, found.slots) == ("Exam 42", 3, 2)
    assert await store.feature(ReservationStore).get(made.id) == found
    assert await store.feature(ReservationStore).all(END) == []
    assert await store.feature(ReservationStore).of_device("simulator", NOW, BEGIN) == []
    assert await store.feature(ReservationStore).project_names(made.id) == ["ada", "bob"]
    assert await store.feature(ReservationStore).project_names_for(made.id, ada.account) == ["ada"]


async def test_reserving_for_an_unknown_project_is_refused(store: Store) -> None:
    with pytest.raises(NotFound, match="There is no project eve"):
        await reserve(store, "eve")


async def test_a_removed_reservation_keeps_nothing_from_starting(
    store: Store, ada: Token, bob: Token, runner: str
) -> None:
    made = await reserve(store, "ada")
    job = await add_job(store, bob)
    assert await started(store, BEGIN) == []
    await store.feature(ReservationStore).remove(made.id, NOW)
    assert await started(store, BEGIN) == [job.id]
    with pytest.raises(NotFound, match=made.id):
        await store.feature(ReservationStore).remove(made.id, NOW)
    rows = await store._database.write(lambda tx: execute(tx, "select * from reservation_device"))
    assert rows == []


@pytest.mark.both_databases
async def test_a_series_is_removed_as_a_whole_or_one_by_one(store: Store) -> None:
    new = [
        window(kind="maintenance", series="s", from_at=BEGIN + n * HOUR, until_at=END + n * HOUR)
        for n in range(3)
    ]
    first, *_ = await store.feature(ReservationStore).add(new, [])
    await store.feature(ReservationStore).remove(first.id, NOW)
    left = await store.feature(ReservationStore).all(NOW)
    assert len(left) == 2
    await store.feature(ReservationStore).remove(left[0].id, NOW, with_series=True)
    assert await store.feature(ReservationStore).all(NOW) == []


@pytest.mark.both_databases
async def test_an_upload_counts_in_an_exam_when_its_program_is_complete(
    store: Store, ada: Token
) -> None:
    draft = await add_job(store, ada, state=JobState.DRAFT, expires_at=NOW + HOUR)
    ready = new_job(ada, exam_waiting=1)
    waiting = await add_job(store, ada, exam_waiting=1)
    with pytest.raises(TooManyRequests, match="1 jobs waiting on simulator"):
        await store.jobs.admit(draft.id, ready)
    assert (await stored(store, draft)).state is JobState.DRAFT
    await store.jobs.cancel(waiting.id, actor=ada.account, now=NOW)
    assert (await store.jobs.admit(draft.id, ready)).state is JobState.QUEUED


@pytest.mark.both_databases
async def test_a_withheld_job_runs_for_its_readers_until_maintenance_releases_it(
    store: Store, ada: Token, runner: str
) -> None:
    job = await add_job(store, ada, withheld_until=END)
    (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
    published: list[JobChange] = []
    stop = store.changes.listen(published.append)
    result = RunResult((Encoded(b"body", b"sha"),), 0.1)
    ended = await store.leases.finish(assignment.lease, result, NOW + 5)
    assert (ended.state, ended.ended_at) == (JobState.COMPLETED, NOW + 5)
    shown = await stored(store, job)
    assert (shown.state, shown.ended_at) == (JobState.RUNNING, None)
    assert await store.maintenance.release_results(END - 1) == 0
    assert await store.maintenance.release_results(END) == 1
    assert await store.maintenance.release_results(END) == 0
    stop()
    shown = await stored(store, job)
    assert (shown.state, shown.ended_at) == (JobState.COMPLETED, NOW + 5)
    assert (shown.version, shown.withheld_until) == (ended.version + 1, None)
    await asyncio.sleep(0)
    assert [(each.state, each.row, each.results) for each in published] == [
        (JobState.RUNNING, None, None),
        (JobState.COMPLETED, shown, None),
    ]


async def test_the_end_of_a_job_without_results_is_published_once(
    store: Store, ada: Token, runner: str
) -> None:
    job = await add_job(store, ada, withheld_until=END)
    published: list[JobChange] = []
    stop = store.changes.listen(published.append)
    await store.jobs.cancel(job.id, actor=ada.account, now=NOW)
    assert await store.maintenance.release_results(END) == 1
    stop()
    await asyncio.sleep(0)
    assert [(each.state, each.keeps_state) for each in published] == [
        (JobState.CANCELLED, False),
        (JobState.CANCELLED, True),  # so that viewers read it again, and webhooks say nothing
    ]


@pytest.mark.both_databases
async def test_a_list_of_running_jobs_has_those_that_are_withheld(
    store: Store, ada: Token, runner: str
) -> None:
    jobs = [await add_job(store, ada, withheld_until=END, tags=("x",)) for _ in range(3)]
    for _ in jobs[:2]:
        (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
        result = RunResult((Encoded(b"body", b"sha"),), 0.1)
        await store.leases.finish(assignment.lease, result, NOW + 5)
    await store.leases.claim("simulator", runner, NOW)
    newest = [job.id for job in reversed(jobs)]
    running = JobQuery(states=(JobState.RUNNING,))
    of_ada = structs.replace(running, account=ada.account)
    for query in (running, of_ada, structs.replace(of_ada, tags=("x",))):
        assert [job.id for job in await store.jobs.page_of_all(query)] == newest
        first = await store.jobs.page_of_all(structs.replace(query, limit=2))
        assert [job.id for job in first] == newest[:2]
    assert await store.jobs.tally_up_to_limit(of_ada) == {JobState.RUNNING: 3}
    ended = structs.replace(of_ada, states=(JobState.FAILED, JobState.COMPLETED))
    assert await store.jobs.page_of_all(ended) == []


@pytest.mark.both_databases
async def test_a_job_that_failed_in_part_has_no_results_until_maintenance_releases_it(
    store: Store, ada: Token, runner: str
) -> None:
    job = await add_job(store, ada, n_circuits=2, withheld_until=END)
    (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
    completion = (Encoded(b"body", b"sha"), Failure("out_of_memory", "too big"))
    await store.leases.finish(assignment.lease, RunResult(completion, 0.1), NOW + 5)
    parts = list(completion)
    assert (await stored(store, job)).state is JobState.FAILED
    for number, count in ((None, 1), (0, 1), (1, 1), (0, 2)):
        assert await store.jobs.results(job.id, number, count=count) == []
    assert (await store.jobs.sizes(job.id)).results == 0
    assert await store.maintenance.release_results(END) == 1
    assert await store.jobs.results(job.id) == parts
    assert await store.jobs.results(job.id, 0) == parts[:1]
    assert await store.jobs.results(job.id, 0, count=2) == parts
    assert (await store.jobs.sizes(job.id)).results == len(b"body")


@pytest.mark.both_databases
async def test_an_exam_that_is_removed_withholds_nothing_longer(store: Store, ada: Token) -> None:
    made = await reserve(store, "ada", waiting_limit=5, withholds_results=True)
    job = await add_job(store, ada, withheld_until=END)
    other = await add_job(store, ada, device="clifford", withheld_until=END)
    await store.feature(ReservationStore).remove(made.id, NOW + 1)
    assert (await stored(store, job)).withheld_until == NOW + 1
    assert (await stored(store, other)).withheld_until == END


@pytest.mark.both_databases
async def test_windows_that_ended_are_deleted_by_maintenance(store: Store, ada: Token) -> None:
    made = await reserve(store, "ada")
    later = 7 * 24 * HOUR
    await delete_ended(store, END - 1 + later)
    assert await store.feature(ReservationStore).get(made.id) is not None
    await delete_ended(store, END + later)
    assert await store.feature(ReservationStore).get(made.id) is None


async def test_a_reservation_of_one_server_counts_at_once_at_the_others(
    open_store: OpenStore, store: Store, ada: Token, bob: Token, runner: str
) -> None:
    if isinstance(store._database, SQLite):
        return  # one server alone
    other = open_store()
    job = await add_job(store, bob)
    made = await reserve(other, "ada", from_at=NOW)
    assert await started(store, NOW) == []
    await other.reservations.remove(made.id, NOW)
    assert await started(store, NOW) == [job.id]
    await other.close()
