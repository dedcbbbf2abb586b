"""Keys of submissions whose answers were delivered, when they cannot be deleted."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from starlette.responses import Response

from qwicket.dialects.requests import DELIVERED
from qwicket.model.errors import Unavailable
from qwicket.vendors.ibm.dialect.runtime.lost_answers import LostResponses

if TYPE_CHECKING:
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job, Submission

ACTOR = cast("Actor", SimpleNamespace(account="ada"))
SUBMISSION = cast("Submission", SimpleNamespace(idempotency_key="content"))


class Jobs:
    """Stores jobs by key. While the disk is full, nothing can be stored or deleted."""

    def __init__(self) -> None:
        self.is_full = False
        self.by_key: dict[str, Job] = {}
        self.n_jobs = 0
        self.n_deletions = 0

    async def submit(self) -> tuple[Job, bool]:
        self._check()
        is_new = "content" not in self.by_key
        if is_new:
            self.n_jobs += 1
            self.by_key["content"] = named(f"job-{self.n_jobs}")
        return self.by_key["content"], is_new

    async def forget_key(self, job: Job, key: str) -> None:
        self._check()
        self.n_deletions += 1
        if self.by_key.get(key) is job:
            del self.by_key[key]

    async def forget_key_of(self, job: Job) -> None:
        await self.forget_key(job, "content")

    def _check(self) -> None:
        if self.is_full:
            raise Unavailable("The disk is full.", retry_after_s=1.0)


async def respond(
    responses: LostResponses, jobs: Jobs, *, is_delivered: bool = True, is_named: bool = False
) -> str:
    """Submit, send the response, and return the id of the job.

    With `is_named` the client names the job before the response is known to be delivered.
    """

    async def receive() -> Any:
        raise AssertionError

    async def send(_message: Any) -> None:
        pass

    async def delivered() -> bool:
        if is_named:
            await responses.note_named(jobs.by_key["content"])
        return is_delivered

    ids = []

    def render(job: Job) -> Response:
        ids.append(job.id)
        return Response()

    response = await responses.submit(ACTOR, SUBMISSION, jobs.submit, render)
    await response({"type": "http", "method": "POST", DELIVERED: delivered}, receive, send)
    await asyncio.gather(*responses._tasks)
    return str(ids[0])


def test_equal_submissions_are_two_jobs_even_if_the_key_could_not_be_deleted_at_once() -> None:
    jobs = Jobs()
    responses = LostResponses(cast(Any, SimpleNamespace(jobs=jobs)))

    async def run() -> list[str]:
        original = jobs.forget_key

        async def fill_first(job: Job, key: str) -> None:
            jobs.is_full = True
            await original(job, key)

        jobs.forget_key = fill_first  # type: ignore[method-assign]  # full just after the commit
        first = await respond(responses, jobs)
        with pytest.raises(Unavailable):
            await respond(responses, jobs)
        jobs.is_full, jobs.forget_key = False, original  # type: ignore[method-assign]  # as above
        return [first, await respond(responses, jobs), await respond(responses, jobs)]

    assert asyncio.run(run()) == ["job-1", "job-2", "job-3"]
    assert not responses._undeleted
    assert not responses._turns


def test_the_key_of_a_job_that_was_named_is_deleted_once() -> None:
    jobs = Jobs()
    responses = LostResponses(cast(Any, SimpleNamespace(jobs=jobs)))
    found = [asyncio.run(respond(responses, jobs, is_named=True)) for _ in range(2)]
    assert found == ["job-1", "job-2"]
    assert jobs.n_deletions == 2


@pytest.mark.parametrize("is_full", [False, True])
def test_a_job_that_was_named_is_another_though_its_response_was_not_acknowledged(
    is_full: bool,
) -> None:
    """As where the connection broke just after the client had read the response."""
    jobs = Jobs()
    responses = LostResponses(cast(Any, SimpleNamespace(jobs=jobs)))

    async def run() -> list[str]:
        found = [await respond(responses, jobs, is_delivered=False) for _ in range(2)]
        jobs.is_full = is_full
        await responses.note_named(jobs.by_key["content"])
        jobs.is_full = False
        return [*found, *[await respond(responses, jobs) for _ in range(2)]]

    assert asyncio.run(run()) == ["job-1", "job-1", "job-2", "job-3"]


def test_a_job_that_was_named_at_another_server_is_another_one() -> None:
    jobs = Jobs()
    one, other = (LostResponses(cast(Any, SimpleNamespace(jobs=jobs))) for _ in range(2))

    async def run() -> list[str]:
        first = await respond(one, jobs, is_delivered=False)
        await other.note_named(jobs.by_key["content"])
        return [first, await respond(one, jobs)]

    assert asyncio.run(run()) == ["job-1", "job-2"]


def test_only_the_latest_named_jobs_are_kept() -> None:
    responses = LostResponses(cast(Any, SimpleNamespace(jobs=Jobs())))

    async def run() -> None:
        for each in range(10_001):
            await responses.note_named(named(str(each)))

    asyncio.run(run())
    assert list(responses._named) == [str(each) for each in range(1, 10_001)]


def named(id: str) -> Job:
    return cast("Job", SimpleNamespace(id=id))
