"""Changes of many jobs: the page that asks first, and the one that says what was done."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qsl

from msgspec import structs

from qwicket.dialects.routing import Route
from qwicket.model.accounts import Scope
from qwicket.model.errors import InvalidRequest, NotFound, QwicketError
from qwicket.model.limits import INT64_MAX
from qwicket.model.states import JobState
from qwicket.pages.forms import FORM_BODY, SESSION, Form, check_form, frame
from qwicket.pages.job_search import MAX_COUNTED, PAGE_JOBS, PARAMETERS, Search, read_search

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response

    from qwicket.dialects.requests import Request
    from qwicket.model.accounts import Actor
    from qwicket.model.jobs import Job, JobQuery
    from qwicket.pages.handlers import Handlers


class Action(NamedTuple):
    """What can be done to many jobs; `{}` stands for their number.

    Attributes:
        label: Button that begins it.
        verb: Button that does it, and with a question mark the question.
        done: What was done.
        consequence: What it means.
    """

    label: str
    verb: str
    done: str
    consequence: str


ACTIONS: Final = {
    "repeat": Action(
        "Run again",
        "Run {} again",
        "{} submitted again",
        "Each is submitted once more to its device, as a new job with another seed. It counts"
        " towards budgets.",
    ),
    "tag": Action("Add a tag", "Tag {}", "{} tagged", "They keep the tags that they have."),
    "cancel": Action(
        "Cancel",
        "Cancel {}",
        "{} cancelled",
        "Those that wait never start, and those that run are stopped. They keep their programs, and"
        " can be run again.",
    ),
    "delete": Action(
        "Delete",
        "Delete {}",
        "{} deleted",
        "Their programs, results and tags are removed at once. This cannot be undone. What they"
        " used still counts towards budgets.",
    ),
}
_JOBS_PER_STEP: Final = {"cancel": 500, "delete": 500, "repeat": 20, "tag": 50}
"""Jobs that one step of an action changes."""
_MAX_CHANGE_S: Final = 5.0
"""Time in seconds after which the rest of a change waits for another click."""
_MAX_SHOWN: Final = 10
"""Jobs that the question names, and jobs that a report names because they were not changed."""


class ChangeRequest(NamedTuple):
    """A change of jobs as a form asks for it; without ids it concerns all that match."""

    action: str
    tag: str
    ids: list[str]
    search: Search

    @property
    def words(self) -> Action:
        """The action, in words."""
        return ACTIONS[self.action]

    @property
    def query(self) -> JobQuery | None:
        """The jobs that match and whose states the action can change; None for none."""
        query = self.search.query
        wanted = query.states or tuple(JobState)
        states = tuple(state for state in wanted if _concerns(self.action, state))
        if not states:
            return None
        # All states are no filter: a list of some states reads other indexes.
        return structs.replace(query, states=() if states == tuple(JobState) else states)


class ChangeReport(NamedTuple):
    """What a change of many jobs has done.

    Attributes:
        n_done: Number of changed jobs.
        skipped: Ids of some jobs that were not changed, each with the reason.
        n_skipped: Number of all jobs that were not changed.
        before: Where the change continues, as in `JobQuery`; None if it is complete.
    """

    n_done: int
    skipped: list[tuple[str, str]]
    n_skipped: int
    before: int | None


def routes() -> tuple[Route, ...]:
    """Return the routes of changes of many jobs."""
    return (
        Route("POST", "/jobs/confirm", confirm_change, Scope.JOBS_WRITE, FORM_BODY),
        Route("POST", "/jobs/change", change_jobs, Scope.JOBS_WRITE, FORM_BODY),
    )


async def confirm_change(pages: Handlers, actor: Actor, request: Request[Form]) -> Response:
    """Show which jobs a change would concern, and how many.

    A number above the limit is counted in a second request, and only then can the change be made.
    """
    change = await _change_request(pages, actor, request)
    is_exact = request.payload.get("exact") == "yes"
    jobs, number = await _concerned(pages, actor, change, is_exact)
    is_open = number > MAX_COUNTED and not is_exact
    verb = change.words.verb.format(render_count(number, is_open))
    return pages.renderer.page(
        "confirm-jobs",
        is_live=is_open,
        title=f"{verb}{' with their results' if change.action == 'delete' else ''}?",
        change=change,
        jobs=jobs,
        number=number,
        n_left=len(change.ids) - number if change.ids else 0,
        verb=verb,
        is_open=is_open,
        **frame(actor, request),
    )


def render_count(number: int, is_open: bool = False) -> str:
    """Return a number of jobs in words; `is_open` if they were counted only up to the limit."""
    if is_open:
        return f"more than {MAX_COUNTED:,} jobs"
    return f"{number:,} {'job' if number == 1 else 'jobs'}"


async def _concerned(
    pages: Handlers, actor: Actor, change: ChangeRequest, is_exact: bool
) -> tuple[Sequence[Job], int]:
    """Return the first jobs that an action can change, and the number of all of them.

    Unless `is_exact`, counting stops just above `MAX_COUNTED`.

    Raises:
        Unavailable: An exact count takes too long.
    """
    found = []
    if change.ids:
        for each in change.ids:
            with suppress(NotFound):
                found.append(await pages.gateway.jobs.get(actor, each))
        found = [job for job in found if _concerns(change.action, job.state)]
        return found[:_MAX_SHOWN], len(found)
    query = change.query
    if query is None:
        return (), 0
    limit = INT64_MAX if is_exact else MAX_COUNTED + 1
    tally = await pages.gateway.jobs.tally_up_to_limit(actor, structs.replace(query, limit=limit))
    query = structs.replace(query, limit=_MAX_SHOWN)
    return await pages.gateway.jobs.page(actor, query), sum(tally.values())


async def change_jobs(pages: Handlers, actor: Actor, request: Request[Form]) -> Response:
    """Change the jobs that were chosen, or all that match."""
    change = await _change_request(pages, actor, request)
    if change.action == "tag" and not change.tag:
        raise InvalidRequest("tag: enter the tag to add to the jobs.", field="tag")
    steps = _ChangeSteps(pages, actor, request, change.action, change.tag)
    if change.ids:
        report = await steps.change_chosen(change.ids)
    else:
        report = await steps.change_all(change.search.query)
    return pages.renderer.page(
        "changed-jobs",
        title=change.words.done.format(render_count(report.n_done)),
        change=change,
        report=report,
        **frame(actor, request),
    )


async def _change_request(pages: Handlers, actor: Actor, request: Request[Form]) -> ChangeRequest:
    """Return what a form asks for.

    Raises:
        Forbidden: Another site has sent it.
        InvalidRequest: It names no action or no jobs.
    """
    check_form(request, SESSION)
    form = request.payload
    action = form.get("action", "")
    if action not in ACTIONS:
        raise InvalidRequest(f"action must be one of {', '.join(ACTIONS)}.", field="action")
    chosen = await _chosen(pages, actor, form)
    return ChangeRequest(action, form.get("tag", "").strip(), *chosen)


class _ChangeSteps:
    """A change of many jobs, in steps."""

    def __init__(
        self, pages: Handlers, actor: Actor, request: Request[Form], action: str, tag: str
    ) -> None:
        self._gateway = pages.gateway
        self._actor = actor
        self._request = request
        self._action = action
        self._tag = tag
        self._n_done = self._n_skipped = 0
        self._skipped: list[tuple[str, str]] = []

    async def change_chosen(self, ids: Sequence[str]) -> ChangeReport:
        jobs = []
        for each in ids:
            try:
                jobs.append(await self._gateway.jobs.get(self._actor, each))
            except NotFound as error:
                self._skip(each, error.detail)
        await self._change_step(jobs)
        return self._report(None)

    async def change_all(self, query: JobQuery) -> ChangeReport:
        """Change all jobs of a search, newest first, until it takes too long."""
        end = time.monotonic() + _MAX_CHANGE_S
        limit = _JOBS_PER_STEP[self._action]
        while True:
            jobs = await self._gateway.jobs.page(self._actor, structs.replace(query, limit=limit))
            await self._change_step([job for job in jobs if _concerns(self._action, job.state)])
            if len(jobs) < limit:
                return self._report(None)
            query = structs.replace(query, before=jobs[-1].seq)
            if time.monotonic() > end:
                return self._report(jobs[-1].seq)

    async def _change_step(self, jobs: Sequence[Job]) -> None:
        if self._action in ("cancel", "delete"):
            await self._change_together(jobs)
        elif self._action == "tag":
            await asyncio.gather(*(self._change_one(job) for job in jobs))
        else:
            for job in jobs:
                await self._change_one(job)

    async def _change_together(self, jobs: Sequence[Job]) -> None:
        """Cancel or delete jobs in one operation; if that is refused, one by one."""
        bulk = self._gateway.bulk
        do = bulk.cancel if self._action == "cancel" else bulk.delete
        fitting = [job for job in jobs if _concerns(self._action, job.state)]
        for job in jobs:
            if job not in fitting:
                self._skip(job.id, f"The job is {job.state}.")
        if not fitting:
            return
        try:
            await do(self._actor, [job.id for job in fitting], dialect=None)
        except QwicketError as error:
            if len(fitting) == 1:
                self._skip(fitting[0].id, error.detail)
                return
            for job in fitting:
                await self._change_together([job])
        else:
            self._n_done += len(fitting)

    async def _change_one(self, job: Job) -> None:
        try:
            if self._action == "tag":
                tags = tuple(dict.fromkeys((*job.tags, self._tag)))
                await self._gateway.jobs.set_name_and_tags(self._actor, job.id, tags=tags)
            else:
                await self._gateway.repeats.repeat(
                    self._actor, job, self._request.response_memory, keep_seed=False
                )
        except QwicketError as error:
            self._skip(job.id, error.detail)
        else:
            self._n_done += 1

    def _skip(self, job: str, reason: str) -> None:
        self._n_skipped += 1
        if len(self._skipped) < _MAX_SHOWN:
            self._skipped.append((job, reason))

    def _report(self, before: int | None) -> ChangeReport:
        return ChangeReport(self._n_done, self._skipped, self._n_skipped, before)


def _concerns(action: str, state: JobState) -> bool:
    """Return whether an action can change a job in this state."""
    if action == "cancel":
        return not state.is_final
    return state.is_final if action == "delete" else True


async def _chosen(pages: Handlers, actor: Actor, form: Form) -> tuple[list[str], Search]:
    """Return the ids that a form selects, and its search; no ids mean all jobs of the search.

    Raises:
        InvalidRequest: The form selects neither, or its search has more than the filters.
    """
    try:
        fields = dict(parse_qsl(form.get("search", ""), max_num_fields=len(PARAMETERS)))
    except ValueError:
        raise InvalidRequest("search: it has more fields than filters.", field="search") from None
    search = await read_search(pages, actor, fields | {"before": form.get("before", "")})
    if form.get("of") == "all":
        if search.who != "mine":
            raise InvalidRequest("of: all that match must be your own jobs.", field="of")
        query = structs.replace(search.query, oldest_first=False, after=0)
        return [], search._replace(query=query)
    ids = list(dict.fromkeys(form.all("job")))[:PAGE_JOBS]
    if not ids:
        raise InvalidRequest("job: select at least one job, or all that match.", field="job")
    return ids, search
