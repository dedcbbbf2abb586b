"""Uploads through the gateway: what a cut leaves, who may, what becomes of a program."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from qwicket.gateway import Gateway
from qwicket.gateway.admin import Admin
from qwicket.model.accounts import Actor
from qwicket.model.errors import Conflict, Forbidden, InvalidRequest, LimitExceeded, NotFound
from qwicket.model.jobs import Job, Submission
from qwicket.model.states import JobState
from qwicket.store import Store
from support.ibm import SIMULATOR, qobj
from support.response_memory import response_memory

pytestmark = [pytest.mark.anyio, pytest.mark.needs_vendors]

PROGRAM = json.dumps(qobj()).encode()


async def actor(gateway: Gateway, admin: Admin, name: str) -> Actor:
    await admin.add_account(name, email=None, password=None)
    return await gateway.auth.by_token((await admin.create_token(name)).secret, "127.0.0.1")


@pytest.fixture
async def ada(gateway: Gateway, admin: Admin) -> Actor:
    return await actor(gateway, admin, "ada")


def known(**changes: object) -> Submission:
    usual = Submission(dialect="ibm", device=SIMULATOR, format="qobj", source=b"", shots=10)
    return replace(usual, **changes)


def worded(source: bytes) -> Submission:
    return known(source=source)


async def pieces(*chunks: bytes, then: BaseException | None = None) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
    if then is not None:
        raise then


async def draft(gateway: Gateway, ada: Actor) -> Job:
    return await gateway.uploads.draft(ada, known())


async def test_a_draft_becomes_a_job_when_its_program_is_there(
    gateway: Gateway, ada: Actor
) -> None:
    job = await draft(gateway, ada)
    assert job.state is JobState.DRAFT
    assert await gateway.uploads.receive(ada, job, pieces(PROGRAM[:7], PROGRAM[7:])) == len(PROGRAM)
    queued = await gateway.uploads.submit(ada, job, worded)
    assert (queued.state, queued.id, queued.n_qubits) == (JobState.QUEUED, job.id, 2)
    assert (await gateway.results.program(queued, response_memory())).source == PROGRAM
    assert await gateway.uploads.submit(ada, queued, worded) == queued


@pytest.mark.parametrize("cut", [0, 1, len(PROGRAM) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
async def test_an_upload_that_breaks_off_leaves_nothing(
    gateway: Gateway, store: Store, ada: Actor, cut: int
) -> None:
    job = await draft(gateway, ada)
    text = (PROGRAM + b" " * (3 << 20))[:cut]
    with pytest.raises(ConnectionError):
        await gateway.uploads.receive(ada, job, pieces(text, then=ConnectionError()))
    assert await store.uploads.read(job.id) is None
    with pytest.raises(Conflict, match="not uploaded"):
        await gateway.uploads.submit(ada, job, worded)
    assert (await gateway.jobs.get(ada, job.id)).state is JobState.DRAFT


async def test_a_program_that_is_refused_fails_its_job(gateway: Gateway, ada: Actor) -> None:
    job = await draft(gateway, ada)
    await gateway.uploads.receive(ada, job, pieces(b"{"))
    failed = await gateway.uploads.submit(ada, job, worded)
    assert (failed.state, failed.error_code) == (JobState.FAILED, "invalid_program")
    assert failed.queued_at is None


async def test_an_account_with_many_slow_programs_delays_no_other(
    gateway: Gateway, admin: Admin, ada: Actor
) -> None:
    is_over = threading.Event()

    def slowly(source: bytes) -> Submission:
        is_over.wait(60)
        return worded(source)

    async def uploaded(whose: Actor) -> Job:
        job = await draft(gateway, whose)
        await gateway.uploads.receive(whose, job, pieces(PROGRAM))
        return job

    bob = await actor(gateway, admin, "bob")
    slow = [
        asyncio.create_task(gateway.uploads.submit(ada, await uploaded(ada), slowly))
        for _ in range(4)
    ]
    try:
        async with asyncio.timeout(30):
            queued = await gateway.uploads.submit(bob, await uploaded(bob), worded)
        assert queued.state is JobState.QUEUED
    finally:
        is_over.set()
    assert {job.state for job in await asyncio.gather(*slow)} == {JobState.QUEUED}


async def test_only_its_owner_uploads(gateway: Gateway, admin: Admin, ada: Actor) -> None:
    job = await draft(gateway, ada)
    other = await actor(gateway, admin, "bob")
    with pytest.raises(Forbidden):
        await gateway.uploads.receive(other, job, pieces(PROGRAM))
    with pytest.raises(Forbidden):
        await gateway.uploads.submit(other, job, worded)


async def test_what_is_known_of_a_draft_is_checked_at_once(gateway: Gateway, ada: Actor) -> None:
    for wrong, kind in (
        (known(device="nothing"), NotFound),
        (known(shots=0), LimitExceeded),
        (known(name="x" * 21), LimitExceeded),
        (known(tags=("a\0",)), InvalidRequest),
    ):
        with pytest.raises(kind):
            await gateway.uploads.draft(ada, wrong)


async def test_an_uploaded_program_may_be_larger_than_one_in_a_body(
    gateway: Gateway, ada: Actor
) -> None:
    large = PROGRAM + b" " * (11 << 20)
    with pytest.raises(LimitExceeded, match="program_json_bytes"):
        await gateway.jobs.submit(ada, worded(large))
    job = await draft(gateway, ada)
    await gateway.uploads.receive(ada, job, pieces(large))
    assert (await gateway.uploads.submit(ada, job, worded)).state is JobState.QUEUED
