"""Reservations and maintenance windows, as administrators make them and users see them."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from qwicket.features.reservations.service import ReservationAdmin, Window
from qwicket.gateway import Gateway
from qwicket.model.accounts import Actor, Scope
from qwicket.model.errors import (
    Conflict,
    DeviceOff,
    Forbidden,
    InvalidRequest,
    NotFound,
    TooManyRequests,
)
from qwicket.model.jobs import Job, Submission
from qwicket.store import Store
from support.stores import NOW, add_job, make_token
from unit.gateway.conftest import Clock, admin, clock, gateway, store

__all__ = ["admin", "clock", "gateway", "store"]

pytestmark = pytest.mark.anyio

HOUR = 3_600_000
BELL = (
    b'{"qubits": 2, "circuit": [{"gate": "h", "target": 0},'
    b' {"gate": "cnot", "control": 0, "target": 1}]}'
)
UNTIL = "2025-10-09 09:53 UTC"
"""The end of a window of an hour from `NOW`."""


async def actor(store: Store, name: str) -> Actor:
    token = await make_token(store, name)
    return Actor(
        account=token.account,
        account_name=name,
        role="member",
        project=token.project,
        token=token.id,
        scopes=frozenset(Scope),
        devices=frozenset(),
    )


@pytest.fixture
async def ada(store: Store) -> Actor:
    return await actor(store, "ada")


@pytest.fixture
async def bob(store: Store) -> Actor:
    return await actor(store, "bob")


async def submit(gateway: Gateway, of: Actor, **changes: Any) -> Job:
    new = Submission(
        dialect="native", device="simulator", format="ionq.circuit.v1", source=BELL, shots=10
    )
    return await gateway.jobs.submit(of, structs.replace(new, **changes))


def reservations(gateway: Gateway) -> ReservationAdmin:
    return ReservationAdmin(gateway.store, gateway.now_ms)


async def reserve(gateway: Gateway, *projects: str, **how: Any) -> Window:
    given: dict[str, Any] = {"from_at": None, "until_at": NOW + HOUR, **how}
    return await reservations(gateway).reserve("simulator", projects, **given)


async def reason(gateway: Gateway, job: Job) -> str:
    position = await gateway.queue.position(job)
    assert position is not None
    return position.reason


@pytest.mark.needs_vendors
async def test_a_waiting_job_says_for_what_the_device_is_reserved(
    gateway: Gateway, store: Store, ada: Actor, bob: Actor, clock: Clock
) -> None:
    await store.accounts.add_member("ada", "bob")
    await store.leases.add_runner("runner", "server", NOW, slots=1)
    await reserve(gateway, "ada", reason="Exam 42")
    carol = await actor(store, "carol")
    jobs = [await submit(gateway, each) for each in (ada, bob, carol)]
    assert [await reason(gateway, job) for job in jobs] == [
        "",
        f"reserved for ada until {UNTIL}: Exam 42",
        f"reserved until {UNTIL}: Exam 42",
    ]
    position = await gateway.queue.position(jobs[1])
    assert position is not None
    assert position.start_in_s == pytest.approx(3_600.0, abs=0.01)
    clock.ms += HOUR
    assert await reason(gateway, jobs[1]) == ""


@pytest.mark.needs_vendors
async def test_a_job_that_may_still_run_at_the_begin_says_so(
    gateway: Gateway, ada: Actor, bob: Actor
) -> None:
    await reserve(gateway, "ada", from_at=NOW + 5_000, slots=1)
    job = await submit(gateway, bob)
    expected = (
        "1 slot reserved from 2025-10-09 08:53 UTC until 2025-10-09 09:53 UTC, when this job may"
        " still run"
    )
    assert await reason(gateway, job) == expected


async def test_users_see_windows_with_the_names_of_their_own_projects(
    gateway: Gateway, ada: Actor, bob: Actor
) -> None:
    await reserve(gateway, "ada", slots=2)
    await reservations(gateway).add_maintenance(
        "simulator", NOW + HOUR, NOW + 2 * HOUR, "a new laser"
    )
    forecast = await gateway.queue.forecast("simulator")
    for each, names in ((ada, ("ada",)), (bob, ())):
        found = await gateway.queue.windows(each, forecast)
        assert [window.projects for window in found] == [names, ()]
        kinds = [window.reservation.kind for window in found]
        assert kinds == ["reservation", "maintenance"]
    assert await gateway.queue.windows(ada, await gateway.queue.forecast("clifford")) == []


@pytest.mark.needs_vendors
async def test_a_device_is_off_in_a_maintenance_window_and_only_then(
    gateway: Gateway, ada: Actor, clock: Clock
) -> None:
    await reservations(gateway).add_maintenance(
        "simulator", NOW + HOUR, NOW + 2 * HOUR, "a new laser"
    )
    assert (await gateway.devices.get("simulator", "native")).is_online
    clock.ms += HOUR
    with pytest.raises(DeviceOff, match="off until 2025-10-09 10:53 UTC: a new laser"):
        await submit(gateway, ada)
    view = await gateway.devices.get("simulator", "native")
    assert (view.is_online, view.status.until_at) == (False, NOW + 2 * HOUR)
    clock.ms += HOUR
    assert (await submit(gateway, ada)).state == "queued"


async def test_an_end_by_hand_after_the_window_counts(
    gateway: Gateway, store: Store, clock: Clock
) -> None:
    await reservations(gateway).add_maintenance("simulator", None, NOW + HOUR, "a new laser")
    await gateway.admin.turn_off("simulator", "broken", until_at=NOW + 2 * HOUR)
    status = await store.devices.status("simulator", NOW)
    assert (status.reason, status.until_at) == ("broken", NOW + 2 * HOUR)
    await gateway.admin.turn_off("simulator", "broken")
    assert (await store.devices.status("simulator", NOW)).until_at is None
    await gateway.admin.turn_on("simulator")
    status = await store.devices.status("simulator", NOW)
    assert (status.is_on, status.reason) == (False, "a new laser")


async def test_weekly_windows_keep_their_local_time_when_clocks_change(gateway: Gateway) -> None:
    # In Berlin clocks are set back on 26 October 2025.
    begin = 1_761_112_800_000  # Wednesday 22 October 2025, 08:00 in Berlin
    windows = await reservations(gateway).add_maintenance(
        "simulator", begin, begin + HOUR, "", weeks=3, timezone="Europe/Berlin"
    )
    found = [each.reservation for each in windows]
    week = 7 * 24 * HOUR
    expected = [begin, begin + week + HOUR, begin + 2 * week + HOUR]
    assert [each.from_at for each in found] == expected
    assert [each.until_at - each.from_at for each in found] == [HOUR] * 3
    assert len({each.series for each in found}) == 1
    await reservations(gateway).remove(found[1].id, with_series=True)
    assert await reservations(gateway).all() == []


@pytest.mark.parametrize("half_hours", range(-1, 5))
async def test_a_window_in_the_repeated_hour_is_where_it_was_set(
    gateway: Gateway, half_hours: int
) -> None:
    # In Berlin 02:00 to 03:00 come twice on 26 October 2025, from 00:00 and from 01:00 UTC.
    begin = 1_761_436_800_000 + half_hours * HOUR // 2
    windows = await reservations(gateway).add_maintenance(
        "simulator", begin, begin + HOUR, "", weeks=2, timezone="Europe/Berlin"
    )
    first, second = [each.reservation for each in windows]
    assert (first.from_at, first.until_at) == (begin, begin + HOUR)
    assert second.until_at >= second.from_at + HOUR


@pytest.mark.needs_vendors
async def test_a_draining_device_takes_no_new_jobs_and_runs_those_that_wait(
    gateway: Gateway, store: Store, ada: Actor
) -> None:
    job = await add_job(store, await make_token(store, "bob"))
    await store.leases.add_runner("runner", "server", NOW)
    await gateway.admin.drain("simulator", "moves to another room")
    with pytest.raises(DeviceOff, match="takes no new jobs: moves to another room"):
        await submit(gateway, ada)
    (taken,) = (await store.leases.claim("simulator", "runner", NOW)).taken
    assert taken.lease.job == job.id
    view = await gateway.devices.get("simulator", "native")
    assert (view.is_online, view.status.is_on) == (False, True)
    await gateway.admin.turn_on("simulator")
    assert (await submit(gateway, ada)).state == "queued"


async def test_a_message_stays_until_the_device_is_turned_on(
    gateway: Gateway, store: Store
) -> None:
    await gateway.admin.set_message("simulator", "Talk on Friday")
    for change in (
        gateway.admin.turn_off("simulator", "broken"),
        gateway.admin.drain("simulator", "moves"),
    ):
        await change
        assert (await store.devices.status("simulator", NOW)).message == "Talk on Friday"
    await gateway.admin.turn_off("simulator", "broken.")
    assert (await store.devices.status("simulator", NOW)).note == "broken. Talk on Friday"
    await gateway.admin.turn_on("simulator")
    assert (await store.devices.status("simulator", NOW)).message == ""
    with pytest.raises(InvalidRequest, match="message must be one line of at most 200"):
        await gateway.admin.set_message("simulator", "a\nb")
    with pytest.raises(NotFound):
        await gateway.admin.set_message("nowhere", "")


@pytest.mark.needs_vendors
async def test_a_project_below_that_of_an_exam_submits_and_its_jobs_start_first(
    gateway: Gateway, store: Store, ada: Actor, bob: Actor
) -> None:
    for name in ("physics", "physics/anna"):
        await store.accounts.add_project(name, 1, NOW)
    await store.leases.add_runner("runner", "server", NOW, slots=1)
    waiting = await add_job(store, await make_token(store, "cleo"))
    await reserve(gateway, "physics", waiting_limit=1)
    anna = structs.replace(ada, project=(await store.accounts.project("physics/anna")).id)
    job = await submit(gateway, anna)
    for each, start_s in ((job, 0), (waiting, 3_600)):
        position = await gateway.queue.position(each)
        assert position is not None
        assert position.start_in_s == pytest.approx(start_s, abs=0.01)
    assert (await reason(gateway, job), await reason(gateway, waiting)) == (
        *("", f"reserved until {UNTIL}"),
    )
    forecast = await gateway.queue.forecast("simulator")
    starts = [forecast.new_job_start_in_s(each.project) for each in (anna, bob)]
    assert starts == [pytest.approx(0.0, abs=1), pytest.approx(3_600, abs=1)]
    with pytest.raises(TooManyRequests, match="as many as the exam allows"):
        await submit(gateway, anna)
    with pytest.raises(Forbidden, match="reserved for an exam"):
        await submit(gateway, bob)


@pytest.mark.needs_vendors
async def test_only_the_projects_of_an_exam_may_submit_and_each_account_a_few_jobs(
    gateway: Gateway, store: Store, ada: Actor, bob: Actor, clock: Clock
) -> None:
    await reserve(gateway, "ada", waiting_limit=2)
    with pytest.raises(Forbidden, match="reserved for an exam until 2025-10-09 09:53 UTC"):
        await submit(gateway, bob)
    later = Submission(dialect="native", device="simulator", format="qobj", source=b"", shots=10)
    with pytest.raises(Forbidden, match="reserved for an exam"):
        await gateway.uploads.draft(bob, later)
    mate = structs.replace(bob, project=ada.project)
    for each in (ada, mate):
        await submit(gateway, each)
        last = await submit(gateway, each, idempotency_key="k")
        with pytest.raises(TooManyRequests, match="2 jobs waiting on simulator, as many as"):
            await submit(gateway, each)
        assert (await submit(gateway, each, idempotency_key="k")).id == last.id
    assert (await submit(gateway, bob, device="clifford")).state == "queued"
    await store.jobs.cancel(last.id, actor=mate.account, now=NOW)
    await submit(gateway, mate)
    clock.ms += HOUR
    assert (await submit(gateway, bob)).state == "queued"
    assert (await submit(gateway, ada)).state == "queued"


@pytest.mark.needs_vendors
async def test_an_exclusive_reservation_concerns_all_simulators(
    gateway: Gateway, ada: Actor
) -> None:
    made = await reserve(gateway, "ada", is_exclusive=True)
    assert {"simulator", "clifford"} < set(made.reservation.devices)
    with pytest.raises(Conflict, match=made.reservation.id):
        await reservations(gateway).reserve("clifford", ["ada"], None, NOW + HOUR)


DAY = 24 * HOUR


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"until_at": NOW}, "until has passed"),
        ({"from_at": NOW + HOUR}, "until must be after from"),
        ({"until_at": NOW + 367 * DAY}, "until must be at most 366 days after from"),
        (
            {"from_at": NOW + 1_800 * DAY, "until_at": NOW + 1_831 * DAY},
            "until must be within 1830 days from now",
        ),
        ({"slots": 0}, "slots must be 1 to 10000, not 0"),
        ({"drain_s": 86_401}, "drain_s must be 0 to 86400, not 86401"),
        ({"waiting_limit": 0}, "exam_waiting must be 1 to 10000, not 0"),
        ({"reason": "a\nb"}, "reason must be one line of at most 200 characters"),
        ({"reason": "a" * 201}, "reason must be one line of at most 200 characters"),
    ],
)
async def test_an_invalid_reservation_is_refused(
    gateway: Gateway, ada: Actor, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message):
        await reserve(gateway, "ada", **given)
    assert await reservations(gateway).all() == []


async def test_unknown_names_are_refused(gateway: Gateway, ada: Actor) -> None:
    admin = reservations(gateway)
    with pytest.raises(NotFound, match=r"There is no device simulater\. Did you mean 'simulator'"):
        await admin.reserve("simulater", ["ada"], None, NOW + HOUR)
    with pytest.raises(NotFound, match="There is no project eve"):
        await reserve(gateway, "eve")
    with pytest.raises(InvalidRequest, match="the number of projects must be 1 to 1000, not 0"):
        await reserve(gateway)
    with pytest.raises(InvalidRequest, match="timezone must be an IANA name"):
        await admin.add_maintenance(
            "simulator", None, NOW + HOUR, "", weeks=2, timezone="Mars/Olympus"
        )
    with pytest.raises(InvalidRequest, match="weeks must be 1 to 260, not 261"):
        await admin.add_maintenance("simulator", None, NOW + HOUR, "", weeks=261)
    with pytest.raises(InvalidRequest, match="within a week of from"):
        await admin.add_maintenance("simulator", None, NOW + 8 * DAY, "", weeks=2)
    with pytest.raises(NotFound, match="There is no reservation or maintenance window x"):
        await admin.remove("x")
