from __future__ import annotations

import pytest
from msgspec.structs import replace

from qwicket.model.accounts import Token
from qwicket.model.errors import Conflict, LimitExceeded
from qwicket.model.failures import Failure
from qwicket.model.ids import new_id
from qwicket.model.jobs import Job, JobQuery
from qwicket.model.states import JobState
from qwicket.store import Store
from support.stores import NOW, add_job, new_job

pytestmark = pytest.mark.anyio

MAX_UPLOAD_BYTES = 100


async def draft(store: Store, ada: Token) -> Job:
    return await add_job(
        store,
        ada,
        state=JobState.DRAFT,
        expires_at=NOW + 1000,
        source=b"",
        vendor_fields=b'{"a":1}',
    )


async def begin(store: Store, job: Job, held_limit: int = 10 * MAX_UPLOAD_BYTES) -> str:
    upload = new_id(NOW)
    await store.uploads.begin(
        upload, job.id, job.account, max_bytes=MAX_UPLOAD_BYTES, held_limit=held_limit
    )
    return upload


async def upload(store: Store, job: Job, *pieces: bytes) -> str:
    made = await begin(store, job)
    for part, piece in enumerate(pieces):
        await store.uploads.add(made, part, piece)
    await store.uploads.finish(made, sum(map(len, pieces)))
    return made


@pytest.mark.both_databases
async def test_an_upload_counts_when_it_is_whole(store: Store, ada: Token) -> None:
    job = await draft(store, ada)
    made = await begin(store, job)
    await store.uploads.add(made, 0, b"ab")
    assert await store.uploads.read(job.id) is None
    await store.uploads.add(made, 1, b"c")
    await store.uploads.finish(made, 3)
    assert await store.uploads.read(job.id) == b"abc"


@pytest.mark.both_databases
async def test_the_last_whole_one_counts_whatever_is_cut(store: Store, ada: Token) -> None:
    job = await draft(store, ada)
    await upload(store, job, b"first")
    cut = await begin(store, job)
    await store.uploads.add(cut, 0, b"half")
    assert await store.uploads.read(job.id) == b"first"
    await store.uploads.drop(cut)
    await upload(store, job, b"second")
    assert await store.uploads.read(job.id) == b"second"


@pytest.mark.both_databases
async def test_one_that_began_later_ends_one_under_way(store: Store, ada: Token) -> None:
    job = await draft(store, ada)
    first = await begin(store, job)
    second = await begin(store, job)
    with pytest.raises(Conflict):
        await store.uploads.add(first, 0, b"a")
    with pytest.raises(Conflict):
        await store.uploads.finish(first, 1)
    await store.uploads.add(second, 0, b"b")
    await store.uploads.finish(second, 1)
    assert await store.uploads.read(job.id) == b"b"


async def test_what_an_account_holds_is_bounded(store: Store, ada: Token) -> None:
    """One under way counts as a full one."""
    await begin(store, await draft(store, ada), 2 * MAX_UPLOAD_BYTES)
    await begin(store, await draft(store, ada), 2 * MAX_UPLOAD_BYTES)
    with pytest.raises(LimitExceeded, match="uploads_bytes"):
        await begin(store, await draft(store, ada), 2 * MAX_UPLOAD_BYTES)


async def test_uploads_of_cancelled_drafts_do_not_count(store: Store, ada: Token) -> None:
    cancelled = await draft(store, ada)
    await upload(store, cancelled, MAX_UPLOAD_BYTES * b"x")
    other = await draft(store, ada)
    with pytest.raises(LimitExceeded):
        await begin(store, other, held_limit=MAX_UPLOAD_BYTES)
    await store.jobs.cancel(cancelled.id, actor=ada.account, now=NOW)
    await begin(store, other, held_limit=MAX_UPLOAD_BYTES)


@pytest.mark.both_databases
async def test_only_a_draft_takes_uploads(store: Store, ada: Token) -> None:
    job = await draft(store, ada)
    made = await begin(store, job)
    await store.uploads.add(made, 0, b"a")
    await store.jobs.refuse(job.id, Failure("x", "y"), NOW)
    with pytest.raises(Conflict):
        await store.uploads.finish(made, 1)
    with pytest.raises(Conflict):
        await begin(store, job)
    with pytest.raises(Conflict):
        await begin(store, await add_job(store, ada))


@pytest.mark.both_databases
async def test_an_admitted_draft_keeps_program_and_document_and_no_upload(
    store: Store, ada: Token
) -> None:
    job = await draft(store, ada)
    await upload(store, job, b"a", b"b")
    ready = new_job(ada, source=b"ab", vendor_fields=b'{"b":2}')
    admitted = await store.jobs.admit(job.id, ready)
    assert admitted.state is JobState.QUEUED
    assert (await store.jobs.program(job.id)).source == b"ab"
    assert await store.jobs.vendor_fields(job.id) == b'{"b":2}'
    assert await store.uploads.read(job.id) is None


@pytest.mark.both_databases
async def test_maintenance_forgets_what_no_draft_waits_for(store: Store, ada: Token) -> None:
    kept, gone = await draft(store, ada), await draft(store, ada)
    for job in (kept, gone):
        await upload(store, job, b"x")
    await store.jobs.cancel(gone.id, actor=ada.account, now=NOW)
    assert await store.maintenance.delete_orphaned_uploads() == 1
    assert await store.uploads.read(kept.id) == b"x"
    assert await store.uploads.read(gone.id) is None


@pytest.mark.both_databases
async def test_a_list_is_bounded_by_project_and_time_and_may_rise(store: Store, ada: Token) -> None:
    made = [await add_job(store, ada, NOW + n, dialect="ibm") for n in range(5)]
    ids = [job.id for job in made]

    async def found(**asked: object) -> list[str]:
        query = replace(JobQuery(account=ada.account, dialect="ibm"), **asked)
        return [job.id for job in await store.jobs.page(query)]

    times = [job.created_at for job in made]
    assert await found() == ids[::-1]
    assert await found(oldest_first=True) == ids
    assert await found(oldest_first=True, after=made[1].seq, limit=2) == ids[2:4]
    assert await found(created_from=times[1], created_to=times[3]) == ids[3:0:-1]
    assert await found(project=ada.project) == ids[::-1]
    assert await found(project="another") == []


async def test_sizes_are_those_of_program_and_results(store: Store, ada: Token) -> None:
    job = await add_job(store, ada, source=b"x" * 70)
    assert await store.jobs.sizes(job.id) == (70, 0)


async def test_a_job_is_renamed(store: Store, ada: Token) -> None:
    job = await add_job(store, ada, name="old", tags=("a",))
    renamed = await store.jobs.set_name_and_tags(job.id, "new", ("b", "c"), NOW)
    assert (renamed.name, renamed.tags) == ("new", ("b", "c"))
    assert renamed.change > job.change
    assert renamed.state is job.state
    assert (await store.jobs.set_name_and_tags(job.id, None, (), NOW)).name == "new"
    assert (await store.jobs.set_name_and_tags(job.id, "newer", None, NOW)).tags == ()
