from __future__ import annotations

import asyncio
import threading
from collections import Counter
from functools import partial
from itertools import combinations
from typing import Any

import pytest
from msgspec.structs import replace

from qwicket.circuits.outcomes import Encoded, RunResult
from qwicket.model.accounts import Token
from qwicket.model.errors import Conflict, KeyReused, NotFound, TooManyRequests
from qwicket.model.failures import Failure
from qwicket.model.ids import new_id
from qwicket.model.jobs import JobQuery
from qwicket.model.states import JobState
from qwicket.store import JobChange, Store
from qwicket.store.database import Tx
from support.stores import NOW, add_job, execute, make_token, new_job

pytestmark = pytest.mark.anyio

DAY_MS = 24 * 3600 * 1000


async def test_a_submitted_job_is_queued_and_readable(store: Store, ada: Token) -> None:
    job = await add_job(store, ada, name="bell", tags=("a", "ü"), vendor_fields=b'{"x": 1}')
    assert job.state is JobState.QUEUED
    assert (job.version, job.name, job.tags) == (1, "bell", ("a", "ü"))
    assert await store.jobs.get(job.id) == job
    assert await store.jobs.vendor_fields(job.id) == b'{"x": 1}'


@pytest.mark.both_databases
async def test_an_unknown_job_is_none(store: Store) -> None:
    assert await store.jobs.get(new_id(NOW)) is None
    assert await store.jobs.vendor_fields(new_id(NOW)) == b"{}"


async def test_creation_times_of_one_account_are_unique_and_rise(store: Store, ada: Token) -> None:
    jobs = await asyncio.gather(*(add_job(store, ada, NOW) for _ in range(20)))
    times = [job.created_at for job in sorted(jobs, key=lambda job: job.seq)]
    assert times == list(range(NOW, NOW + 20))


async def test_creation_times_rise_although_the_clock_falls(store: Store, ada: Token) -> None:
    first = await add_job(store, ada, NOW)
    second = await add_job(store, ada, NOW - 3_600_000)
    assert second.created_at == first.created_at + 1


