from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.model.accounts import Token
from qwicket.model.devices import DeviceCost
from qwicket.model.errors import Conflict, LimitExceeded, NotFound
from qwicket.model.groups import Group, GroupUse, NewGroup
from qwicket.model.ids import new_id
from qwicket.model.jobs import JobQuery
from qwicket.model.limits import INT64_MAX
from qwicket.model.states import JobState
from qwicket.store import Store
from support.stores import NOW, add_job, make_token

pytestmark = pytest.mark.anyio


async def opened(store: Store, token: Token, **changes: Any) -> Group:
    new = NewGroup(
        id=new_id(NOW), account=token.account, project=token.project, dialect="ionq", now=NOW
    )
    return await store.job_groups.open(_replace(new, **changes))


def _replace(new: NewGroup, **changes: Any) -> NewGroup:
    from msgspec import structs

    return structs.replace(new, **changes)


async def test_an_open_group_is_readable_and_takes_jobs(store: Store, ada: Token) -> None:
    group = await opened(store, ada, name="bells", body=b'{"x": 1}')
    assert await store.job_groups.get(group.id) == group
    assert (group.state, group.name, group.body) == ("open", "bells", b'{"x": 1}')
    job = await add_job(store, ada, group=group.id)
    assert job.group == group.id


async def test_a_closed_group_takes_no_jobs_and_keeps_those_it_has(
    store: Store, ada: Token
) -> None:
    group = await opened(store, ada)
    job = await add_job(store, ada, group=group.id)
    closed = await store.job_groups.close(group.id, NOW + 5)
    assert (closed.state, closed.closed_at) == ("closed", NOW + 5)
    with pytest.raises(Conflict, match="closed"):
        await add_job(store, ada, group=group.id)
    assert await store.jobs.get(job.id) == job
    assert await store.job_groups.close(group.id, NOW + 9) == closed


async def test_a_group_takes_no_jobs_after_its_time(store: Store, ada: Token) -> None:
    group = await opened(store, ada, expires_at=NOW + 1000)
    await add_job(store, ada, NOW + 999, group=group.id)
    with pytest.raises(Conflict, match="closed"):
        await add_job(store, ada, NOW + 1000, group=group.id)


@pytest.mark.both_databases
async def test_a_group_takes_as_many_jobs_as_it_says(store: Store, ada: Token) -> None:
    group = await opened(store, ada, jobs_limit=2)
    for _ in range(2):
        await add_job(store, ada, group=group.id)
    with pytest.raises(LimitExceeded, match="takes at most 2 jobs"):
        await add_job(store, ada, group=group.id)
    assert len(await store.jobs.page(JobQuery(account=ada.account))) == 2


@pytest.mark.parametrize("limit", [1 << 31, INT64_MAX])
async def test_a_limit_may_have_as_many_bits_as_clients_may_send(
    store: Store, ada: Token, limit: int
) -> None:
    group = await opened(store, ada, jobs_limit=limit)
    assert group.jobs_limit == limit
    await add_job(store, ada, group=group.id)


async def test_a_group_for_one_device_takes_jobs_of_no_other(store: Store, ada: Token) -> None:
    group = await opened(store, ada, device="clifford")
    await add_job(store, ada, device="clifford", group=group.id)
    with pytest.raises(Conflict, match="clifford"):
        await add_job(store, ada, group=group.id)


@pytest.mark.both_databases
async def test_anothers_group_is_as_good_as_none(store: Store, ada: Token) -> None:
    bob = await make_token(store, "bob")
    group = await opened(store, ada)
    for unknown in (group.id, new_id(NOW)):
        with pytest.raises(NotFound):
            await add_job(store, bob, group=unknown)
    assert await store.job_groups.visible(group.id, bob.account) is None
    assert await store.job_groups.visible(group.id, ada.account) == group