async def test_the_change_number_rises_with_every_write_of_an_account(
    store: Store, ada: Token, runner: str
) -> None:
    one, two = await add_job(store, ada), await add_job(store, ada)
    (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
    claimed = await store.jobs.get(one.id)
    cancelled = await store.jobs.cancel(two.id, actor="ada", now=NOW)
    ended = await store.leases.finish(assignment.lease, RunResult((Encoded(b"", b""),), 0.0), NOW)
    assert claimed is not None
    assert cancelled is not None
    numbers = [one.change, two.change, claimed.change, cancelled.change, ended.change]
    assert numbers == sorted(set(numbers))


async def test_no_number_comes_twice_although_the_newest_job_was_deleted(
    store: Store, ada: Token
) -> None:
    first = await add_job(store, ada, error=Failure("bad", "no"))
    await store.jobs.delete(first.id)
    second = await add_job(store, ada, NOW - 3_600_000)
    assert (second.created_at, second.change) == (first.created_at + 1, first.change + 1)
    refused = await add_job(store, ada, error=Failure("bad", "no"))
    await store.jobs.delete(refused.id)
    cancelled = await store.jobs.cancel(second.id, actor="ada", now=NOW - 3_600_000)
    assert cancelled is not None
    assert cancelled.change == refused.change + 1


async def test_deleting_distinguishes_deleted_from_unfinished_jobs(
    store: Store, ada: Token
) -> None:
    ended = [(await add_job(store, ada, error=Failure("bad", "no"))).id for _ in range(2)]
    waiting = (await add_job(store, ada)).id
    with pytest.raises(Conflict):
        await store.jobs.delete_all([*ended, waiting])
    await store.jobs.delete_all(ended)
    for jobs in (ended, ended[::-1], [ended[0], waiting]):
        with pytest.raises(NotFound):
            await store.jobs.delete_all(jobs)
    with pytest.raises(NotFound):
        await store.jobs.delete(ended[0])
    assert await store.jobs.get(waiting) is not None


@pytest.mark.parametrize("hour_ms", [0, -3_600_000])
async def test_the_times_of_a_job_follow_each_other(
    store: Store, ada: Token, runner: str, hour_ms: int
) -> None:
    await asyncio.gather(*(add_job(store, ada) for _ in range(20)))  # ahead of the clock by now
    later = NOW + hour_ms
    ended = []
    for _ in range(19):
        (assignment,) = (await store.leases.claim("simulator", runner, later)).taken
        result = RunResult((Encoded(b"", b""),), 0.0)
        ended.append(await store.leases.finish(assignment.lease, result, later))
    (left,) = await store.jobs.page(JobQuery(account=ada.account, states=(JobState.QUEUED,)))
    cancelled = await store.jobs.cancel(left.id, actor="ada", now=later)
    assert cancelled is not None
    assert cancelled.ended_at == cancelled.queued_at
    for job in ended:
        assert job.created_at == job.queued_at == job.started_at == job.ended_at


async def test_a_list_shows_one_moment(store: Store, ada: Token) -> None:
    counted, may_go_on = threading.Event(), threading.Event()

    def count_twice(tx: Tx) -> list[int]:
        first = tx.all("job_waiting_list", device="simulator", now=NOW, limit=10)
        counted.set()
        assert may_go_on.wait(10)
        return [len(first), len(tx.all("job_waiting_list", device="simulator", now=NOW, limit=10))]

    await add_job(store, ada)
    scanning = asyncio.ensure_future(store._database.scan(count_twice))
    assert await asyncio.to_thread(counted.wait, 10)
    await add_job(store, ada)
    may_go_on.set()
    assert await scanning == [1, 1]


async def test_a_submit_is_published_after_its_commit(
    store: Store, ada: Token, told: list[JobChange]
) -> None:
    job = await add_job(store, ada)
    await asyncio.sleep(0)
    assert told == [JobChange(job.id, 1, JobState.QUEUED, "simulator", job, written_at=NOW)]


async def test_the_same_key_and_content_is_the_same_job(store: Store, ada: Token) -> None:
    first = await add_job(store, ada, idempotency_key="k", digest=b"d")
    again = await add_job(store, ada, idempotency_key="k", digest=b"d")
    assert again == first
    assert len(await store.jobs.page(JobQuery(account=ada.account))) == 1


@pytest.mark.both_databases
async def test_two_requests_at_once_with_one_key_make_one_job(store: Store, ada: Token) -> None:
    jobs = await asyncio.gather(
        *(add_job(store, ada, idempotency_key="k", digest=b"d") for _ in range(50))
    )
    assert len({job.id for job in jobs}) == 1
    assert len(await store.jobs.page(JobQuery(account=ada.account))) == 1


async def test_the_same_key_with_other_content_is_refused(store: Store, ada: Token) -> None:
    await add_job(store, ada, idempotency_key="k", digest=b"d")
    with pytest.raises(KeyReused):
        await add_job(store, ada, idempotency_key="k", digest=b"other")


async def test_a_key_is_forgotten_after_24_hours(store: Store, ada: Token) -> None:
    first = await add_job(store, ada, idempotency_key="k", digest=b"d")
    still = await add_job(store, ada, NOW + DAY_MS, idempotency_key="k", digest=b"d")
    later = await add_job(store, ada, NOW + DAY_MS + 1, idempotency_key="k", digest=b"e")
    assert still.id == first.id
    assert later.id != first.id


@pytest.mark.both_databases
async def test_a_forgotten_key_makes_another_job(store: Store, ada: Token) -> None:
    first = await add_job(store, ada, idempotency_key="k", digest=b"d")
    assert await store.jobs.key_of(first.id) == "k"
    await store.jobs.forget_key(account=first.account, dialect=first.dialect, key="k", job=first.id)
    assert await store.jobs.key_of(first.id) is None
    second = await add_job(store, ada, idempotency_key="k", digest=b"d")
    assert second.id != first.id
    assert await store.jobs.key_of(first.id) is None
    assert await store.jobs.key_of(second.id) == "k"


async def test_keys_of_other_accounts_and_dialects_are_other_keys(store: Store, ada: Token) -> None:
    bob = await make_token(store, "bob")
    ids = {
        (await add_job(store, ada, idempotency_key="k", digest=b"d")).id,
        (await add_job(store, bob, idempotency_key="k", digest=b"d")).id,
        (await add_job(store, ada, idempotency_key="k", digest=b"d", dialect="ionq")).id,
    }
    assert len(ids) == 3


async def test_a_refusal_in_a_group_harms_no_neighbour(store: Store, ada: Token) -> None:
    await add_job(store, ada, idempotency_key="k", digest=b"d")
    results = await asyncio.gather(
        *(add_job(store, ada) for _ in range(5)),
        add_job(store, ada, idempotency_key="k", digest=b"other"),
        *(add_job(store, ada) for _ in range(5)),
        return_exceptions=True,
    )
    assert [type(r) for r in results if isinstance(r, Exception)] == [KeyReused]
    assert len(await store.jobs.page(JobQuery(account=ada.account))) == 11


async def test_a_project_may_have_only_so_many_jobs_waiting(
    store: Store, ada: Token, runner: str
) -> None:
    for _ in range(3):
        await store.jobs.add(new_job(ada), waiting_limit=3)
    with pytest.raises(TooManyRequests, match="waiting_jobs"):
        await store.jobs.add(new_job(ada), waiting_limit=3)
    await store.leases.claim("simulator", runner, NOW)
    await store.jobs.add(new_job(ada), waiting_limit=3)


@pytest.mark.both_databases
async def test_only_the_account_and_its_projects_members_see_a_job(
    store: Store, ada: Token
) -> None:
    bob = await make_token(store, "bob")
    job = await add_job(store, ada)
    shared = await add_job(store, ada, project=bob.project)
    assert await store.jobs.visible(job.id, ada.account) == job
    assert await store.jobs.visible(job.id, bob.account) is None
    assert await store.jobs.visible(shared.id, bob.account) == shared


async def test_lists_are_newest_first_and_page_by_seq(store: Store, ada: Token) -> None:
    made = [await add_job(store, ada) for _ in range(5)]
    first = await store.jobs.page(JobQuery(account=ada.account, limit=2))
    rest = await store.jobs.page(JobQuery(account=ada.account, before=first[-1].seq, limit=10))
    assert [job.id for job in first + rest] == [job.id for job in reversed(made)]


async def test_lists_filter_by_account_dialect_device_and_state(store: Store, ada: Token) -> None:
    bob = await make_token(store, "bob")
    await add_job(store, bob)
    native = await add_job(store, ada)
    ionq = await add_job(store, ada, dialect="ionq")
    other = await add_job(store, ada, device="clifford")
    await store.jobs.cancel(native.id, actor="ada", now=NOW)

    async def ids(**query: object) -> set[str]:
        page = await store.jobs.page(replace(JobQuery(account=ada.account), **query))
        return {job.id for job in page}

    assert await ids() == {native.id, ionq.id, other.id}
    assert await ids(dialect="ionq") == {ionq.id}
    assert await ids(device="clifford") == {other.id}
    assert await ids(states=(JobState.CANCELLED,)) == {native.id}
    assert await ids(states=(JobState.CANCELLED, JobState.QUEUED)) == {native.id, ionq.id, other.id}
    assert await ids(dialect="ionq", states=(JobState.CANCELLED,)) == set()


@pytest.mark.both_databases
async def test_any_choice_of_states_lists_the_same_jobs_as_a_filter_of_all(
    store: Store, ada: Token
) -> None:
    bob = await make_token(store, "bob")
    jobs = [await add_job(store, owner) for _ in range(2 * len(JobState)) for owner in (ada, bob)]
    states = dict(zip([job.id for job in jobs], 4 * tuple(JobState), strict=True))

    def set_states(tx: Tx) -> None:
        for job, state in states.items():
            execute(tx, f"update job set state = '{state}' where id = '{job}'")

    await store._database.write(set_states)
    pairs = list(combinations(JobState, 2))
    for chosen in [*[(state,) for state in JobState], *pairs, tuple(JobState), ()]:
        for account in (ada.account, ""):
            query = JobQuery(account=account, states=chosen, before=jobs[-1].seq, after=jobs[2].seq)
            expected = [
                job.id
                for job in reversed(jobs[3:-1])
                if account in ("", job.account) and (not chosen or states[job.id] in chosen)
            ]
            for limit in (1, 3, 50):
                page = await store.jobs.page_of_all(replace(query, limit=limit))
                assert [job.id for job in page] == expected[:limit], (chosen, account, limit)


@pytest.mark.both_databases
async def test_a_member_beside_others_may_have_only_so_many_jobs_waiting(
    store: Store, ada: Token, runner: str
) -> None:
    bob = await make_token(store, "bob")
    add = partial(store.jobs.add, waiting_limit=5, member_limit=2)
    of_bob = partial(new_job, bob, project=ada.project)
    for _ in range(3):  # a member alone has the project's limit
        await add(new_job(ada))
    await store.accounts.add_member("ada", "bob")
    with pytest.raises(TooManyRequests, match=r"You have 2 jobs waiting .*member_waiting_jobs"):
        await add(new_job(ada))
    for _ in range(2):
        await add(of_bob())
    with pytest.raises(
        TooManyRequests, match=r"The project has 5 jobs waiting .limit waiting_jobs"
    ):
        await add(of_bob())
    await store.leases.claim("simulator", runner, NOW)
    await store.leases.claim("simulator", runner, NOW)
    await add(of_bob())


async def test_a_waiting_job_is_cancelled_at_once(store: Store, ada: Token) -> None:
    job = await add_job(store, ada)
    cancelled = await store.jobs.cancel(job.id, actor="ada", now=NOW + 5)
    assert cancelled is not None
    assert (cancelled.state, cancelled.ended_at) == (JobState.CANCELLED, NOW + 5)
    (event,) = await store.jobs.events(job.id)
    assert (event.before, event.after, event.actor) == ("queued", "cancelled", "ada")


async def test_a_cancelled_job_is_never_claimed(store: Store, ada: Token, runner: str) -> None:
    job = await add_job(store, ada)
    await store.jobs.cancel(job.id, actor="ada", now=NOW)
    assert (await store.leases.claim("simulator", runner, NOW)).taken == []


async def test_a_running_job_is_asked_to_stop(store: Store, ada: Token, runner: str) -> None:
    job = await add_job(store, ada)
    await store.leases.claim("simulator", runner, NOW)
    asked = await store.jobs.cancel(job.id, actor="ada", now=NOW)
    again = await store.jobs.cancel(job.id, actor="ada", now=NOW)
    assert asked is not None
    assert asked.state is JobState.CANCELLING
    assert again == asked


async def test_cancelling_an_ended_job_changes_nothing(
    store: Store, ada: Token, runner: str
) -> None:
    await add_job(store, ada)
    (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
    ended = await store.leases.finish(assignment.lease, RunResult((Encoded(b"", b""),), 0.0), NOW)
    assert await store.jobs.cancel(ended.id, actor="ada", now=NOW) == ended


async def test_cancelling_an_unknown_job_is_none(store: Store) -> None:
    assert await store.jobs.cancel(new_id(NOW), actor="ada", now=NOW) is None


async def test_results_come_back_part_by_part_whatever_their_size(
    store: Store, ada: Token, runner: str
) -> None:
    job = await add_job(store, ada, n_circuits=3)
    (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
    large = bytes(range(256)) * 4096 * 3 + b"tail"
    given = (Encoded(b"small", b"1"), Encoded(large, b"2"), Failure("code", "text"))
    await store.leases.finish(assignment.lease, RunResult(given, 0.1), NOW)
    assert tuple(await store.jobs.results(job.id)) == given
    assert await store.jobs.results(job.id, 1) == [given[1]]
    assert await store.jobs.results(job.id, 9) == []


async def test_the_limit_of_waiting_jobs_counts_no_other_project(store: Store, ada: Token) -> None:
    bob = await make_token(store, "bob")
    await store.jobs.add(new_job(ada), waiting_limit=1)
    await store.jobs.add(new_job(bob), waiting_limit=1)


async def test_a_search_finds_jobs_by_all_their_tags_and_text(store: Store, ada: Token) -> None:
    dialect = "ionq"
    one = await add_job(store, ada, dialect=dialect, name="Bell pair", tags=("run=a", "k=1"))
    two = await add_job(store, ada, dialect=dialect, name='50% "off"', tags=("run=a", "k=12"))
    await add_job(store, ada, dialect="native", tags=("run=a",))

    async def found(**asked: Any) -> list[str]:
        query = JobQuery(account=ada.account, dialect=dialect, **{"offset": 0, **asked})
        page = await store.jobs.page(query)
        if query.offset == 0:
            assert sum((await store.jobs.tally(query)).values()) == len(page)
        return [job.id for job in page]

    assert await found() == [two.id, one.id]
    assert await found(tags=("run=a",)) == [two.id, one.id]
    assert await found(tags=("run=a", "k=1")) == [one.id]
    assert await found(tags=("run=",)) == []
    assert await found(text="bell") == [one.id]
    assert await found(text="K=12") == [two.id]
    assert await found(text="50% ") == [two.id]
    assert await found(text="%") == [two.id]
    assert await found(tags=('x"]', "'; drop table job; --")) == []
    assert await found(offset=1, limit=1) == [one.id]
    three = await add_job(store, ada, dialect=dialect, name="Ärger ΣΑ")
    for text in ("ärger", "ÄRGER", "σα"):
        assert await found(text=text) == [three.id]
    assert await found(device="nothing") == []
    assert await found(states=(JobState.RUNNING,)) == []


@pytest.mark.both_databases
async def test_a_search_knows_names_projects_times_and_the_other_order(
    store: Store, ada: Token
) -> None:
    one = await add_job(store, ada, name="sampler")
    two = await add_job(store, ada, name="estimator")
    three = await add_job(store, ada, name="sampler")

    async def found(**asked: Any) -> list[str]:
        query = JobQuery(account=ada.account, dialect=one.dialect, **{"offset": 0, **asked})
        page = [job.id for job in await store.jobs.page(query)]
        counted = sum((await store.jobs.tally(query)).values())
        assert counted == len(page) or asked.get("offset")
        return page

    assert await found(name="sampler") == [three.id, one.id]
    assert await found(name="sampler", oldest_first=True) == [one.id, three.id]
    assert await found(oldest_first=True, offset=1) == [two.id, three.id]
    assert await found(project=ada.project) == [three.id, two.id, one.id]
    assert await found(project="another") == []
    assert await found(created_from=two.created_at) == [three.id, two.id]
    assert await found(created_to=two.created_at) == [two.id, one.id]


@pytest.mark.both_databases
async def test_a_tally_up_to_a_limit_counts_what_the_list_shows(store: Store, ada: Token) -> None:
    bob = await make_token(store, "bob")
    await add_job(store, bob, tags=("t",), name="n")
    jobs = [await add_job(store, ada, tags=("t",), name="n") for _ in range(6)]
    other = await add_job(store, ada)
    for job in jobs[:2]:
        await store.jobs.cancel(job.id, actor="ada", now=NOW)
    queued, cancelled = (JobState.QUEUED,), (JobState.CANCELLED,)
    searches: tuple[dict[str, Any], ...] = (
        *({}, {"tags": ("t",)}, {"name": "n"}, {"states": queued}, {"states": cancelled}),
        *({"states": queued + cancelled}, {"tags": ("t",), "states": cancelled}),
        *({"device": "none"}, {"created_from": other.created_at}, {"created_to": NOW - 1}),
    )
    for asked in searches:
        for limit in (1, 3, 100):
            query = JobQuery(account=ada.account, limit=limit, **asked)
            states = Counter(job.state for job in await store.jobs.page(query))
            found = await store.jobs.tally_up_to_limit(query)
            if len(asked.get("states", ())) < 2:
                assert found == states, (asked, limit)
            else:  # by two indexes, each up to the limit
                assert sum(found.values()) >= sum(states.values()), limit


@pytest.mark.both_databases
async def test_names_and_tags_of_the_newest_jobs_are_counted(store: Store, ada: Token) -> None:
    await add_job(store, await make_token(store, "bob"), name="bobs")
    await add_job(store, ada, name="oldest", tags=("z",))
    for tags in (("a", "b"), ("a",), ()):
        await add_job(store, ada, name="n" if tags else "", tags=tags)
    labels = store.jobs.recent_labels
    assert await labels(ada.account, 3) == ({"n": 2}, {"a": 2, "b": 1})
    assert await labels(ada.account, 4) == ({"n": 2, "oldest": 1}, {"a": 2, "b": 1, "z": 1})
    assert await labels(ada.account, 4, devices=("none",)) == ({}, {})


@pytest.mark.both_databases
async def test_the_time_that_jobs_ran_adds_up(store: Store, ada: Token, runner: str) -> None:
    job = await add_job(store, ada)
    query = JobQuery(account=ada.account, dialect=job.dialect, offset=0)
    assert await store.jobs.run_ms(query) == 0
    (assignment,) = (await store.leases.claim("simulator", runner, NOW)).taken
    assert await store.jobs.run_ms(query) == 0
    ended = await store.leases.finish(
        assignment.lease, RunResult((Encoded(b"", b""),), 0.07), NOW + 70
    )
    assert ended.started_at is not None
    assert await store.jobs.run_ms(query) == NOW + 70 - ended.started_at > 0
    assert await store.jobs.run_ms(JobQuery(account="another", dialect=job.dialect, offset=0)) == 0


@pytest.mark.both_databases
async def test_a_tally_counts_a_job_that_waits_again_as_running(
    store: Store, ada: Token, runner: str
) -> None:
    job, _ = await add_job(store, ada), await add_job(store, ada)
    query = JobQuery(account=ada.account, dialect=job.dialect, offset=0)
    assert await store.jobs.tally(query) == {JobState.QUEUED: 2}
    (assignment, *_) = (await store.leases.claim("simulator", runner, NOW)).taken
    assert await store.jobs.tally(query) == {JobState.QUEUED: 1, JobState.RUNNING: 1}
    await store.leases.release(assignment.lease, "test", NOW, counts_as_attempt=False)
    waiting = await store.jobs.get(job.id)
    assert waiting is not None
    assert waiting.state is JobState.QUEUED
    assert await store.jobs.tally(query) == {JobState.QUEUED: 1, JobState.RUNNING: 1}
    running = JobQuery(
        account=ada.account, dialect=job.dialect, offset=0, states=(JobState.RUNNING,)
    )
    assert [each.id for each in await store.jobs.page(running)] == [job.id]


@pytest.mark.both_databases
async def test_a_job_is_found_by_the_beginning_of_its_id(store: Store, ada: Token) -> None:
    job = await add_job(store, ada)
    low, high = job.id[:-8] + "0" * 8, job.id[:-8] + "f" * 8
    assert await store.jobs.only_with_id_between(ada.account, low, high) == job
    assert await store.jobs.only_with_id_between("another", low, high) is None
    await add_job(store, ada)
    everything = ("0" * 8 + job.id[8:], "f" * 8 + job.id[8:])
    assert await store.jobs.only_with_id_between(ada.account, *everything) is None


async def test_a_list_is_bounded_by_times_of_creation_both_included(
    store: Store, ada: Token
) -> None:
    grace = await make_token(store, "grace")
    jobs = []
    for k in range(7):
        jobs.append(await add_job(store, ada, NOW + 10 * k))
        await add_job(store, grace, NOW + 1_000 * k)  # its times say nothing of ada's
    for low, high in [(0, 7), (2, 4), (3, 3), (6, 7), (0, 1), (5, 2)]:
        query = JobQuery(
            account=ada.account, created_from=NOW + 10 * low, created_to=NOW + 10 * high
        )
        expected = [job.id for job in jobs[low : high + 1]][::-1]
        assert [job.id for job in await store.jobs.page(query)] == expected
    between = JobQuery(account=ada.account, created_from=NOW + 11, created_to=NOW + 19)
    assert await store.jobs.page(between) == []


@pytest.mark.both_databases
async def test_a_list_is_of_jobs_with_a_name_and_all_tags(store: Store, ada: Token) -> None:
    plain = await add_job(store, ada, name="bell")
    tagged = await add_job(store, ada, name="bell", tags=("a", 'b"c', "%"))
    await add_job(store, ada, name="other", tags=("ab",))
    odd = await add_job(store, ada, name="odd", tags=("x,", ",y", "ü", "\\"))
    wishes: list[tuple[dict[str, object], list[str]]] = [
        ({"name": "bell"}, [tagged.id, plain.id]),
        ({"tags": ("a",)}, [tagged.id]),
        ({"tags": ("%", 'b"c')}, [tagged.id]),
        ({"tags": ("a", "ab")}, []),
        ({"tags": ("b",)}, []),
        ({"tags": (",",)}, []),  # a separator is not a tag
        ({"tags": ('","',)}, []),
        ({"tags": ("ü", "\\")}, [odd.id]),
    ]
    for wish, found in wishes:
        for dialect in (None, "native"):
            query = replace(JobQuery(account=ada.account, dialect=dialect), **wish)
            assert [job.id for job in await store.jobs.page(query)] == found


@pytest.mark.both_databases
async def test_a_list_of_a_group_is_of_the_account_that_asks(store: Store, ada: Token) -> None:
    query = JobQuery(account=ada.account, group="nobody's")
    assert await store.jobs.page(query) == []


@pytest.mark.both_databases
async def test_changes_are_listed_in_order_with_the_present_state(store: Store, ada: Token) -> None:
    grace = await make_token(store, "grace")
    assert await store.jobs.last_change(ada.account) == 0
    first, second = await add_job(store, ada), await add_job(store, ada)
    await add_job(store, grace)
    seen = await store.jobs.last_change(ada.account)
    assert seen == second.change
    await store.jobs.cancel(first.id, actor="ada", now=NOW)
    third = await add_job(store, ada)
    changed = await store.jobs.changed(ada.account, seen, 10)
    assert [job.id for job in changed] == [first.id, third.id]
    assert changed[0].state is JobState.CANCELLED
    assert [job.id for job in await store.jobs.changed(ada.account, 0, 1)] == [second.id]
    assert await store.jobs.changed(ada.account, changed[-1].change, 10) == []


async def test_only_a_new_name_is_published_as_a_rename(store: Store, ada: Token) -> None:
    heard: list[JobChange] = []
    store.changes.listen(heard.append)
    job = await add_job(store, ada)
    await store.jobs.cancel(job.id, actor="ada", now=NOW)
    await store.jobs.set_name_and_tags(job.id, name="b", tags=None, now=NOW)
    assert [change.keeps_state for change in heard] == [False, False, True]


async def test_each_commit_is_reported_with_the_number_of_database_errors(
    store: Store, ada: Token
) -> None:
    heard: list[tuple[int, int]] = []
    store.on_commit(lambda operations, failed, _seconds: heard.append((operations, failed)))
    await add_job(store, ada)
    assert heard == [(1, 0)]


@pytest.mark.both_databases
async def test_jobs_of_all_accounts_are_counted_up_to_a_limit(
    store: Store, ada: Token, runner: str
) -> None:
    eve = await make_token(store, "eve")
    first = await add_job(store, eve, NOW)
    for token in (ada, eve, eve):
        await add_job(store, token, NOW + 5)
    await store.leases.claim("simulator", runner, NOW)
    found = await store.jobs.tally_unfinished(9)
    assert {state: number for state, (number, _) in found.items()} == {
        JobState.RUNNING: 1,
        JobState.QUEUED: 3,
    }
    assert min(at for _, at in found.values()) == first.created_at
    assert sum(number for number, _ in (await store.jobs.tally_unfinished(2)).values()) == 2
    assert await store.jobs.tally_ended(NOW, 9) == {}
    hour = 3_600_000
    for at in (hour, 2 * hour):
        job = await add_job(store, ada, NOW + at)
        await store.jobs.cancel(job.id, actor="ada", now=NOW + at)
    cancelled = JobState.CANCELLED
    assert await store.jobs.tally_ended(NOW, 9) == {(cancelled, 1): 1, (cancelled, 2): 1}
    assert await store.jobs.tally_ended(NOW, 1) == {(cancelled, 2): 1}
    assert await store.jobs.tally_ended(NOW + hour + 1, 9) == {(cancelled, 0): 1}