@pytest.mark.both_databases
async def test_closing_an_unknown_group_is_refused(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.job_groups.close(new_id(NOW), NOW)


async def test_all_jobs_of_a_group_are_cancelled_at_once(
    store: Store, ada: Token, runner: str
) -> None:
    group = await opened(store, ada)
    ended, running, waiting = [await add_job(store, ada, group=group.id) for _ in range(3)]
    other = await add_job(store, ada)
    first = ((await store.leases.claim("simulator", runner, NOW)).taken)[0].lease
    await store.leases.finish(first, RunResult((Encoded(b"", b""),), 0.1), NOW)
    await store.leases.claim("simulator", runner, NOW)
    cancelled = await store.jobs.cancel_group(group.id, actor="ada", now=NOW)
    assert cancelled == [running.id, waiting.id]
    states = {job.id: job.state for job in await store.jobs.page(JobQuery(account=ada.account))}
    assert states == {
        ended.id: "completed",
        running.id: "cancelling",
        waiting.id: "cancelled",
        other.id: "queued",
    }


@pytest.mark.both_databases
async def test_a_group_says_what_its_jobs_came_to(store: Store, ada: Token, runner: str) -> None:
    group = await opened(store, ada)
    assert await store.job_groups.use(group.id) == GroupUse(0, 0, 0)
    for _ in range(2):
        await add_job(store, ada, group=group.id)
    (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
    await store.leases.finish(assignment.lease, RunResult((Encoded(b"", b""),), 0.1), NOW + 250)
    assert await store.job_groups.use(group.id) == GroupUse(2, 1, 250, NOW, NOW, NOW + 250)


async def test_a_group_adds_up_what_its_jobs_cost(store: Store, ada: Token, runner: str) -> None:
    group = await opened(store, ada)
    changes: dict[str, Any] = {"group": group.id, "shots": 100, "n_circuits": 1}
    for cost in (DeviceCost(per_shot=0.01), DeviceCost(per_shot=0.03), None):
        await add_job(store, ada, cost=cost, **changes)
    use = await store.job_groups.use(group.id)
    assert (use.cost, use.estimated_cost) == (0, 4_000_000)
    (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
    await store.leases.finish(assignment.lease, RunResult((Encoded(b"", b""),), 0.1), NOW + 250)
    use = await store.job_groups.use(group.id)
    assert (use.cost, use.estimated_cost) == (1_000_000, 3_000_000)


@pytest.mark.both_databases
async def test_jobs_are_listed_by_group_and_groups_newest_first(store: Store, ada: Token) -> None:
    groups = [await opened(store, ada) for _ in range(3)]
    job = await add_job(store, ada, group=groups[1].id)
    await add_job(store, ada, group=groups[2].id)
    for dialect in (None, "native"):
        query = JobQuery(account=ada.account, dialect=dialect, group=groups[1].id)
        assert [each.id for each in await store.jobs.page(query)] == [job.id]
    assert await store.job_groups.page(ada.account, "ionq") == groups[::-1]
    below = await store.job_groups.page(ada.account, "ionq", before=groups[2].seq, limit=1)
    assert below == [groups[1]]
    assert await store.job_groups.page(ada.account, "qbraid") == []


async def test_what_the_vendor_needs_of_a_group_can_change(store: Store, ada: Token) -> None:
    group = await opened(store, ada)
    assert (await store.job_groups.annotate(group.id, b'{"y": 2}')).body == b'{"y": 2}'
    found = await store.job_groups.get(group.id)
    assert found is not None
    assert found.body == b'{"y": 2}'
    with pytest.raises(NotFound):
        await store.job_groups.annotate(new_id(NOW), b"{}")


async def test_a_deleted_group_is_gone_and_its_jobs_stay(store: Store, ada: Token) -> None:
    group = await opened(store, ada)
    job = await add_job(store, ada, group=group.id)
    await store.job_groups.delete(group.id)
    assert await store.job_groups.get(group.id) is None
    assert await store.jobs.get(job.id) == job


@pytest.mark.both_databases
async def test_a_groups_jobs_are_counted_by_state(store: Store, ada: Token, runner: str) -> None:
    group = await opened(store, ada)
    assert await store.job_groups.tally(group.id) == {}
    for _ in range(2):
        await add_job(store, ada, group=group.id)
    await add_job(store, ada)
    assert await store.job_groups.tally(group.id) == {JobState.QUEUED: 2}
    await store.jobs.cancel_group(group.id, actor="ada", now=NOW)
    assert await store.job_groups.tally(group.id) == {JobState.CANCELLED: 2}


@pytest.mark.both_databases
async def test_of_too_many_groups_the_oldest_closed_one_is_forgotten(
    store: Store, ada: Token
) -> None:
    made = [await opened(store, ada) for _ in range(3)]
    await store.job_groups.close(made[1].id, NOW)
    new = NewGroup(
        id=new_id(NOW), account=ada.account, project=ada.project, dialect=made[0].dialect, now=NOW
    )
    newest = await store.job_groups.open(new, maximum=3)
    left = await store.job_groups.page(ada.account, newest.dialect)
    assert [group.id for group in left] == [newest.id, made[2].id, made[0].id]
    with pytest.raises(LimitExceeded, match="limit groups"):
        await store.job_groups.open(_replace(new, id=new_id(NOW)), maximum=3)


@pytest.mark.both_databases
async def test_a_large_group_is_cancelled_some_jobs_at_a_time(
    store: Store, ada: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = await opened(store, ada)
    jobs = [(await add_job(store, ada, group=group.id)).id for _ in range(450)]
    maximum = 0
    write = store._database.write

    async def counted(operation: Any, *, durable: bool = True) -> Any:
        nonlocal maximum
        answer = await write(operation, durable=durable)
        maximum = max(maximum, len(answer))
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(store._database, "write", counted)
        assert await store.jobs.cancel_group(group.id, actor="ada", now=NOW) == jobs
    assert maximum == 200
    assert await store.job_groups.tally(group.id) == {JobState.CANCELLED: 450}
    assert await store.jobs.cancel_group(group.id, actor="ada", now=NOW) == []


async def test_a_refusal_is_freed_without_a_garbage_collection(store: Store, ada: Token) -> None:
    """Each would keep the request's program until a full collection, of which there are few."""

    async def refused() -> weakref.ref[NotFound]:
        try:
            await add_job(store, ada, group=new_id(NOW))
        except NotFound as refusal:
            return weakref.ref(refusal)
        pytest.fail("it was accepted")

    gc.disable()
    try:
        refusals = [await refused() for _ in range(30)]
        await refused()  # whose write has nothing more to do with those before
        assert [each for each in refusals if each() is not None] == []
    finally:
        gc.enable()
